"""What annotation tools export and import: texts with entities as spans of characters.

Each module is one format: ``read`` yields the texts of a file or folder, and ``record`` or
``lines`` write one in a form that the tool imports. Offsets count the characters of the raw text,
Unicode code points, from 0; ``end`` is one past the last. Tools written in Java or JavaScript
count UTF-16 code units instead, in which most emoji are two: :class:`Offsets` converts them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.errors import UserError

Unit = Literal["characters", "utf16"]

HIGHEST_OF_ONE_UNIT = 0xFFFF
"""The last character that UTF-16 writes as a single unit."""


@dataclass(frozen=True, slots=True)
class Span:
    """An entity in a text.

    Attributes:
        type: its type.
        start: its first character.
        end: one past its last character.
        probability: how likely it is, if a model predicted it.
        pieces: the first and one past the last character of each part, if it has several.
    """

    type: str
    start: int
    end: int
    probability: float | None = None
    pieces: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """A text with its entities.

    Attributes:
        text: the raw text.
        spans: its entities, in the order of the file.
        where: its file and line, for messages.
        name: the name of its document, if the format has one.
        sentences: the first and one past the last character of each sentence, if the text is a
            document that was cut into sentences.
    """

    text: str
    spans: tuple[Span, ...]
    where: str = ""
    name: str = ""
    sentences: tuple[tuple[int, int], ...] = ()


class Offsets:
    """The offsets into a text, in a unit, as offsets of its characters and back.

    >>> Offsets("🙂 Ann", "utf16").character(3), Offsets("🙂 Ann", "utf16").unit(2)
    (2, 3)
    """

    def __init__(self, text: str, unit: Unit) -> None:
        self.text = text
        self._starts: np.ndarray | None = None
        if unit == "utf16" and text and max(text) > chr(HIGHEST_OF_ONE_UNIT):
            units = [1 + (ord(c) > HIGHEST_OF_ONE_UNIT) for c in text]
            self._starts = np.concatenate([[0], np.cumsum(units)])

    @property
    def length(self) -> int:
        """The length of the text in the unit."""
        return len(self.text) if self._starts is None else int(self._starts[-1])

    def character(self, offset: int) -> int | None:
        """The character at an offset in the unit; None in the middle of a character."""
        if self._starts is None:
            return offset
        place = int(np.searchsorted(self._starts, offset))
        return place if self._starts[place] == offset else None

    def unit(self, character: int) -> int:
        """The offset in the unit of a character."""
        return character if self._starts is None else int(self._starts[character])


def span_of(
    where: str, type_: object, pieces: Sequence[tuple[object, object]], offsets: Offsets
) -> Span:
    """A span from what a file says, checked against the text of ``offsets``.

    Args:
        where: its file and line, for messages.
        type_: its type.
        pieces: the start and end of each of its parts.

    Raises:
        UserError: the type is no text, or an offset is no whole number or not in the text.
    """
    if not isinstance(type_, str) or not type_.strip():
        found = "none" if type_ in (None, "") else repr(type_)
        raise UserError(f"{where}: a span needs a label (text), found {found}; label or remove it")
    if len(type_.splitlines()) > 1 or any("\ud800" <= c <= "\udfff" for c in type_):
        raise UserError(
            f"{where}: the label {type_!r} of a span has a line break or half a surrogate pair; "
            "rename it"
        )
    parts = tuple(_characters(where, start, end, offsets) for start, end in pieces)
    first, last = min(start for start, _ in parts), max(end for _, end in parts)
    return Span(type_, first, last, pieces=parts if len(parts) > 1 else ())


def _characters(where: str, start: object, end: object, offsets: Offsets) -> tuple[int, int]:
    """The start and end of a part, as offsets of characters."""
    if not (_is_whole(start) and _is_whole(end)):
        raise UserError(
            f"{where}: a span's start and end are whole numbers, found {start!r} and {end!r}; "
            "correct them"
        )
    assert isinstance(start, int) and isinstance(end, int)
    if start < 0 or end < start:
        raise UserError(
            f"{where}: a span from {start} to {end}: start is 0 or more, end is not before it; "
            "correct them"
        )
    if end > offsets.length:
        raise UserError(
            f"{where}: a span from {start} to {end} goes beyond its text, which has the length "
            f"{offsets.length}; correct it"
        )
    places = offsets.character(start), offsets.character(end)
    if places[0] is None or places[1] is None:
        raise SettingError(
            f"{where}: a span from {start} to {end} begins or ends inside a character, counted in "
            "UTF-16; correct it, or set ",
            Setting("offsets", "characters"),
        )
    return places[0], places[1]


def touched(words: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """The first of the words that a span touches, and one past the last.

    Args:
        words: the start and end of each, in order and without overlap.

    >>> touched([(0, 3), (4, 7), (8, 9)], 2, 5)
    (0, 2)
    """
    return (
        bisect_right(words, start, key=lambda word: word[1]),
        bisect_left(words, end, key=lambda word: word[0]),
    )


def check_quote(where: str, span: Span, quoted: str, text: str, unit: Unit) -> None:
    """Raise UserError unless a span covers the text that the file quotes for it.

    White space may differ, because formats write line breaks as spaces.
    """
    covered = " ".join(text[start:end] for start, end in span.pieces or ((span.start, span.end),))
    if covered.split() == quoted.split() or "".join(covered.split()) == "".join(quoted.split()):
        return
    other = "utf16" if unit == "characters" else "characters"
    raise SettingError(
        f"{where}: a span from {span.start} to {span.end} covers {covered[:40]!r}, but is said to "
        f"be {quoted[:40]!r}; correct it, or, if the tool counts otherwise, set ",
        Setting("offsets", other),
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
