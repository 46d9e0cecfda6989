r"""Character classes, and the regular expressions of tokens that are built from them.

The segmentation follows Unicode's text segmentation (https://www.unicode.org/reports/tr29/):
marks, invisible characters and skin tones are never split from the character before them, and an
emoji sequence (a flag, a keycap, pictographs joined by U+200D) is one unit.

Each class is written as the inside of a ``[...]``. The patterns are functions of how a regex engine
writes letters, marks and white space, because ``re`` has no ``\p{M}``. The description of an
exported model can thus show the very pattern that the tokenizer runs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The default ignorable characters of Unicode, and a few similar ones: soft hyphens, zero-width
characters, byte-order marks, directional marks, variation selectors and tags."""

CONTROLS = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
"""Control characters that are not white space. Most of them are remnants of a wrong encoding, of
dashes for example."""

LINE_ENDS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
"""Characters at which some program begins a new line."""

BLANK = "\u2800"
"""The blank Braille pattern."""

SKIN_TONES = "\U0001f3fb-\U0001f3ff"

REGIONAL = "\U0001f1e6-\U0001f1ff"
"""Regional indicators: two of them are a flag."""

PICTOGRAPHS = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2194-\u23ff\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001fffd"
)
"""The characters that U+200D joins into one emoji; slightly more than Unicode's
Extended_Pictographic."""

NUMBER_SIGNS = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
"""Signs placed under or around the digits after them."""

JAMO = "\u1160-\u11ff\ud7b0-\ud7fb"
"""Vowels and final consonants of decomposed Korean syllables."""

APOSTROPHES = "\u2019\u02bc\uff07"
"""The characters other than ``'`` that are used as apostrophes."""

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Thai, Lao, Burmese and Khmer, which are written without spaces between words."""

_JOINERS = "\u200c\u200d"
_TAGS = "\U000e0020-\U000e007f"
_LATIN = "\x00-\u02ff"
_PUNCTUATION = "\u2000-\u200b\u200e-\u206f"
_BLACK_FLAG = "\U0001f3f4"

DROPPED = (
    f"({_BLACK_FLAG}[{_TAGS}]+)"
    f"|(?<=[^{_LATIN}{_PUNCTUATION}])([{_JOINERS}])[{_JOINERS}]*(?=[^{_LATIN}{INVISIBLE}])"
    f"|[{INVISIBLE}{CONTROLS}]"
)
r"""The invisible characters of a token, to be replaced by ``\1\2``. All are removed except the tags
of a flag and one joiner between two characters beyond Latin, because those are part of the spelling
(of Persian and Sinhala words and of emoji)."""

WORD_BREAK = f"[{CONTROLS}{BLANK}\u200b](?:(?<!\u200b)|(?<=[{UNSPACED}]\u200b)|(?=[{UNSPACED}]))"
"""Characters that separate words although they are not white space: control characters, the blank
Braille pattern, and in scripts without spaces the zero-width space."""

dropped = re.compile(DROPPED)
_word_break = re.compile(WORD_BREAK)


_unsafe = re.compile(f"[{CONTROLS}{LINE_ENDS}\t\x1f\ud800-\udfff]")


def is_one_line(text: str) -> bool:
    r"""Whether ``text`` has no control character, line break or half of a surrogate pair.

    >>> is_one_line("B-PER"), is_one_line("a\x1b[2J"), is_one_line("a\nb")
    (True, False, False)
    """
    return _unsafe.search(text) is None


_unprintable = re.compile(f"[{CONTROLS}\n\ud800-\udfff]")


def unprintable(text: str) -> bool:
    """Whether ``text`` has a character that no word of a corpus has: a control character that is
    not white space, the end of a line, or half of a surrogate pair."""
    return _unprintable.search(text) is not None


def visible(piece: str) -> str:
    r"""``piece`` without invisible characters (see :data:`DROPPED`).

    >>> visible("soft\u00adhyphen")
    'softhyphen'
    """
    if piece.isascii() and piece.isprintable():
        return piece
    return dropped.sub(r"\1\2", piece)


def straight(piece: str) -> str:
    """``piece`` with every other apostrophe before a letter replaced by ``'``.

    >>> straight("don’t"), straight("dogs’")
    ("don't", 'dogs’')
    """
    return piece if piece.isascii() else _apostrophe().sub("'", piece)


def separated(text: str) -> str:
    """``text`` with each :data:`WORD_BREAK` replaced by a space; the length does not change."""
    return _word_break.sub(" ", text)


@dataclass(frozen=True)
class Dialect:
    """How a regular expression engine writes character classes inside ``[...]``.

    Attributes:
        letters: letters and numbers of every script, and the underscore.
        marks: combining marks.
        spaces: white space.
    """

    letters: str
    marks: str
    spaces: str


PORTABLE = Dialect(r"\p{L}\p{N}_", r"\p{M}", r"\p{White_Space}" + "\x1c-\x1f")
r"""The syntax of PCRE, Perl, Java, ICU and Oniguruma, for the same classes as :func:`python`."""


@cache
def python() -> Dialect:
    r"""The syntax of ``re``, whose ``\w`` excludes marks, which would split words in Indic scripts
    and with decomposed accents."""
    places = [*range(0x20000), *range(0xE0000, 0xE1000)]  # no mark is assigned elsewhere
    marks = [i for i in places if unicodedata.category(chr(i)).startswith("M")]
    ranges: list[list[int]] = []
    for mark in marks:
        if ranges and ranges[-1][1] == mark - 1:
            ranges[-1][1] = mark
        else:
            ranges.append([mark, mark])
    return Dialect(r"\w", "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges), r"\s")


def _emoji(extend: str) -> str:
    """A flag, or pictographs joined by U+200D."""
    return f"[{REGIONAL}]{{2}}{extend}*|[{PICTOGRAPHS}](?:\u200d[{PICTOGRAPHS}]|{extend})*"


def apostrophe_pattern(of: Dialect) -> str:
    """An apostrophe, to be replaced by ``'``: the character counts as one before a letter."""
    return f"[{APOSTROPHES}](?=[{of.letters}])"


