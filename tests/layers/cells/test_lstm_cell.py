"""The LSTM: Keras's where they are the same, initial biases, options that exclude each other."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from helpers.cell_reference import FEATURES, MASK, UNITS, draw_weights, sequences
from nlp_rnn.layers.cells import ForgetGateBias, LSTMCell
from nlp_rnn.layers.recurrent import RecurrentLayer


def model_of(layer: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((None, FEATURES))
    mask = keras.Input((None,), dtype="bool")
    model = keras.Model([inputs, mask], layer(inputs, mask=mask))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    return model


@pytest.mark.slow
@pytest.mark.parametrize("mask", [MASK, np.ones_like(MASK)], ids=["masked", "unmasked"])
def test_the_default_cell_is_kerass_lstm_forward_and_backward(mask: np.ndarray) -> None:
    ours = model_of(RecurrentLayer(LSTMCell(UNITS), return_sequences=True))
    kerass = model_of(keras.layers.LSTM(UNITS, return_sequences=True))
    draw_weights(kerass)
    ours.set_weights(kerass.get_weights())
    targets = sequences(seed=1)[..., :UNITS]
    outputs = [keras.ops.convert_to_numpy(model([sequences(), mask])) for model in (ours, kerass)]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)
    before = kerass.get_weights()
    for model in (ours, kerass):  # the step is the gradient itself
        model.train_on_batch([sequences(), mask], targets)
    for old, got, expected in zip(before, ours.get_weights(), kerass.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)
        assert np.abs(expected - old).max() > 1e-3
    kerass.set_weights(ours.get_weights())


def initial_bias(layer: keras.layers.Layer) -> np.ndarray:
    layer.build((None, None, FEATURES))
    (bias,) = (w for w in layer.weights if w.name == "bias")
    return keras.ops.convert_to_numpy(bias)


def test_the_forget_gate_starts_with_its_bias() -> None:
    expected = np.repeat([0.0, 2.5, 0.0, 0.0], UNITS)
    ours = RecurrentLayer(LSTMCell(UNITS, forget_bias=2.5))
    kerass = keras.layers.LSTM(UNITS, unit_forget_bias=False, bias_initializer=ForgetGateBias(2.5))
    copy = keras.layers.LSTM.from_config(kerass.get_config())
    for layer in (ours, kerass, copy):
        np.testing.assert_array_equal(initial_bias(layer), expected)


def test_a_coupled_forget_gate_starts_as_open_as_a_free_one() -> None:
    coupled = RecurrentLayer(LSTMCell(UNITS, forget_bias=2.5, coupled_gates=True))
    np.testing.assert_array_equal(initial_bias(coupled), np.repeat([-2.5, 0.0, 0.0], UNITS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coupled_gates": True, "input_gate": False}, "coupled_gates excludes input_gate=False"),
        ({"coupled_gates": True, "forget_gate": False}, "coupled_gates excludes forget_gate=False"),
        (
            {"full_gate_recurrence": True, "coupled_gates": True},
            "full_gate_recurrence excludes coupled_gates",
        ),
        *(
            ({"full_gate_recurrence": True, gate: False}, f"full_gate_recurrence excludes {gate}")
            for gate in ("input_gate", "forget_gate", "output_gate")
        ),
    ],
)
def test_options_that_exclude_each_other_are_both_named(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LSTMCell(3, **options)
