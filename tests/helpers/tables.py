"""Tables as rows of Python values."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def parquet_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file, with mappings, which Arrow gives as pairs, as they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    maps = [field.name for field in table.schema if pa.types.is_map(field.type)]
    return [row | {name: dict(row[name]) for name in maps} for row in table.to_pylist()]
