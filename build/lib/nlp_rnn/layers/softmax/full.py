"""The full softmax, with weights of its own or those of the embeddings."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from nlp_rnn.layers.softmax.output import OutputLayer


def cross_entropy(logits: Any, targets: Any) -> Any:
    """``-ln softmax(logits)[target]`` in nats, the shape of ``targets``.

    On JAX, Keras's own version multiplies by one-hot targets, which for a large vocabulary costs
    more than the softmax.

    Args:
        logits: ``(..., classes)``.
        targets: indices ``(...)``.
    """
    chosen = ops.take_along_axis(logits, ops.expand_dims(ops.cast(targets, "int32"), -1), axis=-1)
    return ops.logsumexp(logits, axis=-1) - ops.squeeze(chosen, -1)


@keras.saving.register_keras_serializable("nlp_rnn")
class Softmax(OutputLayer):
    """``P(w | h) = softmax(h W + b)_w`` over the whole vocabulary.

    Args:
        vocabulary: number of types.
        embedding: the embedding layer whose matrix ``E`` serves as ``W^T``: tied weights (Press &
            Wolf 2017; Inan et al. 2017). With None, the layer learns its own ``W``.
    """

    def __init__(
        self, vocabulary: int, embedding: layers.Embedding | None = None, **kwargs: Any
    ) -> None:
        super().__init__(vocabulary, **kwargs)
        self.embedding = embedding

    def build(self, hidden_shape: tuple[int | None, ...], *_: Any) -> None:
        if self.embedding is None:
            self.kernel = self.add_weight(shape=(hidden_shape[-1], self.vocabulary), name="kernel")
        self.bias = self.add_weight(shape=(self.vocabulary,), initializer="zeros", name="bias")

    @property
    def weights_by_type(self) -> Any:
        """The weight vector of each type, ``(vocabulary, width)``."""
        if self.embedding is None:
            return ops.transpose(self.kernel)
        return ops.convert_to_tensor(self.embedding.embeddings)

    def call(self, hidden: Any, targets: Any = None, training: bool | None = None) -> Any:
        logits = ops.matmul(hidden, ops.transpose(self.weights_by_type)) + self.bias
        return logits if targets is None else cross_entropy(logits, targets)
