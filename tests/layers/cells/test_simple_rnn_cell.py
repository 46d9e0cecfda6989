"""The simple recurrent network: its regulariser against numerical derivatives of Omega."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from helpers.cell_reference import FEATURES, MASK, UNITS, draw_weights, sequences, weights_of
from nlp_rnn.layers.cells import SimpleRNNCell
from nlp_rnn.layers.recurrent import RecurrentLayer

PENALTY = 0.7


def layer_with(dtype: str = "float64", **options: Any) -> RecurrentLayer:
    layer = RecurrentLayer(
        SimpleRNNCell(UNITS, dtype=dtype, **options), return_sequences=True, dtype=dtype
    )
    layer.build((None, None, FEATURES))
    draw_weights(layer)
    return layer


def gradients(layer: RecurrentLayer, upstream: np.ndarray) -> dict[str, np.ndarray]:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradient is taken by TensorFlow's tape")
    import tensorflow as tf

    x = tf.constant(sequences(layer.compute_dtype))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, mask=MASK) * upstream)
    parameters = {"inputs": x, **{w.name: w.value for w in layer.trainable_weights}}
    return {name: g.numpy() for name, g in tape.gradient(loss, parameters).items()}


def slope_of(activation: str, h: np.ndarray) -> np.ndarray:
    return 1 - h**2 if activation == "tanh" else (h > 0) * 1.0


def numerical_omega_gradient(
    activation: str, layer: RecurrentLayer, upstream: np.ndarray
) -> np.ndarray:
    """dOmega/dR by differences, where dE/dh and h are constants (eqs. 9 and 10).

    A mean over the batch; steps that are masked or get no error are left out.
    """
    h = keras.ops.convert_to_numpy(layer(sequences("float64"), mask=MASK))
    kernel = weights_of(layer)["recurrent_kernel"]
    slopes = slope_of(activation, h)
    deltas = []  # (delta, slope) of each sequence and step, by backpropagation through time
    for row, real in enumerate(MASK):
        error = np.zeros(UNITS)
        for t in reversed(range(len(real))):
            error = error + upstream[row, t]
            if real[t]:
                deltas.append((error, slopes[row, t]))
                error = kernel @ (error * slopes[row, t])

    def omega() -> float:
        return sum(
            (np.linalg.norm(kernel @ (delta * slope)) / np.linalg.norm(delta) - 1) ** 2
            for delta, slope in deltas
            if delta.any() and (delta * slope).any()
        ) / len(MASK)

    gradient = np.empty_like(kernel)
    for index in np.ndindex(*kernel.shape):
        old = kernel[index]
        around = []
        for kernel[index] in (old + 1e-6, old - 1e-6):
            around.append(omega())
        kernel[index] = old
        gradient[index] = (around[0] - around[1]) / 2e-6
    return gradient


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_penalty_adds_the_derivative_of_omega_to_the_recurrent_kernel_alone(
    activation: str,
) -> None:
    upstream = np.random.default_rng(1).normal(size=(*MASK.shape, UNITS))
    upstream[:, 3:] = 0  # no error comes from the last steps
    plain = gradients(layer_with(activation=activation), upstream)
    penalised = layer_with(activation=activation, vanishing_gradient_penalty=PENALTY)
    got = gradients(penalised, upstream)
    added = got.pop("recurrent_kernel") - plain.pop("recurrent_kernel")
    expected = PENALTY * numerical_omega_gradient(activation, penalised, upstream)
    np.testing.assert_allclose(added, expected, rtol=1e-6, atol=1e-8)
    assert np.abs(expected).max() > 0.01
    for name, gradient in got.items():
        np.testing.assert_allclose(gradient, plain[name], atol=1e-12, err_msg=name)


def test_the_penalty_leaves_the_forward_pass_alone() -> None:
    outputs = [
        keras.ops.convert_to_numpy(
            layer_with(vanishing_gradient_penalty=penalty)(sequences("float64"), mask=MASK)
        )
        for penalty in (0.0, PENALTY)
    ]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-12)


def test_the_penalty_does_not_depend_on_the_scale_of_the_error() -> None:
    upstream = np.random.default_rng(1).normal(size=(*MASK.shape, UNITS)).astype(np.float32)
    added = []
    for scale in (np.float32(1), np.float32(1e-25)):  # whose square is no float32
        with_penalty, without = (
            gradients(layer_with("float32", vanishing_gradient_penalty=p), upstream * scale)
            for p in (PENALTY, 0.0)
        )
        added.append(with_penalty["recurrent_kernel"] - without["recurrent_kernel"])
    np.testing.assert_allclose(added[0], added[1], atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_no_error_and_no_way_back_cost_nothing(activation: str) -> None:
    layer = layer_with(activation=activation, vanishing_gradient_penalty=PENALTY)
    nothing = gradients(layer, np.zeros((*MASK.shape, UNITS)))
    assert all((gradient == 0).all() for gradient in nothing.values())
    # Units in saturation, or below zero: the error ends at each step.
    layer.cell.bias.assign(np.full(UNITS, -1e3))
    ended = gradients(layer, np.ones((*MASK.shape, UNITS)))
    assert all((gradient == 0).all() for gradient in ended.values())


def test_an_irnn_starts_as_the_identity() -> None:
    layer = RecurrentLayer(
        SimpleRNNCell(FEATURES, activation="relu", recurrent_initializer="identity"),
        return_sequences=True,
    )
    inputs = np.abs(sequences())
    layer.build(inputs.shape)
    layer.cell.kernel.assign(np.eye(FEATURES))
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    np.testing.assert_allclose(outputs, np.cumsum(inputs, axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    "option", [{"layer_normalization": True}, {"leaking_rate": 0.5}, {"recurrent_dropout": 0.5}]
)
def test_the_penalty_is_defined_for_the_plain_step_only(option: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=f"vanishing_gradient_penalty excludes {next(iter(option))}"
    ):
        SimpleRNNCell(3, vanishing_gradient_penalty=0.1, **option)


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'gelu': expected one of tanh, relu"):
        SimpleRNNCell(3, activation="gelu")
