"""Both directions over right-padded sequences, with fused kernels that know no masks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn import backend


def reversed_rows(sequences: Any, lengths: Any) -> Any:
    """Each row's real steps in reverse order, its padding left in place.

    Args:
        sequences: ``(batch, timesteps, features)``, padded on the right.
        lengths: real steps, int32 ``(batch, 1)``.

    Returns:
        The shape of ``sequences``.
    """
    steps = ops.expand_dims(ops.arange(ops.shape(sequences)[1], dtype="int32"), 0)
    mirrored = ops.where(steps < lengths, lengths - 1 - steps, steps)
    return ops.take_along_axis(sequences, ops.expand_dims(mirrored, -1), axis=1)


@keras.saving.register_keras_serializable("nlp_rnn")
class Bidirectional(keras.layers.Bidirectional):
    """``keras.layers.Bidirectional`` for right-padded sequences, on fused kernels everywhere.

    The fused kernels of JAX and PyTorch know no masks, so with one Keras leaves them for a loop.
    But right padding cannot reach the real steps of the forward direction, nor those of the
    backward direction if each row is reversed by itself: there both run without the mask, and
    outputs at padding become zero afterwards, as they are with it.

    Args:
        layer: a recurrent layer with ``return_sequences`` and without ``return_state``.
        **kwargs: as ``keras.layers.Bidirectional``, but for ``merge_mode``: always ``concat``.

    Call arguments:
        sequences: ``(batch, timesteps, features)``.
        mask: bool ``(batch, timesteps)``: right padding is false.

    Returns:
        ``(batch, timesteps, 2 units)``, zero at padding.
    """

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        if mask is None or not backend.masks_lose_fused_kernels():
            return super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
        lengths = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        # The backward layer flips what it is given before it reads it.
        mirrored = ops.flip(reversed_rows(sequences, lengths), axis=1)
        forward = self.forward_layer(sequences, training=training)
        backward = self.backward_layer(mirrored, training=training)
        outputs = ops.concatenate([forward, reversed_rows(backward, lengths)], axis=-1)
        return ops.where(ops.expand_dims(mask, -1), outputs, 0.0)
