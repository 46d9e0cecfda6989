"""Pairs in parallel files and in tables: what is read, and the faults that are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

PARALLEL = {"format": "parallel", "train": "a.en", "train_target": "a.de"}
CSV = {"format": "csv", "train": "a.csv", "text_column": "question", "target_column": "answer"}


def corpus_of(folder: Path, files: dict[str, str], **parameters: Any) -> Corpus:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    dataset = FilesDataset.model_validate({"source": "files", **parameters})
    return FilesCorpus("mine", dataset, folder)


def test_lines_of_the_same_number_belong_together(tmp_path: Path) -> None:
    files = {"a.en": "a dog\r\none cat\n", "a.de": "ein Hund\neine Katze\n"}
    corpus = corpus_of(tmp_path, files, **PARALLEL)
    assert corpus.kind == "pairs"
    assert list(corpus.read("train")) == [
        Example(text="a dog", target="ein Hund"),
        Example(text="one cat", target="eine Katze"),
    ]
    assert list(corpus.provenance()["files"]) == ["a.en", "a.de"]


@pytest.mark.parametrize(
    ("sources", "targets", "fault"),
    [
        ("a\nb\n", "x\n", r"a\.de: ends after line 1, but .*a\.en has more lines"),
        ("a\n", "x\ny\n", r"a\.en: ends after line 1, but .*a\.de has more lines"),
        ("a\n \n", "x\ny\n", r"a\.en, line 2: the source is empty"),
        ("a\nb\n", "\ny\n", r"a\.de, line 1: the target is empty"),
    ],
)
def test_a_fault_of_parallel_files_is_named(
    sources: str, targets: str, fault: str, tmp_path: Path
) -> None:
    corpus = corpus_of(tmp_path, {"a.en": sources, "a.de": targets}, **PARALLEL)
    with pytest.raises(UserError, match=fault):
        list(corpus.read("train"))


ROWS = [
    {"story": "Ann went home.", "question": "Where is Ann?", "answer": "home"},
    {"story": "Bob sleeps.", "question": "Who sleeps?", "answer": "Bob"},
]
EXPECTED = [
    Example(text=row["question"], target=row["answer"], context=(row["story"],)) for row in ROWS
]


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet"])
def test_tables_give_pairs_with_their_context(format: str, tmp_path: Path) -> None:
    if format == "parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
        files = {}
    elif format == "jsonl":
        files = {"a.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS)}
    else:
        mark = "," if format == "csv" else "\t"
        lines = [mark.join(ROWS[0]), *(mark.join(row.values()) for row in ROWS)]
        files = {f"a.{format}": "\n".join(lines) + "\n"}
    columns = CSV | {"format": format, "train": f"a.{format}", "context_columns": ["story"]}
    assert list(corpus_of(tmp_path, files, **columns).read("train")) == EXPECTED


def test_an_empty_side_of_a_row_is_named(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, {"a.csv": "question,answer\nwhy,\n"}, **CSV)
    with pytest.raises(UserError, match=r"a\.csv, line 2: the target is empty"):
        list(corpus.read("train"))


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        (PARALLEL | {"train_target": ["a.de", "b.de"]}, "train names 1 files and train_target 2"),
        (PARALLEL | {"test": "b.en"}, "test names 1 files and test_target 0"),
        (CSV | {"train_target": "a.de"}, "train_target needs format parallel"),
        (CSV | {"target_column": "question"}, "are each another one"),
        (CSV | {"label_column": "answer"}, "a row has a label or a target"),
        (PARALLEL | {"target_column": "x"}, "need a table"),
    ],
)
def test_settings_that_do_not_fit_are_named(parameters: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        FilesDataset.model_validate({"source": "files", **parameters})
