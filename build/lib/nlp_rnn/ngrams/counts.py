"""N-grams as sorted arrays of integers, and how often each occurs in a text.

An n-gram is its context (the n-gram without its last word, one order below) and its last word,
packed into one integer. So every order fits into 64 bits, the n-grams of one context are adjacent,
and a binary search finds any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.text.vocabulary import PAD_INDEX

Rows = NDArray[np.int64]

ABSENT = -1
"""The row of an n-gram that is not in the set."""


@dataclass(frozen=True)
class NGrams:
    """A set of n-grams of orders 1 to N, with the context of each.

    Attributes:
        keys: for each order, int64 ``(n-grams,)``, ascending: ``context * vocabulary_size + word``,
            where ``context`` is a row one order below. The row of a unigram is its word.
        vocabulary_size: the number of types, including ``<pad>``.
        end_index: the symbol that ends a sentence.
    """

    keys: Sequence[Rows]
    vocabulary_size: int
    end_index: int

    @property
    def order(self) -> int:
        """N, the length of the longest n-grams."""
        return len(self.keys)

    def size(self, order: int) -> int:
        """The number of n-grams of one order; order 0 has one, the empty context."""
        return len(self.keys[order - 1]) if order else 1

    def contexts(self, order: int) -> Rows:
        """The row of each n-gram's context, one order below."""
        return self.keys[order - 1] // self.vocabulary_size

    def words(self, order: int) -> Rows:
        """The last word of each n-gram."""
        return self.keys[order - 1] % self.vocabulary_size

    def find(self, order: int, contexts: Rows, words: Ints) -> Rows:
        """The rows of the n-grams ``contexts`` + ``words``, or ``ABSENT``."""
        keys, wanted = self.keys[order - 1], contexts * self.vocabulary_size + words
        if not len(keys):
            return np.full(wanted.shape, ABSENT)
        rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        # An n-gram with an absent context gets a negative key, which no n-gram has.
        return np.where(keys[rows] == wanted, rows, ABSENT)

    def followers(self, order: int, context: int) -> slice:
        """The rows of the n-grams that have this context."""
        first, last = np.searchsorted(
            self.keys[order - 1], np.array([context, context + 1]) * self.vocabulary_size
        )
        return slice(int(first), int(last))


@dataclass(frozen=True)
class NGramCounts:
    """The n-gram statistics of a text.

    Attributes:
        ngrams: all n-grams that occur, and every type as a unigram.
        counts: for each order, int64 ``(n-grams,)``: occurrences. Order 1 counts ``</s>``, not
            ``<s>``.
        suffixes: for each order, int64 ``(n-grams,)``: the row of the n-gram without its first
            word, one order below.
    """

    ngrams: NGrams
    counts: Sequence[Rows]
    suffixes: Sequence[Rows]

    def sums(self, order: int, values: NDArray[Any]) -> Floats:
        """Sums over the words that follow each context, ``(n-grams of order - 1,)``."""
        contexts = self.ngrams.contexts(order)
        sums = np.bincount(contexts, values, minlength=self.ngrams.size(order - 1))
        return sums.astype(np.float64)

    def begins_sentence(self, order: int) -> NDArray[np.bool_]:
        """Which n-grams begin with ``<s>``."""
        if order == 1:
            return np.zeros(self.ngrams.size(1), np.bool_)
        if order == 2:
            return self.ngrams.contexts(2) == self.ngrams.end_index
        return self.begins_sentence(order - 1)[self.ngrams.contexts(order)]

    def without_left_context(self, order: int) -> NDArray[np.bool_]:
        """Which n-grams need no left context in the model.

        Predictions start from those of the highest order and those that begin with ``<s>``. All
        others are used only for backoff.
        """
        if order == self.ngrams.order:
            return np.ones(self.ngrams.size(order), np.bool_)
        return self.begins_sentence(order)


def checked(ids: Ints, vocabulary_size: int) -> Rows:
    """Return a text as int64 after checking it.

    Raises:
        ValueError: it is not one array of words of the vocabulary; ``<pad>`` is not a word.
    """
    ids = np.asarray(ids)
    if ids.ndim != 1 or not (ids.size == 0 or np.issubdtype(ids.dtype, np.integer)):
        raise ValueError(
            f"a text is one array of integers, received shape {ids.shape} of {ids.dtype}"
        )
    if ids.size and not PAD_INDEX < ids.min() <= ids.max() < vocabulary_size:
        raise ValueError(
            f"words are {PAD_INDEX + 1} to {vocabulary_size - 1}, "
            f"received {ids.min()} to {ids.max()}"
        )
    return ids.astype(np.int64)


def preceding(order: int, rows: Rows, ids: Rows, end_index: int) -> Rows:
    """The row of the n-gram right before each token of a text: its context.

    Args:
        rows: ``(tokens,)``, the row of the n-gram of ``order`` that ends at each token.
        ids: ``(tokens,)``, the text.

    Returns:
        ``(tokens,)``; ``ABSENT`` if the context would begin before ``<s>``.
    """
    if not len(ids):
        return rows
    starts = np.append(end_index, ids[:-1]) == end_index
    before_text = end_index if order == 1 else ABSENT
    return np.where(starts, before_text, np.append(before_text, rows[:-1]))


def count_ngrams(ids: Ints, order: int, vocabulary_size: int, end_index: int) -> NGramCounts:
    """Count the n-grams of a text.

    Args:
        ids: ``(tokens,)``, a text in which ``end_index`` ends each sentence; may be empty.
        order: N, the length of the longest n-grams.
        vocabulary_size: the number of types, including ``<pad>``.
        end_index: the index of the end symbol.

    Raises:
        ValueError: the order is below 1, or the end symbol or a token is ``<pad>`` or not an index
            of the vocabulary.
    """
    if order < 1:
        raise ValueError(f"the order of n-grams is 1 or more, received {order}")
    checked(np.array([end_index]), vocabulary_size)
    ids = checked(ids, vocabulary_size)
    keys = [np.arange(vocabulary_size)]
    counts = [np.bincount(ids, minlength=vocabulary_size)]
    suffixes = [np.zeros(vocabulary_size, np.int64)]
    rows = ids
    for n in range(2, order + 1):
        contexts = preceding(n - 1, rows, ids, end_index)
        there = contexts != ABSENT
        packed, inverse, occurrences = np.unique(
            contexts[there] * vocabulary_size + ids[there], return_inverse=True, return_counts=True
        )
        suffix = np.empty(len(packed), np.int64)
        suffix[inverse] = rows[there]
        rows = np.full(len(ids), ABSENT)
        rows[there] = inverse
        keys.append(packed)
        counts.append(occurrences)
        suffixes.append(suffix)
    return NGramCounts(NGrams(keys, vocabulary_size, end_index), counts, suffixes)


def counts_of_counts(counts: Rows, most: int) -> Rows:
    """``n_1 .. n_most``: the number of n-grams that have each count."""
    return np.bincount(np.minimum(counts, most + 1), minlength=most + 2)[1:-1]
