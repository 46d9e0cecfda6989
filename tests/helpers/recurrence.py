"""An LSTM and a GRU language model in NumPy, token by token, as the textbook writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from nlp_rnn.config import LanguageModelParameters
from nlp_rnn.models.encoder import embedding_layer
from nlp_rnn.models.language_model import language_model

VOCABULARY, DIMENSION, UNITS = 9, 5, 4


def model(cell: str, **parameters: Any) -> keras.Model:
    """A network with random weights, all of them large enough to matter."""
    keras.utils.set_random_seed(3)
    sections = LanguageModelParameters.model_validate({"cell": cell, "units": UNITS, **parameters})
    network = language_model(embedding_layer(VOCABULARY, DIMENSION, None, True), sections)
    rng = np.random.default_rng(3)
    network.set_weights([rng.normal(0, 0.7, w.shape) for w in network.get_weights()])
    return network


def weights(network: keras.Model, layer: str) -> list[np.ndarray]:
    return [w.astype(np.float64) for w in network.get_layer(layer).get_weights()]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def step(
    cell: str, x: np.ndarray, states: Sequence[np.ndarray], W: np.ndarray, R: Any, b: Any
) -> list[np.ndarray]:
    """The states after ``x``, ``h`` first."""
    if cell == "lstm":
        h, c = states
        i, f, g, o = np.split(x @ W + h @ R + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    (h,) = states
    (a_z, a_r, a_g), (p_z, p_r, p_g) = np.split(x @ W + b[0], 3), np.split(h @ R + b[1], 3)
    z, r = sigmoid(a_z + p_z), sigmoid(a_r + p_r)
    return [z * h + (1 - z) * np.tanh(a_g + r * p_g)]


def run(
    network: keras.Model, cell: str, vectors: np.ndarray, resets: Sequence[int] = (0,)
) -> np.ndarray:
    """All states after every one of ``vectors (steps, dimension)``, ``(steps, widths)``."""
    layers = [name for name in ("lstm_0", "lstm_1", "gru_0", "gru_1") if _has(network, name)]
    parameters = {name: weights(network, name) for name in layers}
    count = 2 if cell == "lstm" else 1
    states: dict[str, list[np.ndarray]] = {}
    rows = []
    for t, x in enumerate(vectors):
        if t in resets:
            states = {name: [np.zeros(UNITS)] * count for name in layers}
        for name in layers:
            states[name] = step(cell, x, states[name], *parameters[name])
            x = states[name][0]
        rows.append(np.concatenate([s for name in layers for s in states[name]]))
    return np.array(rows)


def _has(network: keras.Model, name: str) -> bool:
    return any(layer.name == name for layer in network.layers)


def log_probability(network: keras.Model, cell: str, vectors: np.ndarray, target: int) -> float:
    """``ln P(target)`` after ``vectors``, with a full softmax."""
    states = run(network, cell, vectors)[-1]
    kernel, bias = weights(network, "logits")
    hidden = states[-2 * UNITS : -UNITS] if cell == "lstm" else states[-UNITS:]
    logits = hidden @ kernel + bias
    return float(logits[target] - np.log(np.exp(logits).sum()))
