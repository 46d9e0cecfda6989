"""Dynamic evaluation: what it learns from a text, against one update by hand; what it leaves."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.backends import Arrays, assert_all_agree
from helpers.bigram_model import LARGE, bigram_network, bigram_probabilities, dataset_of, experiment
from nlp_rnn.adaptation.dynamic_evaluation import DynamicEvaluation
from nlp_rnn.config import DynamicEvaluationParameters
from nlp_rnn.text.prepared import PreparedDataset

pytestmark = pytest.mark.slow

WINDOW = 4


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return dataset_of(tmp_path_factory.mktemp("data"), "a b a b c", "b a", "c c a b")


@pytest.fixture(scope="module")
def network(dataset: PreparedDataset) -> Any:
    return bigram_network(dataset, experiment(len(dataset.vocabulary)))


def dynamic(network: keras.Model, **options: Any) -> DynamicEvaluation:
    return DynamicEvaluation(
        network, DynamicEvaluationParameters(learning_rates=[0.1], window=WINDOW, **options)
    )


def plain_loss(dataset: PreparedDataset, ids: np.ndarray) -> float:
    before = np.append(dataset.vocabulary.end_index, ids[:-1])
    return float(-np.log(bigram_probabilities(dataset)[before, ids]).sum())


def test_without_learning_the_figure_is_the_plain_one(
    dataset: PreparedDataset, network: Any
) -> None:
    ids = np.asarray(dataset.split("test").ids)
    assert len(ids) % WINDOW  # the last window is not full
    end = dataset.vocabulary.end_index
    assert dynamic(network).loss(ids, end, 0.0, 0.0) == pytest.approx(
        plain_loss(dataset, ids), rel=1e-6
    )


def by_hand(
    dataset: PreparedDataset, ids: np.ndarray, rate: float, decay: float, clip_norm: float
) -> float:
    """The output layer's share of dynamic evaluation, in NumPy; the rest must be frozen."""
    end, types = dataset.vocabulary.end_index, len(dataset.vocabulary)
    trained = np.append(np.log(bigram_probabilities(dataset)), np.zeros((1, types)), axis=0)
    weights, total = trained.copy(), 0.0  # the bias is the last row
    inputs = np.append(np.eye(types) * np.tanh(LARGE), np.ones((types, 1)), axis=1)
    before = np.append(end, ids[:-1])
    for start in range(0, len(ids), WINDOW):
        x, y = inputs[before[start : start + WINDOW]], ids[start : start + WINDOW]
        logits = x @ weights
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        total -= np.log(p[np.arange(len(y)), y]).sum()
        gradient = x.T @ (p - np.eye(types)[y]) / len(y)
        gradient *= min(1.0, clip_norm / np.linalg.norm(gradient))
        weights = weights - rate * gradient + decay * (trained - weights)
    return total


@pytest.mark.parametrize(("decay", "clip_norm"), [(0.0, 100.0), (0.2, 100.0), (0.1, 0.3)])
def test_every_window_is_scored_before_it_is_learned_from(
    dataset: PreparedDataset, decay: float, clip_norm: float
) -> None:
    network = bigram_network(dataset, experiment(len(dataset.vocabulary)))
    for layer in network.layers:
        layer.trainable = layer.name == "logits"
    ids = np.tile(np.asarray(dataset.split("test").ids), 3)
    found = dynamic(network, clip_norm=clip_norm).loss(
        ids, dataset.vocabulary.end_index, 1.5, decay
    )
    assert found == pytest.approx(by_hand(dataset, ids, 1.5, decay, clip_norm), rel=1e-5)


def test_a_text_that_changes_is_learned_and_then_forgotten(
    dataset: PreparedDataset, network: Any
) -> None:
    weights = [w.copy() for w in network.get_weights()]
    a, b, c = dataset.vocabulary.encode("abc")
    ids = np.array([a, b] * 40 + [a, c] * 40)
    evaluation = dynamic(network)
    end = dataset.vocabulary.end_index
    first = evaluation.loss(ids, end, 0.3, 0.0)
    assert first < 0.7 * plain_loss(dataset, ids)
    for before, after in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert evaluation.loss(ids, end, 0.3, 0.0) == first
    assert evaluation.loss(ids, end, 0.0, 0.0) == pytest.approx(plain_loss(dataset, ids), rel=1e-6)


def computed() -> dict[str, np.ndarray]:
    """Mean losses of one text at several rates, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = dataset_of(Path(folder) / "d", "a b a b c", "b a", "c c a b")
        ids = np.tile(np.asarray(dataset.split("test").ids), 2)
        network = bigram_network(dataset, experiment(len(dataset.vocabulary)))
        evaluation, end = dynamic(network, clip_norm=0.5), dataset.vocabulary.end_index
        rates = [(0.3, 0.1), (0.0, 0.0), (0.3, 0.1)]
        losses = [evaluation.loss(ids, end, rate, decay) / len(ids) for rate, decay in rates]
    return {"losses": np.array(losses), "weight": network.get_weights()[-2]}


@pytest.mark.exhaustive
def test_all_backends_learn_alike_and_forget(on_backends: dict[str, Arrays]) -> None:
    assert_all_agree(on_backends)
    for found in on_backends.values():
        assert found["losses"][0] == found["losses"][2] != found["losses"][1]


def test_decay_to_the_trained_weights_keeps_learning_small(
    dataset: PreparedDataset, network: Any
) -> None:
    ids = np.array(dataset.vocabulary.encode("ab" * 40))
    evaluation, end = dynamic(network), dataset.vocabulary.end_index
    free, held = (evaluation.loss(ids, end, 0.3, decay) for decay in (0.0, 1.0))
    assert free < held < plain_loss(dataset, ids)


def test_what_diverges_counts_as_infinitely_bad(dataset: PreparedDataset, network: Any) -> None:
    ids = np.tile(np.asarray(dataset.split("test").ids), 5)
    evaluation = dynamic(network, clip_norm=None)
    assert evaluation.loss(ids, dataset.vocabulary.end_index, 1e38, 0.0) == np.inf


def test_dropout_and_penalties_are_no_part_of_it(tmp_path: Path, dataset: PreparedDataset) -> None:
    types = len(dataset.vocabulary)
    model = {
        "cell": {"kind": "simple_rnn"},
        "units": types,
        "dropout": 0.5,
        "activation_regularization": 3.0,
    }
    dropping = bigram_network(dataset, experiment(types, model=model))
    ids, end = np.asarray(dataset.split("test").ids), dataset.vocabulary.end_index
    plain = bigram_network(dataset, experiment(types))
    found, expected = (dynamic(n).loss(ids, end, 0.5, 0.1) for n in (dropping, plain))
    assert found == pytest.approx(expected, rel=1e-6)
