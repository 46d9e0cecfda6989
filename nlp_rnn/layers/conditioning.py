"""What a decoder reads beside its tokens: a vector of the source."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("nlp_rnn")
class BesideEachStep(layers.Layer):
    """``[x_t; v]``: a vector beside each step of a sequence (Cho et al. 2014).

    Call arguments:
        sequences: ``x``, ``(batch, steps, width)``.
        vector: ``v``, ``(batch, size)``.

    Returns:
        ``(batch, steps, width + size)``.
    """

    def call(self, sequences: Any, vector: Any) -> Any:
        every = ops.ones_like(sequences[:, :, :1]) * ops.expand_dims(vector, 1)
        return ops.concatenate([sequences, every], axis=-1)


@keras.saving.register_keras_serializable("nlp_rnn")
class FirstStep(layers.Layer):
    """``x_1 + W v``: a vector that the first step of a sequence reads.

    It is how a description begins from the features of an image (Karpathy & Fei-Fei 2015, eq. 14):
    multiplied by the recurrent layer's kernel, ``W v`` is the further term at the first step.

    Call arguments:
        sequences: ``x``, ``(batch, steps, width)``.
        vector: ``v``, ``(batch, size)``; zeros once it has been read.

    Returns:
        The sequences, and the vector for the steps after: zeros.
    """

    def build(self, sequences_shape: Any, vector_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(vector_shape[-1], sequences_shape[-1]), name="kernel")

    def call(self, sequences: Any, vector: Any) -> list[Any]:
        read = ops.expand_dims(ops.matmul(vector, self.kernel), 1)
        first = sequences[:, :1] + read
        return [ops.concatenate([first, sequences[:, 1:]], axis=1), ops.zeros_like(vector)]


@keras.saving.register_keras_serializable("nlp_rnn")
class Zeros(layers.Layer):
    """Zeros for each row of a batch: a first state that knows nothing.

    Args:
        size: how many.

    Call arguments:
        rows: ``(batch, ...)``, of which only the number of rows counts.

    Returns:
        ``(batch, size)``.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, rows: Any) -> Any:
        return ops.zeros((ops.shape(rows)[0], self.size), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
