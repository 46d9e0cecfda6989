"""Tokenizer rules 1, used by data sets and bundles from before the rules had a version.

This module never changes, so a model reads text as it did when it was trained. It differs from the
rules of :mod:`nlp_rnn.text.rules` as follows: an HTML entity is a token of its own; marks begin the
next word if no letter precedes them; invisible characters are tokens or split words; a typographic
apostrophe is kept.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.text.characters import Dialect
from nlp_rnn.text.markup import unescape
from nlp_rnn.text.rules import Remembered, Span, SubwordTokenizer, Tokenizer, folded

_BREAK = r"(?i:<br\s*/?>)"
_ENTITY = r"&\#?\w+;"


@cache
def _python() -> Dialect:
    """Character classes for ``re``, with only the marks of the basic plane."""
    marks = (chr(i) for i in range(0x10000) if unicodedata.category(chr(i)).startswith("M"))
    return Dialect(r"\w", "".join(marks), r"\s")


def word_pattern(of: Dialect) -> str:
    """Words with apostrophes inside, and every other character alone."""
    letter = f"[{of.letters}{of.marks}]"
    return f"{letter}+(?:['’]{letter}+)*|[^{of.letters}{of.spaces}]"


def _read(entity: str) -> str:
    return unescape(entity) if entity[1] == "#" else html.unescape(entity)


class _FirstRules(Tokenizer):
    """Splits raw text including its markup."""

    def _token(self, piece: str) -> str:
        return folded(self.spelling(piece), self.parameters)

    def spelling(self, word: str) -> str:
        return word

    def can_give(self, token: str, of_words: bool = False) -> bool:
        return True  # these rules keep control characters

    def words(self, words: Iterable[str]) -> list[str]:
        return [self._token(word) for word in words]


class _PatternTokenizer(_FirstRules):
    """``word`` and ``whitespace``."""

    def __init__(self, parameters: TokenizerParameters) -> None:
        super().__init__(parameters)
        spaced = parameters.unit == "whitespace"
        pattern = r"\S+" if spaced else word_pattern(_python())
        if parameters.html_breaks and spaced:
            pattern = rf"(?:(?!{_BREAK}|{_ENTITY})\S)+"
        # The part outside the group, a line break, separates tokens but is not one.
        pattern = f"{_BREAK}|({_ENTITY}|{pattern})" if parameters.html_breaks else f"({pattern})"
        self._pattern = re.compile(pattern)
        self._normalised = Remembered(self._token)

    def _token(self, piece: str) -> str:
        is_entity = self.parameters.html_breaks and piece[:1] == "&"
        return super()._token(html.unescape(piece) if is_entity else piece)

    def tokens(self, text: str) -> list[str]:
        normalised = self._normalised
        return [normalised[piece] for piece in self._pattern.findall(text) if piece]

    def spans(self, text: str) -> list[Span]:
        return [
            (self._normalised[match[1]], match.start(), match.end())
            for match in self._pattern.finditer(text)
            if match[1]
        ]


class _CharacterTokenizer(_FirstRules):
    """Every character is a token; marks are composed with their letter if possible."""

    def __init__(self, parameters: TokenizerParameters) -> None:
        super().__init__(parameters)
        self._piece = re.compile(f".[{_python().marks}]*", re.DOTALL)
        self._normalised = Remembered(self._token)

    def tokens(self, text: str) -> list[str]:
        normalised = self._normalised
        return [token for piece in self._piece.findall(text) for token in normalised[piece]]

    def spans(self, text: str) -> list[Span]:
        return [
            (token, match.start(), match.end())
            for match in self._piece.finditer(text)
            for token in self._normalised[match[0]]
        ]


class _SubwordTokenizer(SubwordTokenizer, _FirstRules):
    """Byte pairs of text that the library normalises."""

    def __init__(self, parameters: TokenizerParameters) -> None:
        super().__init__(parameters)
        self._model.normalizer = self._normalizer()
        markup = f"{_BREAK}|{_ENTITY}" if parameters.html_breaks else "(?!)"  # which never matches
        self._markup = re.compile(markup)
        self._piece = re.compile(f"{markup}|.", re.DOTALL)

    def _normalizer(self) -> Any:
        from tokenizers import Regex, normalizers

        chain = []
        if self.parameters.unicode != "none":
            chain.append(getattr(normalizers, self.parameters.unicode)())
        if self.parameters.lowercase:
            chain.append(normalizers.Lowercase())
        if self.parameters.digits == "zero":
            chain.append(normalizers.Replace(Regex(r"\d"), "0"))
        return normalizers.Sequence(chain)

    def _read(self, text: str) -> str:
        def shown(markup: re.Match[str]) -> str:
            return " " if markup[0][0] == "<" else _read(markup[0])

        return self._markup.sub(shown, text)

    def spans(self, text: str) -> list[Span]:
        # The start and end in the raw text of each character that the model reads.
        places: list[tuple[int, int]] = []
        for match in self._piece.finditer(text):
            places += [match.span()] * len(self._read(match[0]))
        encoding = self._model.encode(self._read(text))
        return [
            (token, places[start][0], places[end - 1][1])
            for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True)
        ]


def make_tokenizer(parameters: TokenizerParameters) -> Tokenizer:
    """The tokenizer that ``parameters`` described."""
    if parameters.unit == "character":
        return _CharacterTokenizer(parameters)
    if parameters.unit == "subword":
        return _SubwordTokenizer(parameters)
    return _PatternTokenizer(parameters)
