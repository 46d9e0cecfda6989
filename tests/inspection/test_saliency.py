"""Saliency: against central differences in float64, and where it must be by construction."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from helpers import recurrence
from helpers.backends import assert_all_agree, numerical_gradient
from nlp_rnn.config import LanguageModelParameters
from nlp_rnn.inspection.saliency import Saliency, saliency
from nlp_rnn.models.encoder import embedding_layer
from nlp_rnn.models.language_model import language_model, scorer

IDS = np.array([1, 5, 2, 8, 2, 3], np.int32)
TARGET = 4


def arrays(found: Saliency) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in vars(found).items()}


def computed() -> dict[str, np.ndarray]:
    """Saliencies of each cell and output layer on this process's backend."""
    models = {
        "lstm": recurrence.model("lstm", layers=2),
        "gru": recurrence.model("gru"),
        "adaptive": recurrence.model("gru", output={"kind": "adaptive_softmax", "cutoffs": [3]}),
        "hierarchical": recurrence.model("gru", output="hierarchical_softmax"),
    }
    return {
        f"{name} {measure}": values
        for name, network in models.items()
        for measure, values in arrays(saliency(network, IDS, TARGET)).items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gradients_are_central_differences_of_the_recurrence(cell: str) -> None:
    network = recurrence.model(cell, layers=2)
    (embeddings,) = recurrence.weights(network, "embedding")
    vectors = embeddings[IDS]

    def log_probability(at: np.ndarray) -> float:
        return recurrence.log_probability(network, cell, at, TARGET)

    found = saliency(network, IDS, TARGET)
    slope = numerical_gradient(log_probability, vectors)
    assert found.log_probability == pytest.approx(log_probability(vectors), abs=1e-5)
    np.testing.assert_allclose(found.gradient_times_input, (slope * vectors).sum(1), atol=1e-5)
    np.testing.assert_allclose(found.gradient_norm, np.linalg.norm(slope, axis=1), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 6, 40])  # fewer, as many and more than rows at once
def test_occlusion_is_the_fall_without_one_vector(length: int) -> None:
    network = recurrence.model("gru")
    (embeddings,) = recurrence.weights(network, "embedding")
    ids = np.resize(IDS, length)
    full = recurrence.log_probability(network, "gru", embeddings[ids], TARGET)
    expected = []
    for i in range(length):
        vectors = embeddings[ids]
        vectors[i] = 0
        expected.append(full - recurrence.log_probability(network, "gru", vectors, TARGET))
    np.testing.assert_allclose(saliency(network, ids, TARGET).occlusion, expected, atol=1e-5)


@pytest.mark.slow
def test_a_text_may_begin_with_a_carried_state() -> None:
    network = recurrence.model("lstm")
    (embeddings,) = recurrence.weights(network, "embedding")
    before = recurrence.run(network, "lstm", embeddings[IDS[:3]])[-1].astype(np.float32)
    whole = arrays(saliency(network, IDS, TARGET))
    rest = arrays(saliency(network, IDS[3:], TARGET, np.split(before, 2)))
    assert rest.pop("log_probability") == pytest.approx(whole.pop("log_probability"), abs=1e-5)
    for name, values in rest.items():
        np.testing.assert_allclose(values, whole[name][3:], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "output", ["softmax", {"kind": "adaptive_softmax", "cutoffs": [3]}, "hierarchical_softmax"]
)
def test_the_probability_is_the_scorers(output: object) -> None:
    network = recurrence.model("lstm", output=output)
    zeros = [np.zeros((1, recurrence.UNITS), np.float32)] * 2
    targets = np.append(IDS[1:], TARGET).astype(np.int32)[None]
    losses = np.asarray(scorer(network)([IDS[None], targets, *zeros])[0])
    found = saliency(network, IDS, TARGET)
    assert found.log_probability == pytest.approx(-float(losses[0, -1]), abs=1e-5)


def remembers_a_letter() -> keras.Model:
    """An LSTM of one cell that stores the sign of the last ``a`` (2) or ``b`` (3), and says it.

    The other letters, 4 to 8, open no gate.
    """
    parameters = LanguageModelParameters.model_validate({"cell": "lstm", "units": 1})
    network = language_model(embedding_layer(9, 3, None, True), parameters)
    # Of the letters: is it b or a, is it one of the two, and noise.
    embeddings = np.random.default_rng(0).normal(0, 0.3, (9, 3)) * [0, 0, 1]
    embeddings[2, :2], embeddings[3, :2] = (1, 1), (-1, 1)
    network.get_layer("embedding").set_weights([embeddings])
    kernel = np.zeros((3, 4))  # input gate, forget gate, candidate, output gate
    kernel[1, 0], kernel[1, 1], kernel[0, 2] = 12, -12, 2
    kernel[2] = 0.1
    network.get_layer("lstm_0").set_weights([kernel, np.zeros((1, 4)), np.array([-6, 8, 0, 6])])
    softmax = np.zeros((1, 9))
    softmax[0, 2:4] = 5, -5
    network.get_layer("logits").set_weights([softmax, np.zeros(9)])
    return network


@pytest.mark.slow
@pytest.mark.parametrize("letter", [2, 3])
def test_what_is_remembered_across_a_distance_is_most_salient(letter: int) -> None:
    ids = np.random.default_rng(1).integers(4, 9, 40).astype(np.int32)
    ids[11] = letter
    found = saliency(remembers_a_letter(), ids, target=letter)
    assert np.exp(found.log_probability) > 0.5
    for values in (found.gradient_times_input, found.gradient_norm, found.occlusion):
        others = np.delete(values, 11)
        assert values[11] > 0
        assert values[11] > 10 * np.abs(others).max()


@pytest.mark.exhaustive
def test_backends_agree(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    assert_all_agree(on_backends)
