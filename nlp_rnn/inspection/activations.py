"""The states of every cell along a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.inspection.gradient_flow import recurrent_layers
from nlp_rnn.inspection.state import State
from nlp_rnn.text.bounds import padded_length

WINDOW = 1024
"""The maximum number of steps computed at once. States are carried over, so it affects memory, not
results."""


class AllStates(keras.layers.Layer):
    """A cell that outputs all states of another cell, whereas recurrent layers output only ``h``.

    It is used only for computing and never saved.

    Args:
        cell: a built cell, as in a trained network.
    """

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell = cell
        self.state_size = cell.state_size
        self.output_size = sum(keras.tree.flatten(cell.state_size))
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        _, after = self.cell(inputs, states, training=training)
        return ops.concatenate(keras.tree.flatten(after), axis=-1), after


def all_states(network: keras.Model) -> keras.Model:
    """A language model that returns its states after every step.

    Returns:
        A model that maps the network's inputs ``[ids, *states]`` to all states, concatenated in the
        order of the inputs, ``(batch, timesteps, sum of widths)``.
    """
    outputs = []
    for name, layer in recurrent_layers(network).items():
        received, *initial = keras.tree.flatten(network.get_layer(name).input)
        states = keras.layers.RNN(AllStates(layer.cell), return_sequences=True)
        outputs.append(states(received, initial_state=initial))
    return keras.Model(network.inputs, ops.concatenate(outputs, axis=-1))


def widths(network: keras.Model) -> dict[State, int]:
    """The states of a language model, in the order of its inputs, and the number of cells of
    each."""
    found = {}
    for state in network.inputs[1:]:
        name, _, layer = state.name.rpartition("_")
        found[State(int(layer), name)] = state.shape[-1]
    return found


def states_along(
    network: keras.Model,
    inputs: NDArray[np.int32],
    starts: NDArray[np.bool_],
    progress: Callable[[int], object] = lambda steps: None,
) -> dict[State, Floats]:
    """The states of a language model after each step of a text, as in a single pass.

    Args:
        network: a network with inputs ``[ids, *states]`` and at least one recurrent layer.
        inputs: token indices ``(steps,)``.
        starts: bool ``(steps,)``: the state is zero before these steps, including the first.
        progress: called with the number of steps done.

    Returns:
        The states by layer and name, in the order of the network's inputs, each ``(steps, cells)``.
    """
    sizes = widths(network)
    zeros = np.zeros(sum(sizes.values()), np.float32)
    borders = np.cumsum(list(sizes.values()))[:-1]
    texts = np.split(inputs, np.flatnonzero(starts)[1:])
    model = all_states(network)
    window = min(WINDOW, padded_length(max(map(len, texts))))
    rows = np.empty((len(inputs), len(zeros)), np.float32)
    done = 0
    for text in texts:
        before = zeros
        for ids in _windows(text, window):
            steps = len(ids)
            padded = np.pad(ids, (0, window - steps))[None]  # one shape, compiled once
            states = [state[None] for state in np.split(before, borders)]
            found = model.predict_on_batch([padded, *states])
            rows[done : done + steps] = found[0, :steps]
            done += steps
            before = rows[done - 1]
            progress(steps)
    return dict(zip(sizes, np.split(rows, borders, axis=1), strict=True))


def _windows(text: NDArray[np.int32], width: int) -> Iterator[NDArray[np.int32]]:
    for start in range(0, len(text), width):
        yield text[start : start + width]
