"""A label for a text: encoder, pooling over real tokens, softmax."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from nlp_rnn.config import ClassifierParameters
from nlp_rnn.layers.pooling import POOLING
from nlp_rnn.models.encoder import embedded, last_hidden_state, real_tokens, recurrent_stack


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
    states, final = recurrent_stack(vectors, parameters, parameters.bidirectional, mask)
    if parameters.pooling == "last":
        last: list[Any] = last_hidden_state(final, parameters, parameters.bidirectional)
        pooled = layers.Concatenate(name="last")(last) if len(last) > 1 else last[0]
        pooled = layers.Dropout(parameters.dropout, name="dropout_pooled")(pooled)
    else:
        pooling: keras.layers.Layer = POOLING[parameters.pooling](name=parameters.pooling)
        pooled = pooling(states, mask=mask)
    return keras.Model(ids, layers.Dense(labels, name="logits")(pooled), name="classifier")
