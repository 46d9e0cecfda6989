"""The loop: recurrent dropout, directions, Keras's own cells."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from helpers.cell_reference import FEATURES, MASK, UNITS, draw_weights, recurrent_layer, sequences
from nlp_rnn.layers.cells import LSTMCell, PhasedLSTMCell, SimpleRNNCell
from nlp_rnn.layers.recurrent import RecurrentLayer

BATCH = 300


def array(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def multiplier(rate: float) -> RecurrentLayer:
    """``h_t = x_t + m h_{t-1}`` with the dropout mask ``m``."""
    cell = SimpleRNNCell(
        UNITS, activation="relu", recurrent_initializer="identity", recurrent_dropout=rate
    )
    layer = RecurrentLayer(cell, return_sequences=True)
    layer.build((None, None, UNITS))
    cell.kernel.assign(np.eye(UNITS))
    return layer


def impulse(timesteps: int) -> np.ndarray:
    x = np.zeros((BATCH, timesteps, UNITS), np.float32)
    x[:, 0] = 1
    return x


def test_recurrent_dropout_has_one_mask_a_sequence_for_all_steps() -> None:
    keras.utils.set_random_seed(0)
    h = array(multiplier(0.2)(impulse(6), training=True))
    mask = h[:, 1]
    np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.8], rtol=1e-6)
    assert (mask == 0).mean() == pytest.approx(0.2, abs=0.04)
    for t in range(6):
        np.testing.assert_allclose(h[:, t], mask**t, rtol=1e-5)


def test_recurrent_dropout_differs_between_sequences_units_and_calls() -> None:
    keras.utils.set_random_seed(0)
    layer = multiplier(0.5)
    first, second = (array(layer(impulse(2), training=True))[:, 1] for _ in range(2))
    assert len(np.unique(first, axis=0)) == 2**UNITS
    assert (first != second).mean() == pytest.approx(0.5, abs=0.07)


def test_there_is_no_dropout_at_inference() -> None:
    np.testing.assert_array_equal(array(multiplier(0.5)(impulse(6))), 1)


@pytest.mark.parametrize("cls", [SimpleRNNCell, LSTMCell, PhasedLSTMCell])
def test_recurrent_dropout_multiplies_what_the_recurrent_kernel_sees(cls: Any) -> None:
    options = {"leak": 0.0} if cls is PhasedLSTMCell else {}
    dropped = cls(UNITS, recurrent_dropout=0.5, **options)
    dropped.build((None, FEATURES))
    draw_weights(dropped)
    plain = cls.from_config({**dropped.get_config(), "recurrent_dropout": 0.0})
    plain.build((None, FEATURES))
    plain.set_weights(dropped.get_weights())
    x, rng = sequences()[:, 0], np.random.default_rng(1)
    h, *others = [rng.normal(size=(len(x), size)).astype(np.float32) for size in plain.state_size]
    others = [*others[:1], *(np.zeros_like(time) for time in others[1:])]
    mask = np.array([[2, 0, 2]], np.float32).repeat(len(x), axis=0)
    got, _ = dropped(np.concatenate([x, mask], axis=1), [h, *others], training=True)
    expected, _ = plain(x, [h * mask, *others], training=True)
    if cls is PhasedLSTMCell:  # where the gate is closed h itself is held
        k = array(plain.openness(np.zeros((1, 1), np.float32), False))
        expected = array(expected) + (1 - k) * (h - h * mask)
    np.testing.assert_allclose(array(got), array(expected), atol=1e-6)


def test_a_leaky_unit_leaks_what_is_not_dropped() -> None:
    cell = SimpleRNNCell(UNITS, leaking_rate=0.25, recurrent_dropout=0.5)
    cell.build((None, FEATURES))
    h = np.ones((1, UNITS), np.float32)
    all_dropped = np.zeros((1, FEATURES + UNITS), np.float32)
    np.testing.assert_allclose(array(cell(all_dropped, [h], training=True)[0]), 0.75 * h)


@pytest.mark.parametrize("name", ["Elman", "FGR", "phased", "zoneout GRU"])
def test_going_backwards_is_the_reversed_sequence(name: str) -> None:
    forward, backward = recurrent_layer(name), recurrent_layer(name, go_backwards=True)
    expected = forward(sequences()[:, ::-1].copy(), mask=MASK[:, ::-1].copy())
    got = backward(sequences(), mask=MASK)
    # A row of padding before its first step has no output yet, only its states.
    np.testing.assert_allclose(array(got[0])[[0, 2]], array(expected[0])[[0, 2]], atol=1e-6)
    for state, reverse in zip(got[1:], expected[1:], strict=True):
        np.testing.assert_allclose(array(state), array(reverse), atol=1e-6)


@pytest.mark.slow
def test_both_directions_are_two_layers_and_give_all_states() -> None:
    both = keras.layers.Bidirectional(recurrent_layer("FGR"))
    outputs, *states = both(sequences(), mask=MASK)
    draw_weights(both)
    outputs, *states = both(sequences(), mask=MASK)
    forward, backward = recurrent_layer("FGR"), recurrent_layer("FGR", go_backwards=True)
    half = len(both.weights) // 2
    forward.set_weights(both.get_weights()[:half])
    backward.set_weights(both.get_weights()[half:])
    ahead, *final_ahead = forward(sequences(), mask=MASK)
    back, *final_back = backward(sequences(), mask=MASK)
    expected = np.concatenate([array(ahead), array(back)[:, ::-1]], axis=-1)
    np.testing.assert_allclose(array(outputs)[MASK], expected[MASK], atol=1e-6)
    for state, final in zip(states, [*final_ahead, *final_back], strict=True):
        np.testing.assert_allclose(array(state), array(final), atol=1e-6)


@pytest.mark.parametrize("reset_after", [False, True])
def test_kerass_gru_cell_gives_kerass_gru(reset_after: bool) -> None:
    ours = RecurrentLayer(
        keras.layers.GRUCell(UNITS, reset_after=reset_after), return_sequences=True
    )
    kerass = keras.layers.GRU(UNITS, reset_after=reset_after, return_sequences=True)
    for layer in (ours, kerass):
        layer.build((None, None, FEATURES))
        draw_weights(layer)
    outputs = [array(layer(sequences(), mask=MASK)) for layer in (ours, kerass)]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "simple_rnn"])
def test_masked_steps_and_initial_states_are_those_of_keras(cell: str, backwards: bool) -> None:
    options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    ours = RecurrentLayer({"lstm": LSTMCell, "simple_rnn": SimpleRNNCell}[cell](UNITS), **options)
    kind = {"lstm": keras.layers.LSTM, "simple_rnn": keras.layers.SimpleRNN}[cell]
    kerass = kind(UNITS, **options)
    for layer in (ours, kerass):
        layer.build((None, None, FEATURES))
        draw_weights(layer)
    kerass.set_weights(ours.get_weights())
    rng = np.random.default_rng(9)
    states = [
        rng.normal(size=(len(MASK), size)).astype(np.float32) for size in ours.cell.state_size
    ]
    mask = np.concatenate([np.zeros_like(MASK[:, :1]), MASK[:, :-1]], axis=1)  # the first is masked
    for initial in (None, states):
        results = [layer(sequences(), initial_state=initial, mask=mask) for layer in (ours, kerass)]
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(array(a), array(b), atol=1e-6)
