"""Pairs of a source and a target: in two parallel files, or in columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.parallel import parallel_lines
from nlp_rnn.corpora.tables import record_values, text_of
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example


def pair(where: str, text: str, target: str, context: Sequence[str] = ()) -> Example:
    """An example of a pair.

    Raises:
        UserError: the source, context included, or the target is empty.
    """
    for side, found in (("source", [text, *context]), ("target", [target])):
        if not any(part.strip() for part in found):
            raise UserError(f"{where}: the {side} is empty; give it a text, or remove the pair")
    return Example(text=text, target=target, context=tuple(context))


def read_parallel_pairs(sources: Path, targets: Path, bad_bytes: BadBytes) -> Iterator[Example]:
    """Stream two files whose lines of the same number belong together.

    Raises:
        UserError: a line is empty, or the files have unequal numbers of lines; the message names
            file and line.
    """
    for number, (source, target) in parallel_lines((sources, targets), bad_bytes):
        empty = targets if source.strip() else sources
        yield pair(f"{empty}, line {number}", source, target)


@dataclass(frozen=True)
class PairColumns:
    """The columns of a table of pairs: names, or in CSV and TSV also numbers.

    Attributes:
        text: the column of sources.
        target: the column of targets.
        context: the columns of texts that are read before the source.
    """

    text: str | int
    target: str | int
    context: Sequence[str | int] = ()

    @property
    def settings(self) -> dict[str | int, str]:
        """The setting that names each column, for messages."""
        of_context = dict.fromkeys(self.context, "context_columns")
        return {self.text: "text_column", self.target: "target_column", **of_context}

    def pair(self, where: str, values: Mapping[str | int, str]) -> Example:
        """The pair of a row, by column."""
        context = [values[column] for column in self.context]
        return pair(where, values[self.text], values[self.target], context)

    def read_table(self, path: Path, dialect: Dialect, bad_bytes: BadBytes) -> Iterator[Example]:
        """Stream a table of CSV or TSV (see :mod:`nlp_rnn.corpora.dialects`).

        Raises:
            UserError: a column is missing, a row is ill-formed or a side of a pair is empty; the
                message names file and line.
        """
        places: dict[str | int, int] | None = None
        for where, row in dialect.rows(path, bad_bytes):
            if places is None:
                places = {
                    column: dialect.column(column, row, where, setting)
                    for column, setting in self.settings.items()
                }
                if dialect.header:
                    continue
            yield self.pair(where, {column: row[place] for column, place in places.items()})

    def read_records(self, path: Path, format: str, bad_bytes: BadBytes) -> Iterator[Example]:
        """Stream JSON Lines or Parquet (see :func:`~nlp_rnn.corpora.tables.record_values`).

        Raises:
            UserError: the file is ill-formed, lacks a column, or holds anything but texts there;
                the message names file and line or row.
        """
        named = {str(column): setting for column, setting in self.settings.items()}
        for where, row in record_values(path, format, named, bad_bytes):
            values: dict[str | int, str] = {
                column: text_of(value, where, column)
                for column, value in zip(named, row, strict=True)
            }
            yield self.pair(where, values)
