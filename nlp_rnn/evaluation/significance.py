"""Whether two models differ on the same test examples by more than chance.

The tests say how surprising the difference would be if both models were equally good on texts
like these. They know one training of each: another seed may give another difference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nlp_rnn.evaluation.bootstrap import blocks, distinct
from nlp_rnn.evaluation.predictions import Figure

RESAMPLES = 10_000
"""So that a p-value of 0.05 is known to about 0.002 (one standard deviation)."""


def difference(a: Figure, b: Figure) -> Figure:
    """``a - b`` as a figure of pairs of predictions, one pair an example."""
    width = a.terms.shape[1]
    return Figure(
        np.hstack([a.terms, b.terms]),
        lambda sums: a.of_sums(sums[..., :width]) - b.of_sums(sums[..., width:]),
    )


def randomisation_test(a: Figure, b: Figure, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """The two-sided p-value of paired approximate randomisation (Noreen 1989; Yeh 2000).

    If the models were equal, which of them made which of the two predictions of an example would
    be chance. So the predictions of each example are swapped with probability 1/2; p is the share
    of the swappings with a difference at least as large as the true one, which counts as one.
    """
    observed = abs(a.value - b.value)
    # Swapping moves b - a of an example from one sum to the other. Like examples are swapped
    # together: the number of those swapped is binomial.
    moves, counts = distinct(b.terms - a.terms)
    sum_a, sum_b = a.terms.sum(axis=0), b.terms.sum(axis=0)
    rng = np.random.default_rng(seed)
    as_large = 0
    for size in blocks(resamples, len(moves)):
        moved = rng.binomial(counts, 0.5, (size, len(counts))) @ moves
        found = np.abs(a.of_sums(sum_a + moved) - b.of_sums(sum_b - moved))
        # Equal differences may be computed from other sums: allow for rounding.
        as_large += int((found >= observed * (1 - 1e-9)).sum())
    return (as_large + 1) / (resamples + 1)


def mcnemar_test(right_a: Sequence[bool], right_b: Sequence[bool]) -> tuple[int, int, float]:
    """McNemar's exact test of two accuracies on independent examples.

    Returns:
        How many examples only A has right, how many only B, and the two-sided p-value: that of so
        uneven a split if each of these examples had fallen to either with probability 1/2.
    """
    from scipy.stats import binomtest

    a, b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    if only_a + only_b == 0:
        return 0, 0, 1.0
    return only_a, only_b, float(binomtest(only_a, only_a + only_b).pvalue)
