"""What training minimises: the cross-entropy of every target that counts, from exact sums."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nlp_rnn import backend
from nlp_rnn.config import TrainingParameters

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
}


class Objective(keras.Model):
    """A network with its loss, ready for ``train_on_batch``.

    The loss of a batch is the mean cross-entropy over its targets of weight 1, plus the
    penalties of the layers. ``cross_entropy`` and ``accuracy`` are means over the same targets
    without penalties; :class:`Totals` weights them by the number of targets, so that figures
    of an epoch are exact sums, not means of batch means.

    Args:
        network: from token indices to logits ``(..., classes)``.
        with_accuracy: also track accuracy, which costs an argmax over the classes.
    """

    def __init__(self, network: keras.Model, with_accuracy: bool = True) -> None:
        super().__init__(name="objective")
        self.network = network
        self.cross_entropy = keras.metrics.Mean(name="cross_entropy")
        self.accuracy = keras.metrics.Mean(name="accuracy") if with_accuracy else None

    def call(self, ids: Any, training: bool | None = None) -> Any:
        return self.network(ids, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        losses = ops.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
        weights = ops.cast(sample_weight, losses.dtype)
        self.cross_entropy.update_state(losses, weights)
        if self.accuracy is not None:
            correct = ops.equal(
                ops.cast(ops.argmax(y_pred, axis=-1), "int32"), ops.cast(y, "int32")
            )
            self.accuracy.update_state(ops.cast(correct, losses.dtype), weights)
        loss = ops.sum(losses * weights) / ops.sum(weights)
        for penalty in self.losses:
            loss += penalty
        return loss


class TruncatedBPTT(Objective):
    """An objective for language models that carries the state from window to window.

    The gradient stops at the window's start, the state does not (truncated backpropagation
    through time, Williams & Peng 1990, BPTT(h; h)).

    Args:
        network: from ``[ids, *states]`` to ``[logits, *states]``.
        batch_size: parallel streams, fixed because each has its state.
    """

    def __init__(self, network: keras.Model, batch_size: int) -> None:
        super().__init__(network, with_accuracy=False)
        self.states = [
            self.add_weight(
                shape=(batch_size, state.shape[-1]),
                initializer="zeros",
                trainable=False,
                name=f"state_{i}",
            )
            for i, state in enumerate(network.inputs[1:])
        ]

    def reset_states(self) -> None:
        """Start new texts."""
        for state in self.states:
            state.assign(ops.zeros_like(state))

    def call(self, ids: Any, training: bool | None = None) -> Any:
        # A copy, because PyTorch may not overwrite what its backward pass still needs.
        before = [ops.copy(state) for state in self.states]
        logits, *after = self.network([ids, *before], training=training)
        for state, value in zip(self.states, after, strict=True):
            state.assign(ops.stop_gradient(value))
        return logits


class Totals:
    """Means over every target of many batches, from the batches' own means."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._targets = 0.0

    def add(self, figures: dict[str, Any], weights: NDArray[np.float32]) -> None:
        """Add a batch: what ``train_on_batch`` or ``test_on_batch`` returned, and its weights."""
        targets = float(weights.sum())
        self._targets += targets
        for name in ("cross_entropy", "accuracy"):
            if name in figures:
                self._sums[name] = self._sums.get(name, 0.0) + float(figures[name]) * targets

    def means(self, prefix: str) -> dict[str, float]:
        """``<prefix>/loss`` in nats, and ``<prefix>/accuracy`` where it is tracked."""
        names = {"cross_entropy": "loss", "accuracy": "accuracy"}
        return {f"{prefix}/{names[k]}": v / self._targets for k, v in self._sums.items()}


class _DenseGradients:
    """Mixed into an optimiser, so that every backend clips the same norm."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        dense = [backend.dense(gradient) for gradient in grads]
        return super().apply(dense, trainable_variables)  # type: ignore[misc]


def compiled(objective: Objective, training: TrainingParameters) -> Objective:
    """Give the objective its optimiser, with gradients clipped by their joint norm."""
    base = OPTIMIZERS[training.optimizer]
    optimizer = type(base.__name__, (_DenseGradients, base), {})(
        learning_rate=training.learning_rate, global_clipnorm=training.clip_norm
    )
    objective.compile(optimizer=optimizer, loss=None, jit_compile="auto")
    return objective
