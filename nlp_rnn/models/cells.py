"""Builds the recurrent layer that a cell's parameters describe.

Keras's own layers are used where they have the options, the LSTM and the GRU with our hand-written
backward pass; every other option uses :class:`RecurrentLayer` with a cell of this package.
"""

from __future__ import annotations

from typing import Any

from keras import layers

from nlp_rnn.config import (
    EncoderParameters,
    GRUParameters,
    LSTMParameters,
    PhasedLSTMParameters,
    SimpleRNNParameters,
)
from nlp_rnn.layers.cells import (
    Cell,
    ForgetGateBias,
    LSTMCell,
    PhasedLSTMCell,
    SimpleRNNCell,
    Zoneout,
)
from nlp_rnn.layers.gru import GRU
from nlp_rnn.layers.lstm import LSTM
from nlp_rnn.layers.recurrent import RecurrentLayer

OF_KERAS_LSTM = ("kind", "forget_bias")
OF_KERAS_SIMPLE_RNN = ("kind", "activation", "recurrent_initializer")


def _is_default(section: Any, but: tuple[str, ...]) -> bool:
    """Whether every option except those named has its default."""
    return all(
        getattr(section, name) == field.default
        for name, field in type(section).model_fields.items()
        if name not in but
    )


def _keras_layer(parameters: EncoderParameters) -> tuple[type[layers.RNN], dict[str, Any]] | None:
    """Keras's own layer for a cell and its options; None if Keras lacks one."""
    cell = parameters.cell
    if parameters.zoneout.hidden or parameters.zoneout.cell:
        return None
    if isinstance(cell, GRUParameters):
        return GRU, {"reset_after": cell.reset_after}
    if isinstance(cell, LSTMParameters) and _is_default(cell, OF_KERAS_LSTM):
        bias = ForgetGateBias(cell.forget_bias)
        return LSTM, {"unit_forget_bias": False, "bias_initializer": bias}
    if isinstance(cell, SimpleRNNParameters) and _is_default(cell, OF_KERAS_SIMPLE_RNN):
        return layers.SimpleRNN, cell.model_dump(exclude={"kind"}, include=set(OF_KERAS_SIMPLE_RNN))
    return None


def bare_cell(parameters: EncoderParameters) -> Any:
    """The cell with all its options except zoneout."""
    cell, dropout = parameters.cell, parameters.recurrent_dropout
    options = cell.model_dump(exclude={"kind"}) | {"recurrent_dropout": dropout}
    if isinstance(cell, GRUParameters):
        return layers.GRUCell(parameters.units, **options)
    if isinstance(cell, LSTMParameters):
        return LSTMCell(parameters.units, **options)
    if isinstance(cell, PhasedLSTMParameters):
        return PhasedLSTMCell(parameters.units, **options)
    return SimpleRNNCell(parameters.units, **options)


def _cell(parameters: EncoderParameters) -> Any:
    cell, zoneout = bare_cell(parameters), parameters.zoneout
    if not (zoneout.hidden or zoneout.cell):
        return cell
    rates = {"h": zoneout.hidden, "c": zoneout.cell}
    return Zoneout(cell, [rates.get(name, 0.0) for name in states(parameters)])


def recurrent_layer(
    parameters: EncoderParameters, number: int, return_state: bool = False
) -> layers.RNN:
    """One recurrent layer, called ``<cell>_<number>``, that returns the outputs of all steps."""
    options = {
        "return_sequences": True,
        "return_state": return_state,
        "name": f"{parameters.cell.kind}_{number}",
    }
    found = _keras_layer(parameters)
    if found is None:
        return RecurrentLayer(_cell(parameters), **options)
    layer, cell_options = found
    dropout = parameters.recurrent_dropout
    return layer(parameters.units, recurrent_dropout=dropout, **cell_options, **options)


def states(parameters: EncoderParameters) -> dict[str, int]:
    """The states of one layer in one direction, in Keras's order: name and width.

    ``h`` is the hidden state, ``c`` the LSTM's cell state; with full gate recurrence the gates
    are states too, and the phased LSTM keeps the time as a state.
    """
    cell = bare_cell(parameters)
    if isinstance(cell, Cell):
        return dict(zip(cell.state_names, cell.state_size, strict=True))
    return {"h": parameters.units}
