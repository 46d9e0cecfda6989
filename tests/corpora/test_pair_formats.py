"""Formats of pairs: what is read, and the faults that are named with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp_rnn.config import FilesDataset, parse
from nlp_rnn.corpora import data_folder
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.corpora.strings import lemma_and_features, unspaced
from nlp_rnn.corpora.vectors import read_vectors
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.brackets import constituents
from nlp_rnn.example import Example

STORY = """1 Mary went home.
2 Ann slept.
3 Where is Mary? \thome\t1
4 Mary took milk, and ham.
5 What has Mary?\tmilk,ham\t4
1 Bob sat.
2 Who sat?\tBob\t1
"""


def corpus_of(folder: Path, content: str | bytes, **parameters: Any) -> Corpus:
    raw = content.encode() if isinstance(content, str) else content
    (folder / "a.txt").write_bytes(raw)
    dataset = FilesDataset.model_validate({"source": "files", "train": "a.txt", **parameters})
    return FilesCorpus("mine", dataset, folder)


def read(folder: Path, content: str, **parameters: Any) -> list[Example]:
    corpus = corpus_of(folder, content, **parameters)
    assert corpus.kind == "pairs"
    return list(corpus.read("train"))


def test_babi_is_stories_with_questions(tmp_path: Path) -> None:
    first, second, third = read(tmp_path, STORY, format="babi")
    assert first == Example(
        "Where is Mary?", target="home", context=("Mary went home. Ann slept.",)
    )
    assert second.context == ("Mary went home. Ann slept. Mary took milk, and ham.",)
    assert second.target == "milk,ham"
    assert third == Example("Who sat?", target="Bob", context=("Bob sat.",))


def test_sigmorphon_is_characters_and_features(tmp_path: Path) -> None:
    lines = "sagen\tsagte\tV;PST\nringen\tring um\tN;SG\r\n"
    first, second = read(tmp_path, lines, format="sigmorphon")
    assert first == Example("s a g e n <V> <PST>", target="s a g t e")
    assert second.target == "r i n g ␣ u m" and unspaced(second.target) == "ring um"
    assert lemma_and_features(first.text) == ("sagen", "V;PST")


@pytest.mark.parametrize(
    "lines",
    [
        ";;; a comment\nREAD  R EH1 D\nREAD(2)  R IY1 D # a remark\n\nCAT  K AE1 T\n",
        "READ 1 R EH1 D\nREAD 2 R IY1 D\nCAT 1 K AE1 T\n",
    ],
)
def test_cmudict_is_letters_and_phonemes(lines: str, tmp_path: Path) -> None:
    read_first, read_second, cat = read(tmp_path, lines, format="cmudict")
    assert read_first == Example("R E A D", target="R EH1 D")
    assert read_second == Example("R E A D", target="R IY1 D")
    first = read(tmp_path, lines, format="cmudict", pronunciations="first")
    assert first == [read_first, cat]


TREES = """(TOP (S (NP-SBJ=1 (DT The) (NN cat)) (VP (VBZ sleeps) (NP (-NONE- *))) (. .)))
( (FRAG
    (-LRB- -LRB-) (UH oh)))
