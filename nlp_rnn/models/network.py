"""From an experiment's parameters to its network."""

from __future__ import annotations

from typing import Any

import keras
from numpy.typing import NDArray

from nlp_rnn.config import (
    ClassificationExperiment,
    LanguageModellingExperiment,
    PretrainedEmbeddings,
    TaggingExperiment,
)
from nlp_rnn.models.classifier import classifier
from nlp_rnn.models.encoder import embedding_layer
from nlp_rnn.models.language_model import language_model
from nlp_rnn.models.tagger import tagger

AnyExperiment = ClassificationExperiment | TaggingExperiment | LanguageModellingExperiment


def network(
    experiment: AnyExperiment,
    vocabulary_size: int,
    labels: int,
    vectors: NDArray[Any] | None = None,
) -> keras.Model:
    """Build the network of ``experiment``.

    Args:
        labels: number of labels or tags; of no meaning for language models.
        vectors: initial embeddings ``(vocabulary_size, dimension)``; None where weights are
            loaded afterwards.
    """
    embeddings = experiment.embeddings
    frozen = isinstance(embeddings, PretrainedEmbeddings) and not embeddings.trainable
    embedding = embedding_layer(vocabulary_size, embeddings.dimension, vectors, not frozen)
    if isinstance(experiment, ClassificationExperiment):
        return classifier(embedding, experiment.model, labels)
    if isinstance(experiment, TaggingExperiment):
        return tagger(embedding, experiment.model, labels)
    return language_model(embedding, experiment.model)
