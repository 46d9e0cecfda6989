"""Encoders without recurrence: each word is encoded from a fixed number of words around it."""

from __future__ import annotations

from typing import Any

from keras import layers

from nlp_rnn.config import ConvolutionalParameters, FixedViewParameters, WindowParameters
from nlp_rnn.layers.convolution import Convolutions, Windows
from nlp_rnn.layers.dropout import Dropout


def fixed_view(vectors: Any, parameters: FixedViewParameters, mask: Any) -> Any:
    """What a hidden layer over windows, or stacked convolutions, make of each word's surroundings.

    Args:
        vectors: ``(batch, timesteps, dimension)``.
        mask: bool ``(batch, timesteps)``, true at real tokens, false at padding on the right.

    Returns:
        ``(batch, timesteps, width)``, undefined at padding and without dropout.
    """
    rate = parameters.input_dropout
    rate = parameters.dropout if rate is None else rate
    vectors = Dropout(rate, name="dropout_input")(vectors)
    if isinstance(parameters, WindowParameters):
        windows = Windows(parameters.window, name="windows")(vectors, mask=mask)
        return layers.Dense(parameters.units, "tanh", name="window_0")(windows)
    assert isinstance(parameters, ConvolutionalParameters)
    return _convolved(vectors, parameters, mask)


def _convolved(vectors: Any, parameters: ConvolutionalParameters, mask: Any) -> Any:
    for i in range(parameters.layers):
        if i:
            vectors = Dropout(parameters.dropout, name=f"dropout_{i}")(vectors)
        convolutions = Convolutions(
            parameters.filters,
            parameters.windows,
            parameters.dilation**i,
            name=f"convolutions_{i}",
        )
        vectors = convolutions(vectors, mask=mask)
    return vectors
