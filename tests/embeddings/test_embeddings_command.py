"""``nlp-rnn embeddings`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlp_rnn.cli import main
from nlp_rnn.embeddings.export import write_word2vec
from nlp_rnn.embeddings.learned import LearnedVectors
from nlp_rnn.embeddings.reading import load_vectors
from nlp_rnn.embeddings.subwords import Subwords
from nlp_rnn.embeddings.vectors import WordVectors

KINGS = WordVectors(
    ["man", "king", "woman", "queen", "apple"],
    np.array([[0, 1, 0.1], [2, 1, 0], [0, 1, 1.2], [2, 1, 1], [1, 1, -1.0]]),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_word2vec(KINGS, tmp_path / "kings.txt")
    return tmp_path / "kings.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subwords = Subwords(np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32), 2, 3)
    LearnedVectors(KINGS, subwords, {"name": "kings"}).write(tmp_path / "kings")
    return tmp_path / "kings"


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["embeddings", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def mistake(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["embeddings", *map(str, arguments)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_neighbours_similarity_and_analogies_are_those_of_the_vectors(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = KINGS.neighbours("queen", 2, "euclidean")
    lines = [f"Queen\t{word}\t{value:.4f}\n" for word, value in expected]
    assert output(capsys, "neighbours", file, "Queen", "-n", 2, "--by", "euclidean") == "".join(
        lines
    )
    assert len(output(capsys, "neighbours", file, "man", "king").splitlines()) == 8
    value = float(output(capsys, "similarity", file, "man", "woman", "--by", "dot"))
    assert value == pytest.approx(1.12)
    for method in ("3cosadd", "3cosmul"):
        answers = output(capsys, "analogy", file, "man", "king", "woman", "--method", method)
        assert answers.splitlines()[0].startswith("queen\t")
    assert "'dog' has no vector" in mistake(capsys, "neighbours", file, "dog")


def test_learned_folders_know_words_by_their_subwords(
    folder: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = [output(capsys, "analogy", v, "man", "king", "woman") for v in (file, folder)]
    assert same[0] == same[1]
    assert output(capsys, "neighbours", folder, "manly").count("manly\t") == 5
    (folder / "subwords.npy").unlink()
    assert "dvc repro vectors@kings" in mistake(capsys, "neighbours", folder, "man")


@pytest.mark.slow
def test_the_embedding_layer_of_a_bundle_is_looked_at_in_the_same_way(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nlp_rnn.runtime.bundle import Bundle

    for bundle in bundles.values():
        assert output(capsys, "export", bundle, tmp_path / "v.txt", "--format", "glove") == ""
        opened = Bundle.open(bundle)
        written = load_vectors("v.txt", tmp_path).vectors
        assert written.words == opened.vocabulary.types[1:]
        model = opened.keras_model()
        reader = model.get_layer("encoder") if opened.task.data == "pairs" else model
        table = reader.get_layer("embedding").get_weights()[0]
        np.testing.assert_array_equal(written.matrix, table[1:])
    assert "not a complete model bundle" in mistake(capsys, "similarity", tmp_path, "a", "b")


def test_vectors_are_judged_by_files_and_by_word_classes(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "analogies.txt").write_text(": family\nman king woman queen\nman dog woman bitch\n")
    (tmp_path / "pairs.tsv").write_text("man\tking\t1.0\nKING\tqueen\t9.0\nman\tapple\t5.0\n")
    printed = output(
        capsys,
        *("evaluate", file, "--analogies", tmp_path / "analogies.txt"),
        *("--similarity", tmp_path / "pairs.tsv"),
    )
    assert "family: 100.0% of 1 analogies; 1 left out" in printed
    assert "Spearman 1.000 over 3 pairs" in printed
    few = output(
        capsys,
        *("evaluate", file, "--similarity", tmp_path / "pairs.tsv", "--most-frequent", 4),
    )
    assert "over 2 pairs; 1 left out" in few
    ours = output(capsys, "evaluate", file)
    assert "man-woman: 100.0% of 2 analogies; 238 left out" in ours
    classes = WordVectors(
        ["boat", "captain", "cow", "farmer"], np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    )
    write_word2vec(classes, tmp_path / "classes.txt")
    judged = output(capsys, "evaluate", tmp_path / "classes.txt", "--grammar", "text")
    assert "nearest neighbour of the same class: 100.0% (by chance 33.3%)" in judged
    assert "purity of clusters: 100.0%" in judged
    assert "4 words, 2 classes" in judged
    write_word2vec(KINGS.head(1), tmp_path / "one.txt")
    assert "only" in mistake(capsys, "evaluate", tmp_path / "one.txt", "--grammar", "text")


def test_pictures_are_written_by_the_targets_name(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output(capsys, "plot", file, tmp_path / "map.png", "-n", 4)
    output(capsys, "plot", file, tmp_path / "map.html", "--words", "man", "king", "queen")
    output(capsys, "plot", file, tmp_path / "a.png", "--analogy", "man", "king", "woman")
    for picture in ("map.png", "a.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "map.html").read_text()
    assert '"man"' in page and '"apple"' not in page
    assert ".png or .html" in mistake(capsys, "plot", file, tmp_path / "map.pdf")
    options = ["--method", "tsne", "--perplexity", "9"]
    assert "give 1 or less" in mistake(capsys, "plot", file, tmp_path / "t.png", *options)


def test_vectors_are_exported_to_every_format(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("word2vec", "glove"):
        output(capsys, "export", file, tmp_path / form, "--format", form)
        read = load_vectors(form, tmp_path).vectors
        assert read.words == KINGS.words
        np.testing.assert_array_equal(read.matrix, KINGS.matrix)
    output(capsys, "export", file, tmp_path / "projector", "--format", "projector")
    assert (tmp_path / "projector" / "metadata.tsv").read_text().split() == KINGS.words
