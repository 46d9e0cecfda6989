"""Backoff models: the value of the longest known n-gram, weighted for each word left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.ngrams.counts import ABSENT, NGrams, Rows, checked, preceding
from nlp_rnn.text.vocabulary import PAD_INDEX


class BackoffScores:
    """Scores of words given their contexts.

    With ``h'`` the context ``h`` without its first word (Katz 1987)::

        S(w | h) = value(h w)                 if the n-gram h w is known
                   backoff(h) * S(w | h')     otherwise

    Interpolated models take this form too: the value includes the share of the lower orders, and
    the backoff weight is the weight of that share.

    Args:
        ngrams: the n-grams with a value.
        values: for each order, float64 ``(n-grams,)``. The value of ``<pad>`` is 0.
        backoffs: for each order except the highest, float64 ``(n-grams,)``: the weight of each as a
            context.
        unknown_backoff: the weight of a context that is not a known n-gram.
    """

    def __init__(
        self,
        ngrams: NGrams,
        values: Sequence[Floats],
        backoffs: Sequence[Floats],
        unknown_backoff: float = 1.0,
    ) -> None:
        self.ngrams = ngrams
        self.values = values
        self.backoffs = backoffs
        self.unknown_backoff = unknown_backoff

    @property
    def order(self) -> int:
        """N: a prediction depends on the N - 1 words before it."""
        return self.ngrams.order

    def scores(self, ids: Ints) -> Floats:
        """The score of every token of a text given the words before it in its sentence.

        Args:
            ids: ``(tokens,)``, a text that starts at the beginning of a sentence.

        Returns:
            float64 ``(tokens,)``.

        Raises:
            ValueError: a token is ``<pad>`` or not an index of the vocabulary.
        """
        ids = checked(ids, self.ngrams.vocabulary_size)
        rows, scores = ids, self.values[0][ids]
        lengths = self._context_lengths(ids)
        for n in range(2, self.order + 1):
            contexts = preceding(n - 1, rows, ids, self.ngrams.end_index)
            rows = self.ngrams.find(n, contexts, ids)
            backoff = np.where(lengths >= n - 1, self.unknown_backoff, 1.0)
            known = contexts != ABSENT
            backoff[known] = self.backoffs[n - 2][contexts[known]]
            scores *= backoff
            known = rows != ABSENT
            scores[known] = self.values[n - 1][rows[known]]
        return scores

    def _context_lengths(self, ids: Rows) -> Rows:
        """The number of words before each token in its sentence, including ``<s>``."""
        places = np.arange(1, len(ids) + 1)
        ends = np.where(ids == self.ngrams.end_index, places, 0)
        return places - np.append(0, np.maximum.accumulate(ends)[:-1])[: len(ids)]

    def next_scores(self, context: Ints) -> Floats:
        """The score of every type after ``context``.

        Args:
            context: ``(words,)``, of any length; only its last sentence counts, up to N - 1 words.
                It contains the end symbol (``<s>``) where a sentence begins; an empty context gives
                the model's unigrams.

        Returns:
            float64 ``(vocabulary_size,)``; 0 for ``<pad>``.

        Raises:
            ValueError: see :meth:`scores`.
        """
        context = self._visible(checked(context, self.ngrams.vocabulary_size))
        scores = self.values[0].copy()
        for n in range(2, len(context) + 2):
            row = self._row(context[len(context) - (n - 1) :])
            if row == ABSENT:
                scores *= self.unknown_backoff
                continue
            scores *= self.backoffs[n - 2][row]
            followers = self.ngrams.followers(n, row)
            words = self.ngrams.keys[n - 1][followers] - row * self.ngrams.vocabulary_size
            scores[words] = self.values[n - 1][followers]
        return scores

    def _visible(self, context: Rows) -> Rows:
        """The last N - 1 words of ``context``, from its last ``<s>`` on."""
        ends = np.flatnonzero(context == self.ngrams.end_index)
        start = max(len(context) - (self.order - 1), int(ends[-1]) if len(ends) else 0)
        return context[start:]

    def _row(self, words: Rows) -> int:
        """The row of one n-gram, or ``ABSENT``."""
        row = words[:1]
        for n in range(2, len(words) + 1):
            row = self.ngrams.find(n, row, words[n - 1 : n])
        return int(row[0])


class NGramModel(BackoffScores):
    """Scores that are probabilities: over all types, in every context, they sum to 1."""

    def probabilities(self, ids: Ints) -> Floats:
        """``P(w_i | the words before it in its sentence)`` of every token of a text.

        See :meth:`scores`. A neural model's probabilities of the same tokens can be mixed with
        these by :func:`nlp_rnn.ngrams.mixture_weights`.
        """
        return self.scores(ids)

    def distribution(self, context: Ints) -> Floats:
        """``P(w | context)`` of every type; see :meth:`next_scores`."""
        return self.next_scores(context)

    def perplexity(self, ids: Ints) -> float:
        """The perplexity of a text, end symbols included; see :func:`perplexity`."""
        return perplexity(self.probabilities(ids))


def perplexity(probabilities: Floats) -> float:
    """``exp(-mean ln P)`` over tokens; infinite if one of them is impossible.

    Args:
        probabilities: the probability of each token, ``(tokens,)``.

    Raises:
        ValueError: there are no tokens.
    """
    if not len(probabilities):
        raise ValueError("the perplexity of a text without tokens is not defined")
    with np.errstate(divide="ignore"):
        return float(np.exp(-np.log(probabilities).mean()))


def uniform(ngrams: NGrams) -> float:
    """The probability of each type except ``<pad>`` if all have the same."""
    return 1 / (ngrams.vocabulary_size - 1)


def without_padding(unigrams: Floats) -> Floats:
    """A copy of unigram values in which ``<pad>``, which is never predicted, has 0."""
    unigrams = unigrams.copy()
    unigrams[PAD_INDEX] = 0
    return unigrams
