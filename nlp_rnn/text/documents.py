"""Documents cut into sentences, whose places count the characters of the document.

The rules are those of the library sentencex, which knows the abbreviations, numbers and quotation
marks of some 300 languages. A blank line always ends a sentence, a line break alone does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from nlp_rnn.extras import require

Place = tuple[int, int]
"""The first character of a sentence, and one past its last."""

Splitter = Callable[[str], list[Place]]
"""Maps a document to its sentences, in order and without the white space between them."""

LONGEST = 5_000
"""The characters of the longest sentence. A longer one is cut at white space, so that neither the
time for a document nor the network's memory grows faster than the document."""

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


def sentence_splitter(language: str) -> Splitter:
    """What cuts the documents of a language into sentences.

    Args:
        language: its code, such as ``en``; a language without rules of its own gets English ones.

    Raises:
        UserError: the library is not installed.

    >>> document = "Dr. Lee met Ann.  She left\\nat 3.15 p.m. yesterday!"
    >>> [document[start:end] for start, end in sentence_splitter("en")(document)]
    ['Dr. Lee met Ann.', 'She left\\nat 3.15 p.m. yesterday!']
    """
    require("sentencex", "documents", "unit: document")
    from sentencex import get_sentence_boundaries

    def split(document: str) -> list[Place]:
        readable = _HALF_A_PAIR.sub("\ufffd", document)
        ends = _ends(readable, lambda text: get_sentence_boundaries(language, text))
        return list(_stripped(document, ends))

    return split


def _ends(document: str, boundaries: Callable[[str], Sequence[Mapping[str, Any]]]) -> Iterator[int]:
    """The ends of the sentences, found in one window of :data:`LONGEST` characters at a time.

    The next window begins where the last sentence of a window does, which may be cut off.
    """
    start = 0
    while start < len(document):
        window = document[start : start + LONGEST]
        ends = [int(each["end_index"]) for each in boundaries(window)] or [len(window)]
        if start + len(window) < len(document):
            ends = ends[:-1] or [_last_space(window)]
        yield from (start + end for end in ends)
        start += ends[-1]


def _last_space(window: str) -> int:
    """One past the last white space of a window; its length if it has none."""
    return max((space.end() for space in re.finditer(r"\s", window)), default=len(window))


def _stripped(document: str, ends: Iterator[int]) -> Iterator[Place]:
    """The sentences that end there without white space around them; blank ones are left out."""
    start = 0
    for end in ends:
        sentence = document[start:end]
        if inner := sentence.strip():
            first = start + len(sentence) - len(sentence.lstrip())
            yield first, first + len(inner)
        start = end
