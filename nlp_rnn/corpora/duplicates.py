"""Texts that stand in a corpus more than once, found by 8-byte hashes of them.

A model may have learnt the answer to a test text that also stands in its training data, so test
metrics are then better than they will be on new texts.
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
"""Training texts whose hashes are kept, which takes 160 MB; what comes later is not compared."""

_BLOCK = 1 << 16
"""Texts that are looked up at a time."""


def text_hash(example: Example) -> int:
    """A hash of the text of an example, or of its words, however they are spaced.

    Two texts of ten million share one with a probability of 3e-6.
    """
    words = example.tokens or example.text.split()
    text = " ".join(words).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


class TextsOfTraining:
    """Counts the examples of other splits whose text also stands in training."""

    def __init__(self) -> None:
        self._gathered = array("Q")
        self._sorted: Hashes | None = None
        self._pending: list[int] = []
        self._found = 0

    def gather(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Pass the training examples on, and remember their texts."""
        for example in examples:
            if len(self._gathered) < MOST_COMPARED:
                self._gathered.append(text_hash(example))
            yield example

    def count(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Pass the examples of another split on, and count those with a text of training."""
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
        """Those of the split that was counted last."""
        return self._found

    def _look_up(self) -> None:
        assert self._sorted is not None
        wanted = np.array(self._pending, np.uint64)
        self._pending.clear()
        if len(self._sorted):
            places = np.searchsorted(self._sorted, wanted).clip(max=len(self._sorted) - 1)
            self._found += int(np.count_nonzero(self._sorted[places] == wanted))
