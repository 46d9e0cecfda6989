"""Keras's optimisers with gradients clipped and measured the same on every backend, and NT-ASGD."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from nlp_rnn import backend
from nlp_rnn.config import TrainingParameters
from nlp_rnn.training.unfreezing import Pace

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
}


class Measured:
    """An optimiser mixin: dense gradients, their norm, and averages of the weights.

    Attributes:
        gradient_norm: the Euclidean norm of the last step's whole gradient, before clipping
            (the probe of Pascanu et al. 2013, section 3.2).
        averaged: the number of steps in :attr:`averages`; below 0 before averaging begins.
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

    def settings(self, epoch: int) -> list[tuple[keras.Variable, float]]:
        """The variables to set before each step of an epoch, counted from 0."""
        return []

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
        """Start averaging the weights at the next step, unless averaging has started already."""
        if float(self.averaged) < 0:
            self.averaged.assign(0.0)


class _Paced(Measured):
    """Trains some weights more slowly than others, or not yet.

    The change that a step makes to a weight, including weight decay, is multiplied by the weight's
    factor. This equals a smaller learning rate, because all :data:`OPTIMIZERS` change weights in
    proportion to it. Scaling the gradient would not work, because Adam's averages cancel the scale.
    While a factor is 0 the weight does not change, and its gradient counts as 0 both in the joint
    norm that is clipped and in the optimiser's averages. The other weights are therefore trained as
    if it were frozen for good.

    Attributes:
        paces: the paces of the weights that have one.
        factors: the factor of each pace in this epoch.
        trained: for each pace, the number of steps in which its factor was above 0.
    """

    paces: Sequence[Pace]

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.factors = [self._scalar(f"factor_{i}", 1.0) for i in range(len(self.paces))]
        self.trained = [self._scalar(f"trained_{i}", 0.0) for i in range(len(self.paces))]
        self._pace_of = [
            next((i for i, p in enumerate(self.paces) if any(v is w for w in p.weights)), None)
            for v in variables
        ]

    def settings(self, epoch: int) -> list[tuple[keras.Variable, float]]:
        return [
            (factor, pace.factor if epoch >= pace.frozen_epochs else 0.0)
            for factor, pace in zip(self.factors, self.paces, strict=True)
        ]

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        weights = self._trainable_variables  # type: ignore[attr-defined]
        paced = [(n, i) for n, i in enumerate(self._pace_of) if i is not None]
        grads = list(grads)
        for n, i in paced:
            gradient = backend.dense(grads[n])
            grads[n] = ops.where(self.factors[i] > 0, gradient, ops.zeros_like(gradient))
        before = {n: ops.copy(weights[n]) for n, _ in paced}
        super().apply(grads, trainable_variables)
        shares = [self._share(*pace) for pace in zip(self.factors, self.trained, strict=True)]
        for n, i in paced:
            old, new = before[n], ops.convert_to_tensor(weights[n])
            share = ops.cast(shares[i], new.dtype)
            weights[n].assign(ops.where(share == 1, new, old + share * (new - old)))

    def _share(self, factor: Any, trained: Any) -> Any:
        """The share of a step's change that a pace applies; counts the step.

        Adam corrects the bias of averages that start at zero by the count of all steps. The
        averages of weights that were frozen start when the weights are unfrozen, so only their own
        steps count.
        """
        trained.assign(trained + ops.cast(factor > 0, trained.dtype))
        if not isinstance(self, keras.optimizers.Adam):
            return factor

        def correction(steps: Any) -> Any:
            steps = ops.maximum(ops.cast(steps, "float32"), 1.0)
            return ops.sqrt(1 - self.beta_2**steps) / (1 - self.beta_1**steps)

        return factor * correction(trained) / correction(self.iterations)


def optimizer(training: TrainingParameters, paces: Sequence[Pace] = ()) -> Any:
    """The optimiser of ``training``, with gradients clipped by joint norm or by value.

    Args:
        training: the training parameters.
        paces: the paces of weights that are trained more slowly than others or not from the start.
    """
    base = OPTIMIZERS[training.optimizer]
    mixed: list[type] = [_Paced if paces else Measured]
    if training.averaging:
        mixed.insert(0, _Averaging)  # averages the weights after their pace is applied
    return type(base.__name__, (*mixed, base), {"paces": paces})(
        learning_rate=training.learning_rate,
        **({} if training.weight_decay is None else {"weight_decay": training.weight_decay}),
        global_clipnorm=training.clip_norm,
        clipvalue=training.clip_value,
    )


@contextmanager
def averaged_weights(optimizer: Any, weights: list[Any]) -> Iterator[None]:
    """Replace the trained ``weights`` by their averages, if there are any yet."""
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
