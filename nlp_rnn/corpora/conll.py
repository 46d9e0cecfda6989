"""Tagged sentences in columns: CoNLL-2000/2003 and their kin, and CoNLL-U.

One word a line, a blank line after each sentence. The conventions are those of the shared
tasks (https://www.clips.uantwerpen.be/conll2003/ner/) and of Universal Dependencies
(https://universaldependencies.org/format.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from nlp_rnn.corpora.example import Example
from nlp_rnn.corpora.lines import BadBytes, numbered_lines
from nlp_rnn.errors import UserError

Scheme = Literal["BIO", "IOB1", "BIOES"]

PREFIXES: dict[str, str] = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES"}

DOCUMENT_START = "-DOCSTART-"

_COMMENT = re.compile(r"# \S+ =( |$)")

_UD_COLUMNS = 10
UD_FORM = 1
UD_UPOS = 3
_UD_TAGS = {"upos": UD_UPOS, "xpos": 4}


@lru_cache(maxsize=4096)
def parse_tag(tag: str, scheme: Scheme) -> tuple[str, str]:
    """An entity tag as its prefix and type: ``("B", "PER")``, or ``("O", "")``.

    Raises:
        ValueError: it is neither ``O`` nor a prefix of the scheme, a hyphen and a type.
    """
    if tag == "O":
        return "O", ""
    prefix, hyphen, entity = tag.partition("-")
    if len(prefix) == 1 and prefix in PREFIXES[scheme] and hyphen and entity:
        return prefix, entity
    forms = ", ".join(f"{known}-TYPE" for known in PREFIXES[scheme])
    raise ValueError(f"expected a tag O, {forms} (scheme {scheme}), found '{tag}'")


def to_bio(tags: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """Entity tags of one sentence as BIO: every entity begins with ``B-``, goes on with ``I-``.

    A tag that goes on (``I-``, ``E-``) where no entity of its type is open begins one, as
    ``conlleval`` of the shared tasks reads it. So IOB1, where ``B-`` only parts an entity
    from one of its type just before, needs no rule of its own.

    Raises:
        ValueError: a tag is ill-formed (see :func:`parse_tag`).
    """
    converted = []
    open_type: str | None = None
    for tag in tags:
        prefix, entity = parse_tag(tag, scheme)
        if prefix == "O":
            converted.append("O")
        elif prefix in "IE" and open_type == entity:
            converted.append(f"I-{entity}")
        else:
            converted.append(f"B-{entity}")
        open_type = entity if prefix in "BI" else None
    return tuple(converted)


@dataclass(frozen=True, slots=True)
class Block:
    r"""A sentence's lines and the blank ones after it, without their ``\n`` or ``\r\n``.

    Attributes:
        path: the file, for messages.
        first: the number of its first line, counted from 1.
        lines: of the sentence, then blank; only blank where the file begins with blank lines.
    """

    path: Path
    first: int
    lines: list[str]

    def filled(self) -> Iterator[tuple[int, str]]:
        """The lines that are not blank, each with its index in ``lines``."""
        return ((i, line) for i, line in enumerate(self.lines) if not _is_blank(line))

    def where(self, index: int) -> str:
        """File and line of ``lines[index]``."""
        return f"{self.path}, line {self.first + index}"


@dataclass(frozen=True, slots=True)
class Word:
    """A word's line: its index in :attr:`Block.lines`, and its columns."""

    index: int
    columns: list[str]


def _is_blank(line: str) -> bool:
    # Space and tab only: a word may be a no-break space or another of Unicode's.
    return not line.strip(" \t\r")


def blocks(path: Path, bad_bytes: BadBytes) -> Iterator[Block]:
    """Stream every line of a file, sentence by sentence.

    Raises:
        UserError: the file cannot be read, or holds bytes that are no UTF-8.
    """
    block = Block(path, 1, [])
    for number, line in numbered_lines(path, bad_bytes):
        if block.lines and _is_blank(block.lines[-1]) and not _is_blank(line):
            yield block
            block = Block(path, number, [])
        block.lines.append(line.removesuffix("\r"))
    if block.lines:
        yield block


