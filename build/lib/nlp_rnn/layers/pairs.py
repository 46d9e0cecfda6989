"""Pairs of adjacent tokens, for networks without recurrence."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

STRIDE = 1009
"""The factor of the left token of a pair: a prime, small enough that two million types do not
overflow int32."""


@keras.saving.register_keras_serializable("nlp_rnn")
class PairBuckets(keras.layers.Layer):
    """The hash bucket of each token paired with the next (Joulin et al. 2017, section 2.2).

    ``bucket_t = (STRIDE id_t + id_{t+1}) mod buckets``; the last token is paired with 0, padding.

    Args:
        buckets: the number of buckets; pairs that share one cannot be told apart.

    Call arguments:
        ids: integers ``(batch, timesteps)``.

    Returns:
        int32 ``(batch, timesteps)``.
    """

    def __init__(self, buckets: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.buckets = buckets

    def call(self, ids: Any) -> Any:
        left = ops.cast(ids, "int32")
        right = ops.concatenate([left[:, 1:], ops.zeros_like(left[:, :1])], axis=1)
        return ops.mod(left * STRIDE + right, self.buckets)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"buckets": self.buckets}
