"""Builds the network that an experiment's parameters describe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from numpy.typing import NDArray

from nlp_rnn.config import (
    AnyExperiment,
    ClassificationExperiment,
    GivenEmbeddings,
    IntentsAndSlotsExperiment,
    SemanticRolesExperiment,
    SequenceToSequenceExperiment,
    TaggingExperiment,
)
from nlp_rnn.models.classifier import classifier
from nlp_rnn.models.encoder import embedding_layer
from nlp_rnn.models.encoder_decoder import encoder_decoder
from nlp_rnn.models.joint import joint_model
from nlp_rnn.models.language_model import language_model
from nlp_rnn.models.tagger import tagger
from nlp_rnn.text.prepared import PairSizes

TARGET = "target_embedding"
"""The name of the embedding of target tokens, where it is another one than that of sources."""


def build_network(
    experiment: AnyExperiment,
    vocabulary_size: int,
    labels: Sequence[str],
    characters: Sequence[str] = (),
    vectors: NDArray[Any] | None = None,
    entities: bool = True,
    pairs: PairSizes | None = None,
    intents: Sequence[str] = (),
) -> keras.Model:
    """Build the network of ``experiment``.

    Args:
        labels: names of labels or tags; ignored where there are none.
        characters: every character type, the special ones first; ignored if the network reads none.
        vectors: initial embeddings ``(vocabulary_size, dimension)``; None if weights are loaded
            afterwards.
        entities: whether tags that look like BIO mark entities.
        pairs: the sizes of an encoder-decoder's data.
        intents: names of the labels of texts whose words have tags.
    """
    embeddings = experiment.embeddings
    frozen = isinstance(embeddings, GivenEmbeddings) and embeddings.frozen
    embedding = embedding_layer(vocabulary_size, embeddings.dimension, vectors, not frozen)
    context = embeddings.contextual
    if isinstance(experiment, ClassificationExperiment):
        return classifier(embedding, experiment.model, len(labels), context)
    if isinstance(experiment, IntentsAndSlotsExperiment):
        model, count = experiment.model, len(intents)
        return joint_model(embedding, model, labels, count, characters, entities, context)
    if isinstance(experiment, TaggingExperiment | SemanticRolesExperiment):
        return tagger(embedding, experiment.model, labels, characters, entities, context)
    if isinstance(experiment, SequenceToSequenceExperiment):
        assert pairs is not None
        of_target = embedding
        if not pairs.shared:
            of_target = embedding_layer(pairs.targets, embeddings.dimension, None, True, TARGET)
        return encoder_decoder(embedding, of_target, experiment.model, pairs.features)
    return language_model(embedding, experiment.model)
