"""Penalties on hidden states, added to the loss by layers that return the states unchanged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import keras
from keras import ops


class ActivityPenalty(keras.layers.Layer, ABC):
    """Returns hidden states unchanged and, during training, adds a penalty on them to the loss.

    Args:
        coefficient: the factor that multiplies the penalty.

    Call arguments:
        states: ``(batch, timesteps, units)``.
        mask: bool ``(batch, timesteps)``, true at real tokens; None means that all tokens are real.

    Returns:
        ``states``.
    """

    def __init__(self, coefficient: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.coefficient = coefficient
        self.supports_masking = True

    def call(self, states: Any, mask: Any = None, training: bool | None = None) -> Any:
        if training:
            # Sums of squares exceed the range of half precision.
            h = ops.cast(states, keras.backend.result_type(states.dtype, "float32"))
            real = ops.ones(ops.shape(h)[:2], "bool") if mask is None else mask
            self.add_loss(self.coefficient * self.penalty(h, real))
        return states

    @abstractmethod
    def penalty(self, h: Any, mask: Any) -> Any:
        """The scalar penalty on states ``h`` of at least single precision."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "coefficient": self.coefficient}


@keras.saving.register_keras_serializable("nlp_rnn")
class ActivationRegularization(ActivityPenalty):
    """AR: ``coefficient * mean(h_t ** 2)`` over units and real tokens.

    The alpha term of Merity, Keskar & Socher (2017, section 4.6), with the L2 norm as in their
    code: a mean of squares. They apply it to the last layer's output after dropout. For the
    arguments see :class:`ActivityPenalty`.
    """

    def penalty(self, h: Any, mask: Any) -> Any:
        return mean_over(mask, ops.mean(ops.square(h), axis=-1))


@keras.saving.register_keras_serializable("nlp_rnn")
class TemporalActivationRegularization(ActivityPenalty):
    """TAR: ``coefficient * mean((h_{t+1} - h_t) ** 2)`` over units and pairs of real tokens.

    The beta term of Merity, Keskar & Socher (2017, section 4.6), with the L2 norm as in their code:
    a mean of squares. They apply it to the last layer's output before dropout. A sequence of one
    token adds no penalty. For the arguments see :class:`ActivityPenalty`.
    """

    def penalty(self, h: Any, mask: Any) -> Any:
        return mean_over(steps(mask), ops.mean(ops.square(h[:, 1:] - h[:, :-1]), axis=-1))


@keras.saving.register_keras_serializable("nlp_rnn")
class NormStabilizer(ActivityPenalty):
    """``coefficient * mean((|h_t| - |h_{t-1}|) ** 2)`` over pairs of real tokens.

    Krueger & Memisevic (2016, eq. 1) with Euclidean norms; beta is the coefficient. The step from
    the initial state is left out. A sequence of one token adds no penalty. For the arguments see
    :class:`ActivityPenalty`.
    """

    def penalty(self, h: Any, mask: Any) -> Any:
        # The square root has no derivative at 0, so below a norm of 1e-6 there is no gradient.
        norm = ops.sqrt(ops.maximum(ops.sum(ops.square(h), axis=-1), 1e-12))
        return mean_over(steps(mask), ops.square(norm[:, 1:] - norm[:, :-1]))


def steps(mask: Any) -> Any:
    """Whether each pair of adjacent tokens is real: bool ``(batch, timesteps - 1)``."""
    return ops.logical_and(mask[:, 1:], mask[:, :-1])


def mean_over(mask: Any, values: Any) -> Any:
    """The mean of ``values`` where ``mask`` is true; 0 if it is true nowhere."""
    weights = ops.cast(mask, values.dtype)
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1)
