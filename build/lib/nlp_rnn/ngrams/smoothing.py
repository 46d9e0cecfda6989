"""Interpolation of orders, and the two simplest models: add-k and stupid backoff."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.ngrams.counts import NGramCounts
from nlp_rnn.ngrams.model import BackoffScores, NGramModel, uniform, without_padding

Estimate = Callable[[int], tuple[Floats, Floats]]


def interpolated(counts: NGramCounts, estimate: Estimate) -> NGramModel:
    """The model ``P(w | h) = alpha(h w) + gamma(h) P(w | h')``, uniform below the unigrams.

    Chen & Goodman (1999), section 2.8, after Jelinek & Mercer (1980).

    Args:
        estimate: maps an order to ``alpha`` ``(n-grams,)`` and ``gamma`` ``(contexts,)``. If
            ``alpha`` sums to ``1 - gamma`` in each context, the model's probabilities sum to 1.
    """
    values, backoffs = [np.array([uniform(counts.ngrams)])], []
    for n in range(1, counts.ngrams.order + 1):
        alpha, gamma = estimate(n)
        lower = values[-1][counts.suffixes[n - 1]]
        values.append(alpha + gamma[counts.ngrams.contexts(n)] * lower)
        backoffs.append(gamma)
    values[1] = without_padding(values[1])
    return NGramModel(counts.ngrams, values[1:], backoffs[1:])


def add_k(counts: NGramCounts, k: float = 1.0) -> NGramModel:
    """Add ``k`` to the count of every type (Lidstone's law; Laplace's law with ``k = 1``).

    Chen & Goodman (1999), section 2.1, with ``V`` the number of types except ``<pad>``::

        P(w | h) = (c(h w) + k) / (c(h) + k V)

    ``h`` is the whole context: the ``N - 1`` words before, or fewer if ``<s>`` comes first. A
    context that was never seen gives ``1 / V``.

    Raises:
        ValueError: ``k`` is not positive.
    """
    if not k > 0:
        raise ValueError(f"k is positive, received {k}")

    def estimate(n: int) -> tuple[Floats, Floats]:
        # Shorter contexts do not count: they pass on the uniform distribution.
        c = np.where(counts.without_left_context(n), counts.counts[n - 1], 0)
        added = k / uniform(counts.ngrams)
        total = counts.sums(n, c) + added
        return c / total[counts.ngrams.contexts(n)], added / total

    return interpolated(counts, estimate)


def stupid_backoff(counts: NGramCounts, alpha: float = 0.4) -> BackoffScores:
    """Relative frequencies, with one factor for every context word that is left out.

    Brants et al. (2007), equation 5. The scores are not probabilities: they do not sum to 1. ::

        S(w | h) = c(h w) / c(h)       if c(h w) > 0
                   alpha S(w | h')     otherwise

    The paper's recursion ends at the unigrams; here a type that never occurred gets ``alpha``
    times the uniform probability.

    Raises:
        ValueError: ``alpha`` is not positive.
    """
    if not alpha > 0:
        raise ValueError(f"alpha is positive, received {alpha}")
    ngrams, values = counts.ngrams, []
    for n in range(1, ngrams.order + 1):
        c = counts.counts[n - 1]
        total = np.maximum(counts.sums(n, c), 1)
        values.append(c / total[ngrams.contexts(n)])
    unigrams = np.where(counts.counts[0] > 0, values[0], alpha * uniform(ngrams))
    backoffs = [np.full(ngrams.size(n), alpha) for n in range(1, ngrams.order)]
    return BackoffScores(ngrams, [without_padding(unigrams), *values[1:]], backoffs, alpha)
