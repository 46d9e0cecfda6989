"""The corpus from which word vectors are learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.errors import UserError
from nlp_rnn.text.prepared import Split
from nlp_rnn.text.vocabulary import PAD_INDEX, UNK_INDEX

State = tuple[int, list[NDArray[Any]]]
"""The state of learning: the epochs done, and the arrays from which it resumes."""

Save = Callable[[int, list[NDArray[Any]]], None]
"""Saves a state after each epoch."""


@dataclass(frozen=True)
class TokenCorpus:
    """Sentences of token indices; no context crosses a sentence boundary.

    Attributes:
        words: the most frequent first.
        counts: the occurrences of each word, int64 ``(words,)``.
        ids: int32 ``(tokens,)``, indices of ``words``.
        offsets: int64 ``(sentences + 1,)``; sentence ``i`` is ``ids[offsets[i]:offsets[i + 1]]``.
    """

    words: list[str]
    counts: NDArray[np.int64]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, split: Split, types: Sequence[str], min_count: int = 1) -> TokenCorpus:
        """The tokens of a split.

        Args:
            split: a split of a prepared data set.
            types: the types of its vocabulary.
            min_count: rarer types count as ``<unk>``, like types outside the vocabulary.

        Raises:
            UserError: fewer than two words are left.
        """
        ids = np.asarray(split.ids)
        counts = np.bincount(ids, minlength=len(types))
        known = counts >= min_count
        known[UNK_INDEX] = True
        ids = np.where(known, np.arange(len(types)), UNK_INDEX)[ids]
        counts = np.bincount(ids, minlength=len(types))
        counts[PAD_INDEX] = 0
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
        if len(order) < 2:
            raise UserError(
                f"{split.records_file}: fewer than two words occur {min_count} times; lower "
                "vectors.min_count, or provide more text"
            )
        place = np.zeros(len(types), np.int32)
        place[order] = np.arange(len(order))
        words = [types[i] for i in order]
        return cls(words, counts[order], place[ids], np.asarray(split.offsets))

    def __len__(self) -> int:
        """The number of sentences."""
        return len(self.offsets) - 1

    def in_pieces(self, longest: int) -> TokenCorpus:
        """The same tokens in sentences of at most ``longest``; longer ones are cut.

        >>> corpus = TokenCorpus(["a"], np.array([7]), np.zeros(7, np.int32), np.array([0, 2, 7]))
        >>> corpus.in_pieces(2).offsets.tolist()
        [0, 2, 4, 6, 7]
        """
        lengths = np.diff(self.offsets)
        starts = [
            np.arange(self.offsets[i], self.offsets[i + 1], longest)
            for i in np.flatnonzero(lengths > longest)
        ]
        offsets = np.sort(np.concatenate([self.offsets, *(start[1:] for start in starts)]))
        return replace(self, offsets=offsets)

    def sentences(self) -> Iterator[list[str]]:
        """The words of each sentence."""
        words = np.array(self.words, object)
        for begin, end in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True):
            yield words[self.ids[begin:end]].tolist()
