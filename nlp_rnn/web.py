"""What all pages of HTML share: they load nothing, run nothing of a text, and hide nothing."""

from __future__ import annotations

import base64
import hashlib
import unicodedata

INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that cannot be seen, although they may change what is seen."""

JOINERS = "\u200c\u200d"
"""Invisible characters that Persian, Hindi and emoji are written with."""


def policy(style: str, script: str = "") -> str:
    """A Content-Security-Policy for a page with one style sheet and at most one script.

    The browser then runs and loads nothing else, even if a text got into the page as markup.
    """
    parts = ["default-src 'none'", f"style-src {_hashed(style)}"]
    if script:
        parts.append(f"script-src {_hashed(script)}")
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hashed(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def revealed(text: str) -> str:
    """A text whose invisible characters are written as ``‹U+202E›``, white space aside.

    So a text cannot turn round the order of what stands beside it, nor hide anything.
    """
    return "".join(map(_seen, text))


def visible(text: str) -> str:
    """Like :func:`revealed`, with all white space as blanks.

    >>> visible("a\\u202eb\\nc")
    'a‹U+202E›b c'
    """
    return "".join(" " if character.isspace() else _seen(character) for character in text)


def _seen(character: str) -> str:
    if character.isspace():
        return character
    hidden = unicodedata.category(character) in INVISIBLE and character not in JOINERS
    return f"‹U+{ord(character):04X}›" if hidden else character
