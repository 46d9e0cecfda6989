"""Text classifiers: encoder, pooling over real tokens, softmax; or no encoder at all."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from nlp_rnn.config import (
    AnyClassifier,
    AveragedParameters,
    ClassifierParameters,
    ContextualParameters,
    FixedViewClassifierParameters,
)
from nlp_rnn.layers.dropout import Dropout
from nlp_rnn.layers.pairs import PairBuckets
from nlp_rnn.layers.pooling import POOLING, LastPooling, MeanPooling
from nlp_rnn.models.contextual import contextual_vectors
from nlp_rnn.models.encoder import embedded, real_tokens, recurrent_stack
from nlp_rnn.models.fixed_view import fixed_view


def classifier(
    embedding: layers.Embedding,
    parameters: AnyClassifier,
    labels: int,
    context: ContextualParameters | None = None,
) -> keras.Model:
    """Build a classifier.

    Args:
        context: the contextual word vectors that it reads beside those of ``embedding``.

    Returns:
        A model that maps token indices, int32 ``(batch, timesteps)`` padded on the right with 0, to
        logits ``(batch, labels)``.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = real_tokens(ids)
    vectors = embedded(embedding, ids, parameters)
    if context is not None:
        others = contextual_vectors(ids, mask, embedding.input_dim, context)
        vectors = layers.Concatenate(name="word")([vectors, others])
    if isinstance(parameters, AveragedParameters):
        text = _averaged(ids, vectors, mask, parameters)
    elif isinstance(parameters, FixedViewClassifierParameters):
        views = fixed_view(vectors, parameters, mask)
        text = POOLING[parameters.pooling](name=parameters.pooling)(views, mask=mask)
        text = Dropout(parameters.dropout, name="dropout_output")(text)
    else:
        states, _ = recurrent_stack(vectors, parameters, parameters.bidirectional, mask)
        text = pooled(states, mask, parameters)
    logits = layers.Dense(labels, name="logits")(text)
    return keras.Model(ids, logits, name="classifier")


def _averaged(ids: Any, vectors: Any, mask: Any, parameters: AveragedParameters) -> Any:
    """The mean over real tokens of the token's vector plus the vector of its pair with the next."""
    if parameters.pairs:
        buckets = PairBuckets(parameters.pairs, name="pairs")(ids)
        dimension = vectors.shape[-1]
        of_pairs = layers.Embedding(parameters.pairs, dimension, name="pair_embedding")(buckets)
        vectors = layers.Add(name="terms")([vectors, of_pairs])
    mean = MeanPooling(name="mean")(vectors, mask=mask)
    return Dropout(parameters.dropout, name="dropout_output")(mean)


def pooled(states: Any, mask: Any, parameters: ClassifierParameters) -> Any:
    """The states of all tokens as one vector for each text."""

    def by(name: str) -> Any:
        if name == "last":
            return LastPooling(parameters.bidirectional, name=name)(states, mask=mask)
        return POOLING[name](name=name)(states, mask=mask)

    if parameters.pooling == "concatenated":
        return layers.Concatenate(name="pooled")([by("last"), by("max"), by("mean")])
    return by(parameters.pooling)
