"""Texts with any number of labels: in a cell, in a list, or in a column for each label."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.corpora import ListCorpus, prepared, same_everywhere
from nlp_rnn.config import SplitParameters, parse
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.splits import with_all_splits
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example

EXPECTED = [("pay now", ("money", "urgent")), ("hello", ()), ("my bill", ("money",))]
"""The texts of every file below, with their labels."""

SEPARATED = {"label_column": "topics", "label_separator": "|"}
COLUMNS = {"label_columns": ["money", "urgent"]}


def dataset(section: dict[str, Any]) -> Any:
    data = {"datasets": {"mine": {"source": "files", **section}}}
    return parse(data, Path("params.yaml")).dataset("mine")


def read(folder: Path, content: str | bytes, format: str, **keys: Any) -> list[Any]:
    file = folder / f"data.{format}"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    corpus = open_corpus("mine", dataset({"format": format, "train": str(file), **keys}), folder)
    return [(example.text, example.labels) for example in corpus.read("train")]


def parquet(folder: Path, **columns: Any) -> bytes:
    pq.write_table(pa.table(columns), folder / "written")
    return (folder / "written").read_bytes()


@pytest.mark.parametrize(
    ("format", "content", "keys"),
    [
        ("csv", "text,topics\npay now,money|urgent\nhello,\nmy bill, money |money|\n", SEPARATED),
        ("tsv", "text\ttopics\npay now\tmoney|urgent\nhello\t \nmy bill\tmoney\n", SEPARATED),
        ("csv", "money,text,urgent\n1,pay now,1\n0,hello,0\nTrue,my bill,false\n", COLUMNS),
    ],
)
def test_tables(tmp_path: Path, format: str, content: str, keys: dict[str, Any]) -> None:
    assert read(tmp_path, content, format, **keys) == EXPECTED


@pytest.mark.parametrize(
    ("cells", "keys"),
    [
        ([["money", "urgent"], [], ["money"]], {"label_column": "topics"}),
        (["money|urgent", None, "money"], SEPARATED),
        (["money|urgent", "", "money"], SEPARATED),
    ],
)
def test_records(tmp_path: Path, cells: list[Any], keys: dict[str, Any]) -> None:
    texts = [text for text, _ in EXPECTED]
    rows = [{"text": text, "topics": cell} for text, cell in zip(texts, cells, strict=True)]
    lines = "\n".join(map(json.dumps, rows))
    assert read(tmp_path, lines, "jsonl", **keys) == EXPECTED
    written = parquet(tmp_path, text=texts, topics=cells)
    assert read(tmp_path, written, "parquet", **keys) == EXPECTED


def test_a_column_for_each_label_in_records(tmp_path: Path) -> None:
    flags = {"text": [text for text, _ in EXPECTED], "money": [1, 0, 1], "urgent": [1.0, 0.0, 0.0]}
    assert read(tmp_path, parquet(tmp_path, **flags), "parquet", **COLUMNS) == EXPECTED
    rows = [dict(zip(flags, row, strict=True)) for row in zip(*flags.values(), strict=True)]
    assert read(tmp_path, "\n".join(map(json.dumps, rows)), "jsonl", **COLUMNS) == EXPECTED


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        ("text,money,urgent\na,1,2\n", COLUMNS, "line 2: column 'urgent' of label_columns: expect"),
        ("text,money,urgent\na,1,\n", COLUMNS, "expected 1 or 0, found ''"),
        ("text,money\na,1\n", COLUMNS, "urgent"),
    ],
)
def test_wrong_cells(tmp_path: Path, content: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, content, "csv", **keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({**COLUMNS, "label_separator": "|"}, "goes with neither"),
        ({**COLUMNS, "label_column": "x"}, "goes with neither"),
        ({**COLUMNS, "header": False, "text_column": 0}, "needs a header"),
        ({"label_columns": ["text", "money"]}, "text_column and label_columns"),
        ({"label_separator": ""}, "label_separator is"),
        ({"label_separator": "|", "target_column": "b"}, "needs labelled texts in a table"),
        ({"format": "folders", "label_separator": "|"}, "needs labelled texts in a table"),
    ],
)
def test_keys_that_do_not_fit(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        dataset({"format": "csv", "train": "x", **keys})


def example(*labels: str) -> Example:
    return Example(text="a text", labels=labels)


def test_prepared_labels_are_a_matrix(tmp_path: Path) -> None:
    train = [example("b", "a"), example(), example("a"), example("a", "c")]
    data = prepared(tmp_path, ListCorpus("labelled", train=train, validation=train, test=train[1:]))
    assert data.multi_label and data.labels == ["a", "b", "c"]
    assert data.split("train").labels is not None
    assert np.array_equal(data.split("train").labels, [[1, 1, 0], [0, 0, 0], [1, 0, 0], [1, 0, 1]])
    counts = data.card["splits"]["test"]
    assert counts["labels"] == {"a": 2, "b": 0, "c": 1} and counts["without_label"] == 1
    assert next(data.split("test").records()) == {"text": "a text", "labels": []}


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([example("a"), Example(text="x", label="a")], "train, example 2: has one label where"),
        ([Example(text="x", label="a"), Example(text="y", label="b"), example("a")], "has a list"),
        ([example(), example()], "no training text has one"),
        ([example("a"), example("a")], "all training texts have the same labels"),
    ],
)
def test_labels_that_cannot_be_learned(
    tmp_path: Path, examples: list[Example], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prepared(tmp_path / "data", same_everywhere("labelled", examples))


def test_a_label_that_only_the_test_split_has(tmp_path: Path) -> None:
    train, test = [example("a"), example()], [example("new")]
    corpus = ListCorpus("labelled", train=train, validation=train, test=test)
    with pytest.raises(
        UserError, match="test, example 1: label 'new' never occurs in the training"
    ):
        prepared(tmp_path / "data", corpus)


@pytest.mark.parametrize("duplicates", ["anywhere", "together"])
def test_drawn_splits_keep_every_label_in_training(duplicates: Any) -> None:
    """And the share of each label, also of one that only occurs beside rarer ones."""
    rng = np.random.default_rng(1)
    examples = [
        Example(text=f"text {i // 2}", labels=tuple(np.array(list("abcd"))[row]))
        for i, row in enumerate(rng.random((600, 4)) < (0.5, 0.3, 0.1, 0.02))
    ]
    examples += [Example(text=f"more {i}", labels=("always", f"once {i}")) for i in range(3)]
    ratios = SplitParameters(validation=0.2, test=0.2, duplicates=duplicates)
    corpus = with_all_splits(ListCorpus("labelled", train=examples), ratios, seed=3)
    counts = {s: Counter(x for e in corpus.read(s) for x in e.label_set) for s in SPLITS}
    everything = sum(counts.values(), Counter())
    assert everything == Counter(label for e in examples for label in e.label_set)
    assert counts["train"].keys() == everything.keys()
    for label in "abc":
        assert counts["test"][label] / everything[label] == pytest.approx(0.2, abs=0.07)
