"""Labelled texts in tables: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn.config import nearest
from nlp_rnn.corpora.example import Example
from nlp_rnn.corpora.lines import BadBytes, decode, numbered_lines
from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET_ROWS = 1024
"""Rows held in memory at a time."""

LONGEST_FIELD = 1 << 26
"""Most characters of one CSV field. A quote that is never closed makes a field of all that
follows: this bounds what is held before that is known."""


def text_of(value: object, where: str, column: str) -> str:
    """``value`` where it is a string; UserError otherwise."""
    if isinstance(value, str):
        return value
    found = "null" if value is None else f"{type(value).__name__} {value!r}"
    raise UserError(
        f"{where}: column '{column}': expected text, found {found}; give the row a text or "
        "remove it"
    )


def _label(value: object, where: str, column: str) -> str:
    """A label as a string; whole numbers and booleans are written as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.strip():
        if len(value.splitlines()) > 1:
            raise UserError(f"{where}: column '{column}': a label has a line break: {value!r}")
        return value
    if value is None or value == "":
        found = "null" if value is None else "nothing"
    else:
        found = f"{type(value).__name__} {value!r}"
    raise UserError(
        f"{where}: column '{column}': expected a label (text or a whole number), found {found}; "
        "label the example or remove it"
    )


def position(column: str, header: Sequence[str], where: str, parameter: str) -> int:
    """Where in ``header`` the ``column`` stands.

    Args:
        parameter: what named the column, for the message.

    Raises:
        UserError: it is missing, or there are several.
    """
    count = header.count(column)
    if count != 1:
        fault = f"no column '{column}'" if count == 0 else f"{count} columns '{column}'"
        raise UserError(f"{where}: {fault} ({parameter}); {nearest(column, header)}")
    return header.index(column)


def csv_rows(path: Path, delimiter: str, bad_bytes: BadBytes) -> Iterator[tuple[str, list[str]]]:
    """Stream the rows of a table, the header first, each with its file and line.

    RFC 4180 (tabs for TSV): a field may stand in double quotes, and hold delimiters, line ends
    and doubled quotes then. Blank lines are skipped.

    Raises:
        UserError: a row has too few or too many fields, or a quote is never closed.
    """
    csv.field_size_limit(LONGEST_FIELD)
    lines = (line + "\n" for _, line in numbered_lines(path, bad_bytes))
    # strict: a quote that is never closed would swallow the rest of the file without a word.
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    columns: int | None = None
    while True:
        where = f"{path}, line {rows.line_num + 1}"
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(
                f"{where}: not valid quoting: {error}; a field that begins with a double quote "
                "ends with one, and doubles those within"
            ) from None
        if not row:
            continue
        if columns is None:
            columns = len(row)
        if len(row) != columns:
            raise UserError(
                f"{where}: expected {columns} columns as in the first row, found {len(row)}; "
                "put fields that hold the delimiter in double quotes"
            )
        yield where, row


def read_csv(
    path: Path, text_column: str, label_column: str, delimiter: str, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream a table whose first row names its columns (see :func:`csv_rows`).

    Raises:
        UserError: a column is missing, a row is ill-formed or a label is empty; names file and
            line.
    """
    rows = csv_rows(path, delimiter, bad_bytes)
    for where, header in rows:
        text = position(text_column, header, where, "text_column")
        label = position(label_column, header, where, "label_column")
        break
    for where, row in rows:
        yield Example(text=row[text], label=_label(row[label], where, label_column))


def clean(text: str, bad_bytes: BadBytes, where: str, column: str) -> str:
    r"""Text without NULs and lone surrogates, which JSON can write as ``\u`` escapes.

    Raises:
        UserError: ``bad_bytes`` is ``error`` and there is one.
    """
    if "\0" not in text:
        try:
            text.encode("utf-8")
            return text
        except UnicodeEncodeError:
            pass
    if bad_bytes == "replace":
        raw = text.encode("utf-8", errors="surrogatepass")
        return decode(raw, "replace", where)
    raise UserError(
        f"{where}: key '{column}': an escape that is no character (NUL or half a surrogate pair); "
        "mend it, or set tokenizer.bad_bytes: replace"
    )


def jsonl_records(path: Path, bad_bytes: BadBytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stream the objects of a file of one JSON object a line, each with its file and line.

    Blank lines are skipped.

    Raises:
        UserError: a line is no JSON object.
    """
    for number, line in numbered_lines(path, bad_bytes):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{where}, column {error.colno}: not valid JSON: {error.msg}") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not valid JSON: {error}") from None
        if not isinstance(record, dict):
            raise UserError(f"{where}: expected a JSON object, found {type(record).__name__}")
        yield where, record


