"""Recurrent layers as ONNX's operators LSTM, GRU and RNN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers

from nlp_rnn.arrays import Floats
from nlp_rnn.layers.cells import LSTMCell, SimpleRNNCell
from nlp_rnn.layers.cells.lstm import COLUMNS
from nlp_rnn.runtime.onnx_graph.graph import Graph, Unsupported, array

ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "linear": "Affine"}
"""Keras activation names mapped to those of recurrent operators (``Affine`` is the identity)."""

LSTM_GATES = ("i", "o", "f", "c")
"""The order of an LSTM's blocks in ONNX."""

OPEN = 100.0
"""The bias of a gate that is always open, because its sigmoid is 1."""


@dataclass(frozen=True)
class Cell:
    """One direction of a recurrent operator; ``m`` features, ``n`` units, ``g`` gates.

    Attributes:
        operator: "LSTM", "GRU" or "RNN".
        kernel: ``(g * n, m)``.
        recurrent_kernel: ``(g * n, n)``.
        bias: ``(2 * g * n,)``, the biases of the inputs' and the states' products.
        activations: activation operators, in ONNX's order.
        peepholes: ``(3 * n,)`` of an LSTM's gates ``i``, ``o``, ``f``, if it has any.
        attributes: the attributes of the operator.
    """

    operator: str
    kernel: Floats
    recurrent_kernel: Floats
    bias: Floats
    activations: Sequence[str]
    peepholes: Floats | None = None
    attributes: dict[str, int] = field(default_factory=dict)


def activation(function: Any) -> str:
    """The operator for a Keras activation function or its name."""
    name = function if isinstance(function, str) else keras.activations.serialize(function)
    if name not in ACTIVATIONS:
        raise Unsupported(f"activation {name}")
    return ACTIVATIONS[name]


def _lacks(cell: Any, **options: bool) -> None:
    """Raise Unsupported for the first of the cell's ``options`` that is set."""
    for option, on in options.items():
        if on:
            raise Unsupported(f"{type(cell).__name__} with {option}")


def _one_bias(bias: Floats) -> Floats:
    """Extend a bias to the two that ONNX adds; the second is zero."""
    return np.concatenate([bias, np.zeros_like(bias)])


def _in_onnx_order(weights: Floats, columns: Sequence[str], absent: float = 0.0) -> Floats:
    """Convert blocks of columns ``(..., g * n)`` to ONNX's rows ``(4 * n, ...)``."""
    parts = dict(zip(columns, np.split(weights, len(columns), axis=-1), strict=True))
    missing = np.full_like(parts["c"], absent)
    return np.concatenate([parts.get(gate, missing).T for gate in LSTM_GATES])


def _keras_lstm(cell: layers.LSTMCell) -> Cell:
    gates, values = activation(cell.recurrent_activation), activation(cell.activation)
    return Cell(
        "LSTM",
        _in_onnx_order(array(cell.kernel), COLUMNS),
        _in_onnx_order(array(cell.recurrent_kernel), COLUMNS),
        _one_bias(_in_onnx_order(array(cell.bias), COLUMNS)),
        [gates, values, values],
    )


def _lstm(cell: LSTMCell) -> Cell:
    _lacks(
        cell,
        full_gate_recurrence=cell.full_gate_recurrence,
        layer_normalization=cell.layer_normalization,
        projection=cell.projection is not None,
    )
    peepholes = None
    if cell.peepholes:
        none = np.zeros(cell.units, np.float32)
        weights = {gate: array(weight) for gate, weight in cell.peephole.items()}
        peepholes = np.concatenate([weights.get(gate, none) for gate in LSTM_GATES[:3]])
    return Cell(
        "LSTM",
        _in_onnx_order(array(cell.kernel), cell.columns),
        _in_onnx_order(array(cell.recurrent_kernel), cell.columns),
        _one_bias(_in_onnx_order(array(cell.bias), cell.columns, absent=OPEN)),
        [
            "Sigmoid",
            "Tanh" if cell.input_activation else "Affine",
            "Tanh" if cell.output_activation else "Affine",
        ],
        peepholes,
        {"input_forget": int(cell.coupled_gates)},
    )


