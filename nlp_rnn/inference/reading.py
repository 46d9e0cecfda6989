"""How INPUT is read: by the user's options, the model's training data and the file's suffix.

The column of the text and the dialect of a table each come from the first of these that has it:

1. the options of the command;
2. what the bundle's data card records of the training data. Its column is used for tables that
   have it, and other tables must have a column ``text``; its delimiter, quoting and header are used
   for files in the training format;
3. the defaults: ``text``, and the dialect of the suffix with a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from nlp_rnn.config import Quoting, check_delimiter
from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.settings import options_named
from nlp_rnn.errors import UserError
from nlp_rnn.inference.inputs import STREAM, TABLES, TEXT, Source, input_format, open_source
from nlp_rnn.runtime.bundle import DATA_CARD, REMEDY, Bundle


@dataclass(frozen=True)
class Reading:
    """The user's options for reading INPUT; None where nothing is given.

    Attributes:
        text_column: a column's name; for CSV and TSV also its number, counted from 0.
        header: whether the first row of CSV or TSV names the columns.
        delimiter: the field delimiter of CSV or TSV.
        quoting: whether fields may be in double quotes.
        bad_bytes: how to treat undecodable UTF-8.
        word_column: the column of the word in CoNLL, counted from 0 (from the end when negative).
    """

    text_column: str | None = None
    header: bool | None = None
    delimiter: str | None = None
    quoting: Quoting | None = None
    bad_bytes: BadBytes | None = None
    word_column: int | None = None


@dataclass(frozen=True)
class Remembered:
    """How a model's training files were read; see ``FilesCorpus.provenance``."""

    format: str = ""
    text_column: str | int = TEXT
    header: bool = True
    delimiter: str | None = None
    quoting: Quoting | None = None
    word_column: int = 0

    @classmethod
    def of(cls, bundle: Bundle) -> Remembered:
        """The settings in the data card of ``bundle``, with defaults for missing ones.

        Raises:
            UserError: the data card is invalid.
        """
        return cls.of_card(bundle.data_card, bundle.folder / DATA_CARD, REMEDY)

    @classmethod
    def of_card(cls, card: Mapping[str, Any], file: Path, remedy: object) -> Remembered:
        """The same of a data card that lies in ``file``; ``remedy`` is how to get a valid one."""
        reading: Any = card.get("reading", {})
        try:
            found = TypeAdapter(cls).validate_python(reading)
            if found.delimiter is not None:
                check_delimiter(found.delimiter)
            return found
        except ValueError:  # of which pydantic's is one
            raise UserError(
                f"{file}: reading is {reading!r}, which is not a way to read a table; {remedy}"
            ) from None


AS_TRAINED = Reading()
"""The options of a user who gives none."""


def open_input(name: str, reading: Reading, remembered: Remembered, bad_bytes: BadBytes) -> Source:
    """Open the texts of the file ``name``, or of standard input.

    Args:
        remembered: how the training files were read.
        bad_bytes: how they treated undecodable UTF-8.

    Raises:
        UserError: an option does not fit the format, or the file's first row cannot be read.
    """
    format = input_format(name)
    _check_options(name, format, reading)
    source = open_source(
        name,
        TEXT if reading.text_column is None else reading.text_column,
        reading.bad_bytes or bad_bytes,
        dialect_for(format, reading, remembered),
        remembered.word_column if reading.word_column is None else reading.word_column,
    )
    if not source.rereadable or remembered == Remembered(remembered.format):
        return source
    with options_named():
        return _as_remembered(source, reading, remembered)


def _check_options(name: str, format: str, reading: Reading) -> None:
    found = "standard input" if format == STREAM else name
    if reading.word_column is not None and format != ".conll":
        raise UserError(
            f"{found}: --word-column is for .conll, whose columns have no names; omit it"
        )
    if format in TABLES:
        return
    given = {
        "--header" if reading.header else "--no-header": reading.header,
        "--delimiter": reading.delimiter,
        "--quoting": reading.quoting,
    }
    for option, value in given.items():
        if value is not None:
            raise UserError(
                f"{found}: {option} is for .csv and .tsv, whose rows are divided into fields; "
                "leave it out"
            )


def dialect_for(format: str, reading: Reading, remembered: Remembered) -> Dialect | None:
    """The dialect of a table; None for other formats.

    Remembered settings are only a guess about this file, so a wrong delimiter is still detected.
    """
    if format not in TABLES:
        return None
    known = remembered if TABLES[format] == remembered.format else Remembered()
    dialect = Dialect.of(
        TABLES[format],
        reading.delimiter or known.delimiter,
        reading.quoting or known.quoting,
        known.header if reading.header is None else reading.header,
    )
    return replace(dialect, certain=reading.delimiter is not None)


def _as_remembered(source: Source, reading: Reading, remembered: Remembered) -> Source:
    """``source`` with the column that the model was trained with, unless the user names one.

    Predictions written by this package for a table without a header have a header: a first row with
    a field ``text`` is taken as one unless the user says that there is none.
    """
    first = source.first_columns()
    dialect, column = source.dialect, remembered.text_column
    if dialect is not None and not dialect.header and reading.header is None and TEXT in first:
        dialect = replace(dialect, header=True)
        source = replace(source, dialect=dialect)
    if reading.text_column is not None or not first:
        return source
    if isinstance(column, str):
        given = TEXT if column not in first and TEXT in first else column
        return replace(source, text_column=given)
    if dialect is None or (dialect.header and not remembered.header and TEXT in first):
        return source
    return replace(source, text_column=str(column))
