"""The simplest answers, against cosines in NumPy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nlp_rnn.baselines.answers import most_frequent, nearest_neighbours, nearest_vectors

WORDS = ["where", "is", "the", "who", "has", "milk", "apple", "ann", "bob"]


def test_the_first_of_the_most_frequent_targets_is_taken() -> None:
    assert most_frequent(["a", "b", "b", "c", "c"]) == "b"


@pytest.mark.slow
def test_neighbours_are_those_of_the_cosine() -> None:
    rng = np.random.default_rng(0)
    train, wanted = ([list(rng.choice(WORDS, 5)) for _ in range(n)] for n in (40, 300))
    idf = {
        word: 1 + np.log((1 + len(train)) / (1 + sum(word in text for text in train)))
        for word in WORDS
    }

    def vector(text: list[str]) -> np.ndarray:
        counts = Counter(text)
        values = [(1 + np.log(counts[w])) * idf[w] if w in counts else 0.0 for w in WORDS]
        return np.array(values) / np.linalg.norm(values)

    cosines = np.array([[vector(a) @ vector(b) for b in train] for a in wanted])
    found = nearest_neighbours(train, wanted)
    assert np.allclose(cosines[np.arange(len(wanted)), found], cosines.max(axis=1))


def test_a_source_is_its_own_neighbour_and_an_unknown_one_gets_the_first() -> None:
    train = [["a", "b"], ["c"], ["a", "b", "b"]]
    assert nearest_neighbours(train, [*train, ["x"], []]).tolist() == [0, 1, 2, 0, 0]


def test_the_nearest_vector_is_sought_among_those_with_the_same_text() -> None:
    rng = np.random.default_rng(0)
    train, vectors = rng.normal(size=(50, 3)), rng.normal(size=(400, 3))
    known, wanted = (list(rng.choice(["a", "b"], len(side))) for side in (train, vectors))
    found = nearest_vectors(known, train, [*wanted[:-1], "c"], vectors)
    distances = ((vectors[:, None] - train[None]) ** 2).sum(axis=2)
    same = np.array(wanted)[:, None] == np.array(known)[None]
    same[-1] = True  # a text that training lacks
    assert found.tolist() == np.where(same, distances, np.inf).argmin(axis=1).tolist()
