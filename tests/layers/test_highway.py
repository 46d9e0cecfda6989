"""The highway connection against its equation, on every backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from helpers.backends import assert_all_agree, numerical_gradient
from nlp_rnn.layers.highway import HighwayConnection


def highway(x: np.ndarray, h: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    transform = 1 / (1 + np.exp(-(x @ kernel + bias)))
    return transform * h + (1 - transform) * x


def arrays(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


def test_the_output_equals_the_equation() -> None:
    x, h, kernel, bias = arrays((2, 5, 4), (2, 5, 4), (4, 4), (4,))
    layer = HighwayConnection(dtype="float64")
    layer.build([x.shape, h.shape])
    layer.set_weights([kernel, bias])
    np.testing.assert_allclose(layer([x, h]), highway(x, h, kernel, bias), atol=1e-12)
    np.testing.assert_allclose(layer((x, h)), layer([x, h]))


def test_an_untrained_gate_is_biased_towards_the_input() -> None:
    (h,) = arrays((2, 3, 4))
    np.testing.assert_allclose(
        HighwayConnection()([np.zeros_like(h), h]), h / (1 + np.e), atol=1e-6
    )


def test_gradients_equal_central_differences() -> None:
    import tensorflow as tf

    *values, upstream = arrays((2, 3, 4), (2, 3, 4), (4, 4), (4,), (2, 3, 4))
    layer = HighwayConnection(dtype="float64")
    layer.build([(2, 3, 4), (2, 3, 4)])
    layer.set_weights(values[2:])
    x, h = map(tf.constant, values[:2])
    with tf.GradientTape() as tape:
        tape.watch([x, h])
        loss = tf.reduce_sum(layer([x, h]) * upstream)
    sources = [x, h, *(v.value for v in layer.trainable_variables)]
    for i, gradient in enumerate(tape.gradient(loss, sources)):

        def along(value: np.ndarray, i: int = i) -> float:
            return float(np.sum(highway(*values[:i], value, *values[i + 1 :]) * upstream))

        np.testing.assert_allclose(gradient, numerical_gradient(along, values[i]), atol=1e-7)


def test_unequal_widths_are_an_error_that_names_both() -> None:
    with pytest.raises(ValueError, match="x is 4 and h 6 wide"):
        HighwayConnection()(arrays((2, 3, 4), (2, 3, 6)))


@pytest.mark.parametrize("masked", [["x"], ["h"], ["x", "h"]])
def test_a_mask_of_either_input_passes_on(masked: list[str]) -> None:
    ids = np.array([[3, 1, 2], [4, 0, 0]])
    pair = [layers.Embedding(5, 4, mask_zero=name in masked)(ids) for name in ("x", "h")]
    seen: Any = HighwayConnection()(pair)._keras_mask
    np.testing.assert_array_equal(seen, ids > 0)


def build() -> keras.Model:
    x = keras.Input((None, 4))
    h = layers.SimpleRNN(4, return_sequences=True)(x)
    model = keras.Model(x, HighwayConnection()([x, h]))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.slow
def test_a_saved_model_computes_the_same(tmp_path: Path) -> None:
    model, (x,) = build(), arrays((2, 5, 4))
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.predict_on_batch(x), reloaded.predict_on_batch(x))


def computed() -> dict[str, np.ndarray]:
    """Weights after two steps, and then the outputs."""
    model, (x, y) = build(), arrays((2, 5, 4), (2, 5, 4))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    for _ in range(2):
        model.train_on_batch(x, y)
    results = {f"weight {i}": w for i, w in enumerate(model.get_weights())}
    return {**results, "outputs": model.predict_on_batch(x)}


def test_every_installed_backend_computes_and_learns_the_same(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
