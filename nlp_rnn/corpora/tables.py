"""Labelled texts in tables: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nlp_rnn.config import nearest
from nlp_rnn.corpora.example import Example
from nlp_rnn.corpora.lines import BadBytes, decode, numbered_lines
from nlp_rnn.errors import UserError

PARQUET_ROWS = 1024
"""Rows held in memory at a time."""


def _text(value: object, where: str, column: str) -> str:
    if isinstance(value, str):
        return value
    found = "null" if value is None else f"{type(value).__name__} {value!r}"
    raise UserError(f"{where}: column '{column}': expected text, found {found}")


def _label(value: object, where: str, column: str) -> str:
    """A label as a string; whole numbers and booleans are written as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    if value is None or value == "":
        found = "null" if value is None else "nothing"
    else:
        found = f"{type(value).__name__} {value!r}"
    raise UserError(
        f"{where}: column '{column}': expected a label (text or a whole number), found {found}; "
        "label the example or remove it"
    )


def _position(column: str, header: Sequence[str], where: str, parameter: str) -> int:
    count = header.count(column)
    if count != 1:
        fault = f"no column '{column}'" if count == 0 else f"{count} columns '{column}'"
        raise UserError(f"{where}: {fault} ({parameter}); {nearest(column, header)}")
    return header.index(column)


def read_csv(
    path: Path, text_column: str, label_column: str, delimiter: str, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream a table whose first row names its columns (RFC 4180; tabs for TSV).

    A field may stand in double quotes, and hold delimiters, line ends and doubled quotes then.

    Raises:
        UserError: a column is missing, a row has too few or too many fields, a label is empty,
            or a quote is never closed; names file and line.
    """
    csv.field_size_limit(sys.maxsize)
    lines = (line + "\n" for _, line in numbered_lines(path, bad_bytes))
    # strict: a quote that is never closed would swallow the rest of the file without a word.
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    text = label = 0
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
        if header is None:
            header = row
            text = _position(text_column, header, where, "text_column")
            label = _position(label_column, header, where, "label_column")
            continue
        if len(row) != len(header):
            raise UserError(
                f"{where}: expected {len(header)} columns as in the first row, found {len(row)}; "
                "put fields that hold the delimiter in double quotes"
            )
        yield Example(text=row[text], label=_label(row[label], where, label_column))


def _clean(text: str, bad_bytes: BadBytes, where: str, column: str) -> str:
    r"""Text without NULs and lone surrogates, which JSON can write as ``\u`` escapes."""
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


def read_jsonl(
    path: Path, text_column: str, label_column: str, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream a file of one JSON object a line; blank lines are skipped.

    Raises:
        UserError: a line is no JSON object, lacks a key, or its label is null or empty; names
            file and line.
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
        for column, parameter in ((text_column, "text_column"), (label_column, "label_column")):
            if column not in record:
                hint = nearest(column, record)
                raise UserError(f"{where}: no key '{column}' ({parameter}); {hint}")
        text = _text(record[text_column], where, text_column)
        label = _label(record[label_column], where, label_column)
        yield Example(
            text=_clean(text, bad_bytes, where, text_column),
            label=_clean(label, bad_bytes, where, label_column),
        )


def _as_bytes(column: Any) -> list[Any]:
    """The values of a column; text as raw bytes, as Arrow does not say where UTF-8 is bad."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    return list(column.to_pylist())


def read_parquet(
    path: Path, text_column: str, label_column: str, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream a Parquet table, :data:`PARQUET_ROWS` rows at a time.

    Raises:
        UserError: the file is no Parquet, lacks a column, or a value of it is null or of the
            wrong type; names file and row, counted from 1.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    try:
        with pq.ParquetFile(path) as table:
            header = table.schema_arrow.names
            _position(text_column, header, str(path), "text_column")
            _position(label_column, header, str(path), "label_column")
            columns = [text_column, label_column]
            for batch in table.iter_batches(batch_size=PARQUET_ROWS, columns=columns):
                texts = _as_bytes(batch.column(text_column))
                labels = _as_bytes(batch.column(label_column))
                for text, label in zip(texts, labels, strict=True):
                    row += 1
                    where = f"{path}, row {row}"
                    if isinstance(text, bytes):
                        text = decode(text, bad_bytes, f"{where}, column '{text_column}'")
                    if isinstance(label, bytes):
                        label = decode(label, bad_bytes, f"{where}, column '{label_column}'")
                    yield Example(
                        text=_text(text, where, text_column),
                        label=_label(label, where, label_column),
                    )
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read as Parquet: {reason}") from None
