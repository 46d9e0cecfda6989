"""The examples of a prepared data set, as the checks of its data see them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nlp_rnn.corpora.duplicates import Answer, answer_of, text_hash
from nlp_rnn.example import SPLITS, Example
from nlp_rnn.text.characters import UNSPACED
from nlp_rnn.text.prepared import PreparedDataset

_SINGLE = f"{UNSPACED}\u3040-\u30ff\u3400-\u9fff"
"""Characters of scripts without spaces between words: each counts as a word."""

_WORD = re.compile(rf"[{_SINGLE}]|[^\W{_SINGLE}]+")


@dataclass(frozen=True)
class Located:
    """An example, and where it stands.

    Attributes:
        split: train, validation or test.
        number: its line in the split's file of examples, counted from 1.
    """

    split: str
    number: int
    example: Example

    @cached_property
    def hash(self) -> int:
        """The identity of its text, regardless of spacing."""
        return text_hash(self.example)

    @property
    def question(self) -> tuple[int, int | None]:
        """The identity of what a model should answer: the text, and of a sentence with semantic
        roles the place of the predicate."""
        return self.hash, self.example.predicate

    @property
    def text(self) -> str:
        """Its text, or its words with spaces between."""
        return " ".join([*self.example.context, self.example.text, *self.example.tokens]).strip()

    @property
    def answer(self) -> Answer:
        """What a model should say about it."""
        return answer_of(self.example)

    @property
    def words(self) -> tuple[str, ...]:
        """Its words without case, punctuation and compatibility forms."""
        return tuple(_WORD.findall(unicodedata.normalize("NFKC", self.text).casefold()))

    def place(self, *, text: bool = False) -> dict[str, Any]:
        """Where it stands and what it should be answered, for a finding."""
        found: dict[str, Any] = {"split": self.split, "number": self.number}
        example = self.example
        if text:
            found["text"] = self.text
        if example.tags:
            found["tags"] = list(example.tags)
        elif example.target:
            found["target"] = example.target
        elif example.labels is not None:
            found["labels"] = list(example.labels)
        if example.label:
            found["label"] = example.label
        return found


def all_examples(dataset: PreparedDataset) -> list[Located]:
    """Every example of every split, in order."""
    return [
        Located(split, number, _example(record))
        for split in SPLITS
        for number, record in enumerate(dataset.split(split).records(), 1)
    ]


def _example(record: dict[str, Any]) -> Example:
    """The inverse of :meth:`Example.record`."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
    }
    return Example(**values)


def by_split(examples: Iterable[Located]) -> dict[str, int]:
    """How many of the examples each split has; splits without any are left out."""
    counts = dict.fromkeys(SPLITS, 0)
    for example in examples:
        counts[example.split] += 1
    return {split: count for split, count in counts.items() if count}
