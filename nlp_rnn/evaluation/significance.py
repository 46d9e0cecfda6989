"""Significance tests for the difference of two models on the same test examples.

The tests say how surprising the difference would be if both models were equally good on such texts.
They see only one training run of each: another seed may give another difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_rnn.evaluation.bootstrap import LEVEL, blocks, distinct, resampled
from nlp_rnn.evaluation.figure import Figure

RESAMPLES = 10_000
"""Enough resamples that a p-value of 0.05 is known to about 0.002 (one standard deviation)."""

ROUNDING = 1e-9
"""A relative tolerance, because equal differences may be computed from different sums."""


@dataclass(frozen=True)
class Comparison:
    """The difference of two models on the same examples.

    Attributes:
        difference: the difference of the metrics, ``a - b``.
        low: the lower limit of its interval.
        high: the upper limit. The interval contains 0 exactly if ``p`` is above ``1 - level``.
        p: the two-sided p-value of no difference.
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

    The interval contains the differences that a test does not reject (Efron & Tibshirani 1993,
    section 12.3). Every difference is tested by the bootstrap: its limits are percentiles without a
    correction for bias and acceleration, which would make them too narrow when few examples
    distinguish the models. The hypothesis of no difference is also tested by
    :func:`randomisation_test`, which is exact, and is rejected only if both tests reject it: ``p``
    is the larger of their p-values.

    Args:
        resamples: the number of resamples of each test.
        level: the probability that the interval contains the true difference.
        null_p: the p-value of an exact test of no difference, instead of
            :func:`randomisation_test`.
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
    """``a - b`` as a metric of pairs of predictions, one pair per example."""
    width = a.terms.shape[1]
    return Figure(
        np.hstack([a.terms, b.terms]),
        lambda sums: a.of_sums(sums[..., :width]) - b.of_sums(sums[..., width:]),
    )


def randomisation_test(a: Figure, b: Figure, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """The two-sided p-value of paired approximate randomisation (Noreen 1989; Yeh 2000).

    If the models were equally good, it would be chance which of them made which prediction of an
    example. The predictions of each example are therefore swapped with probability 1/2; p is the
    share of swaps whose difference is at least the observed one, which itself counts as a swap.
    """
    observed = abs(a.value - b.value)
    # Swapping moves b - a of an example from one sum to the other. Identical examples are swapped
    # together: the number of swaps is binomial.
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
        The numbers of examples that only A and only B get right, and the two-sided p-value: the
        probability of at least so uneven a split if each of these examples went to either with
        probability 1/2.
    """
    from scipy.stats import binomtest

    a, b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    if only_a + only_b == 0:
        return 0, 0, 1.0
    return only_a, only_b, float(binomtest(only_a, only_a + only_b).pvalue)
