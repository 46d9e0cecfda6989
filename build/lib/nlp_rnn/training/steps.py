"""Training steps, one call each; on JAX, the next is prepared before the last has finished."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

import keras

from nlp_rnn.text.batches import Batch

if TYPE_CHECKING:
    from nlp_rnn.training.objective import Objective

Figures = dict[str, float]

AHEAD = 8
"""The most steps whose metrics are unread: enough that the device never waits for Python."""


class Steps(ABC):
    """Runs training steps of a compiled and built objective and collects their metrics.

    Between :meth:`run` and :meth:`finish` only this object holds the current weights: the values of
    the objective's variables are undefined.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    @abstractmethod
    def run(self, batch: Batch, settings: list[tuple[keras.Variable, float]]) -> None:
        """Train on a batch, after setting variables such as the learning rate."""

    @abstractmethod
    def finish(self) -> list[Figures]:
        """Bring the objective's variables up to date.

        Returns:
            For each step since the last call, its means over the batch: ``cross_entropy``,
            ``accuracy`` if it is tracked, and ``gradient_norm``, the norm before clipping.
        """


class StepByStep(Steps):
    """Keras's ``train_on_batch``."""

    def __init__(self, objective: Objective) -> None:
        super().__init__(objective)
        self._figures: list[Figures] = []

    def run(self, batch: Batch, settings: list[tuple[keras.Variable, float]]) -> None:
        for variable, value in settings:
            variable.assign(value)
        figures = self.objective.train_on_batch(
            batch.inputs, batch.targets, sample_weight=batch.weights, return_dict=True
        )
        norm = float(self.objective.optimizer.gradient_norm)
        self._figures.append({**figures, "gradient_norm": norm})

    def finish(self) -> list[Figures]:
        figures, self._figures = self._figures, []
        return figures


class AheadOfTime(Steps):
    """On JAX, keeps the state on the device from step to step and lets Python run ahead.

    ``train_on_batch`` writes every variable back and waits for the metrics after each step, which
    takes a third of the time for a small network.
    """

    def __init__(self, objective: Objective) -> None:
        import jax

        super().__init__(objective)
        optimizer = objective.optimizer
        self._variables = (
            objective.trainable_variables,
            objective.non_trainable_variables,
            optimizer.variables,
        )
        self._metrics = objective.metrics_variables
        (norm,) = (i for i, v in enumerate(optimizer.variables) if v is optimizer.gradient_norm)

        def step(state: Any, metrics: Any, data: Any) -> Any:
            figures, (*state, _) = objective.train_step((*state, metrics), data)
            return {**figures, "gradient_norm": state[2][norm]}, tuple(state)

        self._step = jax.jit(step, donate_argnums=0)
        self._state: tuple[list[Any], ...] | None = None
        self._unread: deque[dict[str, Any]] = deque()
        self._figures: list[Figures] = []

    def run(self, batch: Batch, settings: list[tuple[keras.Variable, float]]) -> None:
        if self._state is None:
            self.objective.reset_metrics()
            self._fresh = [variable.value for variable in self._metrics]
            self._state = tuple([v.value for v in group] for group in self._variables)
        for variable, value in settings:
            group, i = self._place(variable)
            self._state[group][i] = keras.ops.cast(value, variable.dtype)
        data = batch.inputs, batch.targets, batch.weights
        figures, self._state = self._step(self._state, self._fresh, data)
        self._unread.append(figures)
        while len(self._unread) > AHEAD:
            self._read()

    def _place(self, wanted: keras.Variable) -> tuple[int, int]:
        """The position of a variable in the state."""
        return next(
            (number, i)
            for number, group in enumerate(self._variables)
            for i, variable in enumerate(group)
            if variable is wanted
        )

    def _read(self) -> None:
        figures = self._unread.popleft()
        self._figures.append({name: float(value) for name, value in figures.items()})

    def finish(self) -> list[Figures]:
        while self._unread:
            self._read()
        if self._state is not None:
            for group, values in zip(self._variables, self._state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
            self._state = None
        figures, self._figures = self._figures, []
        return figures


def training_steps(objective: Objective, example: Batch) -> Steps:
    """The fastest way to run the steps of a compiled ``objective`` on the backend in use.

    Args:
        example: a batch with the shape for which the objective is built.
    """
    inputs = example.inputs
    objective.build([x.shape for x in inputs] if isinstance(inputs, list) else inputs.shape)
    objective.optimizer.build(objective.trainable_variables)
    kind = AheadOfTime if keras.backend.backend() == "jax" else StepByStep
    return kind(objective)
