"""Labelled texts in tables: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn.config import nearest
from nlp_rnn.corpora import parquet
from nlp_rnn.corpora.dialects import Dialect, position
from nlp_rnn.corpora.labelling import Labelling
from nlp_rnn.corpora.lines import BadBytes, decode, numbered_lines
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.limits import TEXT_BYTES

if TYPE_CHECKING:
    import pyarrow as pa


def text_of(value: object, where: str, column: str) -> str:
    """Return ``value`` if it is a string; raise UserError otherwise."""
    if isinstance(value, str):
        return value
    found = "null" if value is None else f"{type(value).__name__} {value!r}"
    raise UserError(
        f"{where}: column '{column}': expected text, found {found}; give the row a text or "
        "remove it"
    )


def read_table(
    path: Path,
    text_column: str | int,
    labelling: Labelling,
    dialect: Dialect,
    bad_bytes: BadBytes,
) -> Iterator[Example]:
    """Stream a table of CSV or TSV (see :mod:`nlp_rnn.corpora.dialects`).

    Args:
        text_column: a name in the header, or a number counted from 0.
        labelling: where the label is, or the labels.

    Raises:
        UserError: a column is missing, a row is ill-formed or a label is empty; the message names
            file and line.
    """
    text: int | None = None
    labels: list[int] = []
    for where, row in dialect.rows(path, bad_bytes):
        if text is None:
            text = dialect.column(text_column, row, where, "text_column")
            labels = [
                dialect.column(column, row, where, setting)
                for column, setting in labelling.settings.items()
            ]
            if dialect.header:
                continue
        yield labelling.example(row[text], [row[i] for i in labels], where)


def clean(text: str, bad_bytes: BadBytes, where: str, column: str) -> str:
    r"""Text without NULs and lone surrogates, which JSON can write as ``\u`` escapes.

    Raises:
        UserError: ``bad_bytes`` is ``error`` and the text contains one.
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
    raise SettingError(
        f"{where}: key '{column}': an invalid escape (NUL or half a surrogate pair); "
        "correct it, or set ",
        Setting("bad_bytes", "replace"),
    )


def jsonl_records(path: Path, bad_bytes: BadBytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Stream a file of one JSON object per line, each with its file and line.

    Blank lines are skipped.

    Raises:
        UserError: a line is not a JSON object.
    """
    for number, line in numbered_lines(path, bad_bytes):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, json_object(line, where)


def json_object(line: str, where: str) -> dict[str, Any]:
    """A line of JSON Lines; raises UserError unless it is a JSON object."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}, column {error.colno}: not valid JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not valid JSON: {error}") from None
    if not isinstance(record, dict):
        raise UserError(f"{where}: expected a JSON object, found {type(record).__name__}")
    return record


def member(record: Mapping[str, Any], key: str, where: str, setting: str) -> Any:
    """The value of ``key``; raises UserError, with the nearest key, if there is none."""
    if key not in record:
        hint = nearest(key, record)
        raise SettingError(f"{where}: no key '{key}' (", Setting(setting), f"); {hint}")
    return record[key]


def record_values(
    path: Path, format: str, settings: Mapping[str, str], bad_bytes: BadBytes
) -> Iterator[tuple[str, list[Any]]]:
    """Stream the values of some columns of JSON Lines or Parquet.

    Args:
        path: the file.
        format: ``jsonl`` or ``parquet``.
        settings: the columns, each with the setting that names it.

    Yields:
        The file and the line or row, counted from 1, and the values, in which text is clean.

    Raises:
        UserError: the file is ill-formed or lacks a column.
    """
    if format == "jsonl":
        for where, record in jsonl_records(path, bad_bytes):
            yield (
                where,
                [
                    _cleaned(member(record, column, where, setting), bad_bytes, where, column)
                    for column, setting in settings.items()
                ],
            )
        return
    for first, batch in parquet_batches(path, settings, list(settings)):
        columns = [parquet_values(path, first, batch, column, bad_bytes) for column in settings]
        for row in zip(*columns, strict=True):
            yield row[0][0], [value for _, value in row]


