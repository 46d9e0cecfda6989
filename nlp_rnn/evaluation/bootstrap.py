"""Confidence intervals by the bootstrap: how a figure would vary with other test examples.

Examples are drawn with replacement, whole sentences of taggers and whole lines of language
models, since what stands in one is not independent. The variation between trainings is another
matter: train with several seeds to see it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.evaluation.predictions import Figure

RESAMPLES = 2_000
"""Enough for limits of intervals that are stable to about a twentieth of their width."""

LEVEL = 0.95

COUNTS_AT_ONCE = 1 << 22
"""Counts of a block of resamples: bounds memory."""


def interval(
    figure: Figure, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap interval, BCa (Efron 1987).

    Where every resample has the same value, as with no errors at all, it is that value: the
    bootstrap knows nothing of errors that it never saw.

    Args:
        level: the probability that the interval holds the true value.
        resamples: of the examples.
        seed: of the drawing.
    """
    from scipy.special import ndtr, ndtri

    value = figure.value
    values = resampled(figure, resamples, seed)
    if values.min() == values.max():
        return value, value
    below = ((values < value).mean() + (values <= value).mean()) / 2
    # A value outside all resamples would be infinitely biased.
    bias = ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    z = bias + ndtri([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(values, ndtr(bias + z / (1 - _acceleration(figure) * z)))
    return float(low), float(high)


def resampled(figure: Figure, resamples: int, seed: int) -> Floats:
    """The figure of each of so many resamples ``(resamples,)``."""
    terms, counts = distinct(figure.terms)
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            figure.of_sums(rng.multinomial(counts.sum(), counts / counts.sum(), size) @ terms)
            for size in blocks(resamples, len(terms))
        ]
    )


def distinct(terms: Floats) -> tuple[Floats, Ints]:
    """Different rows of ``terms`` and how many there are of each.

    Like examples are drawn together: their number in a resample is multinomial, so that a
    resample costs as many draws as there are different examples.
    """
    return np.unique(terms, axis=0, return_counts=True)


def blocks(resamples: int, width: int) -> Iterator[int]:
    """Sizes that sum to ``resamples``, each so small that ``size * width`` counts fit memory."""
    most = max(1, COUNTS_AT_ONCE // width)
    for start in range(0, resamples, most):
        yield min(most, resamples - start)


def _acceleration(figure: Figure) -> float:
    """How the figure's standard error changes with its value: from the jackknife, which leaves
    out one example at a time."""
    terms, counts = distinct(figure.terms)
    left_out = figure.of_sums(figure.terms.sum(axis=0) - terms)
    deviations = np.average(left_out, weights=counts) - left_out
    variance = counts @ deviations**2
    return float(counts @ deviations**3 / (6 * variance**1.5)) if variance > 0 else 0.0
