"""Tagged sentences in columns: CoNLL-2000/2003 and similar formats, and CoNLL-U.

There is one word per line and a blank line after each sentence. The conventions are those of the
shared tasks (https://www.clips.uantwerpen.be/conll2003/ner/) and of Universal Dependencies
(https://universaldependencies.org/format.html).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import dropwhile
from pathlib import Path
from typing import Literal, TypeVar

from nlp_rnn.corpora.lines import BadBytes, numbered_lines
from nlp_rnn.corpora.schemes import TagSurvey, kept_tags
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example, Scheme
from nlp_rnn.limits import TEXT_BYTES

EmptyWords = Literal["error", "skip"]

DOCUMENT_START = "-DOCSTART-"

_COMMENT = re.compile(r"# \S+ =( |$)")
"""A comment ``# key = value``."""

_DOCUMENT = re.compile(r"#(begin|end) document\b")
"""The separators between documents in CoNLL-2011 and 2012."""

_REMARK = re.compile(r"#[ \t]+\S")
"""A possible comment: ``#``, a blank, then something else; a hashtag has no blank."""

_UD_COLUMNS = 10
UD_FORM = 1
UD_UPOS = 3
_UD_TAGS = {"upos": UD_UPOS, "xpos": 4}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Block:
    r"""A sentence's lines and the blank ones after it, without their ``\n`` or ``\r\n``.

    Attributes:
        path: the file, for messages.
        first: the number of its first line, counted from 1.
        lines: the lines of the sentence, then blank lines; only blank lines if the file begins with
            them.
    """

    path: Path
    first: int
    lines: list[str]

    def filled(self) -> Iterator[tuple[int, str]]:
        """The non-blank lines, each with its index in ``lines``."""
        return ((i, line) for i, line in enumerate(self.lines) if not _is_blank(line))

    def where(self, index: int) -> str:
        """The file and line number of ``lines[index]``."""
        return f"{self.path}, line {self.first + index}"


@dataclass(frozen=True, slots=True)
class Word:
    """The line of a word.

    Attributes:
        index: the index of the line in :attr:`Block.lines`.
        columns: the columns without the blanks around them.
        form: the word; empty if its column is.
    """

    index: int
    columns: list[str]
    form: str


@dataclass(frozen=True)
class Sentence:
    """A block and the words in it.

    Attributes:
        block: the lines; some blocks contain only comments.
        words: the words that have a form.
        empty: the words that have none.
    """

    block: Block
    words: list[Word]
    empty: list[Word]

    @classmethod
    def of(cls, block: Block, words: list[Word]) -> Sentence:
        """Separate the words that have a form from those that have none."""
        return cls(block, [w for w in words if w.form], [w for w in words if not w.form])

    def where(self, i: int) -> str:
        """The file and line number of ``words[i]``."""
        return self.block.where(self.words[i].index)

    def check_empty(self, empty_words: EmptyWords) -> None:
        """Raise UserError if there are empty words that are not to be skipped."""
        if self.empty and empty_words == "error":
            raise SettingError(
                f"{self.block.where(self.empty[0].index)}: found an empty column, expected a word; "
                "add it, or set ",
                Setting("empty_words", "skip"),
                " to skip lines without a word",
            )


def _is_blank(line: str) -> bool:
    # Only space and tab: a word may be a no-break space or another Unicode space.
    return not line.strip(" \t\r")


def blocks(path: Path, bad_bytes: BadBytes) -> Iterator[Block]:
    """Stream every line of a file, sentence by sentence.

    Raises:
        UserError: the file cannot be read, contains bytes that are not UTF-8, or has a sentence
            that is too long.
    """
    block = Block(path, 1, [])
    longest, length = TEXT_BYTES.most, 0
    for number, line in numbered_lines(path, bad_bytes):
        if block.lines and _is_blank(block.lines[-1]) and not _is_blank(line):
            yield block
            block, length = Block(path, number, []), 0
        block.lines.append(line.removesuffix("\r"))
        length += len(line) + 1
        if length > longest:
            raise TEXT_BYTES.exceeded(f"{block.where(0)}: the sentence that begins here")
    if block.lines:
        yield block


def _columns(line: str) -> list[str]:
    """The columns of a line, split at tabs if it has any, otherwise at spaces, and stripped.

    Only ASCII spaces are blanks: a word may be a no-break space or another Unicode space.
    """
    if "\t" in line:
        return [column.strip(" ") for column in line.split("\t")]
    return [column for column in line.split(" ") if column]


