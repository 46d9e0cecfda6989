"""Encoder-decoders: what a step-by-step decoder, padding, and ONNX must not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.backends import assert_all_agree
from helpers.grids import grid
from nlp_rnn.config import EncoderDecoderParameters
from nlp_rnn.models.encoder import embedding_layer
from nlp_rnn.models.encoder_decoder import encoder_decoder
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.runtime.onnx_graph.pairs import check_pairs, decoder_model, encoder_model
from nlp_rnn.training.objective import TargetObjective

TYPES, TARGETS, DIMENSION = 11, 9, 6

VARIANTS: dict[str, dict[str, Any]] = {
    "general": {},
    "dot": {"attention": "dot", "cell": "lstm", "bridge": "last_state"},
    "additive": {"attention": "additive", "decoder_layers": 2},
    "fed": {"attention": {"kind": "general", "input_feeding": True}, "cell": "lstm", "layers": 2},
    "concat": {"attention": "concat", "bridge": "mean", "tied": True, "decoder_units": 6},
    "local": {"attention": {"kind": "additive", "window": 1}},
    "copying": {"copying": True, "decoder_units": 4},
    "copying, fed": {"copying": True, "attention": {"kind": "concat", "input_feeding": True}},
    "initial state": {"attention": None, "bidirectional": False, "bridge": "last_state"},
    "every step": {"attention": None, "conditioning": "every_step", "cell": "simple_rnn"},
}


def network(name: str, features: int = 0) -> keras.Model:
    keras.utils.set_random_seed(1)
    parameters = EncoderDecoderParameters.model_validate(
        {"cell": "gru", "units": 5, **VARIANTS[name]}
    )
    source = embedding_layer(TYPES, DIMENSION, None, True)
    target = embedding_layer(TARGETS, DIMENSION, None, True, "target_embedding")
    built = encoder_decoder(source, target, parameters, features)
    rng = np.random.default_rng(2)
    for weight in built.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    if VARIANTS[name].get("copying"):
        types = rng.integers(1, TARGETS, TYPES)
        built.get_layer("encoder").get_layer("copied").types.assign(types)
    return built


USUAL = grid(VARIANTS, "additive", "copying, fed", "initial state", "every step")

IDS = np.array([[3, 4, 5, 0], [6, 7, 8, 9]], np.int32)
READ = np.array([[2, 4, 5], [2, 6, 0]], np.int32)
REAL = READ > 0


def logits(built: keras.Model, ids: np.ndarray = IDS, features: int = 0) -> np.ndarray:
    vectors = [np.ones((len(ids), features), np.float32)] if features else []
    found = built([ids, READ, *vectors], training=False)
    return keras.ops.convert_to_numpy(keras.ops.log_softmax(found))[REAL]


@pytest.mark.slow
@pytest.mark.parametrize("features", [0, 3])
@pytest.mark.parametrize("name", USUAL)
def test_step_by_step_is_as_all_at_once(name: str, features: int) -> None:
    built = network(name, features)
    predicting = KerasNetwork(built)
    vectors = np.ones((2, features), np.float32) if features else None
    source, states = predicting.encode(IDS, np.array([3, 4], np.int32), vectors)
    steps = []
    for step in range(READ.shape[1]):
        decoded = predicting.decode(READ[:, step : step + 1], source, states)
        states = decoded.states
        steps.append(decoded.log_probabilities)
    found = np.concatenate(steps, axis=1)[REAL]
    np.testing.assert_allclose(found, logits(built, features=features), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", USUAL)
def test_padding_of_the_source_changes_nothing(name: str) -> None:
    built = network(name)
    wider = np.pad(IDS, [(0, 0), (0, 3)])
    np.testing.assert_allclose(logits(built, wider), logits(built), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("features", [0, 3])
@pytest.mark.parametrize("name", USUAL)
def test_onnx_predicts_as_keras_does(name: str, features: int, tmp_path: Path) -> None:
    built = network(name, features)
    files = tmp_path / "encoder.onnx", tmp_path / "decoder.onnx"
    for file, model in zip(files, (encoder_model(built), decoder_model(built)), strict=True):
        file.write_bytes(model.SerializeToString())
    assert check_pairs(*files, built, seed=1) < 1e-5


def computed() -> dict[str, np.ndarray]:
    """Weights after two steps."""
    found = {}
    for name in ("general", "fed", "local", "copying"):
        built = network(name)
        objective = TargetObjective(built, label_smoothing=0.1)
        objective.compile(optimizer=keras.optimizers.SGD(0.1), loss=None)
        targets = np.array([[4, 5, 2], [6, 2, 0]], np.int32)
        for _ in range(2):
            weights = REAL.astype(np.float32)
            objective.train_on_batch([IDS, READ], targets, sample_weight=weights)
        for i, weight in enumerate(built.trainable_variables):
            found[f"{name} {i}"] = keras.ops.convert_to_numpy(weight)
    return found


def test_every_backend_learns_the_same(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    assert_all_agree(on_backends)


@pytest.mark.slow
def test_label_smoothing_spreads_over_all_types() -> None:
    """Szegedy et al. (2016), section 7: a mixture of the target and the uniform distribution."""
    given = np.random.default_rng(0).normal(size=(2, 3, TARGETS)).astype("float32")
    targets = np.array([[1, 2, 3], [4, 0, 0]])
    weights = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]], "float32")
    log_p = given - np.log(np.exp(given).sum(axis=-1, keepdims=True))
    smoothed = 0.1 / TARGETS + 0.9 * np.eye(TARGETS)[targets]
    expected = -((smoothed * log_p).sum(axis=-1) * weights).sum() / weights.sum()
    objective = TargetObjective(network("general"), label_smoothing=0.1)
    found = objective.compute_loss(None, targets, keras.ops.convert_to_tensor(given), weights)
    assert float(found) == pytest.approx(expected, abs=1e-5)
