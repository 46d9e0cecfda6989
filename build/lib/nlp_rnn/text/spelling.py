"""The spelling of words as character indices, for character encoders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.config import VocabularyParameters
from nlp_rnn.text.vocabulary import EOS, Vocabulary

BOUNDARY = EOS
"""The boundary before and after the characters of a word, so that no word is all padding."""

BOUNDARY_INDEX = 2
"""The index of the boundary: the first after ``<pad>`` and ``<unk>``."""


def character_vocabulary(words: Iterable[str]) -> Vocabulary:
    """Every character of ``words``, with counts."""
    counts: Counter[str] = Counter()
    for word in words:
        counts.update(word)
        counts[BOUNDARY] += 1
    return Vocabulary.build(counts, VocabularyParameters(), BOUNDARY)


def shortened(word: str, longest: int) -> str:
    """The first and the last halves of a word of more than ``longest`` characters.

    >>> shortened("internationalisation", 6)
    'intion'
    """
    if len(word) <= longest:
        return word
    last = longest // 2
    return word[: longest - last] + (word[-last:] if last else "")


def spell(words: Sequence[str], vocabulary: Vocabulary, longest: int) -> NDArray[np.int32]:
    """The character indices of ``words``, int32 ``(words, longest + 2)``.

    Each row is a boundary, the characters (``<unk>`` for those not in training), a boundary, and 0
    to the end.
    """
    rows = np.zeros((len(words), longest + 2), np.int32)
    for row, word in zip(rows, words, strict=True):
        indices = vocabulary.encode([BOUNDARY, *shortened(word, longest), BOUNDARY])
        row[: len(indices)] = indices
    return rows
