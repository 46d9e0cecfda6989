"""The feature CRF against enumeration of all tag sequences and numerical gradients."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from helpers.corpora import ListCorpus, prepared, same_everywhere
from nlp_rnn.baselines.linear_crf import (
    Features,
    Problem,
    allowed_in,
    expectations,
    features_of,
    train_crfs,
)
from nlp_rnn.example import Example
from nlp_rnn.linear_chain import Transitions, path_score
from nlp_rnn.text.prepared import PreparedDataset

SENTENCES = [
    Example(tokens=("Ann", "Lee", "lives", "in", "Rome"), tags=("B-P", "I-P", "O", "O", "B-L")),
    Example(tokens=("Rome",), tags=("B-L",)),
    Example(tokens=("in", "New", "York", "lives", "Bo"), tags=("O", "B-L", "I-L", "O", "B-P")),
    Example(tokens=("lives", "Ann", "Lee"), tags=("O", "B-P", "I-P")),
]
TEST = [
    Example(tokens=("in", "Paris"), tags=("O", "B-L")),
    Example(tokens=("Eve", "Lee", "lives"), tags=("B-P", "I-P", "O")),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    corpus = ListCorpus("tagged", train=SENTENCES, validation=TEST, test=TEST)
    return prepared(tmp_path_factory.mktemp("data") / "d", corpus)


@pytest.fixture(scope="module")
def features(dataset: PreparedDataset) -> Features:
    return Features(dataset.forms, dataset.split("train"), least=1)


@pytest.fixture(scope="module")
def problem(dataset: PreparedDataset, features: Features) -> Problem:
    train = dataset.split("train")
    return Problem(features.matrix(train), train, allowed_in(train, dataset.labels))


def random_vector(problem: Problem) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.5, problem.size)


def test_the_likelihood_is_that_of_all_sequences_enumerated(problem: Problem) -> None:
    vector = random_vector(problem)
    weights, transitions = problem.unpacked(vector)
    emissions, split = problem.features @ weights, problem.split
    expected = 0.0
    for i in range(len(split)):
        of_sentence = split.sequence(emissions, i)
        paths = map(np.array, itertools.product(range(problem.tags), repeat=len(of_sentence)))
        scores = [path_score(of_sentence, path, transitions) for path in paths]
        gold = path_score(of_sentence, split.sequence(split.labels, i), transitions)
        expected += np.logaddexp.reduce(scores) - gold
    expected += 0.7 / 2 * float(vector @ vector)
    assert problem.loss(vector, 0.7)[0] == pytest.approx(expected)


@pytest.mark.parametrize("spread", [1, 1000])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 4)])
def test_expectations_are_those_of_all_sequences_whatever_the_scores(
    shape: tuple[int, int], spread: float
) -> None:
    rng = np.random.default_rng(2)
    emissions = rng.normal(0, spread, (*shape, 3))
    transitions = Transitions(*(rng.normal(0, 1, size) for size in (3, (3, 3), 3)))
    transitions.between[0, 1:] = transitions.between[1, 1] = -np.inf
    for array in (emissions, *transitions):
        array.setflags(write=False)
    found = expectations(emissions, np.full(shape[0], shape[1]), transitions)
    log_z, tags, pairs = 0.0, np.zeros(emissions.shape), np.zeros((3, 3))
    for sentence, marginals in zip(emissions, tags, strict=True):
        paths = [np.array(p) for p in itertools.product(range(3), repeat=shape[1])]
        scores = np.array([path_score(sentence, path, transitions) for path in paths])
        log_z += np.logaddexp.reduce(scores)
        for path, p in zip(paths, np.exp(scores - np.logaddexp.reduce(scores)), strict=True):
            marginals[np.arange(shape[1]), path] += p
            np.add.at(pairs, (path[:-1], path[1:]), p)
    assert found.log_z == pytest.approx(log_z)
    np.testing.assert_allclose(found.tags, tags, atol=1e-9)
    np.testing.assert_allclose(found.transitions, pairs, atol=1e-9)


def test_the_gradient_is_the_numerical_one(problem: Problem) -> None:
    vector, step = random_vector(problem), 1e-5
    _, gradient = problem.loss(vector, 0.7)
    places = [*range(0, problem.size, 17), *range(problem.size - 45, problem.size)]
    for place in places:
        nudge = np.zeros(problem.size)
        nudge[place] = step
        above, below = (problem.loss(vector + n, 0.7)[0] for n in (nudge, -nudge))
        numerical = (above - below) / (2 * step)
        assert gradient[place] == pytest.approx(numerical, rel=1e-4, abs=1e-6)


def test_training_ends_where_the_gradient_vanishes(
    problem: Problem, features: Features, dataset: PreparedDataset
) -> None:
    crf, _ = list(train_crfs(features, problem, [0.5, 0.1]))
    start, between, end = problem.allowed
    parts = zip((start, end, between), (0, 2, 1), strict=True)
    transitions = [np.where(may, crf.transitions[i], 0.0).reshape(-1) for may, i in parts]
    vector = np.concatenate([crf.weights.ravel(), *transitions])
    loss, gradient = problem.loss(vector, 0.5)
    assert loss < problem.loss(np.zeros(problem.size), 0.5)[0] / 2
    assert np.abs(gradient).max() < 0.05
    again, _ = train_crfs(features, problem, [0.5, 0.1])
    np.testing.assert_array_equal(again.weights, crf.weights)
    predicted = [dataset.labels[tag] for tag in np.concatenate(crf.tag(dataset.split("test")))]
    assert predicted == ["O", "B-L", "B-P", "I-P", "O"]


def test_no_prediction_breaks_the_scheme_and_no_gold_is_forbidden(
    problem: Problem, dataset: PreparedDataset
) -> None:
    start, between, _ = problem.allowed
    named = dict(zip(dataset.labels, range(problem.tags), strict=True))
    assert not start[named["I-P"]] and not between[named["O"], named["I-P"]]
    assert not between[named["B-L"], named["I-P"]] and between[named["B-P"], named["I-P"]]


def test_what_training_does_is_allowed_even_against_the_scheme(tmp_path: Path) -> None:
    broken = [Example(tokens=("a", "b"), tags=("O", "I-P")), Example(tokens=("c",), tags=("B-P",))]
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", broken))
    train = dataset.split("train")
    features = Features(dataset.forms, train, least=1)
    problem = Problem(features.matrix(train), train, allowed_in(train, dataset.labels))
    loss, _ = problem.loss(np.zeros(problem.size), 0.0)
    assert loss < 10  # nats; a forbidden transition costs hundreds


def test_the_context_of_a_word_ends_with_its_sentence(
    dataset: PreparedDataset, features: Features
) -> None:
    matrix = features.matrix(dataset.split("train"))
    rows = (matrix.read @ matrix.features).toarray()
    alone = rows[5]  # the sentence "Rome"
    ending = rows[4]  # the last word of the first sentence
    own = len(list(features_of("Rome")))
    assert (alone * ending).sum() >= own
    # Four places outside; of the far ones only beside real words is there more to see.
    assert alone.sum() == own + 4
    assert ending.sum() > alone.sum()


def test_features_of_words() -> None:
    found = set(features_of("McNeil-2"))
    assert {
        "word=McNeil-2", "lower=mcneil-2", "shape=XxXx+-d", "prefix=mcne", "suffix=il-2",
        "suffix=2", "capital", "capital inside", "digit", "hyphen",
    } <= found  # fmt: skip
    assert not {"all capitals", "number", "no letter or digit"} & found
    assert "number" in set(features_of("1,200")) and "all capitals" in set(features_of("U.N."))


def test_rare_features_are_unknown(dataset: PreparedDataset) -> None:
    train = dataset.split("train")
    found = [Features(dataset.forms, train, least).matrix(train) for least in (1, 3)]
    all_of_them, frequent = (matrix.read @ matrix.features for matrix in found)
    assert 0 < frequent.shape[1] < all_of_them.shape[1]
    assert frequent.getnnz(axis=0).min() >= 3
