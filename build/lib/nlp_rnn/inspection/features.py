"""Features of a text that a cell may track, as functions of its characters.

Each feature gives one number per character: its value *after* that character, because a cell's
state reflects what it has read. An opening quotation mark is therefore inside the quote, and a
closing one is outside. A token of several characters has the largest of their values.

This module does not import NumPy, so that the command's help can list the features quickly.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import NamedTuple

# Patterns as strings, which ``re`` compiles when they are first used.
QUOTE = r"(?P<paragraph>\n[^\S\n]*\n)|[\"“”„«»]|``|''"
LINE_END = r"\n"
SPACE = r"\s"
SENTENCE_END = r"[.!?…][\"'”’»)\]]*\s|\n[^\S\n]*\n"
WORD = r"\w+"
NUMBER = r"\d+(?:[.,]\d+)*"
PUNCTUATION = r"[^\w\s]"
INDENTATION = r"(?m)^[^\S\n]*"
CLOSING = {")": "(", "]": "[", "}": "{"}

Values = list[float]


class Feature(NamedTuple):
    """A property to track in a text.

    Attributes:
        description: a phrase for people.
        values: maps a text to one number for each of its characters.
        binary: whether the values are only 0 and 1.
    """

    description: str
    values: Callable[[str], Values]
    binary: bool


def quotes(text: str) -> Values:
    r"""1 inside double quotation marks of any style, including those of the Penn Treebank.

    Any mark opens a quote if none is open and closes it otherwise; a blank line ends it, so that a
    missing mark affects only one paragraph. Single marks are ignored, because most are apostrophes.

    >>> quotes('a "b" c')
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    >>> quotes("“a\n\nb")
    [1.0, 1.0, 1.0, 0.0, 0.0]
    """
    values: Values = []
    inside = 0.0
    for match in re.finditer(QUOTE, text):
        values += [inside] * (match.end() - 1 - len(values))
        inside = 0.0 if match["paragraph"] else 1.0 - inside
    return values + [inside] * (len(text) - len(values))


def bracket_depth(text: str) -> Values:
    """How many brackets are open, counting only brackets that are closed later.

    >>> bracket_depth("a(b[c])d :( )")
    [0.0, 1.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]
    >>> bracket_depth("(a [b) c")
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    changes = [0.0] * len(text)
    opened: list[int] = []
    for i, character in enumerate(text):
        if character in CLOSING.values():
            opened.append(i)
        elif character in CLOSING:
            fitting = [k for k, j in enumerate(opened) if text[j] == CLOSING[character]]
            if fitting:
                changes[opened[fitting[-1]]], changes[i] = 1.0, -1.0
                del opened[fitting[-1] :]
    return list(itertools.accumulate(changes))


def brackets(text: str) -> Values:
    """1 where :func:`bracket_depth` is 1 or more."""
    return [float(depth > 0) for depth in bracket_depth(text)]


def since(boundary: str, text: str) -> Values:
    r"""The number of characters since the last ``boundary``; 0 at the boundary's last character.

    >>> since(LINE_END, "ab\nc")
    [1.0, 2.0, 0.0, 1.0]
    """
    ends = {match.end() - 1 for match in re.finditer(boundary, text)}
    values: Values = []
    count = 0.0
    for i in range(len(text)):
        count = 0.0 if i in ends else count + 1.0
        values.append(count)
    return values


def inside(pattern: str, text: str) -> Values:
    """1 at the characters of all matches of ``pattern``.

    >>> inside(NUMBER, "a 1,5.")
    [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    """
    values = [0.0] * len(text)
    for match in re.finditer(pattern, text):
        values[match.start() : match.end()] = [1.0] * len(match[0])
    return values


def capitalised(text: str) -> Values:
    """1 in words that begin with a capital letter.

    >>> capitalised("An ox")
    [1.0, 1.0, 0.0, 0.0, 0.0]
    """
    values = [0.0] * len(text)
    for match in re.finditer(WORD, text):
        if match[0][0].isupper():
            values[match.start() : match.end()] = [1.0] * len(match[0])
    return values


def indentation(text: str) -> Values:
    r"""The amount of white space read so far at the beginning of the line.

    >>> indentation("  a\nb")
    [1.0, 2.0, 2.0, 0.0, 0.0]
    """
    widths = {match.start(): float(len(match[0])) for match in re.finditer(INDENTATION, text)}
    values: Values = []
    width = 0.0
    for i, position in enumerate(since(LINE_END, text)):
        width = widths.get(i, width)
        values.append(min(position, width))
    return values


FEATURES = {
    "quotes": Feature("inside double quotes", quotes, True),
    "brackets": Feature("inside brackets", brackets, True),
    "bracket_depth": Feature("how many brackets are open", bracket_depth, False),
    "line_position": Feature(
        "characters since the line began", lambda text: since(LINE_END, text), False
    ),
    "word_position": Feature(
        "characters since the last white space", lambda text: since(SPACE, text), False
    ),
    "sentence_position": Feature(
        "characters since the sentence began", lambda text: since(SENTENCE_END, text), False
    ),
    "indentation": Feature("white space before the line's first word", indentation, False),
    "capitalised": Feature("in a word with a capital first letter", capitalised, True),
    "number": Feature("in a number", lambda text: inside(NUMBER, text), True),
    "punctuation": Feature("a punctuation mark", lambda text: inside(PUNCTUATION, text), True),
    "space": Feature("white space", lambda text: inside(SPACE, text), True),
}
"""The features by their names for ``--track``."""
