"""Embeddings and the recurrent encoder that every model shares."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops
from numpy.typing import NDArray

from nlp_rnn.config import EncoderParameters
from nlp_rnn.text.vocabulary import PAD_INDEX

CELLS = {"simple_rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
STATES = {"simple_rnn": ("h",), "lstm": ("h", "c"), "gru": ("h",)}
"""Names of a cell's states: hidden, and the LSTM's cell state."""


def embedding_layer(
    vocabulary_size: int, dimension: int, vectors: NDArray[Any] | None, trainable: bool
) -> layers.Embedding:
    """The lookup table ``(vocabulary_size, dimension)``, started from ``vectors`` if given."""
    initializer = "uniform" if vectors is None else keras.initializers.Constant(vectors)
    return layers.Embedding(
        vocabulary_size,
        dimension,
        embeddings_initializer=initializer,
        trainable=trainable,
        name="embedding",
    )


def real_tokens(ids: Any) -> Any:
    """The mask of real tokens, bool ``(batch, timesteps)``."""
    return ops.not_equal(ids, PAD_INDEX)


def recurrent_stack(
    embedded: Any,
    parameters: EncoderParameters,
    bidirectional: bool,
    mask: Any = None,
    initial_states: list[Any] | None = None,
) -> tuple[Any, list[Any]]:
    """Stacked recurrent layers with dropout on non-recurrent connections.

    Zaremba et al. (2014): dropout on the input of every layer and on the last output,
    never on the step from ``h_{t-1}`` to ``h_t``.

    Args:
        embedded: ``(batch, timesteps, dimension)``.
        mask: bool ``(batch, timesteps)``; states are held where it is false.
        initial_states: as returned, layer by layer; zeros when None.

    Returns:
        The last layer's outputs ``(batch, timesteps, units * directions)``, and the final
        states, each ``(batch, units)``: by layer, forward before backward, in the order of
        :data:`STATES`.
    """
    hidden = embedded
    count = len(STATES[parameters.cell])
    final: list[Any] = []
    for i in range(parameters.layers):
        hidden = layers.Dropout(parameters.dropout, name=f"dropout_{i}")(hidden)
        layer = CELLS[parameters.cell](
            parameters.units,
            return_sequences=True,
            return_state=True,
            name=f"{parameters.cell}_{i}",
        )
        if bidirectional:
            layer = layers.Bidirectional(layer, name=f"bidirectional_{i}")
        initial = initial_states[i * count : (i + 1) * count] if initial_states else None
        hidden, *states = layer(hidden, mask=mask, initial_state=initial)
        final += states
    return layers.Dropout(parameters.dropout, name="dropout_output")(hidden), final


def last_hidden_state(final: list[Any], cell: str, bidirectional: bool) -> list[Any]:
    """The last layer's final ``h`` of each direction, after each sequence's last real token."""
    count = len(STATES[cell])
    return [final[-2 * count], final[-count]] if bidirectional else [final[-count]]
