"""GloVe files: read as a stream, filtered, with every fault named by its line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import real_data

from nlp_rnn.config import LearnedEmbeddings, PretrainedEmbeddings
from nlp_rnn.embeddings.glove import BLOCK, open_vectors, read_vectors
from nlp_rnn.embeddings.initial import learned, pretrained
from nlp_rnn.errors import UserError
from nlp_rnn.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["<pad>", "<unk>", "the", "Cat", "zebu"], [0, 5, 10, 3, 2])


def glove(file: Path, rows: dict[str, list[float]]) -> Path:
    lines = [" ".join([word, *(f"{x:.4f}" for x in values)]) for word, values in rows.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


ROWS = {"the": [1.0, 2.0], "cat": [-1.0, 0.5], "unused": [3.0, 3.0], ",": [0.0, 1.0]}


def test_found_words_keep_their_vectors_and_missing_ones_have_the_files_spread(
    tmp_path: Path,
) -> None:
    glove(tmp_path / "g.txt", ROWS)
    parameters = PretrainedEmbeddings(kind="pretrained", file="g.txt", dimension=2)
    matrix, coverage = pretrained(parameters, VOCABULARY, 1, tmp_path)
    assert matrix[2].tolist() == [1.0, 2.0]
    assert matrix[3].tolist() == [-1.0, 0.5]  # Cat is found in lower case
    assert matrix[0].tolist() == [0.0, 0.0]
    assert coverage["types_found"] == 2
    assert coverage["token_coverage"] == 13 / 20
    many = Vocabulary(["<pad>", "<unk>", "the", *(f"w{i}" for i in range(20_000))], [0] * 20_003)
    drawn, _ = pretrained(parameters, many, 1, tmp_path)
    file = np.array(list(ROWS.values()))
    np.testing.assert_allclose(drawn[1:].mean(axis=0), file.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(drawn[1:].std(axis=0), file.std(axis=0), atol=0.05)


def test_the_first_of_two_equal_words_counts_and_bad_bytes_do_no_harm() -> None:
    lines = [b"the 1 2\n", b"\xff\xfe 5 5\n", b"the 3 4\n"]
    vectors = read_vectors(lines, {"the"}, 2, "g.txt")
    assert vectors.found["the"].tolist() == [1.0, 2.0]
    assert vectors.words == 3


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"cat 1 2 3\n", ["3 numbers", "expected 2"]),
        (b"cat 1\n", ["1 numbers", "expected 2"]),
        (b"cat 1 x\n", ["not all of its 2 fields are numbers"]),
        (b"cat 1 nan\n", ["not finite"]),
        (b"\n", ["0 numbers"]),
    ],
)
@pytest.mark.parametrize("before", [0, BLOCK + 3])
def test_a_wrong_line_is_named(bad: bytes, words: list[str], before: int) -> None:
    lines = [b"w 1 2\n"] * before + [bad] + [b"v 3 4\n"] * 5
    with pytest.raises(UserError) as error:
        read_vectors(lines, {"cat"}, 2, "g.txt")
    for word in [f"g.txt, line {before + 1}", *words]:
        assert word in str(error.value)


def test_a_file_without_any_word_of_the_data_is_an_error(tmp_path: Path) -> None:
    glove(tmp_path / "g.txt", {"chien": [1.0, 2.0]})
    parameters = PretrainedEmbeddings(kind="pretrained", file="g.txt", dimension=2)
    with pytest.raises(UserError, match="a vector for no word"):
        pretrained(parameters, VOCABULARY, 1, tmp_path)


def test_an_empty_file_is_an_error() -> None:
    with pytest.raises(UserError, match=r"g\.txt: empty"):
        read_vectors([], {"cat"}, 2, "g.txt")


def test_a_dimension_that_contradicts_the_file_is_an_error(tmp_path: Path) -> None:
    glove(tmp_path / "g.txt", ROWS)
    parameters = PretrainedEmbeddings(kind="pretrained", file="g.txt", dimension=50)
    with pytest.raises(UserError, match=r"line 1: 2 numbers.*expected 50.*embeddings\.dimension"):
        pretrained(parameters, VOCABULARY, 1, tmp_path)


def test_a_member_of_a_zip_is_read_like_a_file(tmp_path: Path) -> None:
    glove(tmp_path / "g.txt", ROWS)
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.write(tmp_path / "g.txt", "inside.txt")
    with open_vectors("g.zip!inside.txt", tmp_path) as lines:
        assert set(read_vectors(lines, {"the", "cat"}, 2, "g").found) == {"the", "cat"}
    with (
        pytest.raises(UserError, match=r"no member 'other\.txt'; it holds inside\.txt"),
        open_vectors("g.zip!other.txt", tmp_path),
    ):
        pass


@pytest.mark.parametrize("name", ["missing.txt", "missing.zip!a.txt", "folder", "broken.zip!a.txt"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(UserError, match=name.partition("!")[0]), open_vectors(name, tmp_path):
        pass


def test_learned_vectors_are_seeded_and_within_scale() -> None:
    parameters = LearnedEmbeddings(kind="learned", dimension=50, scale=0.1)
    matrix, _ = learned(parameters, VOCABULARY, seed=1)
    again, _ = learned(parameters, VOCABULARY, seed=1)
    other, _ = learned(parameters, VOCABULARY, seed=2)
    assert (matrix == again).all()
    assert not (matrix == other).all()
    assert matrix.shape == (5, 50)
    assert not matrix[0].any()
    assert 0.08 < np.abs(matrix).max() <= 0.1


def test_a_real_glove_file_covers_common_words() -> None:
    file = real_data("glove/glove.6B.50d.merged.txt")
    with open_vectors(file.name, file.parent) as lines:
        vectors = read_vectors(lines, {"the", "man", "woman", "zebu"}, 50, file.name)
    assert vectors.words == 9_068
    assert set(vectors.found) == {"the", "man", "woman"}
    man, woman, the = (vectors.found[word] for word in ("man", "woman", "the"))

    def cosine(x: np.ndarray, y: np.ndarray) -> float:
        return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))

    assert cosine(man, woman) > 0.8 > cosine(man, the)
