"""Vocabularies: the map between types and integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from nlp_rnn.config import VocabularyParameters
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, write_json

PAD, UNK, EOS = "<pad>", "<unk>", "<eos>"
SEPARATOR = "<sep>"
"""Stands between the texts that one source is joined from."""
PAD_INDEX, UNK_INDEX = 0, 1

MOST_COUNTED = 2_000_000
"""The number of types counted exactly; beyond it the rarest are dropped, to bound memory."""


def add(counts: Counter[str], tokens: Iterable[str], most: int = MOST_COUNTED) -> None:
    """Count how often each type occurs in ``tokens``.

    When there are more than ``most`` types, the rarest are dropped until half as many are left
    (after word2vec's ``ReduceVocab``): counts of frequent types are then exact or slightly low.
    """
    counts.update(tokens)
    if len(counts) > most:
        kept = dict(counts.most_common(most // 2))
        counts.clear()
        counts.update(kept)


class Vocabulary:
    """Types by descending frequency; index 0 is ``<pad>``, index 1 ``<unk>``.

    Args:
        types: every type, the special ones first.
        counts: the occurrences of each in the training split; ``<unk>`` counts all rare types.
        end: the type that ends a line of running text (``<eos>``, or a newline for
            characters), ``None`` if sequences have no end symbol.
    """

    def __init__(self, types: Sequence[str], counts: Sequence[int], end: str | None = None) -> None:
        self.types = list(types)
        self.counts = list(counts)
        self.end = end
        self._index = {token: i for i, token in enumerate(self.types)}
        # A text that contains the literal string "<pad>" must not become padding.
        del self._index[PAD]

    @classmethod
    def build(
        cls, counts: Counter[str], parameters: VocabularyParameters, end: str | None = None
    ) -> Vocabulary:
        """The most frequent types of ``counts``; ties in alphabetical order.

        Args:
            counts: the occurrences in training, including those of ``end``.
            parameters: ``size`` and ``min_count``.
            end: the end symbol of running text, always kept.
        """
        special = [PAD, UNK] + ([end] if end is not None else [])
        known = [
            (token, n)
            for token, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            if n >= parameters.min_count and token not in special
        ]
        if parameters.size is not None:
            known = known[: parameters.size - len(special)]
        kept = sum(n for _, n in known) + (counts[end] if end is not None else 0)
        special_counts = [0, counts.total() - kept] + ([counts[end]] if end is not None else [])
        return cls(
            special + [token for token, _ in known], special_counts + [n for _, n in known], end
        )

    def __len__(self) -> int:
        return len(self.types)

    @property
    def words(self) -> int:
        """The number of types that are not special symbols."""
        return len(self.types) - (2 if self.end is None else 3)

    @property
    def end_index(self) -> int:
        """The index of the end symbol."""
        if self.end is None:
            raise ValueError("this vocabulary has no end symbol")
        return self._index[self.end]

    def extended(self, words: Iterable[str], most: int) -> Vocabulary:
        """These types and the first ``most`` of the new types in ``words``, with count 0."""
        others = (word for word in dict.fromkeys(words) if word not in self._index and word != PAD)
        more = list(islice(others, most))
        return Vocabulary([*self.types, *more], [*self.counts, *[0] * len(more)], self.end)

    def joined(self, other: Vocabulary) -> Vocabulary:
        """These types, at their places, and those of ``other`` that are new; counts are added."""
        counts = dict(zip(self.types, self.counts, strict=True))
        for token, count in zip(other.types, other.counts, strict=True):
            counts[token] = counts.get(token, 0) + count
        return Vocabulary(list(counts), list(counts.values()), self.end)

    @classmethod
    def union(cls, vocabularies: Sequence[Vocabulary]) -> Vocabulary:
        """The types of all vocabularies, those of the first in their places; each with its highest
        count."""
        counts: dict[str, int] = {}
        for vocabulary in vocabularies:
            for token, count in zip(vocabulary.types, vocabulary.counts, strict=True):
                counts[token] = max(count, counts.get(token, 0))
        return cls(list(counts), list(counts.values()), vocabularies[0].end)

    def indices_of(self, other: Vocabulary) -> list[int]:
        """The index of each type of another vocabulary; ``<unk>`` for those that are not here."""
        return [PAD_INDEX, *self.encode(other.types[1:])]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Convert tokens to indices; unknown tokens become ``<unk>``."""
        get = self._index.get
        return [get(token, UNK_INDEX) for token in tokens]

    def decode(self, indices: Iterable[int]) -> list[str]:
        """Convert indices to types."""
        return [self.types[i] for i in indices]

    def to_json(self) -> dict[str, Any]:
        """The JSON form that :meth:`save` writes."""
        return {"types": self.types, "counts": self.counts, "end": self.end}

    def save(self, file: Path) -> None:
        """Write as JSON."""
        write_json(file, self.to_json())

    @classmethod
    def load(cls, file: Path) -> Vocabulary:
        """Read what :meth:`save` wrote; raises UserError if the file is missing or broken."""
        remedy = "prepare the data set again, or copy the whole bundle again"
        data = read_json(file, remedy)
        try:
            types, counts, end = data["types"], data["counts"], data["end"]
            texts = all(isinstance(token, str) for token in types)
            numbers = all(type(n) is int and n >= 0 for n in counts)
            fits = len(types) == len(counts) == len(set(types))
            special = types[:2] == [PAD, UNK] and (end is None or end in types[2:])
            if not (texts and numbers and fits and special):
                raise ValueError
            return cls(types, counts, end)
        except (KeyError, TypeError, ValueError, IndexError):
            raise UserError(f"{file}: not a vocabulary; {remedy}") from None
