"""A tag for every word: encoder, softmax at every token."""

from __future__ import annotations

import keras
from keras import layers

from nlp_rnn.config import TaggerParameters
from nlp_rnn.models.encoder import real_tokens, recurrent_stack


def tagger(embedding: layers.Embedding, parameters: TaggerParameters, tags: int) -> keras.Model:
    """Build a tagger.

    Returns:
        A model from token indices, int32 ``(batch, timesteps)`` padded on the right with 0, to
        logits ``(batch, timesteps, tags)``.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    states, _ = recurrent_stack(
        embedding(ids), parameters, parameters.bidirectional, real_tokens(ids)
    )
    return keras.Model(ids, layers.Dense(tags, name="logits")(states), name="tagger")
