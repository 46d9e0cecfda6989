"""Bidirectional layers over masked sequences, on fused kernels that do not support masks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn import backend


def places(mask: Any, reverse: bool) -> Any:
    """The order of steps that moves each row's real steps to its front.

    Args:
        mask: bool ``(batch, timesteps)``, false at masked steps.
        reverse: whether the last real step comes first. Masked steps keep their order.

    Returns:
        int32 ``(batch, timesteps)``, a permutation of each row's steps.
    """
    so_far = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    real = so_far[:, -1:]
    steps = ops.expand_dims(ops.arange(ops.shape(mask)[1], dtype="int32"), 0)
    return ops.where(mask, real - so_far if reverse else so_far - 1, real + steps - so_far)


def _taken(sequences: Any, steps: Any) -> Any:
    """``steps`` ``(batch, timesteps)`` of ``sequences`` ``(batch, timesteps, features)``."""
    return ops.take_along_axis(sequences, ops.expand_dims(steps, -1), axis=1)


@keras.saving.register_keras_serializable("nlp_rnn")
class Bidirectional(keras.layers.Bidirectional):
    """``keras.layers.Bidirectional`` that uses fused kernels even with a mask.

    The fused kernels of JAX and PyTorch do not support masks, so with a mask Keras falls back to a
    loop. But masked steps at the end of a row do not affect any real step. Each direction therefore
    runs without the mask over rows whose real steps have been moved to the front, in its own order.
    Outputs at masked steps are set to zero afterwards, as they would be with the mask. If more than
    the outputs of all steps is requested (``return_state``, another ``merge_mode``, ...), the layer
    behaves as Keras's.

    Args and call arguments: as ``keras.layers.Bidirectional``.
    """

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        if mask is None or not backend.masks_lose_fused_kernels() or not self._gives_outputs_only():
            return super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )
        mask = ops.cast(mask, "bool")
        half = len(initial_state) // 2 if initial_state is not None else 0
        states = (initial_state[:half], initial_state[half:]) if half else (None, None)
        forward, backward = places(mask, reverse=False), places(mask, reverse=True)
        forward_outputs = self.forward_layer(
            _taken(sequences, ops.argsort(forward)), initial_state=states[0], training=training
        )
        backward_outputs = self.backward_layer(
            # The backward layer reverses its inputs before reading them.
            ops.flip(_taken(sequences, ops.argsort(backward)), axis=1),
            initial_state=states[1],
            training=training,
        )
        outputs = ops.concatenate(
            [_taken(forward_outputs, forward), _taken(backward_outputs, backward)], axis=-1
        )
        return ops.where(ops.expand_dims(mask, -1), outputs, 0.0)

    def _gives_outputs_only(self) -> bool:
        """Whether a call returns just the concatenated outputs of all steps and keeps no state."""
        return (
            self.return_sequences
            and not self.return_state
            and not self.stateful
            and self.merge_mode == "concat"
        )
