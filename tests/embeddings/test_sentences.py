"""Sentence vectors: their definitions, the commands, and what judges them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nlp_rnn.cli import main
from nlp_rnn.embeddings.export import write_word2vec
from nlp_rnn.embeddings.sentence_tests import accuracy, pearson, relatedness
from nlp_rnn.embeddings.sentences import (
    BATCH,
    SMOOTHING,
    lstm_vectors,
    rows_of,
    sentence_vectors,
    sif_vectors,
)
from nlp_rnn.embeddings.vectors import WordVectors

WORDS = ["the", "cat", "dog", "sleeps", "barks", "loudly"]
VECTORS = WordVectors(WORDS, np.random.default_rng(0).normal(size=(6, 4)), ["lowercase"])
TEXTS = ["The cat sleeps", "the dog barks loudly", "the the dog", "zzz", "", "cat zzz dog"]
SENTENCES = rows_of(TEXTS, VECTORS)


def test_words_are_looked_up_and_those_without_a_vector_left_out() -> None:
    assert [rows.tolist() for rows in SENTENCES] == [
        [0, 1, 3],
        [0, 2, 4, 5],
        [0, 0, 2],
        [],
        [],
        [1, 2],
    ]


def test_means_and_sif_are_their_definitions() -> None:
    means, weighted = np.zeros((2, len(TEXTS), 4))
    words = [row for rows in SENTENCES for row in rows]
    for number, rows in enumerate(SENTENCES):
        for row in rows:
            share = words.count(row) / len(words)
            means[number] += VECTORS.matrix[row] / len(rows)
            weighted[number] += SMOOTHING / (SMOOTHING + share) * VECTORS.matrix[row] / len(rows)
    np.testing.assert_allclose(sentence_vectors(SENTENCES, VECTORS), means, atol=1e-6)
    u = np.linalg.svd(weighted)[2][0]
    expected = weighted - np.outer(weighted @ u, u)
    np.testing.assert_allclose(sif_vectors(SENTENCES, VECTORS.matrix), expected, atol=1e-6)


@pytest.mark.slow
def test_an_untrained_lstm_is_kerass_with_its_weights() -> None:
    import keras

    units = 3
    found = lstm_vectors(SENTENCES, VECTORS.matrix, units, seed=7)
    rng, bound = np.random.default_rng(7), units**-0.5
    layers = []
    for backwards in (False, True):
        layer = keras.layers.LSTM(units, return_sequences=True, go_backwards=backwards)
        layer.build((None, None, 4))
        layer.set_weights([rng.uniform(-bound, bound, w.shape) for w in layer.get_weights()])
        layers.append(layer)
    for rows, vector in zip(SENTENCES, found, strict=True):
        expected = np.zeros(2 * units)
        if len(rows):
            outputs = [layer(VECTORS.matrix[rows][None])[0] for layer in layers]
            largest = [keras.ops.convert_to_numpy(output).max(axis=0) for output in outputs]
            expected = np.concatenate(largest)
        np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_a_sentence_of_the_lstm_does_not_depend_on_its_company() -> None:
    many = [*SENTENCES, *[SENTENCES[2]] * (BATCH + 1)]
    together = lstm_vectors(many, VECTORS.matrix, 5, seed=1)
    alone = [lstm_vectors([rows], VECTORS.matrix, 5, seed=1)[0] for rows in SENTENCES]
    np.testing.assert_allclose(together[: len(alone)], alone, atol=1e-6)
    np.testing.assert_allclose(together[-1], alone[2], atol=1e-6)


def test_a_regression_finds_what_vectors_hold_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 5)).astype(np.float32)
    labels = ["a" if x > 0 else "b" for x in vectors[:, 2]]
    noise = [str(x) for x in rng.integers(0, 2, 400)]
    assert accuracy(vectors, labels, 300) > 0.9
    assert accuracy(vectors, labels) > 0.9
    assert accuracy(vectors, noise) < 0.62
    u, v = vectors[:200], vectors[200:]
    assert relatedness(u, v, (u * v).sum(axis=1) - abs(u - v)[:, 0], 150) > 0.9
    assert pearson(np.ones(3), np.arange(3.0)) == 0


# --- commands ---------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_word2vec(VECTORS, tmp_path / "words.txt")
    (tmp_path / "lines.txt").write_text("\n".join(TEXTS) + "\n")
    lines = ["1 the cat sleeps", "0 the dog barks"] * 12
    (tmp_path / "labelled.txt").write_text("\n".join([*lines, "1"]) + "\n")
    header = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\n"
    pairs = [f"{i}\t{TEXTS[i % 3]}\t{TEXTS[i % 2]}\t{1 + i % 5}" for i in range(12)]
    (tmp_path / "pairs.txt").write_text(header + "\n".join(pairs) + "\n")
    return tmp_path


def run(files: Path, *arguments: str) -> int:
    """The exit status, names of files in the folder as they are."""
    places = [str(files / x) if "." in x and " " not in x else x for x in arguments]
    return main(["embeddings", places[0], str(files / "words.txt"), *places[1:]])


def test_vectors_of_lines_are_written_and_drawn(files: Path) -> None:
    expected = sentence_vectors(SENTENCES, VECTORS, "sif")
    for name in ("out.npy", "out.jsonl", "out.html", "out.png"):
        assert run(files, "sentences", "lines.txt", name, "--by", "sif") == 0
    np.testing.assert_allclose(np.load(files / "out.npy"), expected, atol=1e-5)
    rows = [json.loads(line) for line in (files / "out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    np.testing.assert_allclose([row["vector"] for row in rows], expected, atol=1e-5)
    assert "the dog barks loudly" in (files / "out.html").read_text()
    assert (files / "out.png").stat().st_size > 1000


def test_the_nearest_line_to_a_line_is_itself(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for way in ("mean", "sif", "lstm"):
        arguments = ["the dog barks loudly", "-n", "1", "--by", way, "--units", "4"]
        assert run(files, "nearest-sentences", "lines.txt", *arguments) == 0
        text, line, cosine = capsys.readouterr().out.strip().split("\t")
        assert text == line and float(cosine) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        ["--labelled", "labelled.txt"],
        ["--labelled", "labelled.txt", "labelled.txt"],
        ["--related", "pairs.txt", "pairs.txt"],
    ],
    ids=" ".join,
)
def test_all_ways_are_judged(
    what: list[str], files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(files, "judge-sentences", *what, "--units", "4") == 0
    rows = [line.split("|")[1:3] for line in capsys.readouterr().out.splitlines()[2:]]
    found = [[cell.strip() for cell in row] for row in rows if row]
    assert found == [["mean", "4"], ["sif", "4"], ["lstm", "8"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sentences", "lines.txt", "out.csv"], "expected a name that ends with .npy, .jsonl"),
        (["sentences", "missing.txt", "out.npy"], "missing.txt: no such file"),
        (["judge-sentences", "--labelled", "lines.txt"], "only 1 lines have the label"),
        (["judge-sentences", "--related", "lines.txt", "pairs.txt"], "lacks sentence_A; expected"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line(
    arguments: list[str], words: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(files, *arguments) == 2
    message = capsys.readouterr().err
    assert words in message and message.count("\n") == 1
    assert not list(files.glob("out*"))
