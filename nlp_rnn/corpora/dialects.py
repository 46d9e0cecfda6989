"""The text form of CSV and TSV: how fields are delimited and quoted, and what cannot be written.

This is the one place for both readers (training, prediction) and the writer of predictions.

* CSV is that of RFC 4180: fields are separated by commas; a field in double quotes may contain
  delimiters, line breaks and doubled quotes.
* TSV is ``text/tab-separated-values`` of IANA: a row is a line, fields are separated by tabs, and
  there is no quoting, so a quotation mark is an ordinary character. A field cannot contain a tab or
  a line break: there are no escapes when reading, and writing one is an error.

Both formats may have another delimiter, the other quoting rule, or no header. Blank lines are
skipped.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from nlp_rnn.corpora.lines import BadBytes, numbered_lines
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.errors import UserError
from nlp_rnn.limits import TEXT_BYTES

if TYPE_CHECKING:
    from nlp_rnn.config import Quoting

TableFormat = Literal["csv", "tsv"]

LIKELY_DELIMITERS = (",", ";", "\t", "|")
"""Delimiters that are recognised in a table that is read with a different one."""

_EXCELS_MARK = re.compile('"?sep=(.)"?$')

_PLAIN_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?")


@dataclass(frozen=True)
class Dialect:
    """The format of a text table.

    Attributes:
        delimiter: the character between two fields.
        quoting: ``double`` for double quotes as in RFC 4180, ``none`` if a quotation mark is an
            ordinary character.
        header: whether the first row names the columns.
        certain: whether the delimiter was given explicitly. If not, a first row of one column that
            contains another likely delimiter is treated as a mistake.
        spreadsheet_safe: whether cells that a spreadsheet would run are written as text.
    """

    delimiter: str
    quoting: Quoting
    header: bool = True
    certain: bool = False
    spreadsheet_safe: bool = False

    @classmethod
    def of(
        cls,
        format: TableFormat,
        delimiter: str | None = None,
        quoting: Quoting | None = None,
        header: bool | None = None,
    ) -> Dialect:
        """The dialect of a format; None stands for the default of the format."""
        return cls(
            delimiter or ("," if format == "csv" else "\t"),
            quoting or ("double" if format == "csv" else "none"),
            header is not False,
            certain=delimiter is not None,
        )

    # --- reading --------------------------------------------------------------------

    def rows(self, path: Path, bad_bytes: BadBytes) -> Iterator[tuple[str, list[str]]]:
        """Stream the rows of a file, including a header, each with its file and line.

        Raises:
            UserError: a row has too few or too many fields, a quote is never closed, or the
                delimiter is wrong.
        """
        split = self._quoted_rows if self.quoting == "double" else self._plain_rows
        first: list[str] | None = None
        for where, row in split(path, bad_bytes):
            if first is None:
                first = row
                self._check_first(row, where)
            elif len(row) != len(first):
                raise self._ragged(row, first, where)
            yield where, row

    def _plain_rows(self, path: Path, bad_bytes: BadBytes) -> Iterator[tuple[str, list[str]]]:
        for number, line in numbered_lines(path, bad_bytes):
            if text := line.removesuffix("\r"):
                yield f"{path}, line {number}", text.split(self.delimiter)

    def _quoted_rows(self, path: Path, bad_bytes: BadBytes) -> Iterator[tuple[str, list[str]]]:
        csv.field_size_limit(TEXT_BYTES.most)
        where, length = "", 0

        def lines() -> Iterator[str]:
            # An unclosed quote turns all lines after it into one row.
            nonlocal length
            for _, line in numbered_lines(path, bad_bytes):
                length += len(line) + 1
                TEXT_BYTES.check(length, f"{where}: the row that begins here")
                yield line + "\n"

        # strict, because an unclosed quote would silently swallow the rest of the file.
        rows = csv.reader(lines(), delimiter=self.delimiter, strict=True)
        while True:
            where, length = f"{path}, line {rows.line_num + 1}", 0
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                raise _misquoted(where, str(error)) from None
            if row:
                yield where, row

    def _check_first(self, row: Sequence[str], where: str) -> None:
        if (mark := _EXCELS_MARK.match(self.delimiter.join(row).strip())) is not None:
            raise SettingError(
                f"{where}: 'sep={mark[1]}' is a hint for Excel, not a row of the table; remove the "
                "line and set ",
                Setting("delimiter", mark[1]),
            )
        if len(row) == 1 and not self.certain and (other := self._likely_delimiter(row)):
            raise SettingError(
                f"{where}: split at {_shown(self.delimiter)} the row has 1 column, at "
                f"{_shown(other)} {len(row[0].split(other))}; set ",
                Setting("delimiter", other),
                ", or if there is one column only, ",
                Setting("delimiter", self.delimiter),
            )

    def _likely_delimiter(self, row: Sequence[str]) -> str | None:
        """The other likely delimiter that the row holds most often."""
        line = self.delimiter.join(row)
        others = [other for other in LIKELY_DELIMITERS if other != self.delimiter and other in line]
        return max(others, key=line.count, default=None)

    def _ragged(self, row: Sequence[str], first: Sequence[str], where: str) -> UserError:
        fault = f"{where}: expected {len(first)} columns as in the first row, found {len(row)}"
        for other in LIKELY_DELIMITERS:
            as_other = (len(self.delimiter.join(each).split(other)) for each in (first, row))
            if other != self.delimiter and (widths := set(as_other)) != {1} and len(widths) == 1:
                width = widths.pop()
                return SettingError(
                    f"{fault}; split at {_shown(other)} both have {width}: if that is the "
                    "delimiter, set ",
                    Setting("delimiter", other),
                )
        if self.quoting == "none" and any(text.startswith('"') for text in (*first, *row)):
            quoting = Setting("quoting", "double")
            return SettingError(f"{fault}; if fields are in double quotes, set ", quoting)
        if len(row) < len(first):
            within = " (a field with a line break must be in double quotes)"
            within = within if self.quoting == "double" else ""
            return UserError(f"{fault}; complete the row{within} or remove it")
        if self.quoting == "double":
            return UserError(f"{fault}; put fields that contain the delimiter in double quotes")
        return UserError(
            f"{fault}; a field cannot contain the delimiter, {_shown(self.delimiter)}: remove it"
        )

    # --- columns --------------------------------------------------------------------

    def column(self, column: str | int, first: Sequence[str], where: str, setting: str) -> int:
        """The position of a column in the rows.

        Args:
            column: a name in the header, or a number counted from 0 (from the end if negative).
            first: the first row.
            where: its file and line.
            setting: the setting that named the column, for the message.

        Raises:
            UserError: it is missing, or there are several.
        """
        number = _number(column)
        if self.header and isinstance(column, str) and (column in first or number is None):
            if column not in first and (other := self._parting(column, first)) is not None:
                raise SettingError(
                    f"{where}: no column '{column}' (",
                    Setting(setting),
                    f") when split at {_shown(self.delimiter)}, but one at {_shown(other)}; set ",
                    Setting("delimiter", other),
                )
            remedy = ("; if this row is data, set ", Setting("header", False))
            return position(column, first, where, setting, *remedy)
        if number is None:
            raise SettingError(
                f"{where}: there is no header, so column '{column}' must be a number, counted "
                "from 0; set ",
                Setting(setting, 0),
                " or another",
            )
        if not -len(first) <= number < len(first):
            fault = (
                f"{where}: no column {number} (",
                Setting(setting),
                f"): the first row has {len(first)}, counted from 0",
            )
            other = self._likely_delimiter(first)
            if other and -1 <= number < self.delimiter.join(first).count(other) + 1:
                delimiter = Setting("delimiter", other)
                raise SettingError(*fault, f"; if {_shown(other)} separates them, set ", delimiter)
            raise SettingError(*fault, "; give one of these numbers")
        return number % len(first)

    def _parting(self, column: str, header: Sequence[str]) -> str | None:
        """The delimiter with which the header contains ``column``."""
        for other in LIKELY_DELIMITERS:
            if other == self.delimiter:
                continue
            try:
                names = next(csv.reader([self.delimiter.join(header)], delimiter=other), [])
            except csv.Error:  # e.g. a stray carriage return: not a header of this kind
                continue
            if column in names:
                return other
        return None

    # --- writing --------------------------------------------------------------------

    def check_cells(self, cells: Sequence[str], output: str) -> None:
        """Reject cells that the dialect cannot write.

        Raises:
            UserError: there is no quoting, and a cell contains the delimiter or a line break.
        """
        if self.quoting == "double":
            return
        for text in cells:
            if self.delimiter in text or "\n" in text or "\r" in text:
                held = _shown(self.delimiter) if self.delimiter in text else "a line break"
                raise UserError(
                    f"{output}: cannot hold the value {_short(text)}, because it contains {held} "
                    "and the format has no quoting; write .csv, .jsonl or .parquet"
                )


def as_text_in_spreadsheets(cell: str) -> str:
    """A cell that spreadsheets take for text: with an apostrophe before what begins a formula.

    >>> [as_text_in_spreadsheets(cell) for cell in ("=1+1", "-0.5", "a=b")]
    ["'=1+1", '-0.5', 'a=b']
    """
    begins_formula = cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
    return f"'{cell}" if begins_formula and not _PLAIN_NUMBER.fullmatch(cell) else cell


class TableWriter:
    """Writes rows in a dialect, so that :meth:`Dialect.rows` reads them back.

    Args:
        stream: a stream opened with ``newline=""``.
        dialect: the dialect in which to write.
        name: the name of the file, for messages.
    """

    def __init__(self, stream: TextIO, dialect: Dialect, name: str) -> None:
        self._stream = stream
        self._dialect = dialect
        self._name = name
        delimiter = dialect.delimiter
        self._plain = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        # Before Python 3.13 the writer does not quote a carriage return, which makes the file
        # unreadable.
        self._quoted = csv.writer(
            stream, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
        )

    def write(self, cells: Sequence[str]) -> None:
        """Write one row.

        Raises:
            UserError: a cell cannot be written (see :meth:`Dialect.check_cells`).
        """
        if self._dialect.spreadsheet_safe:
            cells = [as_text_in_spreadsheets(cell) for cell in cells]
        if self._dialect.quoting == "none":
            self._dialect.check_cells(cells, self._name)
            self._stream.write(self._dialect.delimiter.join(cells) + "\n")
            return
        # A byte-order mark at the start of a file would be taken for one written by an editor.
        quoted = any("\r" in text or text.startswith("\ufeff") for text in cells)
        (self._quoted if quoted else self._plain).writerow(cells)


def position(
    column: str, names: Sequence[str], where: str, setting: str, *remedy: str | Setting
) -> int:
    """The position of ``column`` in ``names``.

    Args:
        setting: the setting that named the column, for the message.
        remedy: ends the message of a missing column.

    Raises:
        UserError: it is missing, or there are several.
    """
    from nlp_rnn.config import nearest

    count = names.count(column)
    if count == 0:
        hint = nearest(column, names)
        missing = (f"{where}: no column '{column}' (", Setting(setting), f"); {hint}")
        raise SettingError(*missing, *remedy)
    if count > 1:
        raise SettingError(
            f"{where}: {count} columns '{column}' (", Setting(setting), "); rename or remove one"
        )
    return names.index(column)


def _number(column: str | int) -> int | None:
    if isinstance(column, int):
        return column
    return int(column) if re.fullmatch("-?[0-9]{1,6}", column) else None


def _misquoted(where: str, reason: str) -> UserError:
    if "new-line character" in reason:
        return UserError(
            f"{where}: the row contains a carriage return (CR); remove it, put its field in "
            "double quotes, or save the file with a single kind of line ending"
        )
    return SettingError(
        f"{where}: not valid quoting: {reason}; a field that begins with a double quote must end "
        "with one and double those inside; if quotes are ordinary characters, set ",
        Setting("quoting", "none"),
    )


def _shown(delimiter: str) -> str:
    return "a tab" if delimiter == "\t" else f"'{delimiter}'"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
