"""Parquet files of a few bytes that stand for gigabytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.corpora import parquet
from nlp_rnn.corpora.tables import parquet_batches, parquet_values
from nlp_rnn.corpora.vectors import read_vectors
from nlp_rnn.errors import UserError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def written(file: Path, values: Any, **options: Any) -> Path:
    pq.write_table(pa.table({"text": values}), file, compression="zstd", **options)
    return file


def texts(file: Path) -> list[str]:
    return [
        value
        for row, batch in parquet_batches(file, {"text": "text_column"})
        for _, value in parquet_values(file, row, batch, "text", "error")
    ]


def test_a_large_page_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "a.parquet", ["a" * 2_000_000], use_dictionary=False)
    assert file.stat().st_size < 2_000
    assert len(texts(file)[0]) == 2_000_000
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "100000")
    with pytest.raises(UserError, match="column 'text': a page: has more than 100,000 bytes"):
        texts(file)


def test_a_large_page_of_vectors_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vectors.parquet"
    table = pa.table({"vector": [[0.5] * 1000] * 300})
    pq.write_table(table, file, compression="zstd", use_dictionary=False)
    assert read_vectors(file).shape == (300, 1000)
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "1000")
    with pytest.raises(UserError, match="a page: has more than 1,000 bytes"):
        read_vectors(file)


def test_a_long_text_in_a_page_that_is_not_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "a.parquet", ["short", "a" * 200])
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "150")
    with pytest.raises(UserError, match="row 2, column 'text': has more than 150 bytes"):
        texts(file)


@pytest.mark.parametrize("nested", [False, True])
def test_a_value_that_repeats_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nested: bool
) -> None:
    monkeypatch.setattr(parquet, "PIECE", 4_000_000)
    monkeypatch.setattr(parquet, "MOST_AT_ONCE", 4_000_000)
    long = "a" * 1_000_000
    values = pa.array([[long, "b"] if nested else long] * 20)
    file = written(tmp_path / "a.parquet", values, dictionary_pagesize_limit=1 << 24)
    found = list(parquet.batches(file, None))
    assert sum(batch.num_rows for batch in found) == 20
    assert max(batch.num_rows for batch in found) <= 4
    assert all(batch.schema.field("text").type == values.type for batch in found)
    assert [value for batch in found for value in batch.column(0).to_pylist()] == values.to_pylist()


def test_pieces_of_ordinary_rows_are_whole_batches(tmp_path: Path) -> None:
    rows = [f"text {i}" for i in range(3000)]
    lists = [[text, "x"] for text in rows]
    table = pa.table({"text": rows, "lists": lists, "number": range(3000)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2000)
    found = list(parquet.batches(tmp_path / "a.parquet", None))
    assert pa.Table.from_batches(found).equals(table.cast(found[0].schema))
    assert len(found) <= 4


def test_columns_of_odd_names_are_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.parquet"
    table = pa.table([["a" * 2_000_000] * 2] * 2, names=["a.b", "a.b"])
    pq.write_table(table, file, compression="zstd")
    assert sum(batch.num_rows for batch in parquet.batches(file, None)) == 2
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "1000")
    for columns in (None, ["a.b"]):
        with pytest.raises(UserError, match="has more than 1,000 bytes"):
            list(parquet.batches(file, columns))
