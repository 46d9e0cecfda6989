"""The distribution of the next token: one-directional encoder, softmax over the vocabulary."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import keras
from keras import layers, ops

from nlp_rnn.config import LanguageModelParameters
from nlp_rnn.models.cells import states
from nlp_rnn.models.encoder import embedded, real_tokens, recurrent_stack


@keras.saving.register_keras_serializable("nlp_rnn")
class TiedOutput(keras.layers.Layer):
    """Logits from the embedding matrix itself (Press & Wolf 2017; Inan et al. 2017).

    Args:
        embedding: the embedding layer whose matrix ``E`` is shared.

    Call arguments:
        hidden: ``(batch, timesteps, dimension)``.

    Returns:
        ``hidden E^T + b``, ``(batch, timesteps, vocabulary)``.
    """

    def __init__(self, embedding: layers.Embedding, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.embedding = embedding

    def build(self, hidden_shape: tuple[int | None, ...]) -> None:
        self.bias = self.add_weight(
            shape=(self.embedding.input_dim,), initializer="zeros", name="bias"
        )

    def call(self, hidden: Any) -> Any:
        return ops.matmul(hidden, ops.transpose(self.embedding.embeddings)) + self.bias


def language_model(embedding: layers.Embedding, parameters: LanguageModelParameters) -> keras.Model:
    """Build a language model with explicit state.

    Returns:
        A model from ``[ids, *states]`` to ``[logits, *states]``: token indices int32
        ``(batch, timesteps)``, logits of each next token ``(batch, timesteps, vocabulary)``,
        states ``(batch, width)`` each, layer by layer, as :func:`~nlp_rnn.models.cells.states`
        names them. Zeros start a text.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    initial = [
        keras.Input((width,), name=f"{state}_{i}")
        for i in range(parameters.layers)
        for state, width in states(parameters).items()
    ]
    hidden, final = recurrent_stack(
        embedded(embedding, ids, parameters),
        parameters,
        bidirectional=False,
        mask=real_tokens(ids),
        initial_states=initial,
    )
    if parameters.tied:
        logits = TiedOutput(embedding, name="logits")(hidden)
    else:
        logits = layers.Dense(embedding.input_dim, name="logits")(hidden)
    return keras.Model([ids, *initial], [logits, *final], name="language_model")


@lru_cache(maxsize=1)  # so that a network's scorer is compiled once
def scorer(model: keras.Model) -> keras.Model:
    """A language model that returns the probability of given tokens instead of all logits.

    Returns:
        A model from ``[ids, targets, *states]`` to ``[losses, *states]``: ``losses`` is
        ``-ln P(target)`` in nats, ``(batch, timesteps)``.
    """
    ids, *states = model.inputs
    targets = keras.Input((None,), dtype="int32", name="targets")
    logits, *final = model(model.inputs)
    losses = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    return keras.Model([ids, targets, *states], [losses, *final], name="scorer")
