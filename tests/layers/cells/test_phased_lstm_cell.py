"""The phased LSTM: its clock, its gate when closed, what it cannot be combined with."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from helpers.cell_reference import FEATURES, MASK, UNITS, draw_weights, lstm, sequences, weights_of
from nlp_rnn.layers.cells import PhasedLSTMCell
from nlp_rnn.layers.recurrent import RecurrentLayer

BATCH = len(MASK)


def layer_with(dtype: str = "float32", open_ratio: float = 0.2) -> RecurrentLayer:
    layer = RecurrentLayer(
        PhasedLSTMCell(UNITS, open_ratio=open_ratio, dtype=dtype),
        return_sequences=True,
        return_state=True,
        dtype=dtype,
    )
    layer.build((None, None, FEATURES))
    draw_weights(layer)
    return layer


def states_at(time: int, dtype: str = "float32") -> list[np.ndarray]:
    digits = [time % 256, time // 256 % 256, time // 256**2]
    rng = np.random.default_rng(2)
    h, c = (keras.ops.cast(rng.normal(size=(BATCH, UNITS)), dtype) for _ in range(2))
    return [h, c, keras.ops.cast(np.tile(digits, (BATCH, 1)), dtype)]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("start", [0, 250, 65_533, 1_000_000])
def test_the_clock_counts_real_steps_exactly_under_every_policy(dtype: str, start: int) -> None:
    state = states_at(start, dtype.removeprefix("mixed_"))
    *_, digits = layer_with(dtype)(sequences(), mask=MASK, initial_state=state)
    time = keras.ops.convert_to_numpy(keras.ops.cast(digits, "float32")) @ [1, 256, 256**2]
    np.testing.assert_array_equal(time, start + MASK.sum(axis=1))


def test_half_precision_keeps_the_phase_late_in_a_stream() -> None:
    outputs = []
    for dtype in ("float32", "mixed_bfloat16"):
        state = states_at(1_000_000, dtype.removeprefix("mixed_"))
        h = layer_with(dtype, open_ratio=0.6)(sequences(), initial_state=state)[0]
        outputs.append(keras.ops.convert_to_numpy(keras.ops.cast(h, "float32")))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=0.06)


def test_a_closed_gate_leaks_in_training_and_holds_at_inference() -> None:
    layer = layer_with()
    layer.cell.log_period.assign(np.full(UNITS, np.log(10.0)))
    layer.cell.shift.assign(np.zeros(UNITS))
    h, c, _ = state = states_at(15)  # the middle of the second period
    x = sequences()[:, :1]
    _, *held = layer(x, initial_state=state)
    for new, old in zip(held[:2], (h, c), strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(new), old)
    _, *leaked = layer(x, initial_state=state, training=True)
    candidates = lstm()(weights_of(layer), x[:, 0], [np.asarray(h), np.asarray(c)])
    for new, old, candidate in zip(leaked[:2], (h, c), candidates, strict=True):
        moved = keras.ops.convert_to_numpy(new) - np.asarray(old)
        np.testing.assert_allclose(moved, 0.001 * 0.5 * (candidate - np.asarray(old)), atol=1e-6)
        assert np.abs(moved).max() > 1e-5


def test_periods_are_drawn_log_uniformly_and_shifts_from_the_whole_period() -> None:
    keras.utils.set_random_seed(0)
    cell = PhasedLSTMCell(1000, longest_period=64.0, recurrent_initializer="zeros")
    cell.build((None, 1))
    w = weights_of(cell)
    octaves, shift = w["log_period"] / np.log(2), w["shift"]
    for values, top in ((octaves, 6), (shift, 1)):
        counts, _ = np.histogram(values, bins=6, range=(0, top))
        assert counts.sum() == 1000  # none outside
        np.testing.assert_allclose(counts, 1000 / 6, rtol=0.25)


@pytest.mark.parametrize("option", [{"projection": 2}, {"full_gate_recurrence": True}])
def test_states_that_the_time_gate_does_not_hold_are_refused(option: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"PhasedLSTMCell excludes {next(iter(option))}"):
        PhasedLSTMCell(3, **option)
