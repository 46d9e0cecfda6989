"""The base class of all output layers of language models."""

from __future__ import annotations

from typing import Any

import keras


class OutputLayer(keras.layers.Layer):
    """A distribution over the vocabulary at every token.

    Args:
        vocabulary: number of types, the frequent ones first.

    Call arguments:
        hidden: ``(..., width)``.
        targets: indices ``(...)``, or None.

    Returns:
        Logits ``(..., vocabulary)``, or ``-ln P(target)`` in nats ``(...)``.
    """

    def __init__(self, vocabulary: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.vocabulary = vocabulary

    def compute_output_spec(self, hidden: Any, targets: Any = None, training: Any = None) -> Any:
        """The output's shape and dtype, without tracing a call."""
        whole = (*hidden.shape[:-1], self.vocabulary)
        shape = whole if targets is None else targets.shape
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; tied weights belong to another layer."""
        return {**super().get_config(), "vocabulary": self.vocabulary}
