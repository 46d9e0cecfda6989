"""Every cell on every installed backend: the same outputs, the same training step."""

from __future__ import annotations

import keras
import numpy as np

from helpers.backends import assert_all_agree
from helpers.cell_reference import (
    FEATURES,
    MASK,
    UNITS,
    VARIANTS,
    draw_weights,
    recurrent_layer,
    sequences,
)
from nlp_rnn.layers.cells import LSTMCell, SimpleRNNCell, Zoneout
from nlp_rnn.layers.recurrent import RecurrentLayer

COVERING = (
    "IRNN",
    "leaky",
    "Elman LN",
    "NP",
    "CIFG peepholes",
    "bare",
    "LSTM all",
    "phased",
    "GRU after",
    "GRU before",
)
"""Variants that have every switch between them: compiling all takes long."""


def train(cells: dict[str, keras.layers.Layer]) -> dict[str, np.ndarray]:
    """Weights by path after two compiled steps of one model that has an output for each cell."""
    inputs = keras.Input((None, FEATURES))
    mask = keras.Input((None,), dtype="bool")
    outputs = {
        name: RecurrentLayer(cell, return_sequences=True, name=name)(inputs, mask=mask)
        for name, cell in cells.items()
    }
    model = keras.Model([inputs, mask], outputs)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=dict.fromkeys(outputs, "mse"))
    draw_weights(model)
    targets = {name: np.zeros((*MASK.shape, output.shape[-1])) for name, output in outputs.items()}
    for _ in range(2):  # a generator's state left in a trace would break the second step
        model.train_on_batch([sequences(), MASK], targets)
    return {w.path: keras.ops.convert_to_numpy(w) for w in model.weights}


def computed() -> dict[str, np.ndarray]:
    """Outputs and trained weights; ``random_...`` where no two backends draw alike."""
    cells = {name.replace(" ", "_"): VARIANTS[name].cell("float32") for name in COVERING}
    cells |= {
        "penalised": SimpleRNNCell(UNITS, vanishing_gradient_penalty=0.5),
        "random_dropout": SimpleRNNCell(UNITS, recurrent_dropout=0.5),
        "random_both": Zoneout(LSTMCell(UNITS, recurrent_dropout=0.5), [0.5, 0.5]),
        "random_GRU": Zoneout(keras.layers.GRUCell(UNITS), [0.5]),
    }
    outputs = {
        name: keras.ops.convert_to_numpy(recurrent_layer(name)(sequences(), mask=MASK)[0])
        for name in (*COVERING, "zoneout LSTM")
    }
    return outputs | train(cells) | {"random_powers of a mask": powers_of_a_mask()}


def powers_of_a_mask() -> np.ndarray:
    """``m^t`` of each unit's recurrent dropout mask ``m``, ``(batch, timesteps, units)``."""
    cell = SimpleRNNCell(
        4, activation="relu", recurrent_initializer="identity", recurrent_dropout=0.5
    )
    layer = RecurrentLayer(cell, return_sequences=True)
    impulse = np.zeros((20, 5, 4), np.float32)
    impulse[:, 0] = 1
    layer.build(impulse.shape)
    cell.kernel.assign(np.eye(4))
    return keras.ops.convert_to_numpy(layer(impulse, training=True))


def test_every_installed_backend_computes_and_learns_the_same(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
    for backend, arrays in on_backends.items():
        for name, values in arrays.items():
            assert np.isfinite(values).all(), (backend, name)
        powers = arrays["random_powers of a mask"]
        mask = powers[:, 1]
        assert 0 < (mask == 0).mean() < 1, backend
        np.testing.assert_array_equal(powers[:, 2], mask**2, err_msg=backend)