(TOP (UH ok))
(UH ok)
"""


def test_trees_are_sequences_without_words(tmp_path: Path) -> None:
    first, second, third, fourth = read(tmp_path, TREES, format="trees")
    assert first.text == "The cat sleeps ." and first.tags == ("DT", "NN", "VBZ", ".")
    assert first.target == "(S (NP XX XX )NP (VP XX )VP XX )S"
    assert second.text == "( oh" and second.target == "(FRAG XX XX )FRAG"
    assert third.target == fourth.target == "(TOP XX )TOP"
    assert first.record("pairs")["tags"] == ["DT", "NN", "VBZ", "."]


def test_long_sentences_are_left_out_and_counted(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, TREES, format="trees", most_words=2)
    assert [example.text for example in corpus.read("train")] == ["( oh", "ok", "ok"]
    assert corpus.findings() == {"trees": True, "too_many_words": {"train": 1}}


@pytest.mark.parametrize(
    ("form", "lines", "fault"),
    [
        ("babi", "Mary went.\n", "line 1: expected a number and a sentence"),
        ("babi", "1 Mary went.\n3 Ann went.\n", "line 2: number 3 after 1"),
        ("babi", "1 Mary went.\n2 Where?\t\t1\n", "line 2: the target is empty"),
        ("babi", "1 Mary went.\n", "has no examples"),
        ("sigmorphon", "a\tb\tN\na\tb\n", "line 2: .* found 2 columns"),
        ("sigmorphon", "a\t\tN\n", "line 1: .* found 3 columns, one of them empty"),
        ("cmudict", "CAT K AE1 T\nDOG\n", "line 2: the word 'DOG' has no phonemes"),
        ("cmudict", "DOG 1\n", "line 1: the word 'DOG' has no phonemes"),
        ("trees", "(S (N a))\n(S (N a)\n(S (N a))\n", r"line 2: the tree is not closed; 1 \)"),
        ("trees", "(S (N a)))\n", r"line 1: '\)' stands after the end"),
        ("trees", "S (N a)\n", "line 1: 'S' stands outside brackets"),
        ("trees", "(S (N a) b)\n", r"line 1: .*found '\(S \(…\) b\)'"),
        ("trees", "(S (N a) ())\n", r"line 1: expected a label with one word"),
        ("trees", "(S (-NONE- *))\n", "line 1: the tree has no words"),
        ("trees", "(" * 300, "line 1: the tree is deeper than 200 brackets"),
        ("captions", "a cat\n\na dog\n", "line 2: the caption is empty"),
    ],
)
def test_a_fault_is_named(form: str, lines: str, fault: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.ones((9, 2)))
    vectors = {"train_features": "v.npy"} if form == "captions" else {}
    with pytest.raises(UserError, match=fault) as error:
        read(tmp_path, lines, format=form, **vectors)
    assert "\n" not in str(error.value)


# --- vectors --------------------------------------------------------------------------

ROWS = np.array([[1.0, 2.5, -3.0], [0.0, 4.0, 8.0]])


def saved(folder: Path, suffix: str, rows: np.ndarray) -> str:
    path = folder / f"v{suffix}"
    if suffix == ".npy":
        np.save(path, rows)
    elif suffix == ".npz":
        np.savez(path, features=rows, names=np.arange(len(rows)))
    else:
        pq.write_table(pa.table({"v": list(rows)}), path)
    return path.name


def test_an_archive_of_vectors_that_grows_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "v.npz", np.zeros((1000, 100)))
    read_vectors(tmp_path / "v.npz")
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "1000")
    with pytest.raises(UserError, match=r"v\.npz: has more than 200 times .*NLP_RNN_EXPANSION"):
        read_vectors(tmp_path / "v.npz")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
def test_captions_have_the_vectors_of_their_rows(suffix: str, tmp_path: Path) -> None:
    vectors = {"train_features": saved(tmp_path, suffix, ROWS)}
    examples = read(tmp_path, "a cat\na dog\n", format="captions", **vectors)
    assert examples == [
        Example(target="a cat", features=(1.0, 2.5, -3.0)),
        Example(target="a dog", features=(0.0, 4.0, 8.0)),
    ]


def test_a_table_may_have_vectors_and_they_are_in_the_data_card(tmp_path: Path) -> None:
    columns = {"text_column": "q", "target_column": "a", "train_features": "v.npy"}
    saved(tmp_path, ".npy", ROWS)
    corpus = corpus_of(tmp_path, "q,a\nis it?,yes\nwas it?,no\n", format="csv", **columns)
    assert [e.features[0] for e in corpus.read("train")] == [1.0, 0.0]
    assert list(corpus.provenance()["files"]) == ["a.txt", "v.npy"]


def test_columns_of_numbers_are_vectors(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": ROWS[:, 0], "y": ROWS[:, 1]}), tmp_path / "v.parquet")
    examples = read(tmp_path, "a\nb\n", format="captions", train_features="v.parquet")
    assert [example.features for example in examples] == [(1.0, 2.5), (0.0, 4.0)]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("v.npy", ROWS[:1], "v.npy: has 1 rows, but there are more texts"),
        ("v.npy", np.ones((3, 2)), "v.npy: has 3 rows, but there are 2 texts"),
        ("v.npy", np.array([[1.0], [np.nan]]), "v.npy, row 2: has a value that is not a finite"),
        ("v.npy", np.ones(2), "v.npy: expected rows of numbers"),
        ("v.npy", np.array([["a"], ["b"]]), "v.npy: expected rows of numbers"),
        ("v.npy", b"rubbish", "v.npy: is not an array of numbers"),
        ("v.npz", b"rubbish", "v.npz: is not an array of numbers"),
        ("v.parquet", b"rubbish", "v.parquet: is not a Parquet file"),
        ("v.parquet", [[1.0], [1.0, 2.0]], "v.parquet, row 2: has 2 values, but the first row 1"),
        ("v.parquet", [[1.0], None], "v.parquet, row 2: has no vector"),
        ("v.csv", b"1,2", "v.csv: expected vectors in .npy"),
    ],
)
def test_a_fault_of_vectors_is_named(name: str, content: Any, fault: str, tmp_path: Path) -> None:
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif isinstance(content, list):
        pq.write_table(pa.table({"v": content}), tmp_path / name)
    else:
        np.save(tmp_path / name, content)
    with pytest.raises(UserError, match=fault) as error:
        read(tmp_path, "a cat\na dog\n", format="captions", train_features=name)
    assert "\n" not in str(error.value)


# --- parameters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": "captions"}, "train names 1 files and train_features 0"),
        ({"format": "text", "train_features": "v.npy"}, "train_features needs pairs, not text"),
        ({"format": "babi", "pronunciations": "all"}, "pronunciations needs format cmudict"),
        ({"format": "babi", "most_words": 40}, "most_words needs format trees"),
        (
            {"format": "trees", "tokenizer": {"unit": "word"}},
            "unit of format trees is 'whitespace'",
        ),
        (
            {"format": "babi", "train_features": "v.npy", "test": "b.txt"},
            "test names 1 files and test_features 0",
        ),
    ],
)
def test_keys_that_do_not_fit_are_one_line(keys: dict[str, Any], message: str) -> None:
    parameters = {"datasets": {"some": {"source": "files", "train": "a.txt", **keys}}}
    with pytest.raises(UserError, match=message):
        parse(parameters, "params.yaml")


def test_tokens_with_spaces_keep_their_case() -> None:
    keys = {"source": "files", "train": "a.txt", "format": "cmudict"}
    units = FilesDataset.model_validate(keys).tokenizer
    assert units.unit == "whitespace" and not units.lowercase
    given = FilesDataset.model_validate({**keys, "tokenizer": {"lowercase": True}}).tokenizer
    assert given.unit == "whitespace" and given.lowercase


# --- real data ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "name", "count"),
    [
        ("babi", "babi/qa8_lists-sets_test.txt", 1000),
        ("sigmorphon", "inflection/german-test.tsv", 1000),
        ("cmudict", "cmudict/cmudict-0.7a.txt", 133_737),
        ("trees", "ewt-trees/ewt-test.txt", 2056),
    ],
)
def test_real_files_are_read_completely(form: str, name: str, count: int) -> None:
    if not (data_folder() / name).is_file():
        pytest.skip(f"NLP_RNN_DATA has no {name}")
    dataset = FilesDataset.model_validate({"source": "files", "format": form, "train": name})
    examples = list(FilesCorpus("real", dataset, data_folder()).read("train"))
    assert len(examples) == count
    assert all(example.text and example.target for example in examples)
    if form == "trees":
        assert all(constituents(example.target) for example in examples)
