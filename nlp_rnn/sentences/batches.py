"""Batches of consecutive sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints
from nlp_rnn.config import AnySentences, QuickThoughtSentences, SkipThoughtSentences
from nlp_rnn.sentences.corpus import SentenceCorpus
from nlp_rnn.sentences.networks import END, RARE, SPECIAL_WORDS
from nlp_rnn.text.batches import Batch, pad
from nlp_rnn.text.vocabulary import PAD_INDEX

SIDES = (-1, 1)
"""Where the sentences lie that decoders write: before the sentence, and after it."""


class SentenceBatches:
    """The batches of an epoch, which depend on nothing but it and the seed.

    Each has the same number of sentences; those that are left at the end of an epoch are not read.

    Args:
        corpus: word ``i`` is the ``i``-th most frequent, counted from 1; 0 is padding.
        parameters: of the algorithm.
        seed: of the order of documents; None leaves it.
    """

    def __init__(
        self, corpus: SentenceCorpus, parameters: AnySentences, seed: int | None = None
    ) -> None:
        self.corpus = corpus
        self.parameters = parameters
        self.seed = seed
        self.size = min(parameters.batch_size, len(corpus))
        longest = int(np.diff(corpus.offsets).max(initial=1))
        self.length = min(parameters.max_length, longest)

    def of_epoch(self, epoch: int = 0) -> tuple[Iterator[Batch], int]:
        """The batches of an epoch, counted from 0, and their number."""
        rng = None if self.seed is None else np.random.default_rng([self.seed, epoch])
        order = self.corpus.in_order(rng)
        whole = order[: len(order) // self.size * self.size].reshape(-1, self.size)
        chosen = [rows for rows in whole if with_neighbour(self.corpus.documents[rows]).any()]
        return map(self._batch, chosen), len(chosen)

    def _batch(self, rows: Ints) -> Batch:
        ids = pad([self.corpus.sentence(i) for i in rows], self.length)
        if isinstance(self.parameters, QuickThoughtSentences):
            documents = self.corpus.documents[rows].astype(np.int32)
            return Batch(ids, documents, with_neighbour(documents).astype(np.float32))
        before, targets = decoded(self.corpus, rows, self.length, self.parameters)
        return Batch(ids, targets[0], targets[1].astype(np.float32), target_ids=before)


def with_neighbour(documents: Ints) -> NDArray[np.bool_]:
    """Which of consecutive sentences have another one of their document beside them."""
    same = np.diff(documents) == 0
    return np.append(same, False) | np.append(False, same)


def decoded(
    corpus: SentenceCorpus, rows: Ints, length: int, parameters: SkipThoughtSentences
) -> tuple[NDArray[np.int32], tuple[NDArray[np.int32], NDArray[np.bool_]]]:
    """What the decoders read and write: the sentences before and after each, if there are any.

    Returns:
        The words before ``(sentences, 2, length + 1)``, 0 at first; the predictions, with the end
        of the sentence; and which of them count. A sentence of more words is cut and has no end.
    """
    shape = (len(rows), len(SIDES), length + 1)
    before, targets = np.full(shape, PAD_INDEX, np.int32), np.zeros(shape, np.int32)
    counts = np.zeros(shape, bool)
    for row, i in enumerate(rows.tolist()):
        for side, distance in enumerate(SIDES):
            j = corpus.neighbour(i, distance)
            if j is None:
                continue
            words = corpus.sentence(j)
            frequent = words <= parameters.predicted_words
            predicted = np.append(np.where(frequent, words - 1 + SPECIAL_WORDS, RARE), END)
            predicted = predicted[: length + 1]
            before[row, side, 1 : len(predicted)] = words[: len(predicted) - 1]
            targets[row, side, : len(predicted)] = predicted
            counts[row, side, : len(predicted)] = True
    return before, (targets, counts)
