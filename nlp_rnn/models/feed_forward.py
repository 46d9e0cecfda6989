"""A fixed context instead of recurrence: the neural language model of Bengio et al. (2003)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from nlp_rnn.config import ConvolutionParameters, FeedForwardParameters
from nlp_rnn.layers.context import ContextTokens, JoinedNeighbours
from nlp_rnn.models.encoder import embedded

CONTEXT = "context"
"""The name of the state: the last tokens that were read."""


def feed_forward_stack(
    embedding: layers.Embedding,
    ids: Any,
    initial_states: Sequence[Any],
    parameters: FeedForwardParameters,
) -> tuple[Any, list[Any]]:
    """Hidden layer over the vectors of the last ``context`` tokens.

    Bengio et al. (2003), eq. 1: ``y = b + W x + U tanh(d + H x)``. Here is what the output layer
    ``b + [tanh(d + H x), x] [U; W]`` sees: without direct connections ``W`` the hidden layer
    alone.

    Args:
        ids: ``(batch, timesteps)``.
        initial_states: one, the tokens before ``ids``, floats ``(batch, context)``; zeros start
            a text.

    Returns:
        The hidden layer, with direct connections joined with ``x``, ``(batch, timesteps, width)``,
        and the final states, as the initial ones.
    """
    (before,) = initial_states
    tokens, after = ContextTokens(parameters.context, name="context_tokens")(before, ids)
    x = _inputs(embedded(embedding, tokens, parameters), parameters)
    x = layers.Dropout(parameters.dropout, name="dropout_input")(x)
    hidden = layers.Dense(parameters.units, "tanh", name="feed_forward")(x)
    hidden = layers.Dropout(parameters.dropout, name="dropout_output")(hidden)
    if parameters.direct:
        hidden = layers.Concatenate(name="direct")([hidden, x])
    return hidden, [after]


def _inputs(vectors: Any, parameters: FeedForwardParameters) -> Any:
    """``x`` of each step, from the vectors of all tokens that the steps see."""
    inputs, size = parameters.inputs, parameters.context
    if inputs.kind == "average":
        return layers.AveragePooling1D(size, strides=1, name="average")(vectors)
    if isinstance(inputs, ConvolutionParameters):
        # Contexts overlap, so a filter's output serves all those that its window lies in.
        vectors = layers.Conv1D(
            inputs.filters, inputs.window, activation="relu", name="convolution"
        )(vectors)
        size -= inputs.window - 1
    return JoinedNeighbours(size, name="concatenation")(vectors)
