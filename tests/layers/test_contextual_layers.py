"""The layers of contextual word vectors against NumPy, on every backend."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from helpers.backends import assert_all_agree, numerical_gradient
from nlp_rnn.layers import ReverseSequence, ScalarMix


def scalar_mix(states: np.ndarray, w: np.ndarray, gamma: float) -> np.ndarray:
    """Peters et al. (2018, eq. 1)."""
    s = np.exp(w) / np.exp(w).sum()
    return gamma * sum(s_j * h for s_j, h in zip(s, np.split(states, len(w), axis=-1), strict=True))


def arrays(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


def mix(w: np.ndarray, gamma: float, width: int) -> ScalarMix:
    layer = ScalarMix(len(w), dtype="float64")
    layer.build((None, None, width))
    layer.set_weights([w, np.array(gamma)])
    return layer


def test_a_mixture_is_the_papers_equation() -> None:
    states, w = arrays((2, 5, 12), (3,))
    found = mix(w, 1.7, 12)(states)
    np.testing.assert_allclose(found, scalar_mix(states, w, 1.7), atol=1e-12)


def test_all_layers_count_alike_at_first() -> None:
    (states,) = arrays((2, 5, 12))
    mean = np.mean(np.split(states, 3, axis=-1), axis=0)
    np.testing.assert_allclose(ScalarMix(3, dtype="float64")(states), mean, atol=1e-12)


def test_gradients_of_a_mixture_equal_central_differences() -> None:
    import tensorflow as tf

    states, w, upstream = arrays((2, 3, 6), (3,), (2, 3, 2))
    layer, x = mix(w, 0.7, 6), tf.constant(states)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * upstream)
    sources = [x, *(weight.value for weight in layer.trainable_variables)]
    of_states, of_w, of_gamma = tape.gradient(loss, sources)
    for found, function, at in (
        (of_states, lambda states: scalar_mix(states, w, 0.7), states),
        (of_w, lambda w: scalar_mix(states, w, 0.7), w),
        (of_gamma, lambda gamma: scalar_mix(states, w, float(gamma)), np.array(0.7)),
    ):
        wanted = numerical_gradient(lambda at, f=function: float(np.sum(f(at) * upstream)), at)
        np.testing.assert_allclose(found, wanted, atol=1e-7)


LENGTHS = [4, 1, 3]
REAL = np.arange(4) < np.array(LENGTHS)[:, None]


def test_the_real_steps_of_each_row_are_reversed_and_padding_stays() -> None:
    (x,) = arrays((3, 4, 2))
    wanted = x.copy()
    for row, length in zip(wanted, LENGTHS, strict=True):
        row[:length] = row[:length][::-1].copy()
    found = ReverseSequence(dtype="float64")(x, REAL)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(ReverseSequence(dtype="float64")(found, REAL), x)


def test_both_layers_are_made_again_from_their_configuration() -> None:
    assert ScalarMix.from_config(ScalarMix(4).get_config()).count == 4
    assert ReverseSequence.from_config(ReverseSequence(name="r").get_config()).name == "r"


def computed() -> dict[str, np.ndarray]:
    """Weights after two steps, and then the outputs."""
    inputs, real = keras.Input((None, 6)), keras.Input((None,), dtype="bool")
    model = keras.Model([inputs, real], ScalarMix(3)(ReverseSequence()(inputs, real)))
    x, y = arrays((3, 4, 6), (3, 4, 2))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    for _ in range(2):
        model.train_on_batch([x, REAL], y)
    results = {f"weight {i}": w for i, w in enumerate(model.get_weights())}
    return {**results, "outputs": model.predict_on_batch([x, REAL])}


def test_every_installed_backend_mixes_and_reverses_the_same(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)


@pytest.mark.parametrize("count", [1, 3])
def test_the_width_is_known_before_a_call(count: int) -> None:
    assert ScalarMix(count)(keras.Input((None, 6))).shape == (None, None, 6 // count)
