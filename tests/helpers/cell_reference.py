"""Recurrent cells as the papers write them, in NumPy, and the variants to be compared with them.

A step maps weights by name, an input ``(batch, features)`` and the states to the new states.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nlp_rnn.layers.cells import LSTMCell, PhasedLSTMCell, SimpleRNNCell, Zoneout
from nlp_rnn.layers.recurrent import RecurrentLayer

FEATURES, UNITS, PROJECTION = 4, 3, 2
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 1, 1, 0, 1]], bool)
"""Real steps: all, right padding, holes."""

Weights = dict[str, np.ndarray]
States = list[np.ndarray]
Step = Callable[[Weights, np.ndarray, States], States]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def normalized(z: np.ndarray) -> np.ndarray:
    """Ba et al. 2016, eq. 3."""
    centred = z - z.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-7)


def simple_rnn(activation: str = "tanh", leak: float = 1.0, normalize: bool = False) -> Step:
    """Elman 1990; leaky: Jaeger et al. 2007; normalised: Ba et al. 2016, eq. 4."""

    def step(w: Weights, x: np.ndarray, states: States) -> States:
        (h,) = states
        z = x @ w["kernel"] + h @ w["recurrent_kernel"]
        if normalize:
            z = w["gain"] * normalized(z)
        z = z + w["bias"]
        candidate = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        return [h + leak * (candidate - h)]

    return step


def lstm(
    lacks: str = "", *, coupled: bool = False, gates: bool = False, normalize: bool = False
) -> Step:
    """Greff et al. 2015, section II and appendix; ``lacks`` names gates i, f, o, "g", "h"."""
    columns = [k for k in "ifco" if k not in lacks and not (coupled and k == "f")]

    def step(w: Weights, x: np.ndarray, states: States) -> States:
        h, c, *before = states
        from_x, from_h = x @ w["kernel"], h @ w["recurrent_kernel"]
        if normalize:  # Ba et al. 2016, eq. 20
            from_x = w["gain"] * normalized(from_x)
            from_h = w["recurrent_gain"] * normalized(from_h)
        z = dict(zip(columns, np.split(from_x + from_h + w["bias"], len(columns), -1), strict=True))
        if gates:
            for j, to in enumerate("ifo"):
                for k in range(3):
                    block = np.split(np.split(w["gate_kernel"], 3, axis=0)[k], 3, axis=1)[j]
                    z[to] = z[to] + before[k] @ block

        def gate(name: str, cell: np.ndarray) -> Any:
            if name in lacks:
                return np.ones_like(cell)
            return sigmoid(z[name] + w.get(f"peephole_{name}", 0.0) * cell)

        i = gate("i", c)
        f = 1 - i if coupled else gate("f", c)
        c = f * c + i * (z["c"] if "g" in lacks else np.tanh(z["c"]))
        o = gate("o", c)
        inner = w["cell_gain"] * normalized(c) + w["cell_bias"] if normalize else c  # eq. 22
        h = o * (inner if "h" in lacks else np.tanh(inner))
        if "projection_kernel" in w:  # Sak et al. 2014, eq. 7
            h = h @ w["projection_kernel"]
        return [h, c, i, f, o] if gates else [h, c]

    return step


def phased_lstm(open_ratio: float) -> Step:
    """Neil, Pfeiffer & Liu 2016, eqs. 6 to 10, without leak."""
    plain = lstm()

    def step(w: Weights, x: np.ndarray, states: States) -> States:
        h, c, digits = states
        candidate_h, candidate_c = plain(w, x, [h, c])
        time = digits @ np.array([1, 256, 256**2])
        period = np.exp(w["log_period"])
        phase = ((time[:, None] - w["shift"] * period) % period) / period
        rising, falling = 2 * phase / open_ratio, 2 - 2 * phase / open_ratio
        k = np.where(phase < open_ratio / 2, rising, np.where(phase < open_ratio, falling, 0))
        later = time + 1
        digits = np.stack([later % 256, later // 256 % 256, later // 256**2], axis=-1)
        return [k * candidate_h + (1 - k) * h, k * candidate_c + (1 - k) * c, digits]

    return step


def gru(reset_after: bool) -> Step:
    """Cho et al. 2014, eqs. 5 to 8 (z weighs the old state); after: the form of cuDNN."""

    def step(w: Weights, x: np.ndarray, states: States) -> States:
        (h,) = states
        bias, recurrent_bias = w["bias"] if reset_after else (w["bias"], np.zeros(3 * UNITS))
        xz, xr, xh = np.split(x @ w["kernel"] + bias, 3, axis=-1)
        rz, rr, rh = np.split(w["recurrent_kernel"], 3, axis=-1)
        bz, br, bh = np.split(recurrent_bias, 3)
        z = sigmoid(xz + h @ rz + bz)
        r = sigmoid(xr + h @ rr + br)
        recurrent = r * (h @ rh + bh) if reset_after else (r * h) @ rh
        return [z * h + (1 - z) * np.tanh(xh + recurrent)]

    return step


def expected_zoneout(step: Step, rates: list[float]) -> Step:
    """Krueger et al. 2017, section 3.2 at test time."""

    def mixed(w: Weights, x: np.ndarray, states: States) -> States:
        new = step(w, x, states)
        return [r * s + (1 - r) * n for r, s, n in zip(rates, states, new, strict=True)]

    return mixed


@dataclass(frozen=True)
class Variant:
    """A cell, given its dtype; its step in NumPy; its number of parameters."""

    cell: Callable[[Any], Any]
    step: Step
    parameters: int


def variant(
    cls: Callable[..., Any], step: Step, parameters: int, units: int = UNITS, **options: Any
) -> Variant:
    return Variant(lambda dtype: cls(units, dtype=dtype, **options), step, parameters)


def zoned(inner: Variant, rates: list[float]) -> Variant:
    return Variant(
        lambda dtype: Zoneout(inner.cell(dtype), rates, dtype=dtype),
        expected_zoneout(inner.step, rates),
        inner.parameters,
    )


m, n, p = FEATURES, UNITS, PROJECTION
gated = n * (m + n + 1)  # what one gate costs, and an Elman network
without = {f"{name}_gate": False for name in ("input", "forget", "output")}

VARIANTS: dict[str, Variant] = {
    "Elman": variant(SimpleRNNCell, simple_rnn(), gated),
    "IRNN": variant(
        SimpleRNNCell,
        simple_rnn("relu"),
        gated,
        activation="relu",
        recurrent_initializer="identity",
    ),
    "leaky": variant(SimpleRNNCell, simple_rnn(leak=0.3), gated, leaking_rate=0.3),
    "Elman LN": variant(
        SimpleRNNCell, simple_rnn(normalize=True), gated + n, layer_normalization=True
    ),
    "NP": variant(LSTMCell, lstm(), 4 * gated),
    "vanilla": variant(LSTMCell, lstm(), 4 * gated + 3 * n, peepholes=True),
    "CIFG": variant(LSTMCell, lstm(coupled=True), 3 * gated, coupled_gates=True),
    "CIFG peepholes": variant(
        LSTMCell, lstm(coupled=True), 3 * gated + 2 * n, coupled_gates=True, peepholes=True
    ),
    "NIG": variant(LSTMCell, lstm("i"), 3 * gated, input_gate=False),
    "NFG": variant(LSTMCell, lstm("f"), 3 * gated, forget_gate=False),
    "NOG": variant(LSTMCell, lstm("o"), 3 * gated, output_gate=False),
    "bare": variant(
        LSTMCell,
        lstm("ifogh"),
        gated,
        input_activation=False,
        output_activation=False,
        **without,
    ),
    "NIAF": variant(LSTMCell, lstm("g"), 4 * gated, input_activation=False),
    "NOAF": variant(LSTMCell, lstm("h"), 4 * gated, output_activation=False),
    "FGR": variant(
        LSTMCell,
        lstm(gates=True),
        4 * gated + 3 * n + 9 * n**2,
        full_gate_recurrence=True,
        peepholes=True,
    ),
    "LSTM LN": variant(
        LSTMCell, lstm(normalize=True), 4 * gated + 2 * 4 * n + 2 * n, layer_normalization=True
    ),
    "LSTMP": variant(LSTMCell, lstm(), 4 * n * (m + p + 1) + n * p, projection=p),
    "LSTM all": variant(
        LSTMCell,
        lstm(gates=True, normalize=True),
        4 * n * (m + p + 1) + n * p + 3 * n + 9 * n**2 + 2 * 4 * n + 2 * n,
        peepholes=True,
        full_gate_recurrence=True,
        layer_normalization=True,
        projection=p,
    ),
    "phased": variant(
        PhasedLSTMCell,
        phased_lstm(0.6),
        4 * gated + 3 * n + 2 * n,
        open_ratio=0.6,
        longest_period=20.0,
    ),
    "GRU after": variant(keras.layers.GRUCell, gru(True), 3 * (gated + n), reset_after=True),
    "GRU before": variant(keras.layers.GRUCell, gru(False), 3 * gated, reset_after=False),
}
VARIANTS |= {
    "zoneout LSTM": zoned(VARIANTS["NP"], [0.2, 0.7]),
    "zoneout FGR": zoned(VARIANTS["FGR"], [0.2, 0.7, 0.1, 0.3, 0.0]),
    "zoneout phased": zoned(VARIANTS["phased"], [0.2, 0.7, 0.0]),
    "zoneout GRU": zoned(VARIANTS["GRU before"], [0.4]),
    "zoneout Elman of Keras": zoned(
        variant(keras.layers.SimpleRNNCell, simple_rnn(), gated), [0.4]
    ),
}


def sequences(dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*MASK.shape, FEATURES)).astype(dtype)


def draw_weights(layer: keras.layers.Layer, seed: int = 0) -> None:
    """Weights that are all different, so that no two can be mistaken for each other."""
    rng = np.random.default_rng(seed)
    layer.set_weights(
        [
            # Periods are positive and longer than the sequences.
            rng.uniform(0.5, 3.0, w.shape)
            if w.name == "log_period"
            else rng.normal(0, 0.6, w.shape)
            for w in layer.weights
        ]
    )


def recurrent_layer(name: str, dtype: str = "float32", **options: Any) -> RecurrentLayer:
    """A layer of the variant ``name``, with drawn weights."""
    layer = RecurrentLayer(
        VARIANTS[name].cell(dtype),
        return_sequences=True,
        return_state=True,
        dtype=dtype,
        **options,
    )
    layer.build((None, None, FEATURES))
    draw_weights(layer)
    return layer


def weights_of(layer: keras.layers.Layer) -> Weights:
    return {w.name: keras.ops.convert_to_numpy(w) for w in layer.weights}


@functools.cache
def state_sizes(name: str) -> list[int]:
    sizes = VARIANTS[name].cell("float64").state_size
    return [sizes] if isinstance(sizes, int) else sizes


def reference(
    name: str,
    w: Weights,
    inputs: np.ndarray,
    mask: np.ndarray = MASK,
    states: States | None = None,
) -> tuple[np.ndarray, States]:
    """Outputs ``(batch, timesteps, size)`` and final states; states are held where masked."""
    states = states or [np.zeros((len(inputs), size)) for size in state_sizes(name)]
    outputs = []
    for t in range(inputs.shape[1]):
        new = VARIANTS[name].step(w, inputs[:, t], states)
        states = [np.where(mask[:, t : t + 1], s, old) for s, old in zip(new, states, strict=True)]
        outputs.append(states[0])
    return np.stack(outputs, axis=1), states
