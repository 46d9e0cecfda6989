"""What a network reads of the predicate whose arguments it labels."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("nlp_rnn")
class BesidePredicate(layers.Layer):
    """``[x_t; E[f_t]; sum_s f_s x_s]``: each word, whether it is the predicate, and the predicate.

    The embedding ``E`` of the flag ``f_t``, 1 at the predicate and 0 elsewhere, is that of He et
    al. (2017); the predicate's word beside each other word is that of Zhou & Xu (2015). Where no
    word is flagged, the sum is zero.

    Args:
        dimension: the width of the embedding of flags.
        word: whether the predicate's word stands beside each word.

    Call arguments:
        vectors: ``x``, ``(batch, timesteps, width)``.
        flags: ``f``, int32 ``(batch, timesteps)``.

    Returns:
        ``(batch, timesteps, width + dimension)``, or with ``word`` ``width`` more.
    """

    def __init__(self, dimension: int, word: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dimension = dimension
        self.word = word

    def build(self, vectors_shape: Any, flags_shape: Any) -> None:
        self.embeddings = self.add_weight(
            shape=(2, self.dimension), initializer="uniform", name="embeddings"
        )

    def call(self, vectors: Any, flags: Any) -> Any:
        parts = [vectors, ops.take(self.embeddings, flags, axis=0)]
        if self.word:
            flagged = ops.expand_dims(ops.cast(flags, vectors.dtype), -1)
            predicate = ops.sum(flagged * vectors, axis=1, keepdims=True)
            parts.append(ops.zeros_like(vectors) + predicate)
        return ops.concatenate(parts, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dimension": self.dimension, "word": self.word}
