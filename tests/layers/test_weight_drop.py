"""DropConnect on recurrent kernels: the same as the wrapped layer with those entries dropped."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from nlp_rnn.layers.weight_drop import WeightDrop

FEATURES, UNITS, RATE = 5, 8, 0.3


@keras.saving.register_keras_serializable("test_weight_drop")
class LeakyCell(layers.Layer):
    """A cell of one's own: ``h_t = (h_{t-1} + tanh(x_t W + h_{t-1} U)) / 2``."""

    state_size = output_size = UNITS

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], UNITS), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(UNITS, UNITS), name="recurrent_kernel")

    def call(self, x: Any, states: Any) -> Any:
        (h,) = states
        h = (h + ops.tanh(ops.matmul(x, self.kernel) + ops.matmul(h, self.recurrent_kernel))) / 2
        return h, [h]


LAYERS = {
    "simple rnn": lambda: layers.SimpleRNN(UNITS, return_sequences=True),
    "gru": lambda: layers.GRU(UNITS),
    "bidirectional": lambda: layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True)),
    "own cell": lambda: layers.RNN(LeakyCell(), return_sequences=True),
    "masked, from a state": lambda: layers.LSTM(UNITS, return_sequences=True, return_state=True),
}


def sequences() -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(4, 6, FEATURES)).astype(np.float32)
    x[1, 4:] = x[2, 1:] = 0  # padding
    return x


def build(branches: dict[str, layers.Layer]) -> keras.Model:
    """All that the layers return, each for the same sequences; the sum of squares is the loss."""
    x = keras.Input((None, FEATURES))
    mask = ops.any(ops.not_equal(x, 0), axis=-1)
    state = ops.repeat(x[:, 0, :1], UNITS, axis=-1)
    outputs = []
    for name, layer in branches.items():
        outputs += keras.tree.flatten(
            layer(
                x,
                mask=mask if "masked" in name else None,
                initial_state=[state, state] if "state" in name else None,
            )
        )
    model = keras.Model(x, ops.concatenate([ops.reshape(y, (-1, UNITS)) for y in outputs]))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=sum_of_squares)
    return model


def sum_of_squares(_: Any, outputs: Any) -> Any:
    return ops.sum(ops.square(outputs))


def start(model: keras.Model) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(0, 0.5, w.shape).astype(np.float32) for w in model.get_weights()]


def train(model: keras.Model) -> list[np.ndarray]:
    """The gradients of one compiled training step."""
    before = model.get_weights()
    model.train_on_batch(sequences(), np.zeros((1, UNITS), np.float32))
    return [old - new for old, new in zip(before, model.get_weights(), strict=True)]


def computed() -> dict[str, np.ndarray]:
    """Gradients with dropped weights, and of the plain layers whose weights have those zeros."""
    model = build({name: WeightDrop(layer(), RATE) for name, layer in LAYERS.items()})
    plain = build({name: layer() for name, layer in LAYERS.items()})
    weights = start(model)
    model.set_weights(weights)
    gradients = train(model)
    recurrent = [i for i, w in enumerate(model.weights) if w.name == "recurrent_kernel"]
    masks = {i: gradients[i] != 0 for i in recurrent}
    scales = [masks[i] / (1 - RATE) if i in masks else 1 for i in range(len(weights))]
    plain.set_weights([w * scale for w, scale in zip(weights, scales, strict=True)])
    expected = [g * scale for g, scale in zip(train(plain), scales, strict=True)]
    results = {f"mask {i}": mask for i, mask in masks.items()}
    for i, weight in enumerate(model.weights):
        results[f"gradient {weight.path}"] = gradients[i]
        results[f"expected {weight.path}"] = expected[i]
    return results | inner_dropout() | frozen()


def inner_dropout() -> dict[str, np.ndarray]:
    """Losses of two steps that differ only by the wrapped layer's own dropout."""
    model = build({"": WeightDrop(layers.SimpleRNN(UNITS, dropout=0.5), 0.0)})
    model.optimizer.learning_rate = 0.0
    losses = [model.train_on_batch(sequences(), np.zeros((1, UNITS))) for _ in range(2)]
    return {"inner dropout": np.array(losses, np.float32)}


def frozen() -> dict[str, np.ndarray]:
    """How much a step changes a frozen layer, and the layer before it."""
    x = keras.Input((None, FEATURES))
    layer = WeightDrop(layers.SimpleRNN(UNITS, trainable=False), RATE)
    model = keras.Model(x, layer(layers.Dense(FEATURES)(x)))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=sum_of_squares)
    before = layer.get_weights()
    dense, *_ = train(model)
    changes = [np.abs(a - b).max() for a, b in zip(before, layer.get_weights(), strict=True)]
    return {"frozen": np.array(changes), "before frozen": dense}


