"""A label for a text: encoder, pooling over real tokens, softmax."""

from __future__ import annotations

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
    pooling: layers.Layer
    if parameters.pooling == "last":
        pooling = LastPooling(parameters.bidirectional, name="last")
    else:
        pooling = POOLING[parameters.pooling](name=parameters.pooling)
    logits = layers.Dense(labels, name="logits")(pooling(states, mask=mask))
    return keras.Model(ids, logits, name="classifier")
