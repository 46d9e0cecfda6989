"""A fixed context instead of recurrence: the neural language model of Bengio et al. (2003)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from nlp_rnn.config import ConvolutionParameters, FeedForwardParameters
from nlp_rnn.layers.context import ContextTokens, JoinedNeighbours
from nlp_rnn.layers.dropout import Dropout
from nlp_rnn.models.encoder import embedded

CONTEXT = "context"
"""The name of the state, which holds the last tokens that were read."""


def feed_forward_stack(
    embedding: layers.Embedding,
    ids: Any,
    initial_states: Sequence[Any],
    parameters: FeedForwardParameters,
) -> tuple[Any, list[Any]]:
    """A hidden layer over the vectors of the last ``context`` tokens.

    Bengio et al. (2003), eq. 1: ``y = b + W x + U tanh(d + H x)``. The function returns the input
    of the output layer ``b + [tanh(d + H x), x] [U; W]``; without direct connections ``W`` it is
    the hidden layer alone.

    Args:
        ids: ``(batch, timesteps)``.
        initial_states: a single state, the tokens before ``ids``, floats ``(batch, context)``;
            zeros start a text.

    Returns:
        The hidden layer, concatenated with ``x`` if there are direct connections,
        ``(batch, timesteps, width)``, and the final states, shaped like the initial ones.
    """
    (before,) = initial_states
    tokens, after = ContextTokens(parameters.context, name="context_tokens")(before, ids)
    x = _inputs(embedded(embedding, tokens, parameters), parameters)
    x = Dropout(parameters.dropout, name="dropout_input")(x)
    hidden = layers.Dense(parameters.units, "tanh", name="feed_forward")(x)
    hidden = Dropout(parameters.dropout, name="dropout_output")(hidden)
    if parameters.direct:
        hidden = layers.Concatenate(name="direct")([hidden, x])
    return hidden, [after]


def _inputs(vectors: Any, parameters: FeedForwardParameters) -> Any:
    """The input ``x`` of each step, from the vectors of all tokens that the steps see."""
    inputs, size = parameters.inputs, parameters.context
    if inputs.kind == "average":
        return layers.AveragePooling1D(size, strides=1, name="average")(vectors)
    if isinstance(inputs, ConvolutionParameters):
        # Contexts overlap, so a filter's output is shared by all contexts that contain its window.
        vectors = layers.Conv1D(
            inputs.filters, inputs.window, activation="relu", name="convolution"
        )(vectors)
        size -= inputs.window - 1
    return JoinedNeighbours(size, name="concatenation")(vectors)
