"""The gradient of a scalar by each backend, against gradients derived by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from helpers.backends import INSTALLED
from nlp_rnn.backend import gradient

TIMESTEPS, FEATURES, UNITS = 4, 3, 2


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {
        "x": (TIMESTEPS, FEATURES),
        "kernel": (FEATURES, UNITS),
        "recurrent": (UNITS, UNITS),
        "weights": (UNITS, 1),
    }
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def computed() -> dict[str, np.ndarray]:
    """Gradients with respect to ``x`` on this process's backend."""
    x, kernel, recurrent, weights = arrays().values()
    rnn = layers.SimpleRNN(UNITS, activation="linear")
    head = layers.Dense(1)
    network = keras.Sequential([keras.Input((None, FEATURES)), rnn, head])
    network.set_weights([kernel, recurrent, np.zeros(UNITS), weights, np.zeros(1)])
    before = network.get_weights()
    results = {
        "network": gradient(lambda v: network(v[None], training=False)[0, 0], x),
        "rows": gradient(lambda v: ops.sum(ops.take(v, [1, 1, 2], axis=0)), x),
        "float64": gradient(lambda v: ops.sum(v * v), x.astype(np.float64)),
    }
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    if keras.backend.backend() == "torch":
        assert all(variable.value.grad is None for variable in network.trainable_variables)
    return results


@pytest.mark.parametrize("backend", INSTALLED)
def test_gradients_are_those_derived_by_hand_and_leave_weights_alone(
    backend: str, on_backends: dict[str, dict[str, np.ndarray]]
) -> None:
    x, kernel, recurrent, weights = arrays().values()
    back = [kernel @ np.linalg.matrix_power(recurrent, lag) @ weights for lag in range(TIMESTEPS)]
    gradients = on_backends[backend]
    expected = np.stack(back[::-1])[:, :, 0]
    np.testing.assert_allclose(gradients["network"], expected, atol=1e-6)
    expected = np.repeat([0.0, 2.0, 1.0, 0.0], FEATURES).reshape(x.shape)
    np.testing.assert_allclose(gradients["rows"], expected)
    np.testing.assert_allclose(gradients["float64"], 2 * x, atol=1e-6)
