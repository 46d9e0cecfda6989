"""Whether two models differ on the same test examples by more than chance.

The tests say how surprising the difference would be if both models were equally good on texts
like these. They know one training of each: another seed may give another difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_rnn.evaluation.bootstrap import LEVEL, blocks, distinct, resampled
from nlp_rnn.evaluation.predictions import Figure

RESAMPLES = 10_000
"""So that a p-value of 0.05 is known to about 0.002 (one standard deviation)."""

ROUNDING = 1e-9
"""Relative: equal differences may be computed from other sums."""


@dataclass(frozen=True)
class Comparison:
    """How far apart two models are on the same examples.

    Attributes:
        difference: of the figures, ``a - b``.
        low: lower limit of its interval.
        high: upper limit. The interval holds 0 exactly where ``p`` is above ``1 - level``.
        p: two-sided p-value of no difference.
    """

    difference: float
    low: float
    high: float
    p: float


def compared(
    a: Figure,
    b: Figure,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    null_p: float | None = None,
) -> Comparison:
    """The difference of two models, with an interval and a p-value that agree.

    The interval holds the differences that a test does not reject (Efron & Tibshirani 1993,
    section 12.3). Every difference is tested by the bootstrap: its limits are percentiles, not
    corrected for bias and acceleration, which makes them too narrow where few examples tell the
    models apart. No difference at all is tested by :func:`randomisation_test` too, which is exact,
    and rejected only by both: ``p`` is the larger of their p-values.

    Args:
        resamples: of each test.
        level: the probability that the interval holds the true difference.
        null_p: of an exact test of no difference, instead of :func:`randomisation_test`.
    """
    differences = np.sort(resampled(difference(a, b), resamples, seed))
    zero = ROUNDING * max(abs(a.value), abs(b.value))
    beyond = min(int((differences <= zero).sum()), int((differences >= -zero).sum()))
    of_bootstrap = min(1.0, 2 * (beyond + 1) / (resamples + 1))
    if null_p is None:
        null_p = randomisation_test(a, b, resamples, seed)
    p = max(of_bootstrap, null_p)
    in_tail = max(1, int((1 - level) / 2 * (resamples + 1)))
    low, high = float(differences[in_tail - 1]), float(differences[-in_tail])
    if p > 1 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    return Comparison(a.value - b.value, low, high, p)


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
        as_large += int((found >= observed * (1 - ROUNDING)).sum())
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
