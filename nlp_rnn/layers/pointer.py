"""Copying from the source: the mixture of a pointer and a generator."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

TINY = 1e-30
"""Keeps the logarithm of a probability finite."""


@keras.saving.register_keras_serializable("nlp_rnn")
class CopiedTypes(layers.Layer):
    """The type of targets that each token of a source becomes when it is copied.

    The table ``types`` is a weight that is not trained, so that it is saved with the network.

    Args:
        size: the number of types of sources.

    Call arguments:
        ids: types of sources, int32 ``(batch, timesteps)``.

    Returns:
        Types of targets, int32 ``(batch, timesteps)``.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def build(self, ids_shape: Any) -> None:
        self.types = self.add_weight(
            shape=(self.size,),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            name="types",
        )

    def call(self, ids: Any) -> Any:
        return ops.take(self.types, ids)

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor(ids.shape, dtype="int32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("nlp_rnn")
class PointerGenerator(layers.Layer):
    """A step either generates a type or copies a token of the source (See et al. 2017, eq. 8, 9).

    For the output ``r_t`` of attention, the embedding ``y_t`` of the token before, and the weights
    ``a_t`` of attention::

        p_t = sigmoid(w . [r_t; y_t] + b)
        P(v) = p_t softmax(logits_t)_v + (1 - p_t) sum_{i: x_i = v} a_ti

    Unlike the paper, all tokens of the source outside the vocabulary of targets are one type,
    ``<unk>``: which of them was copied is the one that had most attention.

    Call arguments:
        logits: ``(batch, steps, types)``.
        weights: ``a``, ``(batch, steps, timesteps)``; each row sums to 1.
        readout: ``r``, ``(batch, steps, units)``.
        before: ``y``, ``(batch, steps, width)``.
        copied: the types ``x`` of the source, int32 ``(batch, timesteps)``.

    Returns:
        ``ln P``, ``(batch, steps, types)``.
    """

    def build(
        self,
        logits_shape: Any,
        weights_shape: Any,
        readout_shape: Any,
        before_shape: Any,
        copied_shape: Any,
    ) -> None:
        self.types = logits_shape[-1]
        self.gate = layers.Dense(1, "sigmoid", dtype=self.dtype_policy, name="gate")
        self.gate.build((*readout_shape[:-1], readout_shape[-1] + before_shape[-1]))

    def call(self, logits: Any, weights: Any, readout: Any, before: Any, copied: Any) -> Any:
        generating = self.gate(ops.concatenate([readout, before], axis=-1))
        places = ops.one_hot(copied, self.types, dtype=weights.dtype)
        mixture = generating * ops.softmax(logits) + (1 - generating) * ops.matmul(weights, places)
        return ops.log(mixture + TINY)

    def compute_output_spec(self, logits: Any, *_: Any) -> Any:
        return keras.KerasTensor(logits.shape, dtype=self.compute_dtype)
