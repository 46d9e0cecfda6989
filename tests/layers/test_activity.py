"""Penalties on hidden states against their definitions, sequence by sequence without padding."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from helpers.backends import numerical_gradient
from nlp_rnn.layers.activity import (
    ActivationRegularization,
    NormStabilizer,
    TemporalActivationRegularization,
)
from nlp_rnn.training.objective import Objective

PENALTIES = {
    "ar": ActivationRegularization,
    "tar": TemporalActivationRegularization,
    "norm stabilizer": NormStabilizer,
}
TEMPORAL = ["tar", "norm stabilizer"]


def numpy_penalty(name: str, sequences: list[np.ndarray]) -> float:
    """The mean over tokens, or pairs of tokens, of sequences ``(length, units)``."""
    if name == "ar":
        terms = [np.mean(h**2) for sequence in sequences for h in sequence]
    else:
        pairs = [pair for s in sequences for pair in pairwise(s)]
        if name == "tar":
            terms = [np.mean((after - before) ** 2) for before, after in pairs]
        else:
            norm = np.linalg.norm
            terms = [(norm(after) - norm(before)) ** 2 for before, after in pairs]
    return float(np.mean(terms)) if terms else 0.0


LENGTHS = [5, 1, 3]
MASK = np.arange(6) < np.array(LENGTHS)[:, None]


def hidden_states() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 6, 4))


def unpadded(states: np.ndarray) -> list[np.ndarray]:
    return [row[:length] for row, length in zip(states, LENGTHS, strict=True)]


def penalty_and_gradient(name: str, states: Any, mask: Any = MASK) -> tuple[float, np.ndarray]:
    import tensorflow as tf

    layer = PENALTIES[name](2.0, dtype="float64")
    states = tf.constant(states)
    with tf.GradientTape() as tape:
        tape.watch(states)
        layer(states, mask=mask, training=True)
        (loss,) = layer.losses
    return float(loss), tape.gradient(loss, states).numpy()


@pytest.mark.parametrize("name", PENALTIES)
def test_the_penalty_and_its_gradient_equal_the_definition(name: str) -> None:
    states = hidden_states()
    loss, gradient = penalty_and_gradient(name, states)
    assert loss == pytest.approx(2 * numpy_penalty(name, unpadded(states)), abs=1e-12)
    numerical = numerical_gradient(lambda h: 2 * numpy_penalty(name, unpadded(h)), states)
    np.testing.assert_allclose(gradient, numerical, atol=1e-7)


@pytest.mark.parametrize("name", PENALTIES)
def test_without_a_mask_every_token_is_real(name: str) -> None:
    states = hidden_states()
    loss, _ = penalty_and_gradient(name, states, mask=None)
    assert loss == pytest.approx(2 * numpy_penalty(name, list(states)), abs=1e-12)


@pytest.mark.parametrize("name", PENALTIES)
def test_padding_has_no_influence(name: str) -> None:
    states = hidden_states()
    other = np.where(MASK[..., None], states, 1e3)
    loss, gradient = penalty_and_gradient(name, states)
    other_loss, other_gradient = penalty_and_gradient(name, other)
    assert other_loss == pytest.approx(loss, abs=1e-12)
    np.testing.assert_allclose(other_gradient, gradient, atol=1e-12)


@pytest.mark.parametrize("name", TEMPORAL)
@pytest.mark.parametrize("timesteps", [1, 4])
def test_sequences_of_one_token_cost_nothing(name: str, timesteps: int) -> None:
    states = hidden_states()[:, :timesteps]
    mask = np.arange(timesteps) < np.ones((3, 1))
    loss, gradient = penalty_and_gradient(name, states, mask)
    assert loss == 0
    np.testing.assert_array_equal(gradient, 0)


def test_the_norms_gradient_is_finite_at_states_of_zero() -> None:
    states = hidden_states()
    states[0, :2] = 0
    loss, gradient = penalty_and_gradient("norm stabilizer", states)
    assert loss == pytest.approx(2 * numpy_penalty("norm stabilizer", unpadded(states)), abs=1e-4)
    assert np.isfinite(gradient).all() and gradient[0, 2].any()


@pytest.mark.parametrize("name", PENALTIES)
def test_states_pass_unchanged_and_cost_only_in_training(name: str) -> None:
    layer, states = PENALTIES[name](2.0), hidden_states().astype(np.float32)
    np.testing.assert_array_equal(layer(states, mask=MASK, training=True), states)
    assert len(layer.losses) == 1
    np.testing.assert_array_equal(layer(states, mask=MASK), states)
    assert layer.losses == []


@pytest.mark.parametrize("name", PENALTIES)
def test_half_precision_does_not_overflow(name: str) -> None:
    states = (hidden_states() * 300).astype(np.float16)  # squares leave the range of float16
    layer = PENALTIES[name](1.0, dtype="mixed_float16")
    assert layer(states, mask=MASK, training=True).dtype == "float16"
    expected = numpy_penalty(name, unpadded(states.astype(np.float64)))
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-5)


UNITS, VOCABULARY, LABELS = 3, 5, 2
IDS = np.array([[1, 4, 2, 3], [3, 1, 0, 0], [2, 0, 0, 0]], np.int32)
REAL = IDS > 0


def initial_weights() -> list[np.ndarray]:
    """Of embedding, simple recurrent layer and output layer."""
    rng = np.random.default_rng(0)
    shapes = [(VOCABULARY, 2), (2, UNITS), (UNITS, UNITS), (UNITS,), (UNITS, LABELS), (LABELS,)]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def network(penalty: layers.Layer | None) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    mask = keras.ops.not_equal(ids, 0)
    embedded = layers.Embedding(VOCABULARY, 2)(ids)
    hidden = layers.SimpleRNN(UNITS, return_sequences=True)(embedded, mask=mask)
    if penalty is not None:
        hidden = penalty(hidden, mask=mask)
    return keras.Model(ids, layers.Dense(LABELS)(hidden))


def numpy_loss(name: str | None, weights: list[np.ndarray]) -> float:
    """Mean cross-entropy of real tokens plus the penalty, times 0.5, if there is one."""
    table, kernel, recurrent, bias, output, output_bias = weights
    sequences, losses = [], []
    for row in IDS:
        h, states = np.zeros(UNITS), []
        for i in row[row > 0]:
            h = np.tanh(table[i] @ kernel + h @ recurrent + bias)
            logits = h @ output + output_bias
            losses.append(np.log(np.exp(logits).sum()) - logits[i % LABELS])
            states.append(h)
        sequences.append(np.array(states))
    return float(np.mean(losses)) + (0.5 * numpy_penalty(name, sequences) if name else 0)


def numpy_step(name: str | None) -> list[np.ndarray]:
    """The weights after one step of gradient descent, by central differences."""
    weights = [w.astype(np.float64) for w in initial_weights()]

    def along(i: int, value: np.ndarray) -> float:
        return numpy_loss(name, [*weights[:i], value, *weights[i + 1 :]])

    return [
        w - numerical_gradient(lambda value, i=i: along(i, value), w) for i, w in enumerate(weights)
    ]


def computed() -> dict[str, np.ndarray]:
    """The weights after one step with each penalty, and the loss that the objective reports."""
    results = {}
    for name, penalty in PENALTIES.items():
        model = network(penalty(0.5))
        model.set_weights(initial_weights())
        objective = Objective(model)
        objective.compile(optimizer=keras.optimizers.SGD(1.0), loss=None)
        batch = (IDS, IDS % LABELS, REAL.astype(np.float32))
        results[f"{name} loss"] = objective.train_on_batch(*batch, return_dict=True)["loss"]
        results |= {f"{name} {i}": w for i, w in enumerate(model.get_weights())}
        validation = objective.test_on_batch(*batch, return_dict=True)
        results[f"{name} validation"] = validation["loss"] - validation["cross_entropy"]
    return results


def test_the_objective_minimises_the_penalty_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    without = numpy_step(None)
    for name in PENALTIES:
        expected = numpy_step(name)
        assert np.abs(expected[2] - without[2]).max() > 1e-2
        loss = numpy_loss(name, [w.astype(np.float64) for w in initial_weights()])
        for backend, result in on_backends.items():
            message = f"{name} on {backend}"
            np.testing.assert_allclose(result[f"{name} loss"], loss, atol=1e-5, err_msg=message)
            assert abs(result[f"{name} validation"]) < 1e-6, message
            for i, weight in enumerate(expected):
                np.testing.assert_allclose(
                    result[f"{name} {i}"], weight, atol=1e-5, err_msg=message
                )


@pytest.mark.slow
def test_a_saved_model_keeps_its_penalties(tmp_path: Path) -> None:
    for name, penalty in PENALTIES.items():
        model = network(penalty(0.5))
        model.save(tmp_path / "model.keras")
        reloaded = keras.saving.load_model(tmp_path / "model.keras")
        for each in (model, reloaded):
            each(IDS, training=True)
        assert float(reloaded.losses[0]) == pytest.approx(float(model.losses[0])), name
        assert float(model.losses[0]) > 0, name
