"""Fixed-width windows over a sequence, for networks without recurrence."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("nlp_rnn")
class ContextTokens(keras.layers.Layer):
    """Prepends the tokens of earlier windows, so that every step sees its whole context.

    The state holds tokens, not their vectors. A context that reaches back into an earlier window
    therefore trains the vectors of its tokens, whatever the length of the windows.

    Args:
        context: the number of tokens that a step sees; its own is the last of them.

    Call arguments:
        before: the last ``context`` tokens before ``ids``, stored as floats like every state,
            ``(batch, context)``; 0, which is padding, where there are none.
        ids: integers ``(batch, timesteps)``.

    Returns:
        The tokens that the steps see, int32 ``(batch, context - 1 + timesteps)``, and the state
        after ``ids``.
    """

    def __init__(self, context: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # bfloat16 lacks most integers above 256
        self.context = context

    def call(self, before: Any, ids: Any) -> tuple[Any, Any]:
        tokens = ops.concatenate([ops.cast(before, "int32"), ops.cast(ids, "int32")], axis=1)
        return tokens[:, 1:], ops.cast(tokens[:, -self.context :], before.dtype)

    def compute_output_spec(self, before: Any, ids: Any) -> tuple[Any, Any]:
        """The output's shape and dtype, without tracing a call."""
        batch, steps = ids.shape
        shape = batch, None if steps is None else self.context - 1 + steps
        return keras.KerasTensor(shape, "int32"), keras.KerasTensor(before.shape, before.dtype)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"context": self.context}


@keras.saving.register_keras_serializable("nlp_rnn")
class JoinedNeighbours(keras.layers.Layer):
    """Concatenates the vectors of ``size`` consecutive steps.

    Call arguments:
        vectors: ``(batch, size - 1 + timesteps, width)``.

    Returns:
        ``(batch, timesteps, size * width)``, the neighbours in their order.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, vectors: Any) -> Any:
        ends = [*range(1 - self.size, 0), None]
        return ops.concatenate([vectors[:, i:end] for i, end in enumerate(ends)], axis=-1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape, without tracing a call: JAX cannot tell that all parts are equally long."""
        batch, steps, width = shape
        assert width is not None
        return batch, None if steps is None else steps - self.size + 1, self.size * width

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"size": self.size}
