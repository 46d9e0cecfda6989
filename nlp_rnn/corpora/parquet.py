"""Parquet tables in pieces of bounded size, however small their file is.

A page of 30 bytes may promise two gigabytes, and a value that is stored once may stand in a million
rows. So the headers of pages are read before their contents
(https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift), and values
that repeat are kept once until their rows are counted out in bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import SEEK_END
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nlp_rnn.limits import TEXT_BYTES

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS = 1024
"""The number of rows held in memory at a time."""

PIECE = 1 << 26
"""The number of bytes after which a piece ends even if it has fewer than :data:`ROWS` rows."""

TEXTS_IN_PAGE = 16
"""How many of the longest texts a page may hold."""

MOST_AT_ONCE = 1 << 28
"""The number of bytes that rows read at once may have, by what the file says of them."""

LARGE_DICTIONARY = 1 << 18
"""The bytes of repeated values from which they are kept once: 1,024 rows of a smaller set of values
have less than 256 MiB."""

HEADER = 1 << 16
"""The most bytes of a page's header, with the statistics in it."""


def batches(path: Path, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """Stream the rows of a table, at most :data:`ROWS` at a time.

    Args:
        path: the file.
        columns: the columns to read; None for all.

    Raises:
        UserError: a page, or a row, has more bytes than :data:`~nlp_rnn.limits.TEXT_BYTES` allows.
        pyarrow.ArrowException: the file is not Parquet.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table, path.open("rb") as stream:
        schema = table.schema_arrow
        kept_once, rows = _check_pages(stream, table.metadata, columns, path)
    with pq.ParquetFile(path, read_dictionary=kept_once) as table:
        read = table.iter_batches(batch_size=rows, columns=columns)
        pieces = (
            _as_written(piece, schema) for batch in read for piece in _pieces(batch, str(path))
        )
        yield from pieces if rows == ROWS else _joined(pieces)


# --- sizes ----------------------------------------------------------------------------


def _joined(pieces: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Consecutive pieces as one, up to the bounds of a piece."""
    import pyarrow as pa

    def joined(some: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
        return pa.Table.from_batches(some).combine_chunks().to_batches() if some else []

    waiting: list[pa.RecordBatch] = []
    for piece in pieces:
        together = [*waiting, piece]
        if sum(p.num_rows for p in together) > ROWS or sum(p.nbytes for p in together) > PIECE:
            yield from joined(waiting)
            together = [piece]
        waiting = together
    yield from joined(waiting)


def _pieces(batch: pa.RecordBatch, where: str) -> Iterator[pa.RecordBatch]:
    """A batch in parts of :data:`PIECE` bytes at most, or of one row."""
    size = sum(map(_size, batch.columns))
    if size <= PIECE:
        yield batch
    elif batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from _pieces(batch.slice(0, half), where)
        yield from _pieces(batch.slice(half), where)
    else:
        TEXT_BYTES.check(size // TEXTS_IN_PAGE, f"{where}: a row")
        yield batch


def _size(column: pa.Array) -> int:
    """The bytes of a column, each value as often as it stands there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        if not (_is_bytes(column.type.value_type)):
            return int(column.nbytes)
        lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
        return int(pc.sum(lengths).as_py() or 0)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return int(column.nbytes) + _size(column.flatten())
    if pa.types.is_struct(column.type):
        return sum(map(_size, column.flatten()))
    return int(column.nbytes)


def _is_bytes(type_: pa.DataType) -> bool:
    import pyarrow as pa

    kinds = (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string)
    return any(kind(type_) for kind in (*kinds, pa.types.is_large_binary))


def _as_written(piece: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A piece with the types that its file says, repeated values written out."""
    import pyarrow as pa

    # By position where all are read: two columns may have the same name.
    every = piece.num_columns == len(schema)
    fields = list(schema) if every else [schema.field(name) for name in piece.schema.names]
    if piece.schema.types == [field.type for field in fields]:
        return piece
    arrays = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(piece.columns, fields, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


# --- headers of pages -----------------------------------------------------------------


def _check_pages(
    stream: BinaryIO, metadata: pq.FileMetaData, columns: Sequence[str] | None, path: Path
) -> tuple[list[str], int]:
    """The paths of the columns whose values repeat and are large, and the rows to read at once.

    Raises:
        UserError: a page would take more than it may.
    """
    large, rows = set(), ROWS
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for position in range(group.num_columns):
            chunk, column = group.column(position), metadata.schema.column(position)
            name = chunk.path_in_schema
            if columns is not None and not any(f"{name}.".startswith(f"{c}.") for c in columns):
                continue
            repeated = 0
            for kind, size in _pages(stream, chunk):
                TEXT_BYTES.check(size // TEXTS_IN_PAGE, f"{path}, column '{name}': a page")
                repeated = max(repeated, size if kind == DICTIONARY else 0)
            width = max(8, column.length)  # of a value, in bytes
            if chunk.physical_type == "BYTE_ARRAY" and column.max_repetition_level > 0:
                width = max(width, repeated)
            elif chunk.physical_type == "BYTE_ARRAY" and repeated >= LARGE_DICTIONARY:
                large.add(name)
            of_row = width * chunk.num_values / max(group.num_rows, 1)
            rows = max(1, min(rows, int(MOST_AT_ONCE / max(of_row, 1))))
    return sorted(large), rows


DICTIONARY = 2
"""The type of a page that holds each value once."""


def _pages(stream: BinaryIO, chunk: pq.ColumnChunkMetaData) -> Iterator[tuple[int, int]]:
    """The type and the unpacked bytes of each page of a column, up to where the file is broken.

    The library has words of its own for what is broken.
    """
    starts = [start for start in (chunk.dictionary_page_offset, chunk.data_page_offset) if start]
    place = min(starts, default=0)
    end = min(place + chunk.total_compressed_size, stream.seek(0, SEEK_END))
    while 0 < place < end:
        stream.seek(place)
        reader = _Thrift(stream.read(HEADER))
        try:
            header = reader.struct()
        except (IndexError, ValueError):
            return
        kind, unpacked, packed = (header.get(field) for field in (1, 2, 3))
        if not (type(kind) is type(unpacked) is type(packed) is int) or packed < 0:
            return
        yield kind, max(unpacked, packed)
        place += reader.place + packed


class _Thrift:
    """Reads structures of Thrift's compact protocol.

    https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The numbers of a structure, by field; raises ValueError or IndexError if it is broken."""
        if depth > 8:
            raise ValueError("nested too deeply")
        found: dict[int, Any] = {}
        field = 0
        while (byte := self._byte()) != 0:
            field = field + (byte >> 4) if byte >> 4 else self._signed()
            found[field] = self._value(byte & 15, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:  # true, false
                return kind == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                self.place += 8
            case 8:
                length = self._unsigned()  # which moves the place itself
                self.place += length
            case 9 | 10:
                head = self._byte()
                count = head >> 4 if head >> 4 < 15 else self._unsigned()
                for _ in range(min(count, HEADER)):
                    self._byte() if head & 15 in (1, 2) else self._value(head & 15, depth)
            case 12:
                return self.struct(depth + 1)
            case _:
                raise ValueError(f"no such type: {kind}")
        return None

    def _byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1]

    def _unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number without an end")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
