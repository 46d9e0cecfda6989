"""HTML in raw text, read as a browser shows it, with its position in the raw text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from html.entities import html5

_BREAK = re.compile(r"<[bB][rR]\s*/?>")
_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*;?)")

_LONGEST_NUMBER = 100
"""The number of digits read of a character's number; longer numbers name no character."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A text after replacements.

    Attributes:
        text: the rewritten text.
        places: the start and end in the raw text of each character of ``text``, and of its end.
    """

    text: str
    places: list[tuple[int, int]]

    @classmethod
    def unchanged(cls, text: str) -> Rewritten:
        """A text without replacements."""
        return cls(text, [(i, i + 1) for i in range(len(text))])

    def replaced(
        self, pattern: re.Pattern[str], new: Callable[[re.Match[str]], tuple[str, int]]
    ) -> Rewritten:
        """This text with the matches of ``pattern`` replaced.

        Args:
            new: for a match, returns the characters that replace it and the position in
                :attr:`text` where the replaced part ends; each new character gets the place of the
                whole replaced part.
        """
        parts: list[str] = []
        places: list[tuple[int, int]] = []
        done = 0
        while match := pattern.search(self.text, done):
            shown, end = new(match)
            parts += [self.text[done : match.start()], shown]
            places += self.places[done : match.start()]
            places += [(self.places[match.start()][0], self.places[end - 1][1])] * len(shown)
            done = end
        return Rewritten("".join([*parts, self.text[done:]]), [*places, *self.places[done:]])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The position in the raw text of the characters ``text[start:end]``."""
        return self.places[start][0], self.places[end - 1][1]


def unescape(number: str) -> str:
    """The character that ``&#...;`` names."""
    return html.unescape(number) if len(number) <= _LONGEST_NUMBER else "\ufffd"


def _character(entity: re.Match[str]) -> tuple[str, int]:
    """The characters that an entity names, and where it ends.

    As in HTML 5, old names need no semicolon, and the longest matching name counts.
    """
    found, start = entity[0], entity.start()
    if found[1] == "#":
        return unescape(found), entity.end()
    for end in range(min(len(found), 33), 2, -1):
        if (shown := html5.get(found[1:end])) is not None:
            return shown, start + end
    return "&", start + 1


def _shown(entity: re.Match[str]) -> str:
    shown, end = _character(entity)
    return shown + entity[0][end - entity.start() :]


def plain(text: str) -> str:
    """``text`` with ``<br />`` replaced by a space and HTML entities by their characters.

    >>> plain("Rock &amp; roll<br />caf&eacute;")
    'Rock & roll café'
    """
    if "<" in text:
        text = _BREAK.sub(" ", text)
    return _ENTITY.sub(_shown, text) if "&" in text else text


def with_line_breaks(text: str) -> str:
    """``text`` with ``<br />`` replaced by a line break.

    >>> with_line_breaks("The end.<br /><br />Or not?")
    'The end.\\n\\nOr not?'
    """
    return _BREAK.sub("\n", text) if "<" in text else text


def rewritten(text: str) -> Rewritten:
    """The result of :func:`plain`, with the place of each character in the raw text."""
    spaced = Rewritten.unchanged(text).replaced(_BREAK, lambda match: (" ", match.end()))
    return spaced.replaced(_ENTITY, _character)
