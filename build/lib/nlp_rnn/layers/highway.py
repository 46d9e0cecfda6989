"""A gated connection that bypasses a layer."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


@keras.saving.register_keras_serializable("nlp_rnn")
class HighwayConnection(layers.Layer):
    """``y = T * h + (1 - T) * x`` with the transform gate ``T = sigmoid(x W_T + b_T)``.

    Srivastava, Greff & Schmidhuber (2015, eq. 3), where ``h`` is a layer's output for the input
    ``x``. ``b_T`` starts at -1, so that at first most of ``x`` passes through. (The residual
    connection ``h + x`` is ``keras.layers.Add``.)

    Call arguments:
        inputs: the pair ``[x, h]``, each ``(..., units)``.

    Returns:
        ``(..., units)``.

    Raises:
        ValueError: when the layer is built, if ``x`` and ``h`` differ in width.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        x_shape, h_shape = input_shape
        if x_shape[-1] != h_shape[-1]:
            raise ValueError(
                "a highway connection needs an input and an output of equal widths, "
                f"but x is {x_shape[-1]} and h {h_shape[-1]} wide"
            )
        self.transform_gate = layers.Dense(
            x_shape[-1],
            activation="sigmoid",
            bias_initializer=keras.initializers.Constant(-1.0),
            dtype=self.dtype_policy,
            name="transform_gate",
        )
        self.transform_gate.build(x_shape)

    def call(self, inputs: Any) -> Any:
        x, h = inputs
        gate = self.transform_gate(x)
        return gate * h + (1 - gate) * x

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        x_mask, h_mask = previous_mask
        return x_mask if h_mask is None else h_mask
