"""Attention: the mean of an encoder's states that fits the state of a decoder."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

LOWEST = -1e9
"""The score of padding: its weight is exactly 0 in float32."""


class Attention(keras.layers.Layer):
    """A mean of the states of a source, weighted for each query.

    For the query ``s_t`` and the states ``h_1 ... h_n`` of the source::

        a_t = softmax_i(score(s_t, h_i))        c_t = sum_i a_ti h_i

    A subclass says what the score is. What depends on the source alone, the *keys*, is computed
    once for all queries.

    With a ``window`` ``D``, attention is *local* (Luong et al. 2015, section 3.2, local-p): each
    query predicts a position of the source of ``n`` real tokens, only states at most ``D`` away
    from it are scored, and near ones count for more::

        p_t = n sigmoid(v . tanh(W_p s_t))
        a_t = softmax_i(score(s_t, h_i)) exp(-(i - p_t)^2 / (2 (D / 2)^2))    |i - p_t| <= D

    Args:
        window: ``D``, at least 1; None scores all states.

    Call arguments:
        queries: ``(batch, steps, units)``.
        memory: the states of the source, ``(batch, timesteps, width)``.
        mask: bool ``(batch, timesteps)``, true at real tokens; each row has at least one.

    Returns:
        The contexts ``c`` ``(batch, steps, width)`` and the weights ``a``
        ``(batch, steps, timesteps)``, which are 0 at padding.
    """

    def __init__(self, window: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window = window

    def build(self, queries_shape: Any, memory_shape: Any, mask_shape: Any = None) -> None:
        if self.window is not None:
            units = queries_shape[-1]
            self.position_kernel = self.add_weight(shape=(units, units), name="position_kernel")
            self.position_vector = self.add_weight(
                shape=(units,), initializer="glorot_uniform", name="position_vector"
            )

    def call(self, queries: Any, memory: Any, mask: Any) -> list[Any]:
        return self.attend(queries, self.keys(memory), memory, mask)

    def attend(self, queries: Any, keys: Any, memory: Any, mask: Any) -> list[Any]:
        """Like a call, with the ``keys`` computed before."""
        scores, seen = self.scores(queries, keys), mask[:, None]
        if self.window is None:
            weights = ops.softmax(ops.where(seen, scores, LOWEST), axis=-1)
        else:
            distances = self._distances(queries, mask)
            seen = ops.logical_and(seen, ops.abs(distances) <= self.window)
            weights = ops.softmax(ops.where(seen, scores, LOWEST), axis=-1)
            weights = weights * ops.exp(-2 * ops.square(distances / self.window))
        return [ops.matmul(weights, memory), weights]

    def _distances(self, queries: Any, mask: Any) -> Any:
        """``i - p_t``, ``(batch, steps, timesteps)``."""
        hidden = ops.tanh(ops.matmul(queries, self.position_kernel))
        share = ops.sigmoid(ops.matmul(hidden, self.position_vector))
        lengths = ops.sum(ops.cast(mask, share.dtype), axis=-1, keepdims=True)
        positions = ops.arange(ops.shape(mask)[1], dtype=share.dtype)
        return positions - ops.expand_dims(lengths * share, -1)

    def keys(self, memory: Any) -> Any:
        """What the scores need of the source, ``(batch, timesteps, ...)``."""
        return memory

    def scores(self, queries: Any, keys: Any) -> Any:
        """The score of each query and each state, ``(batch, steps, timesteps)``."""
        return ops.matmul(queries, ops.swapaxes(keys, 1, 2))

    def compute_output_spec(self, queries: Any, memory: Any, mask: Any) -> list[Any]:
        """The shapes of contexts and weights, without tracing a call."""
        batch, steps = queries.shape[:2]
        shapes = [(batch, steps, memory.shape[-1]), (batch, steps, memory.shape[1])]
        return [keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "window": self.window}


@keras.saving.register_keras_serializable("nlp_rnn")
class DotAttention(Attention):
    """``score(s_t, h_i) = s_t . h_i`` (Luong et al. 2015, eq. 8, dot).

    Queries and states have one width.

    >>> import numpy as np
    >>> attention = DotAttention()
    >>> queries, memory = np.ones((1, 1, 2), "float32"), np.array([[[0.0, 0.0], [4.0, 4.0]]], "f")
    >>> _, weights = attention(queries, memory, np.array([[True, True]]))
    >>> np.asarray(weights).round(3).tolist()
    [[[0.0, 1.0]]]
    """


@keras.saving.register_keras_serializable("nlp_rnn")
class GeneralAttention(Attention):
    """``score(s_t, h_i) = s_t . W h_i`` (Luong et al. 2015, eq. 8, general)."""

    def build(self, queries_shape: Any, memory_shape: Any, mask_shape: Any = None) -> None:
        super().build(queries_shape, memory_shape, mask_shape)
        self.kernel = self.add_weight(shape=(queries_shape[-1], memory_shape[-1]), name="kernel")

    def scores(self, queries: Any, keys: Any) -> Any:
        # W on the side of the queries, which are few when a target is written step by step.
        return super().scores(ops.matmul(queries, self.kernel), keys)


@keras.saving.register_keras_serializable("nlp_rnn")
class AdditiveAttention(Attention):
    """``score(s_t, h_i) = v . tanh(W s_t + U h_i + b)`` (Bahdanau et al. 2015, appendix A.1.2).

    The score that Luong et al. (2015) call *concat*, ``v . tanh(W [s_t; h_i])``, is the same: the
    blocks of one matrix are ``W`` and ``U``.

    Args:
        units: the width of ``v``.
        window: see :class:`Attention`.
    """

    def __init__(self, units: int, window: int | None = None, **kwargs: Any) -> None:
        super().__init__(window, **kwargs)
        self.units = units

    def build(self, queries_shape: Any, memory_shape: Any, mask_shape: Any = None) -> None:
        super().build(queries_shape, memory_shape, mask_shape)
        self.of_query = self.add_weight(shape=(queries_shape[-1], self.units), name="of_query")
        self.of_memory = self.add_weight(shape=(memory_shape[-1], self.units), name="of_memory")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.vector = self.add_weight(
            shape=(self.units,), initializer="glorot_uniform", name="vector"
        )

    def keys(self, memory: Any) -> Any:
        return ops.matmul(memory, self.of_memory) + self.bias

    def scores(self, queries: Any, keys: Any) -> Any:
        of_queries = ops.matmul(queries, self.of_query)
        inner = ops.tanh(ops.expand_dims(of_queries, 2) + ops.expand_dims(keys, 1))
        return ops.matmul(inner, self.vector)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("nlp_rnn")
class Memory(keras.layers.Layer):
    """The states of a source as a decoder may keep them: zeros at padding, and no mask of Keras's.

    Call arguments:
        states: ``(batch, timesteps, width)``.
        mask: bool ``(batch, timesteps)``, true at real tokens.

    Returns:
        ``(batch, timesteps, width)``.
    """

    def call(self, states: Any, mask: Any) -> Any:
        return states * ops.expand_dims(ops.cast(mask, states.dtype), -1)

    def compute_mask(self, states: Any, previous_mask: Any) -> None:
        return None
