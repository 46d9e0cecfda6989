"""Training steps, one call each; on JAX, the next is prepared before the last has finished."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import keras

from nlp_rnn.process import log
from nlp_rnn.text.batches import Batch
from nlp_rnn.training import devices

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
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Compile what steps of the shapes of ``batches`` need, if that can be done beforehand."""

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

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Keras compiles for each new shape when it comes."""

    def run(self, batch: Batch, settings: list[tuple[keras.Variable, float]]) -> None:
        for variable, value in settings:
            variable.assign(value)
        figures = self.objective.train_on_batch(
            batch.inputs, batch.answers, sample_weight=batch.weights, return_dict=True
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

    A step is two programs: the gradients, compiled for each shape of a batch, and the optimiser's
    change, which is the same for all. :meth:`prepare` compiles several programs at once.
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
        loss = jax.grad(objective.compute_loss_and_updates, has_aux=True)

        def gradients(weights: Any, others: Any, metrics: Any, data: Any) -> Any:
            # None of the optimisers scales the loss, so its state is not read here.
            found, (_, _, others, metrics) = loss(
                weights, others, metrics, *data, training=True, optimizer_variables=()
            )
            return found, others, _means(objective, metrics)

        def change(weights: Any, optimizer_state: Any, found: Any) -> Any:
            weights, optimizer_state = optimizer.stateless_apply(optimizer_state, found, weights)
            return weights, optimizer_state, optimizer_state[norm]

        of_gradients, of_change = self._shardings()
        self._gradients = jax.jit(gradients, donate_argnums=1, out_shardings=of_gradients)
        self._change = jax.jit(change, donate_argnums=(0, 1), out_shardings=of_change)
        self._programs: dict[Any, Any] = {}
        self._state: tuple[list[Any], ...] | None = None
        self._unread: deque[dict[str, Any]] = deque()
        self._figures: list[Figures] = []

    def _shardings(self) -> tuple[Any, Any]:
        """Where the results of the two programs lie; None leaves it to JAX."""
        return None, None

    def _placed(self, value: Any, variable: keras.Variable) -> Any:
        """The value of a variable, where the programs expect it."""
        return value

    def _fetched(self, value: Any) -> Any:
        """A value of the device for Keras."""
        return value

    def _data(self, batch: Batch) -> Any:
        """The data of a step, where the programs expect it."""
        return _data(batch)

    def prepare(self, batches: Iterable[Batch]) -> None:
        examples = {_shapes(batch): batch for batch in batches}
        new = [batch for shapes, batch in examples.items() if shapes not in self._programs]
        if not new:
            return
        shapes = ", ".join("x".join(map(str, batch.ids.shape)) for batch in new)
        log(f"compiling the network, once for all epochs; rows x tokens of batches: {shapes}")
        weights, others, _ = self._begin()
        lowered = [
            self._gradients.lower(weights, others, self._fresh, self._data(batch)) for batch in new
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = pool.map(lambda program: program.compile(), lowered)
            self._programs |= dict(zip(map(_shapes, new), compiled, strict=True))

    def _begin(self) -> tuple[list[Any], ...]:
        """The state on the device."""
        if self._state is None:
            self.objective.reset_metrics()
            self._fresh, *state = (
                [self._placed(v.value, v) for v in group]
                for group in (self._metrics, *self._variables)
            )
            self._state = tuple(state)
        return self._state

    def run(self, batch: Batch, settings: list[tuple[keras.Variable, float]]) -> None:
        self.prepare([batch])
        state = self._begin()
        for variable, value in settings:
            group, i = self._place(variable)
            state[group][i] = self._placed(keras.ops.cast(value, variable.dtype), variable)
        weights, others, optimizer_state = state
        gradients = self._programs[_shapes(batch)]
        found, others, figures = gradients(weights, others, self._fresh, self._data(batch))
        weights, optimizer_state, norm = self._change(weights, optimizer_state, found)
        self._state = weights, others, optimizer_state
        self._unread.append({**figures, "gradient_norm": norm})
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
                    variable.assign(self._fetched(value))
            self._state = None
        figures, self._figures = self._figures, []
        return figures


class OnSeveralDevices(AheadOfTime):
    """The same two programs, on all devices of all processes (:mod:`nlp_rnn.training.devices`).

    The rows of a batch and the states that language models carry are split; everything else is
    replicated.
    """

    def _sharding(self, variable: keras.Variable) -> Any:
        carried = getattr(self.objective, "states", ())
        split = any(variable is state for state in carried)
        return devices.by_rows() if split else devices.replicated()

    def _shardings(self) -> tuple[Any, Any]:
        everywhere = devices.replicated()
        others = [self._sharding(v) for v in self.objective.non_trainable_variables]
        return (everywhere, others, everywhere), everywhere

    def _placed(self, value: Any, variable: keras.Variable) -> Any:
        return devices.placed(value, self._sharding(variable))

    def _fetched(self, value: Any) -> Any:
        return devices.fetched(value)

    def _data(self, batch: Batch) -> Any:
        import jax

        return jax.tree.map(lambda x: devices.placed(x, devices.by_rows()), _data(batch))

    def prepare(self, batches: Iterable[Batch]) -> None:
        super().prepare(map(devices.filled, batches))

    def run(self, batch: Batch, settings: list[tuple[keras.Variable, float]]) -> None:
        super().run(devices.filled(batch), settings)


def _data(batch: Batch) -> tuple[Any, Any, Any]:
    return batch.inputs, batch.answers, batch.weights


def _shapes(batch: Batch) -> tuple[tuple[int, ...], ...]:
    """What a program is compiled for: the shapes of the data of a batch."""
    inputs = batch.inputs if isinstance(batch.inputs, list) else [batch.inputs]
    return tuple(array.shape for array in (*inputs, batch.targets))


def _means(objective: Objective, metrics: Sequence[Any]) -> dict[str, Any]:
    """The means of the metrics that the loss updates, given the values of their variables."""
    values = zip(objective.metrics_variables, metrics, strict=True)
    with keras.StatelessScope(state_mapping=list(values)):
        return {metric.name: metric.result() for metric in objective.means}


def training_steps(objective: Objective, example: Batch) -> Steps:
    """The fastest way to run the steps of a compiled ``objective`` on the backend in use.

    Args:
        example: a batch with the shape for which the objective is built.
    """
    inputs = example.inputs
    objective.build([x.shape for x in inputs] if isinstance(inputs, list) else inputs.shape)
    if keras.backend.backend() != "jax":
        return StepByStep(objective)
    return (OnSeveralDevices if devices.are_used() else AheadOfTime)(objective)
