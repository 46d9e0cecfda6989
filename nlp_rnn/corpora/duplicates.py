"""Texts that occur in a corpus more than once, found by their 8-byte hashes.

A model may have learned the answer to a test text that is also in its training data, so its test
metrics are then better than on new texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from nlp_rnn.example import Example

Hashes = npt.NDArray[np.uint64]

MOST_COMPARED = 20_000_000
"""The number of training texts whose hashes are kept, in 160 MB; later texts are not compared."""

_BLOCK = 1 << 16
"""The number of texts looked up at a time."""


def text_hash(example: Example) -> int:
    """A hash of an example's text with its context and vector, or of its words, regardless of
    spacing.

    The probability that any two of ten million texts share a hash is 3e-6.
    """
    words = example.tokens or " ".join([*example.context, example.text]).split()
    return hash_of(" ".join([*words, *map(str, example.features)]))


def group_hash(example: Example) -> int:
    """A hash of an example's group."""
    return hash_of(example.group)


def hash_of(text: str) -> int:
    """A hash of a text in 8 bytes."""
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big")


Answer = tuple[tuple[str, ...], tuple[str, ...], str]


def answer_of(example: Example) -> Answer:
    """What a model should say about an example: its labels in any order, its tags, its target.

    The tags of a pair are no answer but belong to its source.
    """
    tags = example.tags if example.tokens else ()
    return tuple(sorted(example.label_set)), tags, example.target


class TextsOfTraining:
    """Counts the examples of other splits whose text also occurs in training."""

    def __init__(self) -> None:
        self._gathered = array("Q")
        self._sorted: Hashes | None = None
        self._pending: list[int] = []
        self._found = 0

    def gather(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Pass the training examples on, and record their texts."""
        for example in examples:
            if len(self._gathered) < MOST_COMPARED:
                self._gathered.append(text_hash(example))
            yield example

    def count(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Pass the examples of another split on, and count those whose text is in training."""
        if self._sorted is None:
            self._sorted = np.unique(np.array(self._gathered, np.uint64))
            self._gathered = array("Q")
        self._found = 0
        for example in examples:
            self._pending.append(text_hash(example))
            if len(self._pending) == _BLOCK:
                self._look_up()
            yield example
        self._look_up()

    @property
    def found(self) -> int:
        """The count for the split that was passed last."""
        return self._found

    def _look_up(self) -> None:
        assert self._sorted is not None
        wanted = np.array(self._pending, np.uint64)
        self._pending.clear()
        if len(self._sorted):
            places = np.searchsorted(self._sorted, wanted).clip(max=len(self._sorted) - 1)
            self._found += int(np.count_nonzero(self._sorted[places] == wanted))