@cache
def _apostrophe() -> re.Pattern[str]:
    return re.compile(apostrophe_pattern(python()))


def word_pattern(of: Dialect) -> str:
    """Words (letters, numbers, marks, underscores, apostrophes inside) and single characters."""
    extend = f"[{of.marks}{INVISIBLE}{SKIN_TONES}]"
    letter = f"[{of.letters}{of.marks}{NUMBER_SIGNS}]"
    run = f"{letter}[{of.letters}{of.marks}{NUMBER_SIGNS}{INVISIBLE}{SKIN_TONES}]*"
    keycap = "[0-9#*]\ufe0f?\u20e3"
    word = f"{run}(?:['{APOSTROPHES}][{INVISIBLE}]*{run})*"
    other = f"[^{of.letters}{of.spaces}{INVISIBLE}]{extend}*"
    return f"{keycap}|{word}|{_emoji(extend)}|{other}"


def whitespace_pattern(of: Dialect) -> str:
    """Anything that white space separates."""
    return f"[^{of.spaces}]+"


def character_pattern(of: Dialect) -> str:
    """Characters, including white space, with everything attached to them."""
    extend = f"[{of.marks}{INVISIBLE}{SKIN_TONES}{JAMO}]"
    return f"{_emoji(extend)}|(?s:.){extend}*"


PATTERNS = {
    "word": word_pattern,
    "whitespace": whitespace_pattern,
    "character": character_pattern,
}

PLAIN_PATTERNS = {
    "word": f"\\w+(?:['{APOSTROPHES}]\\w+)*|[^\\w\\s]",
    "whitespace": r"\S+",
    "character": r"(?s:.)",
}
"""Equivalents of the patterns above for :func:`is_plain` text, several times as fast."""


@cache
def _special() -> re.Pattern[str]:
    # One range for everything beyond the basic plane, because each range costs time at every
    # character.
    parts = (python().marks, INVISIBLE, CONTROLS, BLANK, PICTOGRAPHS, NUMBER_SIGNS, JAMO)
    basic = re.sub("[\U00010000-\U0010ffff]-?", "", "".join(parts))
    return re.compile(f"[{basic}\U00010000-\U0010ffff]")


def is_plain(text: str) -> bool:
    """Whether ``text`` has only letters, numbers, white space and standalone symbols."""
    return _special().search(text) is None


def portable(pattern: str) -> str:
    r"""``pattern`` with ``\x{...}`` for each character that is not printable ASCII."""
    return "".join(c if " " <= c <= "~" else f"\\x{{{ord(c):X}}}" for c in pattern)


def scripts(text: str) -> Iterator[str]:
    """The script of each letter, as the first word of its name in Unicode."""
    return (unicodedata.name(c, "OTHER").split()[0].split("-")[0] for c in text if c.isalpha())
