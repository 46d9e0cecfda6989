"""Interpolated Kneser-Ney smoothing: lower orders count in how many different contexts a word
occurred."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.ngrams.counts import NGramCounts, Rows, counts_of_counts
from nlp_rnn.ngrams.model import NGramModel
from nlp_rnn.ngrams.smoothing import interpolated

LARGEST_DISCOUNTED = 3
"""Counts from this value on have the discount ``D3+``."""


def one_discount(n: Rows) -> float:
    """``D = n_1 / (n_1 + 2 n_2)``; Ney, Essen & Kneser (1994), Chen & Goodman (1999), section 2.6.

    It is 1/2 if no n-gram occurred once or none twice, because ``D`` would be 0, 1 or undefined.

    Args:
        n: counts of counts from ``n_1`` on.
    """
    return float(n[0] / (n[0] + 2 * n[1])) if n[0] and n[1] else 0.5


def three_discounts(n: Rows) -> Floats:
    """``D1``, ``D2`` and ``D3+``; Chen & Goodman (1999), section 3. ::

        D1 = 1 - 2 D n_2 / n_1      D2 = 2 - 3 D n_3 / n_2      D3+ = 3 - 4 D n_4 / n_3

    ``D`` is :func:`one_discount`. If one of ``n_1 .. n_4`` is 0, or they decrease so irregularly
    that a discount is not positive, all three are ``D``.

    Args:
        n: counts of counts, ``n_1 .. n_4``.
    """
    r = np.arange(1, LARGEST_DISCOUNTED + 1)
    one = one_discount(n)
    if n.all():
        discounts = r - (r + 1) * one * n[1:] / n[:-1]
        if (discounts > 0).all():
            return discounts
    return np.full(LARGEST_DISCOUNTED, one)


def adjusted_counts(counts: NGramCounts, order: int) -> Rows:
    """The counts of Kneser & Ney (1995), int64 ``(n-grams,)``.

    ``c(h w)`` for n-grams of the highest order and those that begin with ``<s>``, which have no
    word to their left; for all others the continuation count ``N_1+(. h w)``, the number of
    different words (or ``<s>``) seen to their left.
    """
    occurrences = counts.counts[order - 1]
    if order == counts.ngrams.order:
        return occurrences
    continuations = np.bincount(counts.suffixes[order], minlength=len(occurrences))
    return np.where(counts.begins_sentence(order), occurrences, continuations)


def kneser_ney(counts: NGramCounts) -> NGramModel:
    """Interpolated Kneser-Ney with one discount for each order.

    Kneser & Ney (1995), interpolated as in Chen & Goodman (1999), section 2.7: the model of
    :func:`modified_kneser_ney` with ``D1 = D2 = D3+`` of :func:`one_discount`.
    """
    return _kneser_ney(counts, lambda n: np.full(LARGEST_DISCOUNTED, one_discount(n)))


def modified_kneser_ney(counts: NGramCounts) -> NGramModel:
    """Interpolated Kneser-Ney with three discounts for each order.

    Chen & Goodman (1999), section 3, with ``c`` the :func:`adjusted_counts` and the
    discounts of :func:`three_discounts`::

        P(w | h) = (c(h w) - D(c(h w))) / c(h) + gamma(h) P(w | h')
        gamma(h) = (D1 N_1(h .) + D2 N_2(h .) + D3+ N_3+(h .)) / c(h)

    The unigrams are interpolated with the uniform distribution.
    """
    return _kneser_ney(counts, three_discounts)


def _kneser_ney(counts: NGramCounts, discounts: Callable[[Rows], Floats]) -> NGramModel:
    def estimate(n: int) -> tuple[Floats, Floats]:
        c = adjusted_counts(counts, n)
        by_count = np.append(0, discounts(counts_of_counts(c, LARGEST_DISCOUNTED + 1)))
        discount = by_count[np.minimum(c, LARGEST_DISCOUNTED)]
        total, discounted = counts.sums(n, c), counts.sums(n, discount)
        seen = total > 0
        gamma = np.divide(discounted, total, out=np.ones_like(total), where=seen)
        return (c - discount) / np.where(seen, total, 1)[counts.ngrams.contexts(n)], gamma

    return interpolated(counts, estimate)
