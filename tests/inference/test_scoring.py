"""Scores of tokens and rankings of texts, against a table of bigrams."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.bigram_model import bigram_network, bigram_probabilities, dataset_of, experiment
from helpers.bundles import write_network
from nlp_rnn.cli import main
from nlp_rnn.inference import scoring
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.inference.scoring import TokenScorer
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import UNK_INDEX

CORPUS = ("I like cats", "you like dogs", "I like dogs", "the table")
TEXTS = ["I like cats", "I table cats", "like I cats"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return dataset_of(tmp_path_factory.mktemp("data"), *CORPUS)


@pytest.fixture(scope="module")
def bundle(dataset: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bigrams"
    found = experiment(len(dataset.vocabulary))
    network = bigram_network(dataset, found)
    write_network(folder, found, network, dataset)
    return folder


def by_hand(dataset: PreparedDataset, text: str) -> list[float]:
    """``ln P`` of each token of a text and of its end."""
    vocabulary = dataset.vocabulary
    ids = [vocabulary.end_index, *vocabulary.encode(text.split()), vocabulary.end_index]
    table = bigram_probabilities(dataset)
    return [math.log(table[before, after]) for before, after in itertools.pairwise(ids)]


def read(file: Path) -> list[dict[str, Any]]:
    match file.suffix:
        case ".jsonl":
            return [json.loads(line) for line in file.read_text().splitlines()]
        case ".parquet":
            return pq.read_table(file).to_pylist()
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="," if file.suffix == ".csv" else "\t"))


def write(file: Path, *texts: str) -> str:
    file.write_text("".join(text + "\n" for text in texts))
    return str(file)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_every_token_has_a_row_with_its_probability(
    bundle: Path, dataset: PreparedDataset, tmp_path: Path, suffix: str
) -> None:
    texts = ["I like cats", "", "the unheard of dogs"]
    target = tmp_path / f"tokens{suffix}"
    assert main(["score", str(bundle), write(tmp_path / "t.txt", *texts), str(target)]) == 0
    rows = read(target)
    assert list(rows[0]) == [
        "text", "position", "token", "log_probability", "bits", "rank", "unknown",
    ]  # fmt: skip
    tokens = [[*text.split(), "<eos>"] for text in texts]
    assert [row["token"] for row in rows] == [token for text in tokens for token in text]
    numbers = [(i, j) for i, text in enumerate(tokens, 1) for j in range(1, len(text) + 1)]
    assert [(int(row["text"]), int(row["position"])) for row in rows] == numbers
    expected = [value for text in texts for value in by_hand(dataset, text)]
    found = [float(row["log_probability"]) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose([float(row["bits"]) for row in rows], -np.log2(np.exp(expected)))
    unknown = [row["token"] for row in rows if str(row["unknown"]).lower() == "true"]
    assert unknown == ["unheard", "of"]


def test_rows_add_up_to_what_predict_says_of_the_text(bundle: Path) -> None:
    texts = [*CORPUS, "", "the unheard of dogs"]
    scored = list(TokenScorer(Bundle.open(bundle)).predict(texts))
    predicted = list(Predictor.load(bundle).predict(texts))
    for of_tokens, of_text in zip(scored, predicted, strict=True):
        total = sum(of_tokens["log_probabilities"])
        assert total == pytest.approx(of_text["log_probability"], rel=1e-6)
        assert len(of_tokens["tokens"]) == of_text["tokens"]


def test_the_rank_is_the_place_among_all_types(bundle: Path, dataset: PreparedDataset) -> None:
    (found,) = TokenScorer(Bundle.open(bundle)).predict(["I like"])
    vocabulary = dataset.vocabulary
    ids = [vocabulary.end_index, *vocabulary.encode(["I", "like"])]
    table = bigram_probabilities(dataset)
    following = zip(ids, [*ids[1:], vocabulary.end_index], strict=True)
    assert found["ranks"] == [1 + int((table[a] > table[a, b]).sum()) for a, b in following]
    assert found["ranks"][1] == 1  # what follows "I" in every text


def test_long_texts_and_many_rows_are_cut_without_a_trace(
    bundle: Path, dataset: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "ROWS", 7)
    texts = [" ".join(["I like dogs the table"] * 30), "cats", *CORPUS]
    target = tmp_path / "tokens.jsonl"
    assert main(["score", str(bundle), write(tmp_path / "t.txt", *texts), str(target)]) == 0
    expected = [value for text in texts for value in by_hand(dataset, text)]
    found = [row["log_probability"] for row in read(target)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_summary_says_how_many_tokens_were_unknown(
    bundle: Path, dataset: PreparedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["I like cats", "I like unheard dogs"]
    input = write(tmp_path / "t.txt", *texts)
    assert main(["score", str(bundle), input, str(tmp_path / "tokens.csv")]) == 0
    losses = [value for text in texts for value in by_hand(dataset, text)]
    summary = capsys.readouterr().err
    assert "2 texts, 9 tokens with the end symbols, 11.11% scored as <unk>" in summary
    assert f"perplexity {math.exp(-sum(losses) / 9):.2f}" in summary


def test_the_sensible_sentence_comes_first(
    bundle: Path, dataset: PreparedDataset, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("text,from\n" + "".join(f"{t},me\n" for t in TEXTS[::-1]))
    target = tmp_path / "ranked.csv"
    assert main(["rank", str(bundle), str(tmp_path / "t.csv"), str(target)]) == 0
    rows = read(target)
    assert [row["text"] for row in rows] == TEXTS
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert {row["from"] for row in rows} == {"me"}
    expected = [sum(by_hand(dataset, text)) for text in TEXTS]
    np.testing.assert_allclose([float(r["log_probability"]) for r in rows], expected, rtol=1e-5)


def test_the_mean_does_not_favour_short_texts(bundle: Path, tmp_path: Path) -> None:
    input = write(tmp_path / "t.txt", "I like dogs", "cats")
    for by, order in (("total", ["cats", "I like dogs"]), ("mean", ["I like dogs", "cats"])):
        target = tmp_path / f"{by}.txt"
        assert main(["rank", str(bundle), input, str(target), "--by", by]) == 0
        assert target.read_text().splitlines() == order


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".txt"])
def test_texts_of_equal_probability_keep_their_order(
    bundle: Path, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 2)
    records = [{"text": "I like cats", "number": n, "more": "\ud800"} for n in range(5)]
    input = tmp_path / "t.jsonl"
    input.write_text("".join(json.dumps(record) + "\n" for record in records))
    target = tmp_path / f"ranked{suffix}"
    assert main(["rank", str(bundle), str(input), str(target)]) == 0
    if suffix == ".txt":
        assert len(target.read_text().splitlines()) == 5
        return
    rows = read(target)
    assert [int(row["number"]) for row in rows] == list(range(5))
    assert [int(row["rank"]) for row in rows] == list(range(1, 6))


@pytest.mark.parametrize("command", ["score", "rank"])
def test_only_language_models_know_how_likely_a_text_is(
    bundles: dict[str, Path], tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [write(tmp_path / "t.txt", "a"), str(tmp_path / "o.csv")]
    assert main([command, str(bundles["tagging"]), *files]) == 2
    assert "a model for tagging; only language models" in capsys.readouterr().err
    assert not (tmp_path / "o.csv").exists()


def test_unknown_words_are_scored_as_one_word(bundle: Path) -> None:
    first, second = TokenScorer(Bundle.open(bundle)).predict(["I unheard", "I unseen"])
    assert first["log_probabilities"] == second["log_probabilities"]
    assert Bundle.open(bundle).vocabulary.encode(["unheard"]) == [UNK_INDEX]


def test_unknown_words_are_listed_beside_their_rank(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    input = write(tmp_path / "t.txt", "I like cats", "I unheard unseen")
    target = tmp_path / "ranked.jsonl"
    assert main(["rank", str(bundle), input, str(target)]) == 0
    assert {r["text"]: r["unknown"] for r in read(target)} == {
        "I like cats": [],
        "I unheard unseen": ["unheard", "unseen"],
    }
    assert "1 of them have words outside the vocabulary" in capsys.readouterr().err


@pytest.mark.parametrize("by", ["total", "mean"])
def test_a_blank_text_is_ranked_last(
    bundle: Path, tmp_path: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    input = write(tmp_path / "t.txt", "", "I like cats", "  ", "like I cats")
    target = tmp_path / "ranked.txt"
    assert main(["rank", str(bundle), input, str(target), "--by", by]) == 0
    assert target.read_text().splitlines() == ["I like cats", "like I cats", "", "  "]
    assert "2 of them have no tokens and are ranked last" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "texts", "reason"),
    [
        ("rank", "\n\n", "holds only blank texts"),
        ("rank", "", "is empty"),
        ("score", "", "is empty"),
    ],
)
def test_nothing_to_judge_is_one_line(
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    texts: str,
    reason: str,
) -> None:
    (tmp_path / "t.txt").write_text(texts)
    assert main([command, str(bundle), str(tmp_path / "t.txt"), str(tmp_path / "o.csv")]) == 2
    message = capsys.readouterr().err
    assert reason in message and message.count("\n") == 1
    assert not (tmp_path / "o.csv").exists()


def test_columns_of_parquet_keep_their_types(bundle: Path, tmp_path: Path) -> None:
    values = {"text": ["cats", "dogs"], "n": [1, 2], "ok": [True, None], "w": [0.5, 1.0]}
    pq.write_table(pa.table(values), tmp_path / "t.parquet")
    target = tmp_path / "ranked.parquet"
    assert main(["rank", str(bundle), str(tmp_path / "t.parquet"), str(target)]) == 0
    found = sorted(read(target), key=lambda row: row["n"])
    assert [row[name] for row in found for name in values] == [
        *("cats", 1, True, 0.5),
        *("dogs", 2, None, 1.0),
    ]


def test_one_text_is_ranked_first(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "ranked.csv"
    assert main(["rank", str(bundle), write(tmp_path / "t.txt", "cats"), str(target)]) == 0
    assert [(row["text"], row["rank"]) for row in read(target)] == [("cats", "1")]


@pytest.mark.parametrize("length", ["0", "x"])
def test_a_length_that_generates_nothing_is_refused(
    bundle: Path, capsys: pytest.CaptureFixture[str], length: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["generate", str(bundle), "--length", length])
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"argument --length: expected a whole number of 1 or more, found {length}")
