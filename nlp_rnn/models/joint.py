"""Intents and slots at once: an encoder under the heads of a tagger and a classifier."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from nlp_rnn.config import ContextualParameters, JointParameters
from nlp_rnn.models.classifier import pooled
from nlp_rnn.models.tagger import encoded_words, tag_logits


def joint_model(
    embedding: layers.Embedding,
    parameters: JointParameters,
    tags: Sequence[str],
    labels: int,
    characters: Sequence[str] = (),
    entities: bool = True,
    context: ContextualParameters | None = None,
) -> keras.Model:
    """Build a model of intents and slots (Liu & Lane 2016).

    Args:
        labels: the number of labels of a text.
        context: the contextual word vectors that it reads beside those of ``embedding``.

    Returns:
        A model with the inputs of :func:`~nlp_rnn.models.tagger.tagger`, to its logits
        ``(batch, timesteps, tags)`` and those of labels ``(batch, labels)``, from the same states.
    """
    inputs, states, mask = encoded_words(embedding, parameters, characters, context)
    logits = tag_logits(states, mask, parameters, tags, entities)
    text = layers.Dense(labels, name="label_logits")(pooled(states, mask, parameters))
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], [logits, text], name="joint")
