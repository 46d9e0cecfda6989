"""Tokenizers, in Python: they split raw text into tokens for every model.

A tokenizer splits the raw text and then normalises each piece, so that every token keeps its
character offsets in the raw text. The policy:

- HTML: with ``html_breaks``, first of all ``<br />`` is replaced by a space, and ``&amp;`` and
  other entities by the characters that they name.
- Splitting follows Unicode's text segmentation: marks and invisible characters are never split from
  the character before them, and an emoji sequence is one token. Each visible character belongs to
  one token.
- Invisible characters (soft hyphens, zero-width characters, byte-order marks, directional marks)
  are removed from the token, so a word is the same type with and without them. One joiner is kept
  between characters beyond Latin, where it is part of the spelling (for tokens of a single
  character only in emoji). Control characters are read as spaces, and so are zero-width spaces in
  scripts that separate words by them (Thai, Lao, Burmese, Khmer).
- Apostrophes: a typographic apostrophe before a letter becomes ``'`` (except with unit
  ``character``).
- Unicode: each token is normalised to NFC (or NFKC, or not at all).
- Case: ``str.lower`` when ``lowercase`` is set, which handles every script, not just ASCII.
- Digits: kept, or each decimal digit of any script replaced by ``0``.
- Bytes that are not UTF-8 never get here: the corpus readers reject or replace them.

These are rules 2. Older data sets and bundles keep rules 1 (:mod:`nlp_rnn.text.first_rules`), so
that a model reads text as it was trained to.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.extras import install_command
from nlp_rnn.text import characters, markup
from nlp_rnn.text.markup import Rewritten
from nlp_rnn.text.vocabulary import UNK

Span = tuple[str, int, int]
"""A token with the start and end of its characters in the raw text."""

SUBWORD_SPACE = "\u2581"
"""The character that represents a space in subwords."""

LEARNED_FROM = 50_000_000
"""The number of characters at the start of the training text from which subwords are learned. It
bounds memory, because the library holds every distinct word of them."""

NORMALISER_CACHE = 1_000_000
"""The maximum number of pieces cached, which bounds memory; most take 150 bytes."""

LONGEST_REMEMBERED = 64
"""The length in characters of the longest piece cached: longer ones, such as addresses, rarely
recur."""


class Remembered(dict[str, str]):
    """A cache from pieces of text to tokens, because most pieces recur."""

    def __init__(self, token_of: Callable[[str], str]) -> None:
        super().__init__()
        self._token_of = token_of

    def __missing__(self, piece: str) -> str:
        token = self._token_of(piece)
        if len(piece) <= LONGEST_REMEMBERED:
            if len(self) >= NORMALISER_CACHE:
                self.clear()
            self[piece] = token
        return token


def folded(piece: str, parameters: TokenizerParameters) -> str:
    """``piece`` in the Unicode form, case and digits that ``parameters`` ask for."""
    if parameters.unicode != "none":
        piece = unicodedata.normalize(parameters.unicode, piece)
    if parameters.lowercase:
        piece = piece.lower()
    if parameters.digits == "zero":
        piece = "".join("0" if character.isdecimal() else character for character in piece)
    return piece


class Tokenizer(ABC):
    """Splits raw text into tokens with offsets."""

    def __init__(self, parameters: TokenizerParameters) -> None:
        self.parameters = parameters

    @abstractmethod
    def spans(self, text: str) -> list[Span]:
        """The tokens of ``text``, each with its start and end in ``text``.

        They are in order and do not overlap, except for subwords of the same HTML entity.
        """

    def tokens(self, text: str) -> list[str]:
        """The tokens of ``text``."""
        return [token for token, _, _ in self.spans(text)]

    def spelling(self, word: str) -> str:
        """A word of raw text as character models see it, with case and digits kept."""
        shown = markup.plain(word) if self.parameters.html_breaks else word
        return characters.straight(characters.visible(shown))

    def words(self, words: Iterable[str]) -> list[str]:
        """Normalise words that the corpus has already segmented, one by one.

        A word of which nothing is left becomes ``<unk>``.
        """
        return [folded(self.spelling(word), self.parameters) or UNK for word in words]

    def can_give(self, token: str, of_words: bool = False) -> bool:
        """Whether ``token`` may be one, as far as control characters and line breaks decide it.

        Args:
            of_words: of words that the corpus has already segmented.
        """
        if characters.is_one_line(token):
            return True
        of_characters = self.parameters.unit == "character" and not of_words
        if not (of_characters or of_words):
            return False
        if of_characters or self.parameters.html_breaks:  # "&#10;" within a word of a corpus
            token = token.replace("\n", "")
        return not characters.unprintable(token)

    def fit(self, texts: Iterable[str], size: int) -> None:  # noqa: B027
        """Learn from training texts; only subword units do."""

    def save(self, folder: Path, prefix: str = "") -> None:  # noqa: B027
        """Write what was learned into ``folder``, in a file whose name begins with ``prefix``; only
        subword units do."""

    def load(self, folder: Path, prefix: str = "") -> None:  # noqa: B027
        """Read what :meth:`save` wrote; only subword units do."""


class PatternTokenizer(Tokenizer):
    """A tokenizer that uses a regular expression of :mod:`nlp_rnn.text.characters`.

    ``word``: letters, numbers, marks and underscores, with apostrophes inside; every other
    visible character alone. ``whitespace``: anything separated by white space. ``character``: each
    character with its marks, white space included.
    """

    def __init__(self, parameters: TokenizerParameters) -> None:
        super().__init__(parameters)
        self.unit = "word" if parameters.unit == "auto" else parameters.unit
        self._plain = re.compile(characters.PLAIN_PATTERNS[self.unit])
        self._normalised = Remembered(self._token)

    @cached_property
    def _any(self) -> re.Pattern[str]:
        return re.compile(characters.PATTERNS[self.unit](characters.python()))

    def _reading(self, text: str) -> tuple[re.Pattern[str], str]:
        """The pattern that splits ``text``, and the text to which it applies."""
        if characters.is_plain(text):
            return self._plain, text
        return self._any, characters.separated(text)

    def _token(self, piece: str) -> str:
        piece = characters.visible(piece)
        if self.unit != "character":
            piece = characters.straight(piece)
        return folded(piece, self.parameters)

    def tokens(self, text: str) -> list[str]:
        if self.parameters.html_breaks:
            text = markup.plain(text)
        pattern, shown = self._reading(text)
        pieces = map(self._normalised.__getitem__, pattern.findall(shown))
        return list(filter(None, pieces))

    def spans(self, text: str) -> list[Span]:
        read = markup.rewritten(text) if self.parameters.html_breaks else None
        pattern, shown = self._reading(read.text if read else text)
        return [
            (token, *(read.span(*match.span()) if read else match.span()))
            for match in pattern.finditer(shown)
            if (token := self._normalised[match[0]])
        ]


class SubwordTokenizer(Tokenizer):
    """Byte-pair encoding (Sennrich et al. 2016) learned from the training split.

    The model reads the text normalised as a whole, with a space before it. It needs the library
    ``tokenizers``, from the extra ``subword``.
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
        self._model: Any = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
        self._model.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(SUBWORD_SPACE)
        self._character = re.compile(characters.character_pattern(characters.python()))
        self._normalised = Remembered(self._folded)

    def fit(self, texts: Iterable[str], size: int) -> None:
        from tokenizers.trainers import BpeTrainer

        trainer = BpeTrainer(
            vocab_size=size, special_tokens=["<unk>"], show_progress=sys.stderr.isatty()
        )
        first = _first_characters(map(self._read, texts), LEARNED_FROM)
        self._model.train_from_iterator(first, trainer)

    def save(self, folder: Path, prefix: str = "") -> None:
        self._model.save(str(folder / f"{prefix}{self.FILE}"))

    def load(self, folder: Path, prefix: str = "") -> None:
        from tokenizers import Tokenizer as Model

        file = folder / f"{prefix}{self.FILE}"
        if not file.is_file():
            raise UserError(f"{file}: no such file; prepare the data set again")
        try:
            self._model = Model.from_file(str(file))
        except Exception as error:  # the library raises no other class
            raise UserError(f"{file}: not a subword tokenizer ({error}); copy it again") from None

    def _folded(self, character: str) -> str:
        return " " if character.isspace() else folded(character, self.parameters)

    def _read(self, text: str) -> str:
        """The text that the model reads: :meth:`_rewritten` without the places."""
        shown = characters.separated(markup.plain(text) if self.parameters.html_breaks else text)
        shown = characters.straight(characters.visible(shown))
        normalised = self._normalised
        return "".join([normalised[piece] for piece in self._character.findall(shown)])

    def _rewritten(self, text: str) -> Rewritten:
        """The text that the model reads, and the position of each of its characters in ``text``."""
        html = self.parameters.html_breaks
        shown = markup.rewritten(text) if html else Rewritten.unchanged(text)
        shown = Rewritten(characters.separated(shown.text), shown.places)
        shown = shown.replaced(characters.dropped, lambda m: (m.expand(r"\1\2"), m.end()))
        shown = Rewritten(characters.straight(shown.text), shown.places)
        return shown.replaced(self._character, lambda m: (self._normalised[m[0]], m.end()))

    def tokens(self, text: str) -> list[str]:
        return list(self._model.encode(self._read(text)).tokens)

    def spans(self, text: str) -> list[Span]:
        read = self._rewritten(text)
        encoding = self._model.encode(read.text)
        # The library prepends a space to a text that has none, and gives this space the position of
        # the first character.
        added = bool(read.text) and read.text[0] != " " and encoding.tokens[0] == SUBWORD_SPACE
        spans = [
            (token, *read.span(start, end))
            for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True)
        ]
        return [(SUBWORD_SPACE, 0, 0), *spans[1:]] if added else spans


def _first_characters(texts: Iterable[str], most: int) -> Iterator[str]:
    """The first texts, until ``most`` characters are reached."""
    read = 0
    for text in texts:
        yield text
        read += len(text)
        if read >= most:
            return