def _gru(cell: layers.GRUCell) -> Cell:
    bias = array(cell.bias)
    return Cell(
        "GRU",
        array(cell.kernel).T,
        array(cell.recurrent_kernel).T,
        bias.ravel() if cell.reset_after else _one_bias(bias),
        [activation(cell.recurrent_activation), activation(cell.activation)],
        attributes={"linear_before_reset": int(cell.reset_after)},
    )


def _simple_rnn(cell: layers.SimpleRNNCell | SimpleRNNCell) -> Cell:
    if isinstance(cell, SimpleRNNCell):
        _lacks(
            cell,
            layer_normalization=cell.layer_normalization,
            leaking_rate=cell.leaking_rate != 1,
        )
    return Cell(
        "RNN",
        array(cell.kernel).T,
        array(cell.recurrent_kernel).T,
        _one_bias(array(cell.bias)),
        [activation(cell.activation)],
    )


CELLS: dict[type, Callable[[Any], Cell]] = {
    layers.LSTMCell: _keras_lstm,
    LSTMCell: _lstm,
    layers.GRUCell: _gru,
    layers.SimpleRNNCell: _simple_rnn,
    SimpleRNNCell: _simple_rnn,
}
"""By exact class, because subclasses compute something else (a phased LSTM is an ``LSTMCell``)."""


def _cell(cell: Any) -> Cell:
    if type(cell) not in CELLS:
        raise Unsupported(type(cell).__name__)
    return CELLS[type(cell)](cell)


@dataclass(frozen=True)
class OneCell:
    """A cell that no layer holds."""

    cell: Any


def recurrent(
    graph: Graph,
    directions: Sequence[layers.RNN | OneCell],
    sequences: str,
    lengths: str = "",
    initial_states: Sequence[str] = (),
) -> list[str]:
    """Add a recurrent operator.

    Args:
        directions: one layer, or a forward and a backward one.
        sequences: ``(batch, timesteps, features)``.
        lengths: int32 ``(batch,)``, the number of real steps in each row; if empty, all are real.
        initial_states: each ``(batch, units)``; if empty, zeros.

    Returns:
        Outputs ``(batch, timesteps, directions * units)``, zeros at padding, and the final
        states, each ``(batch, units)``, as Keras's layers return them.
    """
    cells = [_cell(layer.cell) for layer in directions]
    first = cells[0]
    states = [graph.node("Unsqueeze", state, np.array([0])) for state in initial_states]
    peepholes = [cell.peepholes for cell in cells if cell.peepholes is not None]
    if peepholes:
        states = [*(states or ["", ""]), graph.constant(np.stack(peepholes))]
    activations = [name for cell in cells for name in cell.activations]
    scaled = activations.count("Affine")
    outputs, *final = graph.nodes(
        first.operator,
        3 if first.operator == "LSTM" else 2,
        graph.node("Transpose", sequences, perm=[1, 0, 2]),
        np.stack([cell.kernel for cell in cells]),
        np.stack([cell.recurrent_kernel for cell in cells]),
        np.stack([cell.bias for cell in cells]),
        lengths,
        *states,
        direction="bidirectional" if len(cells) == 2 else "forward",
        activations=activations,
        activation_alpha=[1.0] * scaled or None,
        activation_beta=[0.0] * scaled or None,
        hidden_size=first.recurrent_kernel.shape[1],
        **first.attributes,
    )
    by_batch = graph.node("Transpose", outputs, perm=[2, 0, 1, 3])
    return [
        graph.node("Reshape", by_batch, np.array([0, 0, -1])),
        *(
            graph.node("Gather", state, np.array(direction), axis=0)
            for direction in range(len(cells))
            for state in final
        ),
    ]
