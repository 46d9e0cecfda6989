"""Pooling over real tokens only, against NumPy."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from nlp_rnn.layers.pooling import POOLING, LastPooling


def numpy_pooling(name: str, layer: keras.layers.Layer, states: np.ndarray) -> np.ndarray:
    """The pooled vector of one unpadded sequence ``(timesteps, units)``."""
    if name == "mean":
        return states.mean(axis=0)
    if name == "max":
        return states.max(axis=0)
    kernel, bias, context = (np.asarray(w) for w in layer.get_weights())
    scores = np.tanh(states @ kernel + bias) @ context
    weights = np.exp(scores - scores.max())
    return weights @ states / weights.sum()


@pytest.mark.parametrize("name", sorted(POOLING))
def test_pooling_equals_numpy_on_the_unpadded_sequence(name: str) -> None:
    rng = np.random.default_rng(0)
    states = rng.uniform(-1, 1, (4, 7, 5)).astype(np.float32)
    lengths = [7, 1, 3, 5]
    mask = np.arange(7) < np.array(lengths)[:, None]
    layer: Any = POOLING[name]()
    pooled = keras.ops.convert_to_numpy(layer(states, mask=mask))
    if name == "attention":
        layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
        pooled = keras.ops.convert_to_numpy(layer(states, mask=mask))
    for row, length, sequence in zip(pooled, lengths, states, strict=True):
        np.testing.assert_allclose(row, numpy_pooling(name, layer, sequence[:length]), atol=1e-6)


def test_last_pooling_takes_the_last_real_state_and_of_a_backward_layer_the_first() -> None:
    states = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    mask = np.array([[True, True, False], [True, True, True]])
    forward = keras.ops.convert_to_numpy(LastPooling()(states, mask=mask))
    np.testing.assert_array_equal(forward, states[[0, 1], [1, 2]])
    both = keras.ops.convert_to_numpy(LastPooling(bidirectional=True)(states, mask=mask))
    np.testing.assert_array_equal(both[:, :2], states[[0, 1], [1, 2], :2])
    np.testing.assert_array_equal(both[:, 2:], states[:, 0, 2:])