def member(record: Mapping[str, Any], key: str, where: str, parameter: str) -> Any:
    """The value of ``key``; UserError with the nearest key where there is none."""
    if key not in record:
        raise UserError(f"{where}: no key '{key}' ({parameter}); {nearest(key, record)}")
    return record[key]


def read_jsonl(
    path: Path, text_column: str, label_column: str, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream a file of one JSON object a line; blank lines are skipped.

    Raises:
        UserError: a line is no JSON object, lacks a key, or its label is null or empty; names
            file and line.
    """
    for where, record in jsonl_records(path, bad_bytes):
        text = text_of(member(record, text_column, where, "text_column"), where, text_column)
        label = _label(member(record, label_column, where, "label_column"), where, label_column)
        yield Example(
            text=clean(text, bad_bytes, where, text_column),
            label=clean(label, bad_bytes, where, label_column),
        )


def _as_bytes(column: pa.Array) -> list[Any]:
    """The values of a column; text as raw bytes, as Arrow does not say where UTF-8 is bad."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    return list(column.to_pylist())


def parquet_batches(
    path: Path, needed: Mapping[str, str], columns: Sequence[str] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Stream a Parquet table, :data:`PARQUET_ROWS` rows at a time.

    Args:
        path: the file.
        needed: columns that must be there, each with the parameter that names it.
        columns: what to read; None for everything.

    Yields:
        The number of the first row, counted from 1, and the rows.

    Raises:
        UserError: the file is no Parquet, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 1
    try:
        with pq.ParquetFile(path) as table:
            for column, parameter in needed.items():
                position(column, table.schema_arrow.names, str(path), parameter)
            for batch in table.iter_batches(batch_size=PARQUET_ROWS, columns=columns):
                yield row, batch
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read as Parquet: {reason}") from None


def parquet_values(
    path: Path, first_row: int, batch: pa.RecordBatch, column: str, bad_bytes: BadBytes
) -> Iterator[tuple[str, Any]]:
    """The values of a column, its text decoded, each with its file and row.

    Raises:
        UserError: text is no UTF-8, and ``bad_bytes`` is ``error``.
    """
    for row, value in enumerate(_as_bytes(batch.column(column)), first_row):
        where = f"{path}, row {row}"
        if isinstance(value, bytes):
            value = decode(value, bad_bytes, f"{where}, column '{column}'")
        yield where, value


def read_parquet(
    path: Path, text_column: str, label_column: str, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream a Parquet table (see :func:`parquet_batches`).

    Raises:
        UserError: the file is no Parquet, lacks a column, or a value of it is null or of the
            wrong type; names file and row, counted from 1.
    """
    needed = {text_column: "text_column", label_column: "label_column"}
    for row, batch in parquet_batches(path, needed, list(needed)):
        texts = parquet_values(path, row, batch, text_column, bad_bytes)
        labels = parquet_values(path, row, batch, label_column, bad_bytes)
        for (where, text), (_, label) in zip(texts, labels, strict=True):
            yield Example(
                text=text_of(text, where, text_column), label=_label(label, where, label_column)
            )
