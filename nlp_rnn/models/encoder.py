"""The embeddings and the recurrent encoder that all models share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops
from numpy.typing import NDArray

from nlp_rnn.config import EncoderParameters, NetworkParameters
from nlp_rnn.layers.activity import (
    ActivationRegularization,
    NormStabilizer,
    TemporalActivationRegularization,
)
from nlp_rnn.layers.bidirectional import Bidirectional
from nlp_rnn.layers.dropout import Dropout, EmbeddingDropout
from nlp_rnn.layers.highway import HighwayConnection
from nlp_rnn.layers.weight_drop import WeightDrop
from nlp_rnn.models.cells import recurrent_layer, states
from nlp_rnn.text.vocabulary import PAD_INDEX

ONE_MASK_A_SEQUENCE = (None, 1, None)
"""The shape of a variational dropout mask: the same at every step."""


def embedding_layer(
    vocabulary_size: int,
    dimension: int,
    vectors: NDArray[Any] | None,
    trainable: bool,
    name: str = "embedding",
) -> layers.Embedding:
    """The lookup table ``(vocabulary_size, dimension)``, initialised with ``vectors`` if given."""
    initializer = "uniform" if vectors is None else keras.initializers.Constant(vectors)
    return layers.Embedding(
        vocabulary_size,
        dimension,
        embeddings_initializer=initializer,
        trainable=trainable,
        name=name,
    )


def real_tokens(ids: Any) -> Any:
    """The mask of real tokens, bool ``(batch, timesteps)``."""
    return ops.not_equal(ids, PAD_INDEX)


def embedded(embedding: layers.Embedding, ids: Any, parameters: NetworkParameters) -> Any:
    """The vectors of ``ids``; in training, those of dropped word types are zero."""
    vectors = embedding(ids)
    if parameters.embedding_dropout:
        drop = EmbeddingDropout(
            embedding.input_dim, parameters.embedding_dropout, name="embedding_dropout"
        )
        vectors = drop(vectors, ids)
    return vectors


def _dropout(parameters: EncoderParameters, rate: float | None, name: str) -> layers.Dropout:
    """Dropout of non-recurrent connections: naive (one mask per step) or variational.

    Args:
        rate: None uses ``dropout`` of the parameters.
    """
    shape = ONE_MASK_A_SEQUENCE if parameters.variational else None
    rate = parameters.dropout if rate is None else rate
    return Dropout(rate, noise_shape=shape, name=name)


def recurrent_stack(
    vectors: Any,
    parameters: EncoderParameters,
    bidirectional: bool,
    mask: Any,
    initial_states: Sequence[Any] | None = None,
    final_states: bool = False,
) -> tuple[Any, list[Any]]:
    """Stacked recurrent layers with dropout on non-recurrent connections.

    Zaremba et al. (2014): dropout on the input of every layer and on the last output,
    never on the step from ``h_{t-1}`` to ``h_t``, which has its own dropout.

    Args:
        vectors: ``(batch, timesteps, dimension)``.
        mask: bool ``(batch, timesteps)``, true at real tokens, false at padding on the right.
        initial_states: the states of a one-directional stack, layer by layer in the order of
            :func:`~nlp_rnn.models.cells.states`; zeros when None.
        final_states: whether to return the states after the last real token of each row. They are
            returned in any case if initial ones are given, which are those of rows without padding.

    Returns:
        The last layer's outputs ``(batch, timesteps, width * directions)``, undefined at padding,
        and the final states, layer by layer; of two directions those of the forward one first.
    """
    hidden = vectors
    count = len(states(parameters))
    final: list[Any] = []
    for i in range(parameters.layers):
        below = hidden
        return_state = final_states or initial_states is not None
        layer = recurrent_layer(parameters.of_layer(i), i, return_state)
        if bidirectional:
            layer = Bidirectional(layer, name=f"bidirectional_{i}")
        if parameters.weight_drop:
            layer = WeightDrop(layer, parameters.weight_drop, name=f"weight_drop_{i}")
        rate = parameters.dropout if i else parameters.input_dropout
        dropped = _dropout(parameters, rate, f"dropout_{i}")(below)
        if initial_states is not None:
            initial = list(initial_states[i * count : (i + 1) * count])
            hidden, *after = layer(dropped, initial_state=initial)
            final += after
        elif final_states:
            hidden, *after = layer(dropped, mask=mask)
            final += after
        else:
            # Right padding never reaches a real step of the forward direction.
            hidden = layer(dropped, mask=mask) if bidirectional else layer(dropped)
        if i and parameters.connection == "residual":
            hidden = layers.Add(name=f"residual_{i}")([below, hidden])
        if i and parameters.connection == "highway":
            hidden = HighwayConnection(name=f"highway_{i}")([below, hidden])
    return _regularized(hidden, parameters, mask), final


def _regularized(hidden: Any, parameters: EncoderParameters, mask: Any) -> Any:
    """The last layer's outputs after dropout; in training, adds their penalties to the loss."""
    if parameters.temporal_activation_regularization:
        hidden = TemporalActivationRegularization(
            parameters.temporal_activation_regularization, name="tar"
        )(hidden, mask=mask)
    if parameters.norm_stabilizer:
        hidden = NormStabilizer(parameters.norm_stabilizer, name="norm_stabilizer")(
            hidden, mask=mask
        )
    hidden = _dropout(parameters, parameters.output_dropout, "dropout_output")(hidden)
    if parameters.activation_regularization:
        hidden = ActivationRegularization(parameters.activation_regularization, name="ar")(
            hidden, mask=mask
        )
    return hidden