def _columns(line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t")
    return [column for column in line.split(" ") if column]


def _without_comments(rows: list[tuple[str, Word]]) -> list[Word]:
    """The words of lines and what they are as words, from the first that is one.

    The column formats have no comments, and ``#`` is a word in the Penn Treebank (a pound
    sign). So a line is a comment where it stands before all words of its sentence, begins
    with ``# ``, and either reads ``# key = value`` or has other columns than the last word.
    """
    width = len(rows[-1][1].columns) if rows else 0
    first = 0
    for line, word in rows:
        is_comment = _COMMENT.match(line) or (line.startswith("# ") and len(word.columns) != width)
        if not is_comment:
            break
        first += 1
    return [word for _, word in rows[first:]]


def conll_words(block: Block, least: int = 1, why: str = "a word") -> list[Word]:
    """The words of a sentence in columns parted by a tab, else by spaces.

    All words of a sentence have the same number of columns. ``-DOCSTART-`` lines are dropped,
    and so are comments: see :func:`_without_comments`.

    Args:
        block: the sentence.
        least: columns that a word must have.
        why: what they are, for the message.

    Raises:
        UserError: a line has too few or other columns.
    """
    rows = [(line, Word(i, _columns(line))) for i, line in block.filled()]
    words = [word for word in _without_comments(rows) if word.columns[0] != DOCUMENT_START]
    for word in words:
        count, width = len(word.columns), len(words[0].columns)
        if count < least:
            raise UserError(
                f"{block.where(word.index)}: expected at least {least} columns ({why}), "
                f"found {count}"
            )
        if count != width:
            raise UserError(
                f"{block.where(word.index)}: expected {width} columns as in the line before, "
                f"found {count}; part columns with tabs where words hold spaces"
            )
    return words


def conllu_words(block: Block) -> list[Word]:
    """The syntactic words of a CoNLL-U sentence.

    Comments, multiword tokens (``1-2``) and empty nodes (``1.1``) are none.

    Raises:
        UserError: a line has not 10 columns, its id is not the next, or its word is empty.
    """
    words: list[Word] = []
    for index, line in block.filled():
        if line.startswith("#"):
            continue
        where = block.where(index)
        columns = line.split("\t")
        if len(columns) != _UD_COLUMNS:
            raise UserError(
                f"{where}: expected {_UD_COLUMNS} columns parted by tabs (CoNLL-U), "
                f"found {len(columns)}"
            )
        if re.fullmatch(r"[0-9]+[-.][0-9]+", columns[0]):
            continue
        if columns[0] != str(len(words) + 1):
            raise UserError(
                f"{where}: expected the id {len(words) + 1}, found '{columns[0]}'; a blank "
                "line ends each sentence, and ids count its words from 1"
            )
        if not columns[UD_FORM]:
            raise UserError(f"{where}: expected a word in column 2, found nothing")
        words.append(Word(index, columns))
    return words


def _space_after(block: Block, words: Sequence[Word]) -> tuple[bool, ...]:
    """Whether a space follows each word: ``SpaceAfter=No`` of the last column denies it.

    Only the last word of a multiword token (``1-2``) is followed by what follows the token.
    """

    def spaced(columns: Sequence[str]) -> bool:
        return "SpaceAfter=No" not in columns[-1].split("|")

    follows = {number: spaced(word.columns) for number, word in enumerate(words, 1)}
    for _, line in block.filled():
        if multiword := re.match(r"([0-9]{1,9})-([0-9]{1,9})\t", line):
            first, last = int(multiword[1]), int(multiword[2])
            follows |= {n: False for n in follows if first <= n < last}
            if last in follows:
                follows[last] = spaced(line.split("\t"))
    return tuple(follows.values())


def read_conll(
    path: Path,
    word_column: int,
    tag_column: int,
    scheme: Scheme | None,
    bad_bytes: BadBytes,
) -> Iterator[Example]:
    """Stream sentences of one word a line, in columns parted by a tab, else by spaces.

    All words of a sentence have the same number of columns. ``-DOCSTART-`` lines are dropped,
    and so are comments: see :func:`_without_comments`.

    Args:
        path: the file.
        word_column: column of the word, counted from 0, or from the end when negative.
        tag_column: column of the tag, likewise.
        scheme: how entity tags mark spans, to read them as BIO; ``None`` keeps tags as they are.
        bad_bytes: what undecodable UTF-8 is.

    Raises:
        UserError: a line has too few or other columns, an empty word or tag, or a tag that the
            scheme does not know; names file and line.
    """
    least = max(_least_columns(word_column), _least_columns(tag_column), 2)
    why = f"word_column {word_column}, tag_column {tag_column}"
    for block in blocks(path, bad_bytes):
        tokens: list[str] = []
        tags: list[str] = []
        for row in conll_words(block, least, why):
            where = block.where(row.index)
            word, tag = row.columns[word_column], row.columns[tag_column]
            if not word or not tag:
                raise UserError(f"{where}: expected a word and a tag, found an empty column")
            if scheme is not None:
                try:
                    parse_tag(tag, scheme)
                except ValueError as error:
                    raise UserError(f"{where}: {error}") from None
            tokens.append(word)
            tags.append(tag)
        if tokens:
            kept = tuple(tags) if scheme is None else to_bio(tags, scheme)
            yield Example(tokens=tuple(tokens), tags=kept)


def _least_columns(column: int) -> int:
    return column + 1 if column >= 0 else -column


def read_conllu(path: Path, tag: Literal["upos", "xpos"], bad_bytes: BadBytes) -> Iterator[Example]:
    """Stream the syntactic words of a CoNLL-U file, with their UPOS or XPOS.

    Comments, multiword tokens (``1-2``) and empty nodes (``1.1``) carry no tag and are skipped.

    Raises:
        UserError: a line has not 10 columns, its id is not the next, or its word has no tag;
            names file and line.
    """
    column = _UD_TAGS[tag]
    for block in blocks(path, bad_bytes):
        words = conllu_words(block)
        for word in words:
            if word.columns[column] in ("", "_"):
                raise UserError(
                    f"{block.where(word.index)}: word '{word.columns[UD_FORM]}' has no "
                    f"{tag.upper()} (column {column + 1}); choose another tag_column or tag "
                    "the word"
                )
        if words:
            yield Example(
                tokens=tuple(word.columns[UD_FORM] for word in words),
                tags=tuple(word.columns[column] for word in words),
                space_after=_space_after(block, words),
            )
