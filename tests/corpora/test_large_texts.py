"""Texts, rows and sentences that are too large are refused in one line, before they fill memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.corpora.conll import conll_sentences
from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.corpora.folders import Selection, read_folder
from nlp_rnn.corpora.lines import raw_lines, read_lines
from nlp_rnn.corpora.tables import jsonl_records
from nlp_rnn.errors import UserError

READERS: dict[str, Callable[[Path], Iterable[Any]]] = {
    "text": lambda file: read_lines(file, "error"),
    "csv": lambda file: Dialect.of("csv").rows(file, "error"),
    "tsv": lambda file: Dialect.of("tsv").rows(file, "error"),
    "jsonl": lambda file: jsonl_records(file, "error"),
    "conll": lambda file: conll_sentences(file, "error", 0),
    "folder": lambda file: read_folder(file.parent, "error", Selection(suffix="")),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "100")


@pytest.mark.parametrize(
    ("reader", "content"),
    [
        ("text", "short\n" + "a " * 60),
        ("text", "short\r" + "a" * 200 + "\r"),  # the line ends of old Macs
        ("csv", "text\n" + "a" * 101 + "\n"),
        ("csv", 'text\n"a\n' + "b\n" * 60),  # a quote that is never closed
        ("csv", "text,label\n" + '"a\n' + "b\n" * 30 + '","' + "c\n" * 30 + '"\n'),
        ("tsv", "text\n" + "a" * 101),
        ("jsonl", '{"text": "' + "a" * 100 + '"}'),
        ("conll", "word O\n" * 20),
        ("folder", "a" * 101),
    ],
)
def test_what_is_too_large_is_named(tmp_path: Path, reader: str, content: str) -> None:
    file = tmp_path / "good" / "file"
    file.parent.mkdir()
    file.write_text(content, encoding="utf-8", newline="")
    source = file.parent if reader == "folder" else file
    with pytest.raises(UserError, match=r"has more than 100 bytes.*NLP_RNN_TEXT_BYTES") as error:
        list(READERS[reader](source))
    assert str(file) in str(error.value)


def test_lines_of_the_largest_size_are_read(tmp_path: Path) -> None:
    lines = ["a" * 99, "", "b" * 99, "c"]
    file = tmp_path / "file"
    file.write_text("\n".join(lines), encoding="utf-8")
    assert list(read_lines(file, "error")) == lines


def test_memory_holds_no_more_of_a_line_than_its_limit() -> None:
    stream = io.BytesIO(b"a\n" + b"b" * 100_000)
    pieces = raw_lines(stream)
    assert next(pieces) == b"a\n"
    assert len(next(pieces)) == 101
