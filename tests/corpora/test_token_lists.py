"""Lists of words and tags in JSON Lines and Parquet: read, surveyed, predicted for, and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn import load as load_model
from nlp_rnn.cli import main
from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

COLUMNS = {"text_column": "tokens", "tag_column": "ner_tags"}
ROWS = [
    {"id": 1, "tokens": ["Ann", "Lee", "sleeps"], "ner_tags": ["B-PER", "E-PER", "O"]},
    {"id": 2, "tokens": [], "ner_tags": []},
    {"id": 3, "tokens": ["New York", "."], "ner_tags": ["S-LOC", "O"]},
]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)


def corpus_of(path: Path, rows: list[dict[str, Any]], **parameters: Any) -> Corpus:
    write(path, rows)
    format = path.suffix[1:]
    given = {"source": "files", "format": format, "train": path.name, **COLUMNS, **parameters}
    return FilesCorpus("mine", FilesDataset.model_validate(given), path.parent)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_lists_become_tagged_sentences_in_bio(name: str, tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / name, ROWS)
    assert corpus.kind == "tagged"
    assert list(corpus.read("train")) == [
        Example(tokens=("Ann", "Lee", "sleeps"), tags=("B-PER", "I-PER", "O")),
        Example(tokens=("New York", "."), tags=("B-LOC", "O")),
    ]
    found = {"entities": True, "scheme": "BIOES", "scheme_recognised": True}
    assert corpus.findings() == found


def test_a_scheme_of_none_keeps_tags_as_classes(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "a.jsonl", ROWS, scheme=None)
    assert next(iter(corpus.read("train"))).tags == ("B-PER", "E-PER", "O")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"tokens": ["a", "b"], "ner_tags": ["O"]}, "has 2 words in 'tokens' and 1 tags"),
        ({"tokens": "a b", "ner_tags": ["O"]}, "'tokens': expected a list, found str"),
        ({"tokens": ["a"], "ner_tags": None}, "'ner_tags': expected a list, found null"),
        ({"tokens": ["a", 3], "ner_tags": ["O", "O"]}, "'tokens': expected text, found int 3"),
        ({"tokens": ["a", " "], "ner_tags": ["O", "O"]}, "'tokens': a word is empty"),
        ({"tokens": ["a", "b"], "ner_tags": ["O", ""]}, "'ner_tags': expected a label"),
        ({"tokens": ["a"], "tags": ["O"]}, "no key 'ner_tags' .*tag_column"),
    ],
)
def test_a_fault_is_named_with_its_line(row: dict[str, Any], fault: str, tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "a.jsonl", [ROWS[0], row], scheme=None)
    with pytest.raises(UserError, match=rf"a\.jsonl, line 2.*{fault}"):
        list(corpus.read("train"))


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"tag_column": 1}, "is a name, not a number"),
        ({"tag_column": "tokens"}, "the same column"),
        ({"label_column": "label"}, "label_column and tag_column"),
        ({"format": "csv"}, "tag_column needs format conll, conllu, jsonl or parquet"),
    ],
)
def test_columns_that_cannot_be_are_refused(parameters: dict[str, Any], fault: str) -> None:
    given = {"source": "files", "format": "jsonl", "train": "a", **COLUMNS, **parameters}
    with pytest.raises(ValueError, match=fault):
        FilesDataset.model_validate(given)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_prediction_tags_the_words_of_lists(
    suffix: str, bundles: dict[str, Path], tmp_path: Path
) -> None:
    write(tmp_path / f"in{suffix}", [ROWS[0], ROWS[2]])
    files = [str(tmp_path / f"in{suffix}"), str(tmp_path / "out.jsonl")]
    options = ["--text-column", "tokens"]
    assert main(["predict", str(bundles["tagging"]), *files, *options]) == 0
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = load_model(bundles["tagging"]).predict([["Ann", "Lee", "sleeps"], ["New York", "."]])
    for row, prediction in zip(written, expected, strict=True):
        assert {key: row[key] for key in prediction} == prediction
    assert [row["id"] for row in written] == [1, 3]
    assert [row["input_tokens"] for row in written] == [ROWS[0]["tokens"], ROWS[2]["tokens"]]
    for other in ("out.parquet", "out.conll", "out.conllu"):
        again = [files[0], str(tmp_path / other)]
        assert main(["predict", str(bundles["tagging"]), *again, *options]) == 0
    assert "# text = Ann Lee sleeps\n" in (tmp_path / "out.conllu").read_text()


def test_new_asks_which_of_several_columns_has_the_tags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"tokens": ["a", "b"], "pos": ["X", "Y"], "ner": ["O", "B-A"]}] * 20
    write(tmp_path / "a.jsonl", rows)
    assert main(["new", str(tmp_path / "p"), "--train", str(tmp_path / "a.jsonl")]) == 2
    assert "2 columns may hold the tags; choose one with --tag-column: 'pos'" in (
        capsys.readouterr().err
    )
