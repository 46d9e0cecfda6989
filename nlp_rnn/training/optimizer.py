"""Keras's optimisers, with gradients clipped and measured alike on every backend, and NT-ASGD."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from nlp_rnn import backend
from nlp_rnn.config import TrainingParameters

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
}


class Measured:
    """Mixed into an optimiser: dense gradients, their norm, and averages of the weights.

    Attributes:
        gradient_norm: the Euclidean norm of the last step's whole gradient, before clipping
            (the probe of Pascanu et al. 2013, section 3.2).
        averaged: steps that :attr:`averages` are the mean of; below 0 before averaging begins.
        averages: the mean of each weight after those steps (ASGD, Polyak & Juditsky 1992).
    """

    averages: list[Any]

    def build(self, variables: Any) -> None:
        super().build(variables)  # type: ignore[misc]
        self.gradient_norm = self._scalar("gradient_norm", 0.0)
        self.averages = []

    def _scalar(self, name: str, value: float) -> Any:
        return self.add_variable(  # type: ignore[attr-defined]
            shape=(), initializer=keras.initializers.Constant(value), dtype="float32", name=name
        )

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        dense = [backend.dense(gradient) for gradient in grads]
        super().apply(dense, trainable_variables)  # type: ignore[misc]
        squares = [ops.sum(ops.square(ops.cast(gradient, "float32"))) for gradient in dense]
        self.gradient_norm.assign(ops.sqrt(sum(squares)))


class _Averaging(Measured):
    """Averages the weights of every step since :meth:`start_averaging`."""

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.averaged = self._scalar("averaged", -1.0)
        self.averages = [
            self.add_variable_from_reference(variable, name="average")  # type: ignore[attr-defined]
            for variable in variables
        ]

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        super().apply(grads, trainable_variables)
        on = ops.cast(self.averaged >= 0, "float32")
        self.averaged.assign(self.averaged + on)
        share = on / ops.maximum(self.averaged, 1.0)
        for average, weight in zip(
            self.averages,
            self._trainable_variables,  # type: ignore[attr-defined]
            strict=True,
        ):
            average.assign(average + ops.cast(share, average.dtype) * (weight - average))

    def start_averaging(self) -> None:
        """Average the weights from the next step on, if they are not averaged yet."""
        if float(self.averaged) < 0:
            self.averaged.assign(0.0)


def optimizer(training: TrainingParameters) -> Any:
    """The optimiser of ``training``, with gradients clipped by joint norm or by value."""
    base = OPTIMIZERS[training.optimizer]
    mixed = _Averaging if training.averaging else Measured
    return type(base.__name__, (mixed, base), {})(
        learning_rate=training.learning_rate,
        **({} if training.weight_decay is None else {"weight_decay": training.weight_decay}),
        global_clipnorm=training.clip_norm,
        clipvalue=training.clip_value,
    )


@contextmanager
def averaged_weights(optimizer: Any, weights: list[Any]) -> Iterator[None]:
    """Put the averages in the place of the trained ``weights``, once there are any."""
    if not optimizer.averages or float(optimizer.averaged) < 1:
        yield
        return
    values = [ops.convert_to_numpy(weight).copy() for weight in weights]
    for weight, average in zip(weights, optimizer.averages, strict=True):
        weight.assign(average)
    try:
        yield
    finally:
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)
