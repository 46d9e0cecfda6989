"""Katz backoff: Good-Turing discounts leave probability mass for unseen n-grams."""

from __future__ import annotations

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.ngrams.counts import NGramCounts, Rows, counts_of_counts
from nlp_rnn.ngrams.model import NGramModel, uniform, without_padding

FALLBACK_DISCOUNT = 0.5


def good_turing_discounts(n: Rows) -> Floats:
    """Katz's ratios ``d_r`` of discounted to observed count, ``d_0 .. d_k``; ``d_0`` is 1.

    Katz (1987); Chen & Goodman (1999), section 2.4. ``r*`` is the Good-Turing count::

        r* = (r + 1) n_{r+1} / n_r
        d_r = (r*/r - (k + 1) n_{k+1} / n_1) / (1 - (k + 1) n_{k+1} / n_1)

    If a ratio is undefined or not between 0 and 1, ``k`` is lowered until all ratios are; if even
    ``k = 2`` fails, all counts up to ``k`` lose 1/2: ``d_r = (r - 1/2) / r``.

    Args:
        n: counts of counts, ``n_1 .. n_{k+1}``.
    """
    most = len(n) - 1
    for k in range(most, 1, -1):
        if n[: k + 1].all():
            r = np.arange(1, k + 1)
            good_turing = (r + 1) * n[1 : k + 1] / n[:k]
            common = (k + 1) * n[k] / n[0]
            if common != 1:
                ratios = (good_turing / r - common) / (1 - common)
                if ((ratios > 0) & (ratios < 1)).all():
                    return np.concatenate([[1], ratios, np.ones(most - k)])
    r = np.arange(1, most + 1)
    return np.append(1, (r - FALLBACK_DISCOUNT) / r)


def katz(counts: NGramCounts, k: int = 5, min_count: int = 1) -> NGramModel:
    """Katz's backoff model with Good-Turing discounts for counts up to ``k``.

    Katz (1987), with ``d`` of :func:`good_turing_discounts` for each order::

        P(w | h) = d(c(h w)) c(h w) / c(h)     if c(h w) >= min_count
                   backoff(h) P(w | h')        otherwise

    The backoff weight makes the probabilities sum to 1; unigrams back off to the uniform
    distribution. If everything seen in a context is too frequent to be discounted, ``c(h) + 1``
    replaces ``c(h)``, so that nothing is impossible; if every type was seen, the sum of the
    discounted counts replaces it.

    Args:
        min_count: n-grams of order 3 and more that occurred less often are treated as unseen.
            Katz drops those that occurred once, which corresponds to 2.

    Raises:
        ValueError: ``k`` is below 2, where the discounts are not defined, or below ``min_count``.
    """
    if k < max(2, min_count):
        raise ValueError(f"k is at least 2 and at least min_count ({min_count}), received {k}")
    ngrams = counts.ngrams
    values, backoffs = [np.array([uniform(ngrams)])], []
    for n in range(1, ngrams.order + 1):
        c, contexts = counts.counts[n - 1], ngrams.contexts(n)
        ratios = good_turing_discounts(counts_of_counts(c, k + 1))
        discounted = np.where(c <= k, ratios[np.minimum(c, k)], 1) * c
        seen = c >= (min_count if n > 2 else 1)
        discounted[~seen] = 0
        kept, total = counts.sums(n, discounted), counts.sums(n, c)
        total += kept == total
        total = np.where(counts.sums(n, seen) == ngrams.vocabulary_size - 1, kept, total)
        lower = values[-1][counts.suffixes[n - 1]]
        left, lower_left = 1 - kept / total, 1 - counts.sums(n, lower * seen)
        backoff = np.divide(left, lower_left, out=np.ones_like(left), where=left > 0)
        values.append(np.where(seen, discounted / total[contexts], backoff[contexts] * lower))
        backoffs.append(backoff)
    values[1] = without_padding(values[1])
    return NGramModel(ngrams, values[1:], backoffs[1:])
