"""Neighbours, similarities and analogies, beside loops over the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError

WORDS = [f"w{i}" for i in range(60)]
MATRIX = np.random.default_rng(3).normal(size=(60, 8)) * np.linspace(0.1, 3, 60)[:, None]
VECTORS = WordVectors(WORDS, MATRIX)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / np.sqrt(x @ x) / np.sqrt(y @ y))


DEFINITIONS = {
    "cosine": (cosine, -1),
    "euclidean": (lambda x, y: float(np.sqrt(((x - y) ** 2).sum())), 1),
    "dot": (lambda x, y: float(x @ y), -1),
}


@pytest.mark.parametrize("by", DEFINITIONS)
def test_neighbours_and_similarities_are_those_of_the_definition(by: str) -> None:
    definition, sign = DEFINITIONS[by]
    for query in (4, 59):
        expected = sorted(
            ((WORDS[i], definition(MATRIX[query], MATRIX[i])) for i in range(60) if i != query),
            key=lambda item: sign * item[1],
        )[:7]
        found = VECTORS.neighbours(WORDS[query], n=7, by=by)  # type: ignore[arg-type]
        assert [word for word, _ in found] == [word for word, _ in expected]
        np.testing.assert_allclose([x for _, x in found], [x for _, x in expected], rtol=1e-4)
        for word, value in expected:
            ours = VECTORS.similarity(WORDS[query], word, by=by)  # type: ignore[arg-type]
            assert ours == pytest.approx(value, rel=1e-4)


def test_a_vector_has_the_word_it_belongs_to_as_its_nearest_neighbour() -> None:
    assert VECTORS.neighbours(MATRIX[5], n=1)[0][0] == "w5"
    assert VECTORS.neighbours(MATRIX[5], n=1, by="euclidean")[0][0] == "w5"


def test_small_distances_between_long_vectors_are_exact() -> None:
    matrix = np.full((3, 4), 1000.0)
    matrix[1, 0] += 0.25
    matrix[2, 0] += 0.5
    vectors = WordVectors(["a", "b", "c"], matrix)
    assert vectors.neighbours("a", by="euclidean") == [("b", 0.25), ("c", 0.5)]


def brute_force(a: int, b: int, c: int, method: str) -> list[str]:
    def score(d: int) -> float:
        to = [cosine(MATRIX[d], MATRIX[i]) for i in (a, b, c)]
        if method == "3cosadd":
            return to[1] - to[0] + to[2]
        moved = [(x + 1) / 2 for x in to]
        return moved[1] * moved[2] / (moved[0] + 0.001)

    answers = sorted(set(range(60)) - {a, b, c}, key=score, reverse=True)
    return [WORDS[d] for d in answers]


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_analogies_are_those_of_the_definition_without_their_inputs(method: str) -> None:
    orders = set()
    for a, b, c in ((0, 1, 2), (7, 3, 50), (9, 9, 10)):
        found = VECTORS.analogy(WORDS[a], WORDS[b], WORDS[c], n=57, method=method)  # type: ignore[arg-type]
        expected = brute_force(a, b, c, method)
        assert [word for word, _ in found] == expected[:57]
        orders.add(tuple(expected))
    assert len(orders) == 3


def test_the_two_methods_differ_where_one_term_outweighs_the_others() -> None:
    assert any(
        brute_force(a, a + 1, a + 2, "3cosadd")[0] != brute_force(a, a + 1, a + 2, "3cosmul")[0]
        and VECTORS.analogy(WORDS[a], WORDS[a + 1], WORDS[a + 2], 1, "3cosadd")[0][0]
        != VECTORS.analogy(WORDS[a], WORDS[a + 1], WORDS[a + 2], 1, "3cosmul")[0][0]
        for a in range(50)
    )


def test_words_are_looked_up_by_the_steps_given_and_no_others() -> None:
    matrix = np.arange(6.0).reshape(3, 2)
    exact = WordVectors(["us", "US", "ww0"], matrix)
    assert exact["US"].tolist() == [2, 3]
    assert "Us" not in exact
    lenient = WordVectors(["us", "US", "ww0"], matrix, ["lowercase", "digits_zeroed"])
    assert lenient["US"].tolist() == [2, 3]  # as it is, before it is changed
    assert lenient["Us"].tolist() == [0, 1]
    assert lenient["WW2"].tolist() == [4, 5]
    assert "ww" not in lenient
    assert "Us" in lenient.head(1)


def test_the_first_of_equal_words_is_looked_up() -> None:
    assert WordVectors(["a", "b", "a"], np.arange(6.0).reshape(3, 2))["a"].tolist() == [0, 1]


def test_a_word_without_a_vector_is_named() -> None:
    for ask in (
        lambda: VECTORS["zebu"],
        lambda: VECTORS.neighbours("zebu"),
        lambda: VECTORS.similarity("w1", "zebu"),
        lambda: VECTORS.analogy("w1", "zebu", "w2"),
    ):
        with pytest.raises(UserError, match="'zebu' has no vector"):
            ask()


def test_a_zero_vector_is_near_to_nothing() -> None:
    vectors = WordVectors(["zero", "x", "-x"], np.array([[0.0, 0], [1, 0], [-1, 0]]))
    assert vectors.similarity("zero", "x") == 0
    assert vectors.neighbours("x") == [("zero", 0.0), ("-x", -1.0)]
    assert vectors.neighbours("zero") == [("x", 0.0), ("-x", 0.0)]


def test_a_matrix_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 words, but a matrix of shape"):
        WordVectors(["a", "b"], np.zeros((3, 2)))
