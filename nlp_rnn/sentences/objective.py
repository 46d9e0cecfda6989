"""The loss of quick-thought; that of skip-thought is every language model's."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn.training.objective import Objective

NEVER = -1e9
"""The score of a sentence as its own neighbour."""


class QuickThoughtObjective(Objective):
    """``-ln P`` of the neighbours of each sentence (Logeswaran & Lee 2018, equation 2).

    Sentence ``i`` has neighbours ``N_i``, those at most ``context`` places away in the same
    document. With the scores ``S`` of all pairs of a batch, in which no sentence is a candidate for
    itself::

        P(j | i) = exp(S_ij) / sum_{k != i} exp(S_ik)
        loss_i = -1/|N_i| sum_{j in N_i} ln P(j | i)

    The loss is the mean over all sentences that have a neighbour. Accuracy is how often the
    candidate of the highest score is a neighbour.

    Args:
        network: gives the scores ``(batch, batch)`` of consecutive sentences.
        context: how many sentences on each side are neighbours.
    """

    def __init__(self, network: keras.Model, context: int) -> None:
        super().__init__(network)
        self.context = context

    def _cross_entropy(self, documents: Any, scores: Any, weights: Any) -> Any:
        near = ops.cast(self.neighbours(documents), scores.dtype)
        itself = ops.eye(ops.shape(scores)[0], dtype=scores.dtype)
        scores = scores + NEVER * itself
        if self.accuracy is not None:
            best = ops.expand_dims(ops.argmax(scores, axis=-1), -1)
            right = ops.squeeze(ops.take_along_axis(near, ops.cast(best, "int32"), axis=-1), -1)
            self.accuracy.update_state(right, weights)
        of_neighbours = near * ops.log_softmax(scores, axis=-1)
        many = ops.maximum(ops.sum(near, axis=-1), 1.0)
        return self._mean(-ops.sum(of_neighbours, axis=-1) / many, weights)

    def neighbours(self, documents: Any) -> Any:
        """Which sentences are neighbours, bool ``(batch, batch)``.

        Args:
            documents: the document of each sentence, int32 ``(batch,)``.
        """
        places = ops.arange(ops.shape(documents)[0])
        distance = ops.abs(ops.expand_dims(places, 0) - ops.expand_dims(places, 1))
        together = ops.equal(ops.expand_dims(documents, 0), ops.expand_dims(documents, 1))
        return (distance > 0) & (distance <= self.context) & together
