"""A label for a text: encoder, pooling over real tokens, softmax."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from nlp_rnn.config import ClassifierParameters
from nlp_rnn.layers.pooling import POOLING, LastPooling
from nlp_rnn.models.encoder import embedded, real_tokens, recurrent_stack


def classifier(
    embedding: layers.Embedding, parameters: ClassifierParameters, labels: int
) -> keras.Model:
    """Build a classifier.

    Returns:
        A model from token indices, int32 ``(batch, timesteps)`` padded on the right with 0, to
        logits ``(batch, labels)``.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = real_tokens(ids)
    vectors = embedded(embedding, ids, parameters)
    states, _ = recurrent_stack(vectors, parameters, parameters.bidirectional, mask)
    logits = layers.Dense(labels, name="logits")(_pooled(states, mask, parameters))
    return keras.Model(ids, logits, name="classifier")


def _pooled(states: Any, mask: Any, parameters: ClassifierParameters) -> Any:
    def by(name: str) -> Any:
        if name == "last":
            return LastPooling(parameters.bidirectional, name=name)(states, mask=mask)
        return POOLING[name](name=name)(states, mask=mask)

    if parameters.pooling == "concatenated":
        return layers.Concatenate(name="pooled")([by("last"), by("max"), by("mean")])
    return by(parameters.pooling)
