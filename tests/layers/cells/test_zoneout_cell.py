"""Zoneout in training: states are kept or not, element by element and step by step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from nlp_rnn.layers.cells import LSTMCell, PhasedLSTMCell, SimpleRNNCell, Zoneout
from nlp_rnn.layers.recurrent import RecurrentLayer

BATCH, FEATURES, UNITS = 500, 2, 4


def arrays(tensors: Any) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


CELLS = {
    "ours": (lambda: LSTMCell(UNITS), [0.2, 0.6]),
    "ours, one state only": (lambda: LSTMCell(UNITS), [0.0, 0.5]),
    "Keras's LSTM": (lambda: keras.layers.LSTMCell(UNITS), [0.6, 0.2]),
    "Keras's GRU": (lambda: keras.layers.GRUCell(UNITS), [0.3]),
    "Keras's simple": (lambda: keras.layers.SimpleRNNCell(UNITS), [0.3]),
}


@pytest.mark.parametrize("name", CELLS)
def test_an_element_is_kept_with_the_rate_of_its_state_or_else_the_candidate(name: str) -> None:
    keras.utils.set_random_seed(0)
    build, rates = CELLS[name]
    layer = RecurrentLayer(Zoneout(build(), rates), return_state=True)
    x, states = (
        normal(BATCH, 1, FEATURES),
        [normal(BATCH, UNITS + 0 * r) for r in range(len(rates))],
    )
    output, *new = arrays(layer(x, initial_state=states, training=True))
    np.testing.assert_array_equal(output, new[0])
    # An LSTM's candidate h comes from its candidate c.
    _, candidates = layer.cell.cell(x[:, 0], states)
    for rate, old, candidate, state in zip(rates, states, arrays(candidates), new, strict=True):
        kept = state == old
        np.testing.assert_allclose(state, np.where(kept, old, candidate), atol=1e-6)
        assert kept.mean() == pytest.approx(rate, abs=0.05)


def counter(zoneout: float, recurrent_dropout: float = 0.0) -> RecurrentLayer:
    """``h_t = h_{t-1} + 1``."""
    cell = SimpleRNNCell(
        UNITS,
        activation="relu",
        recurrent_initializer="identity",
        recurrent_dropout=recurrent_dropout,
    )
    layer = RecurrentLayer(Zoneout(cell, [zoneout]), return_sequences=True)
    layer.build((None, None, FEATURES))
    cell.bias.assign(np.ones(UNITS))
    return layer


@pytest.mark.slow
def test_masks_are_drawn_anew_at_each_step_and_call() -> None:
    keras.utils.set_random_seed(0)
    layer = counter(0.25)
    x = np.zeros((BATCH, 20, FEATURES), np.float32)
    first, second = arrays(layer(x, training=True) for _ in range(2))
    steps = np.diff(first, axis=1)
    assert set(np.unique(steps)) == {0.0, 1.0}
    # Independent steps: the count is binomial.
    assert first[:, -1].mean() == pytest.approx(15, abs=0.2)
    assert first[:, -1].var() == pytest.approx(20 * 0.25 * 0.75, rel=0.15)
    assert not np.array_equal(first, second)


def test_recurrent_dropout_inside_zoneout_is_still_one_mask_a_sequence() -> None:
    keras.utils.set_random_seed(0)
    layer = counter(0.0, recurrent_dropout=0.5)
    h = arrays([layer(np.zeros((BATCH, 5, FEATURES), np.float32), training=True)])[0]
    # h_t = m h_{t-1} + 1, where m is 0 or 2.
    dropped, kept = np.ones(5), np.array([1.0, 3.0, 7.0, 15.0, 31.0])
    is_kept = h[:, 1] == 3
    expected = np.where(is_kept[:, None], kept[:, None], dropped[:, None])
    np.testing.assert_array_equal(h, expected)
    assert is_kept.mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("training", [False, True])
def test_rate_one_keeps_the_states_for_ever(training: bool) -> None:
    layer = RecurrentLayer(Zoneout(LSTMCell(UNITS), [1.0, 1.0]), return_state=True)
    states = [normal(3, UNITS), normal(3, UNITS) + 1]
    _, *last = layer(normal(3, 9, FEATURES), initial_state=states, training=training)
    for state, initial in zip(arrays(last), states, strict=True):
        np.testing.assert_array_equal(state, initial)


@pytest.mark.parametrize(
    ("cell", "rates", "message"),
    [
        (lambda: LSTMCell(2), [0.1], r"1 for 2 states \(h, c\)"),
        (lambda: PhasedLSTMCell(2), [0.1, 0.1, 0.1], "'time' must always advance"),
        (lambda: keras.layers.GRUCell(2, dropout=0.1), [0.1], "excludes dropout"),
        (lambda: keras.layers.GRUCell(2, recurrent_dropout=0.1), [0.1], "recurrent_dropout"),
    ],
)
def test_what_cannot_be_zoned_out_is_refused(cell: Any, rates: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Zoneout(cell(), rates)
