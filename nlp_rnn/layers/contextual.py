"""What ELMo needs beside recurrent layers: rows read from their ends, and a mixture of layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("nlp_rnn")
class ReverseSequence(layers.Layer):
    """``y_t = x_{n+1-t}`` for the ``n`` real steps of each row; padding stays where it is.

    The padding is on the right, so that a layer that reads ``y`` from the left reads ``x`` from its
    end and never meets padding before a real step. Applied twice, it is the identity.

    Call arguments:
        vectors: ``x``, ``(batch, timesteps, width)``.
        real: bool ``(batch, timesteps)``, true at real steps.

    Returns:
        ``(batch, timesteps, width)``.
    """

    def call(self, vectors: Any, real: Any) -> Any:
        steps = ops.cumsum(ops.ones_like(ops.cast(real, "int32")), axis=1) - 1
        lengths = ops.sum(ops.cast(real, "int32"), axis=1, keepdims=True)
        places = ops.where(steps < lengths, lengths - 1 - steps, steps)
        return ops.take_along_axis(vectors, ops.expand_dims(places, -1), axis=1)

    def compute_output_shape(self, vectors_shape: Any, real_shape: Any) -> Any:
        return vectors_shape


@keras.saving.register_keras_serializable("nlp_rnn")
class ScalarMix(layers.Layer):
    """``gamma * sum_j s_j h_j`` with ``s = softmax(w)``: a mixture of the layers of a network.

    Peters et al. (2018, eq. 1). ``w`` starts at 0, so that all layers count alike, and ``gamma`` at
    1.

    Args:
        count: the number of layers.

    Call arguments:
        states: ``h``, the layers side by side ``(batch, timesteps, count * width)``.

    Returns:
        ``(batch, timesteps, width)``.
    """

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count

    def build(self, states_shape: Any) -> None:
        self.width = states_shape[-1] // self.count
        self.w = self.add_weight(shape=(self.count,), initializer="zeros", name="w")
        self.gamma = self.add_weight(shape=(), initializer="ones", name="gamma")

    @property
    def weights_of_layers(self) -> Any:
        """``gamma * s``, ``(count,)``."""
        return self.gamma * ops.softmax(ops.convert_to_tensor(self.w))

    def call(self, states: Any) -> Any:
        mixed = 0.0
        for j, weight in enumerate(ops.unstack(self.weights_of_layers, self.count)):
            mixed += weight * states[..., j * self.width : (j + 1) * self.width]
        return mixed

    def compute_output_shape(self, states_shape: Any) -> Any:
        return (*states_shape[:-1], states_shape[-1] // self.count)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}
