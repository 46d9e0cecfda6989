"""The matrix a model starts from: which words are found, and what the others get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlp_rnn.config import LearnedEmbeddings, PretrainedEmbeddings
from nlp_rnn.embeddings.initial import learned, pretrained
from nlp_rnn.errors import UserError
from nlp_rnn.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["<pad>", "<unk>", "the", "Cat", "zebu"], [0, 5, 10, 3, 2])
PARAMETERS = PretrainedEmbeddings(kind="pretrained", file="g.txt", dimension=2)
ROWS = {"the": [1.0, 2.0], "cat": [-1.0, 0.5], "unused": [3.0, 3.0], ",": [0.0, 1.0]}


def write(file: Path, rows: dict[str, list[float]]) -> None:
    lines = [" ".join([word, *(f"{x:.4f}" for x in values)]) for word, values in rows.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_found_words_keep_their_vectors_and_missing_ones_have_the_mean_of_those(
    tmp_path: Path,
) -> None:
    write(tmp_path / "g.txt", ROWS)
    matrix, _, coverage = pretrained(PARAMETERS, VOCABULARY, 1, tmp_path)
    assert matrix.tolist() == [[0, 0], [0, 1.25], [1, 2], [-1, 0.5], [0, 1.25]]  # Cat as cat
    assert matrix.dtype == np.float32
    assert coverage["types_found"] == 2
    assert coverage["type_coverage"] == 2 / 3
    assert coverage["token_coverage"] == 13 / 20


def test_missing_words_can_be_drawn_to_the_files_mean_and_spread(tmp_path: Path) -> None:
    write(tmp_path / "g.txt", ROWS)
    many = Vocabulary(["<pad>", "<unk>", "the", *(f"w{i}" for i in range(20_000))], [0] * 20_003)
    drawn, *_ = pretrained(PARAMETERS.model_copy(update={"unknown": "drawn"}), many, 1, tmp_path)
    file = np.array(list(ROWS.values()))
    np.testing.assert_allclose(drawn[1:].mean(axis=0), file.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(drawn[1:].std(axis=0), file.std(axis=0), atol=0.05)


def test_coverage_is_told_before_and_after_each_step_of_the_lookup(tmp_path: Path) -> None:
    write(tmp_path / "g.txt", {"the": [1, 1], "ww0": [2, 2], "0000": [3, 3], "<unk>": [4, 4]})
    vocabulary = Vocabulary(
        ["<pad>", "<unk>", "<eos>", "the", "The", "1984", "WW2", "zebu"],
        [0, 10, 10, 40, 20, 10, 6, 4],
        end="<eos>",
    )
    matrix, _, coverage = pretrained(
        PARAMETERS.model_copy(update={"lookup": ("lowercase", "digits_zeroed")}),
        vocabulary,
        1,
        tmp_path,
    )
    assert matrix[[1, 3, 4, 5, 6], 0].tolist() == [4, 1, 1, 3, 2]
    assert coverage["lookup"] == [
        {"step": "as_is", "types_found": 1, "type_coverage": 0.2, "token_coverage": 0.4},
        {"step": "lowercase", "types_found": 2, "type_coverage": 0.4, "token_coverage": 0.6},
        {"step": "digits_zeroed", "types_found": 4, "type_coverage": 0.8, "token_coverage": 0.76},
    ]
    assert coverage["types_found"] == 4
    assert coverage["token_coverage"] == 0.76
    *_, as_is = pretrained(PARAMETERS.model_copy(update={"lookup": ()}), vocabulary, 1, tmp_path)
    assert as_is["types_found"] == 1


def test_a_file_without_any_word_of_the_data_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "g.txt", {"chien": [1.0, 2.0]})
    with pytest.raises(UserError, match="no vector for any word"):
        pretrained(PARAMETERS, VOCABULARY, 1, tmp_path)


def test_learned_vectors_are_seeded_and_within_scale() -> None:
    parameters = LearnedEmbeddings(kind="learned", dimension=50, scale=0.1)
    matrix, *_ = learned(parameters, VOCABULARY, seed=1)
    again, *_ = learned(parameters, VOCABULARY, seed=1)
    other, *_ = learned(parameters, VOCABULARY, seed=2)
    assert (matrix == again).all()
    assert not (matrix == other).all()
    assert matrix.shape == (5, 50)
    assert not matrix[0].any()
    assert 0.08 < np.abs(matrix).max() <= 0.1
