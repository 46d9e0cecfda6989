"""Tokenizers: raw text to tokens, in Python, in front of every model.

A tokenizer first splits the raw text, then normalises each piece, so that every token
keeps its character offsets in the raw text. The policy:

- Unicode: each token is brought to NFC (or NFKC, or left alone); combining marks belong to
  the word they follow.
- Case: ``str.lower`` when ``lowercase`` is set, which handles every script, not just ASCII.
- Digits: kept, or each decimal digit of any script written as ``0``.
- HTML: with ``html_breaks``, ``<br />`` separates tokens and ``&amp;`` and its like are read
  as the character they name.
- Bytes that are no UTF-8 never get here: the corpus readers refuse or replace them.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.extras import install_command

Span = tuple[str, int, int]
"""A token with the start and end of its characters in the raw text."""

BREAK = r"(?i:<br\s*/?>)"
ENTITY = r"&\#?\w+;"

SUBWORD_SPACE = "\u2581"
"""What stands for a space in subwords."""

LEARNED_FROM = 50_000_000
"""Characters of training text, from its beginning, that subwords are learned from: the library
holds every distinct word of it, so that memory stays bounded."""

NORMALISER_CACHE = 1_000_000
"""Most pieces remembered, so that memory stays bounded; 150 bytes each, mostly."""

LONGEST_REMEMBERED = 64
"""Characters of the longest piece remembered: longer ones, such as addresses, seldom recur."""


@cache
def _combining_marks() -> str:
    """Every combining mark of the basic plane as ranges of a regular-expression class.

    Python's ``\\w`` leaves marks out, which would cut words of Indic scripts and
    decomposed accents in pieces.
    """
    marks = [i for i in range(0x10000) if unicodedata.category(chr(i)).startswith("M")]
    ranges: list[list[int]] = []
    for mark in marks:
        if ranges and ranges[-1][1] == mark - 1:
            ranges[-1][1] = mark
        else:
            ranges.append([mark, mark])
    return "".join(f"\\u{low:04x}-\\u{high:04x}" for low, high in ranges)


class _Normaliser(dict[str, str]):
    """Piece of raw text -> token; a dictionary, because most pieces recur."""

    def __init__(self, parameters: TokenizerParameters) -> None:
        super().__init__()
        self.parameters = parameters

    def __missing__(self, piece: str) -> str:
        token = normalise(piece, self.parameters)
        if len(piece) <= LONGEST_REMEMBERED:
            if len(self) >= NORMALISER_CACHE:
                self.clear()
            self[piece] = token
        return token


def normalise(piece: str, parameters: TokenizerParameters) -> str:
    """One piece of raw text as the token the vocabulary knows."""
    token = html.unescape(piece) if parameters.html_breaks and piece[:1] == "&" else piece
    if parameters.unicode != "none":
        token = unicodedata.normalize(parameters.unicode, token)
    if parameters.lowercase:
        token = token.lower()
    if parameters.digits == "zero":
        token = "".join("0" if character.isdecimal() else character for character in token)
    return token


class Tokenizer(ABC):
    """Splits raw text into tokens with offsets."""

    def __init__(self, parameters: TokenizerParameters) -> None:
        self.parameters = parameters

    @abstractmethod
    def spans(self, text: str) -> list[Span]:
        """The tokens of ``text``, each with its start and end in ``text``."""

    def tokens(self, text: str) -> list[str]:
        """The tokens of ``text``."""
        return [token for token, _, _ in self.spans(text)]

    def words(self, words: Iterable[str]) -> list[str]:
        """Words that a corpus has segmented already, normalised one by one."""
        return [normalise(word, self.parameters) for word in words]

    def fit(self, texts: Iterable[str], size: int) -> None:  # noqa: B027
        """Learn from training texts; only subword units do."""

    def save(self, folder: Path) -> None:  # noqa: B027
        """Write what was learned into ``folder``; only subword units do."""

    def load(self, folder: Path) -> None:  # noqa: B027
        """Read what was learned from ``folder``; only subword units do."""


class PatternTokenizer(Tokenizer):
    """Words by a regular expression.

    ``word``: letters, digits and marks, with apostrophes inside; every other visible
    character alone. ``whitespace``: whatever white space separates.
    """

    def __init__(self, parameters: TokenizerParameters) -> None:
        super().__init__(parameters)
        if parameters.unit == "word":
            letter = f"[\\w{_combining_marks()}]"
            pattern = f"{letter}+(?:['’]{letter}+)*|[^\\w\\s]"
        else:
            pattern = r"\S+"
        if parameters.html_breaks and parameters.unit == "whitespace":
            pattern = rf"(?:(?!{BREAK}|{ENTITY})\S)+"
        # What is outside the group, a break, separates tokens and is none.
        pattern = f"{BREAK}|({ENTITY}|{pattern})" if parameters.html_breaks else f"({pattern})"
        self._pattern = re.compile(pattern)
        self._normalised = _Normaliser(parameters)

    def tokens(self, text: str) -> list[str]:
        normalised = self._normalised
        return [normalised[piece] for piece in self._pattern.findall(text) if piece]

    def words(self, words: Iterable[str]) -> list[str]:
        normalised = self._normalised
        return [normalised[word] for word in words]

    def spans(self, text: str) -> list[Span]:
        return [
            (self._normalised[match[1]], match.start(), match.end())
            for match in self._pattern.finditer(text)
            if match[1]
        ]


class CharacterTokenizer(Tokenizer):
    """Every character is a token, white space included; marks are composed with their letter."""

    def __init__(self, parameters: TokenizerParameters) -> None:
        super().__init__(parameters)
        self._piece = re.compile(f".[{_combining_marks()}]*", re.DOTALL)
        self._normalised = _Normaliser(parameters)

    def tokens(self, text: str) -> list[str]:
        normalised = self._normalised
        return [token for piece in self._piece.findall(text) for token in normalised[piece]]

    def spans(self, text: str) -> list[Span]:
        return [
            (token, match.start(), match.end())
            for match in self._piece.finditer(text)
            for token in self._normalised[match[0]]
        ]


class SubwordTokenizer(Tokenizer):
    """Byte-pair encoding (Sennrich et al. 2016) learned from the training split.

    Needs the extra ``subword``, the library ``tokenizers``.
    """

    FILE = "subwords.json"

    def __init__(self, parameters: TokenizerParameters) -> None:
        super().__init__(parameters)
        try:
            import tokenizers
        except ImportError:
            raise UserError(
                "tokenizer.unit: 'subword' needs the library tokenizers; "
                f"install it with: {install_command('subword')}"
            ) from None
        self._library: Any = tokenizers
        self._model: Any = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
        self._model.normalizer = self._normalizer()
        self._model.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(SUBWORD_SPACE)
        markup = f"{BREAK}|{ENTITY}" if parameters.html_breaks else "(?!)"  # which never matches
        self._markup = re.compile(markup)
        self._piece = re.compile(f"{markup}|.", re.DOTALL)

    def _plain(self, text: str) -> str:
        """The text that is read: a space for each break, its character for each entity."""

        def shown(markup: re.Match[str]) -> str:
            return " " if markup[0][0] == "<" else html.unescape(markup[0])

        return self._markup.sub(shown, text)

    def _normalizer(self) -> Any:
        steps = self._library.normalizers
        chain = []
        if self.parameters.unicode != "none":
            chain.append(getattr(steps, self.parameters.unicode)())
        if self.parameters.lowercase:
            chain.append(steps.Lowercase())
        if self.parameters.digits == "zero":
            chain.append(steps.Replace(self._library.Regex(r"\d"), "0"))
        return steps.Sequence(chain)

    def fit(self, texts: Iterable[str], size: int) -> None:
        trainer = self._library.trainers.BpeTrainer(
            vocab_size=size, special_tokens=["<unk>"], show_progress=sys.stderr.isatty()
        )
        first = _first_characters(map(self._plain, texts), LEARNED_FROM)
        self._model.train_from_iterator(first, trainer)

    def save(self, folder: Path) -> None:
        self._model.save(str(folder / self.FILE))

    def load(self, folder: Path) -> None:
        file = folder / self.FILE
        if not file.is_file():
            raise UserError(f"{file}: no such file; prepare the data set again")
        try:
            self._model = self._library.Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises no other class
            raise UserError(f"{file}: not a subword tokenizer ({error}); copy it again") from None

    def tokens(self, text: str) -> list[str]:
        return list(self._model.encode(self._plain(text)).tokens)

    def spans(self, text: str) -> list[Span]:
        # Where in the raw text each character that the model reads begins and ends.
        places: list[tuple[int, int]] = []
        for match in self._piece.finditer(text):
            places += [match.span()] * len(self._plain(match[0]))
        encoding = self._model.encode(self._plain(text))
        return [
            (token, places[start][0], places[end - 1][1])
            for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True)
        ]


def _first_characters(texts: Iterable[str], most: int) -> Iterator[str]:
    """The first texts, until ``most`` characters are reached."""
    read = 0
    for text in texts:
        yield text
        read += len(text)
        if read >= most:
            return


def tokenizer(parameters: TokenizerParameters) -> Tokenizer:
    """The tokenizer that ``parameters`` describe.

    >>> tokenizer(TokenizerParameters()).tokens("It wasn't BAD, at all!")
    ['it', "wasn't", 'bad', ',', 'at', 'all', '!']
    >>> tokenizer(TokenizerParameters(html_breaks=True)).spans("Good<br />fun")
    [('good', 0, 4), ('fun', 10, 13)]
    """
    if parameters.unit == "character":
        return CharacterTokenizer(parameters)
    if parameters.unit == "subword":
        return SubwordTokenizer(parameters)
    return PatternTokenizer(parameters)