def test_training_equals_that_of_the_layer_with_dropped_weights_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for backend, results in on_backends.items():
        paths = [key.removeprefix("gradient ") for key in results if key.startswith("gradient ")]
        assert len(paths) == 17
        for path in paths:
            gradient, expected = results[f"gradient {path}"], results[f"expected {path}"]
            np.testing.assert_allclose(
                gradient, expected, atol=2e-5, rtol=1e-5, err_msg=f"{path} on {backend}"
            )


def test_each_kernel_loses_its_own_entries_at_the_rate_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for backend, results in on_backends.items():
        masks = [mask for key, mask in results.items() if key.startswith("mask")]
        assert len(masks) == 6
        for mask in masks:
            error = np.sqrt(RATE * (1 - RATE) / mask.size)
            assert 0 < abs(mask.mean() - (1 - RATE)) < 4 * error, backend
        for one, other in combinations(masks, 2):
            assert one.shape != other.shape or (one != other).any(), backend


def test_the_wrapped_layers_own_dropout_draws_anew_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for backend, results in on_backends.items():
        first, second = results["inner dropout"]
        assert first != second, backend


def test_a_frozen_layer_stays_and_passes_gradients_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for backend, results in on_backends.items():
        np.testing.assert_array_equal(results["frozen"], 0, err_msg=backend)
        assert results["before frozen"].any(), backend


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_inference_is_the_wrapped_layers(name: str) -> None:
    model, plain = build({name: WeightDrop(LAYERS[name](), RATE)}), build({name: LAYERS[name]()})
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        model.predict_on_batch(sequences()), plain.predict_on_batch(sequences())
    )


@pytest.mark.slow
def test_calls_differ_the_seed_repeats_them_and_the_weights_stay() -> None:
    def two_calls(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        layer = WeightDrop(layers.LSTM(UNITS, kernel_initializer="ones"), RATE)
        layer.build((None, None, FEATURES))
        before = layer.get_weights()
        outputs = [np.array(layer(sequences(), training=True)) for _ in range(2)]
        for old, new in zip(before, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        return outputs

    first, second = two_calls(1)
    assert (first != second).any()
    np.testing.assert_array_equal(two_calls(1), [first, second])


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_a_saved_model_computes_and_drops_alike(name: str, tmp_path: Path) -> None:
    model = build({name: WeightDrop(LAYERS[name](), RATE, seed=3)})
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for training in (False, True):
        outputs = model(sequences(), training=training)
        np.testing.assert_array_equal(outputs, reloaded(sequences(), training=training))


def test_a_stateful_layer_is_an_error_for_its_state_would_be_lost() -> None:
    with pytest.raises(ValueError, match="gru_7 is stateful"):
        WeightDrop(layers.GRU(UNITS, stateful=True, name="gru_7"), RATE)


def test_masks_of_an_embedding_reach_the_layer_and_what_follows() -> None:
    ids = np.array([[3, 1, 2], [4, 0, 0]])
    embedded = layers.Embedding(5, FEATURES, mask_zero=True)(ids)
    layer = WeightDrop(layers.Bidirectional(layers.GRU(UNITS, return_sequences=True)), RATE)
    outputs: Any = layer(embedded)
    np.testing.assert_array_equal(outputs, layer.layer(embedded))
    np.testing.assert_array_equal(outputs._keras_mask, ids > 0)


def test_mixed_precision_computes_in_halves() -> None:
    half = WeightDrop(layers.LSTM(UNITS, dtype="mixed_float16"), 0.0)
    outputs = half(sequences(), training=True)
    assert outputs.dtype == "float16"
    full = layers.LSTM(UNITS)
    full.build((4, 6, FEATURES))
    full.set_weights(half.get_weights())
    np.testing.assert_allclose(outputs, full(sequences()), atol=1e-2)


def test_a_layer_without_a_recurrent_kernel_is_an_error() -> None:
    with pytest.raises(ValueError, match="dense_7 has no variable named recurrent_kernel"):
        WeightDrop(layers.Dense(UNITS, name="dense_7"), RATE)(sequences())


def test_a_penalty_on_the_layers_activities_is_an_error_not_lost() -> None:
    layer = WeightDrop(layers.LSTM(UNITS, activity_regularizer="l2"), RATE)
    with pytest.raises(ValueError, match="penalise the outputs"):
        layer(sequences(), training=True)


def test_a_penalty_on_the_layers_weights_counts_the_undropped_ones() -> None:
    layer = WeightDrop(layers.LSTM(UNITS, recurrent_regularizer=keras.regularizers.L2(1.0)), RATE)
    layer(sequences(), training=True)
    kernel = layer.layer.cell.recurrent_kernel
    assert float(sum(layer.losses)) == pytest.approx(float(ops.sum(kernel**2)), rel=1e-5)
