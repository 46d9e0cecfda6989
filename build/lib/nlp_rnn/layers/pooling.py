"""Pooling a sequence of hidden states into one vector, over real tokens only."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Pooling(keras.layers.Layer):
    """A layer that consumes the mask, because its output has no timesteps.

    Call arguments:
        states: ``(batch, timesteps, units)``.
        mask: bool ``(batch, timesteps)``, true at real tokens; each row has at least one. None
            means that all tokens are real.

    Returns:
        ``(batch, units)``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, states: Any, mask: Any = None) -> Any:
        return self.pooled(states, ops.ones(ops.shape(states)[:2], bool) if mask is None else mask)

    def pooled(self, states: Any, mask: Any) -> Any:
        """The vector of each sequence; takes the arguments of a call."""
        raise NotImplementedError

    def compute_mask(self, states: Any, previous_mask: Any) -> None:
        return None


@keras.saving.register_keras_serializable("nlp_rnn")
class LastPooling(Pooling):
    """The state after each sequence's last real token, or for a backward layer after its first.

    Call arguments and returns: as :class:`Pooling`.

    Args:
        bidirectional: whether the second half of the units belongs to a backward layer.

    >>> import numpy as np
    >>> states = np.array([[[1.0], [2.0], [3.0]]])
    >>> np.asarray(LastPooling()(states, mask=np.array([[True, True, False]]))).tolist()
    [[2.0]]
    """

    def __init__(self, bidirectional: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bidirectional = bidirectional

    def pooled(self, states: Any, mask: Any) -> Any:
        forward = states.shape[-1] // 2 if self.bidirectional else states.shape[-1]
        place = ops.reshape(ops.sum(ops.cast(mask, "int32"), axis=1) - 1, (-1, 1, 1))
        last = ops.take_along_axis(states[:, :, :forward], place, axis=1)[:, 0]
        return ops.concatenate([last, states[:, 0, forward:]], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"bidirectional": self.bidirectional}


@keras.saving.register_keras_serializable("nlp_rnn")
class MeanPooling(Pooling):
    """The mean of the states of real tokens.

    Call arguments and returns: as :class:`Pooling`.

    >>> import numpy as np
    >>> states = np.array([[[1.0], [2.0], [3.0]]])
    >>> np.asarray(MeanPooling()(states, mask=np.array([[True, True, False]]))).tolist()
    [[1.5]]
    """

    def pooled(self, states: Any, mask: Any) -> Any:
        weights = ops.expand_dims(ops.cast(mask, states.dtype), -1)
        return ops.sum(states * weights, axis=1) / ops.sum(weights, axis=1)


@keras.saving.register_keras_serializable("nlp_rnn")
class MaxPooling(Pooling):
    """The largest value of each unit over real tokens.

    Call arguments and returns: as :class:`Pooling`.

    >>> import numpy as np
    >>> states = np.array([[[1.0], [2.0], [3.0]]])
    >>> np.asarray(MaxPooling()(states)).tolist()
    [[3.0]]
    """

    def pooled(self, states: Any, mask: Any) -> Any:
        lowest = ops.cast(-1e4, states.dtype)  # far below any state; fits float16 too
        return ops.max(ops.where(ops.expand_dims(mask, -1), states, lowest), axis=1)


@keras.saving.register_keras_serializable("nlp_rnn")
class AttentionPooling(Pooling):
    """A mean weighted by learned attention (Yang et al. 2016, eqs. 5 to 7).

    ``u_t = tanh(W h_t + b)``, ``a = softmax(u_t . v)``, pooled ``= sum_t a_t h_t``.

    Call arguments and returns: as :class:`Pooling`.

    >>> import numpy as np
    >>> tuple(AttentionPooling()(np.ones((2, 3, 4))).shape)
    (2, 4)
    """

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        units = states_shape[-1]
        self.kernel = self.add_weight(shape=(units, units), name="kernel")
        self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias")
        self.context = self.add_weight(shape=(units,), initializer="glorot_uniform", name="context")

    def pooled(self, states: Any, mask: Any) -> Any:
        u = ops.tanh(ops.matmul(states, self.kernel) + self.bias)
        scores = ops.sum(u * self.context, axis=-1)
        scores = ops.where(mask, scores, ops.cast(-1e4, scores.dtype))
        attention = ops.softmax(scores, axis=-1)
        return ops.sum(ops.expand_dims(attention, -1) * states, axis=1)


POOLING = {"mean": MeanPooling, "max": MaxPooling, "attention": AttentionPooling}
