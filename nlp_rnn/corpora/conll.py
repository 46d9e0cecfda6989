"""Tagged sentences in columns: CoNLL-2000/2003 and their kin, and CoNLL-U.

One word a line, a blank line after each sentence. The conventions are those of the shared
tasks (https://www.clips.uantwerpen.be/conll2003/ner/) and of Universal Dependencies
(https://universaldependencies.org/format.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
_UD_FORM = 1
_UD_TAGS = {"upos": 3, "xpos": 4}


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


def _blocks(path: Path, bad_bytes: BadBytes) -> Iterator[list[tuple[int, str]]]:
    r"""The numbered lines of each sentence; ``\r`` at their end and blank lines are gone."""
    block: list[tuple[int, str]] = []
    for number, line in numbered_lines(path, bad_bytes):
        # Space and tab only: a word may be a no-break space or another of Unicode's.
        if line.strip(" \t\r"):
            block.append((number, line.removesuffix("\r")))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _columns(line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t")
    return [column for column in line.split(" ") if column]


def _without_comments(
    rows: list[tuple[int, str, list[str]]],
) -> list[tuple[int, str, list[str]]]:
    """The rows from the first that is a word.

    The column formats have no comments, and ``#`` is a word in the Penn Treebank (a pound
    sign). So a line is a comment where it stands before all words of its sentence, begins
    with ``# ``, and either reads ``# key = value`` or has other columns than the last word.
    """
    width = len(rows[-1][2])
    first = 0
    for _, line, columns in rows:
        is_comment = _COMMENT.match(line) or (line.startswith("# ") and len(columns) != width)
        if not is_comment:
            break
        first += 1
    return rows[first:]


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
    needed = max(_least_columns(word_column), _least_columns(tag_column), 2)
    for block in _blocks(path, bad_bytes):
        rows = [(number, line, _columns(line)) for number, line in block]
        tokens: list[str] = []
        tags: list[str] = []
        width: int | None = None
        for number, _, columns in _without_comments(rows):
            if columns[0] == DOCUMENT_START:
                continue
            where = f"{path}, line {number}"
            if len(columns) < needed:
                raise UserError(
                    f"{where}: expected at least {needed} columns (word_column {word_column}, "
                    f"tag_column {tag_column}), found {len(columns)}"
                )
            if width is not None and len(columns) != width:
                raise UserError(
                    f"{where}: expected {width} columns as in the line before, "
                    f"found {len(columns)}; part columns with tabs where words hold spaces"
                )
            width = len(columns)
            word, tag = columns[word_column], columns[tag_column]
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
    for block in _blocks(path, bad_bytes):
        tokens: list[str] = []
        tags: list[str] = []
        for number, line in block:
            if line.startswith("#"):
                continue
            where = f"{path}, line {number}"
            columns = line.split("\t")
            if len(columns) != _UD_COLUMNS:
                raise UserError(
                    f"{where}: expected {_UD_COLUMNS} columns parted by tabs (CoNLL-U), "
                    f"found {len(columns)}"
                )
            if re.fullmatch(r"[0-9]+[-.][0-9]+", columns[0]):
                continue
            if columns[0] != str(len(tokens) + 1):
                raise UserError(
                    f"{where}: expected the id {len(tokens) + 1}, found '{columns[0]}'; a blank "
                    "line ends each sentence, and ids count its words from 1"
                )
            if not columns[_UD_FORM]:
                raise UserError(f"{where}: expected a word in column 2, found nothing")
            if columns[column] in ("", "_"):
                raise UserError(
                    f"{where}: word '{columns[_UD_FORM]}' has no {tag.upper()} (column "
                    f"{column + 1}); choose another tag_column or tag the word"
                )
            tokens.append(columns[_UD_FORM])
            tags.append(columns[column])
        if tokens:
            yield Example(tokens=tuple(tokens), tags=tuple(tags))
