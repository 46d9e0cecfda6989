"""Bootstrap confidence intervals: how a metric would vary with other test examples.

Examples are drawn with replacement: whole sentences for taggers and whole lines for language
models, because their tokens are not independent. The variation between training runs is a different
matter: train with several seeds to see it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.evaluation.figure import Figure

RESAMPLES = 2_000
"""Enough resamples for interval limits that are stable to about a twentieth of the width."""

LEVEL = 0.95

COUNTS_AT_ONCE = 1 << 22
"""The number of counts in a block of resamples, which bounds memory."""


def interval(
    figure: Figure, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap interval, BCa (Efron 1987).

    If every resample has the same value, as when there are no errors, the interval is that value:
    the bootstrap knows nothing about errors that it never saw.

    Args:
        level: the probability that the interval contains the true value.
        resamples: the number of resamples of the examples.
        seed: the seed of the resampling.
    """
    from scipy.special import ndtr, ndtri

    value = figure.value
    values = resampled(figure, resamples, seed)
    if values.min() == values.max():
        return value, value
    below = ((values < value).mean() + (values <= value).mean()) / 2
    # A value outside all resamples would have an infinite bias.
    bias = ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    z = bias + ndtri([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(values, ndtr(bias + z / (1 - _acceleration(figure) * z)))
    return float(low), float(high)


def resampled(figure: Figure, resamples: int, seed: int) -> Floats:
    """The metric of each resample ``(resamples,)``."""
    terms, counts = distinct(figure.terms)
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            figure.of_sums(rng.multinomial(counts.sum(), counts / counts.sum(), size) @ terms)
            for size in blocks(resamples, len(terms))
        ]
    )


def distinct(terms: Floats) -> tuple[Floats, Ints]:
    """The distinct rows of ``terms`` and the count of each.

    Identical examples are drawn together: their number in a resample is multinomial, so a resample
    needs only as many draws as there are distinct examples.
    """
    return np.unique(terms, axis=0, return_counts=True)


def blocks(resamples: int, width: int) -> Iterator[int]:
    """Block sizes that sum to ``resamples``, each so small that ``size * width`` counts fit into
    memory."""
    most = max(1, COUNTS_AT_ONCE // width)
    for start in range(0, resamples, most):
        yield min(most, resamples - start)


def _acceleration(figure: Figure) -> float:
    """How the metric's standard error changes with its value, by the jackknife, which leaves out
    one example at a time."""
    terms, counts = distinct(figure.terms)
    left_out = figure.of_sums(figure.terms.sum(axis=0) - terms)
    deviations = np.average(left_out, weights=counts) - left_out
    variance = counts @ deviations**2
    return float(counts @ deviations**3 / (6 * variance**1.5)) if variance > 0 else 0.0