def read_records(
    path: Path, format: str, text_column: str, labelling: Labelling, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream labelled texts of JSON Lines or Parquet (see :func:`record_values`).

    Raises:
        UserError: the file is ill-formed, lacks a column, or has a text or label that is null or
            of the wrong type; the message names file and line or row.
    """
    labels = {str(column): setting for column, setting in labelling.settings.items()}
    settings = {text_column: "text_column", **labels}
    for where, (text, *cells) in record_values(path, format, settings, bad_bytes):
        yield labelling.example(text_of(text, where, text_column), cells, where)


def _cleaned(value: Any, bad_bytes: BadBytes, where: str, column: str) -> Any:
    """A value of JSON in which every text is clean; see :func:`clean`."""
    if isinstance(value, list):
        return [_cleaned(item, bad_bytes, where, column) for item in value]
    return clean(value, bad_bytes, where, column) if isinstance(value, str) else value


def raw_values(column: pa.Array) -> list[Any]:
    """The values of a column; text as raw bytes, because Arrow does not say where UTF-8 is
    invalid."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    elif column.type in (pa.list_(pa.string()), pa.large_list(pa.large_string())):
        column = column.cast(pa.large_list(pa.large_binary()))
    return list(column.to_pylist())


def parquet_batches(
    path: Path, needed: Mapping[str, str], columns: Sequence[str] | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Stream a Parquet table, at most :data:`~nlp_rnn.corpora.parquet.ROWS` rows at a time.

    Args:
        path: the file.
        needed: the required columns, each with the setting that names it.
        columns: the columns to read; None for all.

    Yields:
        The number of the first row, counted from 1, and the rows.

    Raises:
        UserError: the file is not Parquet, lacks a column, or has a value that is too large.
    """
    import pyarrow as pa

    row = 1
    names = parquet_columns(path)
    for column, setting in needed.items():
        position(column, names, str(path), setting)
    try:
        for batch in parquet.batches(path, columns):
            yield row, batch
            row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(path, error) from None


def parquet_columns(path: Path) -> list[str]:
    """The names of the columns of a Parquet table.

    Raises:
        UserError: the file is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(path, error) from None


def likely_parquet_columns(path: Path) -> list[str]:
    """The names of the columns that may hold text or labels: no times, no bytes that are not text,
    and no name that stands twice.

    Raises:
        UserError: the file is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts = Counter(parquet_columns(path))
    fields = [f for f in pq.read_schema(path) if counts[f.name] == 1]
    likely = [f for f in fields if not pa.types.is_temporal(f.type)]
    return [f.name for f in likely if not _is_binary(f.type) or _holds_text(path, f.name)]


def _is_binary(type_: pa.DataType) -> bool:
    from pyarrow import types

    tests = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    return any(test(type_) for test in tests)


def _holds_text(path: Path, column: str) -> bool:
    """Whether the first bytes of a column are text."""
    try:
        for row, batch in parquet_batches(path, {}):
            return bool(list(parquet_values(path, row, batch, column, "error")))
    except UserError:
        return False
    return False


def _no_parquet(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}")


def parquet_values(
    path: Path, first_row: int, batch: pa.RecordBatch, column: str, bad_bytes: BadBytes
) -> Iterator[tuple[str, Any]]:
    """The values of a column, its text decoded, each with its file and row.

    Raises:
        UserError: text is not UTF-8, and ``bad_bytes`` is ``error``.
    """
    for row, value in enumerate(raw_values(batch.column(column)), first_row):
        where = f"{path}, row {row}"
        yield where, decoded(value, bad_bytes, f"{where}, column '{column}'")


def decoded(value: Any, bad_bytes: BadBytes, where: str) -> Any:
    """A value in which bytes, also those within a list, have become text."""
    if isinstance(value, list):
        return [decoded(item, bad_bytes, where) for item in value]
    if not isinstance(value, bytes):
        return value
    TEXT_BYTES.check(len(value), where)
    return decode(value, bad_bytes, where)
