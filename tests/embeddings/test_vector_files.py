"""Word vectors written as files: read back bit by bit, or not there at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nlp_rnn.embeddings.export import write_glove, write_projector, write_word2vec
from nlp_rnn.embeddings.reading import load_vectors
from nlp_rnn.embeddings.vectors import WordVectors

MATRIX = np.random.default_rng(5).normal(size=(4, 6)).astype(np.float32)
MATRIX[0, :3] = [0, 1e-20, np.finfo(np.float32).max]
VECTORS = WordVectors(["the", "ça", "1984", "\\xff"], MATRIX)


@pytest.mark.parametrize("write", [write_word2vec, write_glove])
def test_text_is_read_back_bit_by_bit(
    tmp_path: Path, write: Callable[[WordVectors, Path], None]
) -> None:
    write(VECTORS, tmp_path / "new" / "v.txt")
    read = load_vectors("v.txt", tmp_path / "new").vectors
    assert read.words == VECTORS.words
    np.testing.assert_array_equal(read.matrix, MATRIX)


def test_only_word2vec_has_a_header(tmp_path: Path) -> None:
    write_word2vec(VECTORS, tmp_path / "w")
    write_glove(VECTORS, tmp_path / "g")
    header, _, rest = (tmp_path / "w").read_bytes().partition(b"\n")
    assert header == b"4 6"
    assert rest == (tmp_path / "g").read_bytes()
    first = rest.decode().split("\n")[1].split(" ")
    assert first[0] == "ça"
    np.testing.assert_array_equal(np.array(first[1:], np.float32), MATRIX[1])


def test_the_projector_gets_a_row_of_numbers_and_a_line_of_metadata_a_word(tmp_path: Path) -> None:
    write_projector(VECTORS, tmp_path / "projector")
    numbers = np.loadtxt(tmp_path / "projector" / "vectors.tsv", np.float32, delimiter="\t")
    np.testing.assert_array_equal(numbers, MATRIX)
    metadata = (tmp_path / "projector" / "metadata.tsv").read_text(encoding="utf-8")
    assert metadata == "the\nça\n1984\n\\xff\n"


def test_words_with_spaces_and_newlines_stay_one_word_a_line(tmp_path: Path) -> None:
    vectors = WordVectors([". . .", "\n", " ", "\t"], MATRIX)
    write_word2vec(vectors, tmp_path / "v.txt")
    assert load_vectors("v.txt", tmp_path).vectors.words == [".␠.␠.", "␊", "␠", "␉"]
    write_projector(vectors, tmp_path)
    metadata = (tmp_path / "metadata.tsv").read_text(encoding="utf-8")
    assert metadata.splitlines() == [".␠.␠.", "␊", "␠", "␉"]


@pytest.mark.parametrize("write", [write_word2vec, write_glove, write_projector])
def test_what_fails_leaves_the_files_before_it(
    tmp_path: Path, write: Callable[[WordVectors, Path], None]
) -> None:
    target = tmp_path / "target"
    write(VECTORS, target)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    unwritable = WordVectors(["the", "ça", "1984", "\ud800"], MATRIX / 2)  # no UTF-8
    with pytest.raises(UnicodeEncodeError):
        write(unwritable, target)
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert before == after
