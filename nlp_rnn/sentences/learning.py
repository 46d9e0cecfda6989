"""From consecutive sentences to an encoder."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.config import AnySentences, GivenEmbeddings, QuickThoughtSentences, TrainingParameters
from nlp_rnn.embeddings.sentence_encoder import SentenceEncoder
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.sentences.batches import SentenceBatches
from nlp_rnn.sentences.corpus import SentenceCorpus
from nlp_rnn.sentences.networks import learner
from nlp_rnn.sentences.objective import QuickThoughtObjective
from nlp_rnn.training.checkpoint import Checkpoint, Progress
from nlp_rnn.training.fit import Row, fit
from nlp_rnn.training.objective import Objective, Totals, compiled


class Learned(NamedTuple):
    """An encoder and how its training went."""

    encoder: SentenceEncoder
    progress: Progress


def learn(
    train: SentenceCorpus,
    validation: SentenceCorpus,
    vectors: WordVectors,
    parameters: AnySentences,
    seed: int,
    checkpoint: Checkpoint,
) -> Learned:
    """Learn a sentence encoder; an interrupted run resumes from its checkpoint.

    Args:
        train: the sentences to learn from, their words as rows of ``vectors``.
        validation: those that decide which epoch is kept.

    Raises:
        UserError: the loss is no longer a number.
    """
    used = by_frequency(train, validation, len(vectors))
    place = np.zeros(len(vectors), np.int32)
    place[used] = np.arange(1, len(used) + 1)
    nothing = np.zeros((1, vectors.matrix.shape[1]), np.float32)
    learning = learner(parameters, np.concatenate([nothing, vectors.matrix[used]]))
    objective = compiled(
        _objective(learning.network, parameters), training_of(parameters), _frozen(parameters)
    )
    training = SentenceBatches(train.renumbered(place), parameters, seed)
    held_out = SentenceBatches(validation.renumbered(place), parameters)
    progress = fit(
        objective,
        training.of_epoch,
        lambda: _validated(objective, held_out),
        training_of(parameters),
        checkpoint,
    )
    matrix = vectors.matrix.copy()
    matrix[used] = learning.network.get_layer("embedding").get_weights()[0][1:]
    known = WordVectors(vectors.words, matrix, vectors.lookup)
    encoder = SentenceEncoder(known, learning.weights(), parameters.pooling, {})
    return Learned(encoder, progress)


def by_frequency(train: SentenceCorpus, validation: SentenceCorpus, words: int) -> Ints:
    """The words that occur, those that are most frequent in training first."""
    counts = np.bincount(train.ids, minlength=words)
    occur = (counts > 0) | (np.bincount(validation.ids, minlength=words) > 0)
    order = np.argsort(-counts, kind="stable")
    return order[occur[order]]


def training_of(parameters: AnySentences) -> TrainingParameters:
    """The parameters of the training."""
    return TrainingParameters(
        learning_rate=parameters.learning_rate,
        schedule=parameters.schedule,
        clip_norm=parameters.clip_norm,
        epochs=parameters.epochs,
        batch_size=parameters.batch_size,
    )


def _frozen(parameters: AnySentences) -> int:
    """The first epochs in which word vectors that are trained later are not."""
    embeddings = parameters.embeddings
    return embeddings.frozen_epochs if isinstance(embeddings, GivenEmbeddings) else 0


def _objective(network: keras.Model, parameters: AnySentences) -> Objective:
    if isinstance(parameters, QuickThoughtSentences):
        return QuickThoughtObjective(network, parameters.context)
    return Objective(network, with_accuracy=False)


def _validated(objective: Any, batches: SentenceBatches) -> Row:
    """The loss of the validation split, and accuracy if it is tracked."""
    totals = Totals()
    for batch in batches.of_epoch()[0]:
        objective.reset_metrics()
        figures = objective.test_on_batch(
            batch.inputs, batch.answers, sample_weight=batch.weights, return_dict=True
        )
        totals.add(figures, float(batch.weights.sum()))
    return totals.means("validation")
