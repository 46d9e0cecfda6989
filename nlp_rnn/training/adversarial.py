"""Adversarial training: the loss where the embeddings are shifted so that it hurts most."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn.backend import gradient
from nlp_rnn.layers.softmax.full import cross_entropy
from nlp_rnn.models.encoder import real_tokens
from nlp_rnn.training.objective import Objective

SMALLEST = 1e-12
"""Added to a norm that is divided by, so that a gradient of 0 gives a perturbation of 0."""


class AdversarialObjective(Objective):
    """A classifier's loss and its loss under an adversarial perturbation, added up.

    Miyato, Dai & Goodfellow (2017), eqs. 5 and 6: with ``s`` the embeddings of all tokens of a
    text as one vector and ``g`` the gradient of its loss with respect to ``s``, the perturbation
    is ``r = epsilon g / |g|``, and ``L(s + r)`` is added to ``L(s)``. Two things differ. The paper
    scales the embeddings to a mean square of 1; here the length of ``r`` is ``epsilon`` times
    their root mean square, so that pretrained vectors stay what they are. And ``g`` is of the
    network without dropout, so that nothing is drawn at random for it.

    Args:
        network: a classifier with a layer called ``embedding``.
        epsilon: the length of the perturbations.
    """

    def __init__(self, network: keras.Model, epsilon: float) -> None:
        super().__init__(network)
        self.epsilon = epsilon
        self.embedding = network.get_layer("embedding")
        self.above = keras.Model([network.input, self.embedding.output], network.output)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return loss + self.adversarial_loss(x, y) if training else loss

    def adversarial_loss(self, ids: Any, labels: Any) -> Any:
        """The mean cross-entropy under the perturbation that raises it most.

        Args:
            ids: token indices ``(batch, timesteps)``.
            labels: ``(batch,)``.
        """
        ids = ops.convert_to_tensor(ids, "int32")
        vectors = self.embedding(ids)

        def losses(vectors: Any, training: bool) -> Any:
            return cross_entropy(self.above([ids, vectors], training=training), labels)

        g = gradient(lambda s: ops.sum(losses(s, training=False)), vectors)
        norm = ops.sqrt(ops.sum(g * g, axis=(1, 2), keepdims=True)) + SMALLEST
        r = self.epsilon * root_mean_square(vectors, real_tokens(ids)) * g / norm
        return ops.mean(losses(vectors + ops.stop_gradient(r), training=True))


def root_mean_square(vectors: Any, mask: Any) -> Any:
    """Of all components of the vectors ``(batch, timesteps, dimension)`` of real tokens."""
    mask = ops.expand_dims(ops.cast(mask, vectors.dtype), -1)
    components = ops.sum(mask) * vectors.shape[-1]
    return ops.sqrt(ops.sum(mask * vectors * vectors) / components)