@dataclass(frozen=True)
class _Line:
    """A non-blank line: its index in :attr:`Block.lines`, its text and its columns."""

    index: int
    text: str
    columns: list[str]

    @classmethod
    def of(cls, index: int, text: str) -> _Line:
        return cls(index, text, _columns(text))

    @cached_property
    def width(self) -> int:
        """The number of columns up to the last that is not empty."""
        return max((i for i, column in enumerate(self.columns, 1) if column), default=0)

    @property
    def form(self) -> tuple[bool, int]:
        """The form of the line: whether it has tabs, and its width."""
        return "\t" in self.text, self.width

    def is_like_a_word(self) -> bool:
        return not self.text.startswith("#")

    def is_comment(self, form: tuple[bool, int]) -> bool:
        """Whether it is a comment, given that it precedes all words and that words have this
        form."""
        is_remark = bool(_REMARK.match(self.text)) and self.form != form
        return is_remark or bool(_COMMENT.match(self.text) or _DOCUMENT.match(self.text))


def _word_lines(lines: list[_Line], form: tuple[bool, int]) -> list[_Line]:
    """The word lines of a block in which most words have this form.

    The column formats have no comments, and ``#`` is a word in the Penn Treebank (a pound
    sign). A line is therefore a comment only if it precedes all words of its sentence, begins with
    ``#`` and a blank, and either reads ``# key = value`` or differs in form from the words, in its
    number of columns or its lack of tabs. ``#begin document`` and ``#end document`` are comments
    anywhere.
    """
    words = list(dropwhile(lambda line: line.is_comment(form), lines))
    return [line for line in words if not _DOCUMENT.match(line.text)]


def conll_sentences(
    path: Path, bad_bytes: BadBytes, word_column: int, tag_column: int | None = None
) -> Iterator[Sentence]:
    """Stream sentences with one word per line, in columns separated by tabs or else by spaces.

    All words of a sentence have the same number of columns. Comments (see :func:`_word_lines`)
    and ``-DOCSTART-`` are dropped. A tab at the end of a line starts no column unless another word
    of the sentence has an entry in it.

    Args:
        path: the file.
        bad_bytes: how to treat undecodable UTF-8.
        word_column: the column of the word, counted from 0, or from the end if negative.
        tag_column: the column of the tag, counted in the same way; None if no tag is read.

    Raises:
        UserError: a line has too few columns or a different number; the message names file and
            line.
    """
    wanted = {"word_column": word_column}
    if tag_column is not None:
        wanted["tag_column"] = tag_column
    least = max([len(wanted), *map(_least_columns, wanted.values())])
    settings = [Setting(name, column) for name, column in wanted.items()]
    why = [settings[0], *(part for setting in settings[1:] for part in (", ", setting))]

    @cache
    def first_word() -> _Line | None:
        lines = (
            _Line.of(0, line)
            for block in blocks(path, bad_bytes)
            for line in _words(block).values()
        )
        return next(filter(_Line.is_like_a_word, lines), None)

    for block in blocks(path, bad_bytes):
        lines = [_Line.of(i, line) for i, line in _words(block).items()]
        words = []
        if lines:
            # A sentence of hashtags only has the form of the other sentences, or of its last line.
            likely = list(filter(_Line.is_like_a_word, lines)) or [first_word() or lines[-1]]
            lines = _word_lines(lines, _most_common(line.form for line in likely))
            width = max([least, *(line.width for line in lines)])
        for line in lines:
            # Columns are counted from the end, so they must not be changed.
            counts_from_end = tag_column is None and word_column < 0
            columns = line.columns if counts_from_end else line.columns[:width]
            if len(columns) < least:
                raise SettingError(
                    f"{block.where(line.index)}: expected at least {least} columns (",
                    *why,
                    f"), found {len(columns)}; begin a comment with '# '",
                )
            words.append(Word(line.index, columns, columns[word_column]))
        _check_widths(block, words)
        yield Sentence.of(block, [word for word in words if word.form != DOCUMENT_START])


def _words(block: Block) -> dict[int, str]:
    """The lines of a block that may be words or comments, by index."""
    return {i: line for i, line in block.filled() if not line.startswith(DOCUMENT_START)}


def _most_common(values: Iterable[T]) -> T:
    """The most frequent value; of ties, the first."""
    return Counter(values).most_common(1)[0][0]


def _check_widths(block: Block, words: list[Word]) -> None:
    """Raise UserError unless all words of a sentence have the same number of columns."""
    if len({len(word.columns) for word in words}) < 2:
        return
    width = _most_common(len(word.columns) for word in words)
    word = next(word for word in words if len(word.columns) != width)
    raise UserError(
        f"{block.where(word.index)}: expected {width} columns as in other lines of the sentence, "
        f"found {len(word.columns)}; separate columns by tabs if words contain spaces, and begin "
        "a comment with '# '"
    )


def conllu_sentences(path: Path, bad_bytes: BadBytes) -> Iterator[Sentence]:
    """Stream the syntactic words of a CoNLL-U file.

    Comments, multiword tokens (``1-2``) and empty nodes (``1.1``) are skipped.

    Raises:
        UserError: a line does not have 10 columns, or its id is not the next; the message names
            file and line.
    """
    return (Sentence.of(b, _conllu_words(b)) for b in blocks(path, bad_bytes))


