"""From tokens back to text."""

from __future__ import annotations

from collections.abc import Iterable

from nlp_rnn.text.rules import SUBWORD_SPACE, Tokenizer
from nlp_rnn.text.vocabulary import EOS


def piece(token: str, before: str, unit: str) -> str:
    """The text that ``token`` adds to the text ``before``, of which only the end matters.

    Args:
        unit: the unit of the tokenizer.

    >>> piece("dog", "the", "word"), piece("dog", "", "word"), piece("g", "do", "character")
    (' dog', 'dog', 'g')
    """
    if token == EOS:
        return "\n"
    starts = not before or before[-1].isspace()
    if unit == "character":
        return token
    if unit == "subword":
        token = token.replace(SUBWORD_SPACE, " ")
        return token.lstrip(" ") if starts else token
    return token if starts else " " + token


def joined(tokens: Iterable[str], unit: str) -> str:
    """The text that tokens are written as.

    >>> joined(["a", "dog", "."], "word"), joined(["g", "o"], "character")
    ('a dog .', 'go')
    """
    text = ""
    for token in tokens:
        text += piece(token, text, unit)
    return text


def rewritten(text: str, tokenizer: Tokenizer) -> str:
    """A text as a model would write it: split into tokens, normalised and joined again."""
    return joined(tokenizer.tokens(text), tokenizer.parameters.unit)
