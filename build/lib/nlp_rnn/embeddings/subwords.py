"""Word vectors from the vectors of their character n-grams, as in fastText."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subwords:
    """Vectors of character n-grams (Bojanowski et al. 2017, section 3.2).

    Attributes:
        matrix: ``(buckets, dimension)``; n-grams that hash to the same bucket share a vector.
        shortest: the length of the shortest n-gram in characters.
        longest: the length of the longest n-gram in characters.
    """

    matrix: NDArray[np.float32]
    shortest: int
    longest: int

    def vector(self, word: str) -> NDArray[np.float32]:
        """The mean vector ``(dimension,)`` of a word's n-grams; zeros if it has none."""
        rows = [bucket(ngram, len(self.matrix)) for ngram in self.ngrams(word)]
        if not rows:
            return np.zeros(self.matrix.shape[1], np.float32)
        return self.matrix[rows].mean(axis=0)

    def ngrams(self, word: str) -> Iterator[str]:
        """The n-grams of a word between ``<`` and ``>``.

        >>> list(Subwords(np.zeros((1, 1), np.float32), 3, 4).ngrams("cat"))
        ['<ca', '<cat', 'cat', 'cat>', 'at>']
        """
        marked = f"<{word}>"
        for begin in range(len(marked)):
            for end in range(begin + self.shortest, min(begin + self.longest, len(marked)) + 1):
                if end - begin > 1 or 0 < begin < len(marked) - 1:  # not '<' or '>' alone
                    yield marked[begin:end]


def bucket(ngram: str, buckets: int) -> int:
    """The bucket of an n-gram: FNV-1a of its UTF-8 bytes, as fastText computes it.

    fastText treats bytes as signed, so the bytes of non-ASCII letters set the upper bits.
    """
    value = 0x811C9DC5
    for byte in ngram.encode():
        value ^= byte if byte < 0x80 else 0xFFFFFF00 | byte
        value = value * 0x01000193 & 0xFFFFFFFF
    return value % buckets