def _conllu_words(block: Block) -> list[Word]:
    words: list[Word] = []
    for index, line in block.filled():
        if line.startswith("#"):
            continue
        where = block.where(index)
        columns = [column.strip(" ") for column in line.split("\t")]
        if len(columns) != _UD_COLUMNS:
            raise UserError(
                f"{where}: expected {_UD_COLUMNS} columns separated by tabs (CoNLL-U), "
                f"found {len(columns)}"
            )
        if re.fullmatch(r"[0-9]+[-.][0-9]+", columns[0]):
            continue
        if columns[0] != str(len(words) + 1):
            raise UserError(
                f"{where}: expected the id {len(words) + 1}, found '{columns[0]}'; a blank "
                "line ends each sentence, and ids count its words from 1"
            )
        words.append(Word(index, columns, columns[UD_FORM]))
    return words


def _space_after(sentence: Sentence) -> tuple[bool, ...]:
    """Whether a space follows each word: none does after ``SpaceAfter=No`` in the last column.

    Only the last word of a multiword token (``1-2``) is followed by what follows the token.
    """
    joined = "SpaceAfter=No"
    spaced = {int(w.columns[0]): joined not in w.columns[-1].split("|") for w in sentence.words}
    for _, line in sentence.block.filled():
        if multiword := re.match(r"([0-9]+)-([0-9]+)\t", line):
            first, last = int(multiword[1]), int(multiword[2])
            inside = {number: False for number in spaced if first <= number < last}
            spaced |= inside | {last: joined not in line.split("\t")[-1].split("|")}
    return tuple(spaced[int(word.columns[0])] for word in sentence.words)


@dataclass(frozen=True)
class TaggedColumns:
    """The columns of words and tags in a CoNLL file, and how to read them.

    Attributes:
        word_column: the column of the word, counted from 0, or from the end if negative.
        tag_column: the column of the tag, counted in the same way.
        empty_words: how to treat lines without a word.
        bad_bytes: how to treat undecodable UTF-8.
    """

    word_column: int
    tag_column: int
    empty_words: EmptyWords
    bad_bytes: BadBytes

    def sentences(self, path: Path) -> Iterator[Sentence]:
        """Stream sentences in which every word has a tag.

        Raises:
            UserError: a line has too few columns or a different number, or an empty word or tag.
        """
        for sentence in conll_sentences(path, self.bad_bytes, self.word_column, self.tag_column):
            sentence.check_empty(self.empty_words)
            for i, word in enumerate(sentence.words):
                if not self.tag(word):
                    raise UserError(
                        f"{sentence.where(i)}: found an empty column, expected the "
                        f"tag of '{word.form}' (tag_column {self.tag_column})"
                    )
            yield sentence

    def tag(self, word: Word) -> str:
        """The tag of a word, stripped of white space of any kind."""
        return word.columns[self.tag_column].strip()

    def read(self, path: Path, scheme: Scheme | None) -> Iterator[Example]:
        """Stream tagged sentences.

        Args:
            path: the file.
            scheme: how tags mark entities, to convert them to BIO; None keeps tags unchanged.

        Raises:
            UserError: see :meth:`sentences`; or a tag is not in the scheme. The message names file
                and line.
        """
        for sentence in self.sentences(path):
            tags = [self.tag(word) for word in sentence.words]
            if tags:
                kept = kept_tags(tags, scheme, sentence.where)
                yield Example(tokens=tuple(word.form for word in sentence.words), tags=kept)

    def survey(self, path: Path, into: TagSurvey) -> int:
        """Show every sentence to a survey of tags; returns the number of empty words skipped."""
        skipped = 0
        for sentence in self.sentences(path):
            into.add([self.tag(word) for word in sentence.words], sentence.where)
            skipped += len(sentence.empty)
        return skipped


def _least_columns(column: int) -> int:
    return column + 1 if column >= 0 else -column


def read_conllu(
    path: Path, tag: Literal["upos", "xpos"], empty_words: EmptyWords, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream the syntactic words of a CoNLL-U file, with their UPOS or XPOS.

    Comments, multiword tokens (``1-2``) and empty nodes (``1.1``) carry no tag and are skipped.

    Raises:
        UserError: a line does not have 10 columns, its id is not the next, or its word is empty or
            has no tag; the message names file and line.
    """
    column = _UD_TAGS[tag]
    for sentence in conllu_sentences(path, bad_bytes):
        sentence.check_empty(empty_words)
        for i, word in enumerate(sentence.words):
            if word.columns[column] in ("", "_"):
                raise UserError(
                    f"{sentence.where(i)}: word '{word.form}' has no "
                    f"{tag.upper()} (column {column + 1}); choose another tag_column or tag "
                    "the word"
                )
        if sentence.words:
            yield Example(
                tokens=tuple(word.form for word in sentence.words),
                tags=tuple(word.columns[column].strip() for word in sentence.words),
                space_after=_space_after(sentence),
            )
