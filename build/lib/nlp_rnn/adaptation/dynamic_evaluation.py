"""Dynamic evaluation: the model learns from each window of a text after scoring it."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.config import DynamicEvaluationParameters, LanguageModelTrainingParameters
from nlp_rnn.progress import progress
from nlp_rnn.text.streams import windows
from nlp_rnn.training.objective import TruncatedBPTT
from nlp_rnn.training.optimizer import Measured
from nlp_rnn.training.steps import training_steps


class _Objective(TruncatedBPTT):
    """The exact loss used in evaluation: no dropout, no sampled softmax, and no penalties, which
    layers add in training only."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return super().call(inputs, training=False)

    def _cross_entropy(self, targets: Any, hidden: Any, weights: Any) -> Any:
        return self._mean(self.output_layer(hidden, targets, training=False), weights)


class DecayingSGD(Measured, keras.optimizers.SGD):
    """Plain SGD that pulls the weights back to their values when it was built.

    Krause et al. (2018), equation 3 with ``RMS_norm`` 1, ``eta`` the learning rate, ``lambda``
    the decay and ``theta_g`` the trained weights::

        theta  <-  theta - eta grad L(theta) + lambda (theta_g - theta)

    Attributes:
        decay: ``lambda``, a variable; 0 until it is set.
    """

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.decay = self._scalar("decay", 0.0)
        self.trained = [
            self.add_variable_from_reference(variable, name="trained") for variable in variables
        ]
        for trained, variable in zip(self.trained, variables, strict=True):
            trained.assign(_copy(variable))

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        for weight, trained in zip(self._trainable_variables, self.trained, strict=True):
            decay = keras.ops.cast(self.decay, weight.dtype)
            weight.assign(weight + decay * (trained - weight))
        super().apply(grads, trainable_variables)


def _copy(variable: Any) -> Any:
    """A copy of the value: on JAX, a step takes over the memory of every variable."""
    return keras.ops.copy(keras.ops.convert_to_tensor(variable))


class DynamicEvaluation:
    """A language model that keeps learning from the text on which it is evaluated.

    Every token is scored before the model learns from it. After each text the network's trained
    weights are restored.

    Args:
        network: as built by :func:`nlp_rnn.models.language_model.language_model`.
        parameters: the window and clipping; the rates are arguments of :meth:`loss`.
    """

    def __init__(self, network: keras.Model, parameters: DynamicEvaluationParameters) -> None:
        self._objective = _Objective(network, 1, LanguageModelTrainingParameters())
        self._optimizer = DecayingSGD(global_clipnorm=parameters.clip_norm)
        self._objective.compile(optimizer=self._optimizer, loss=None, jit_compile="auto")
        self._window = parameters.window
        self._steps: Any = None

    def loss(self, ids: Ints, end_index: int, learning_rate: float, decay: float) -> float:
        """``-ln P`` of a text in nats, summed over its tokens; infinite if it diverged.

        Args:
            ids: ``(tokens,)``, one text.
            end_index: the token that precedes its first token.
            learning_rate: the rate of the single update on a window's mean loss, made after the
                window.
            decay: the share of the distance to the trained weights that each update goes back.
        """
        widths = [self._window] * -(-len(ids) // self._window)  # one shape, so one compilation
        batches = windows(ids, end_index, 1, widths)
        if self._steps is None:
            self._steps = training_steps(self._objective, next(windows(ids, end_index, 1, widths)))
        tokens = []
        optimizer = self._optimizer
        settings = [(optimizer.learning_rate, learning_rate), (optimizer.decay, decay)]
        description = f"dynamic evaluation, rate {learning_rate:g}, decay {decay:g}"
        try:
            for batch in progress(batches, description, "windows", len(widths)):
                self._steps.run(batch, settings)
                tokens.append(float(batch.weights.sum()))
        finally:
            figures = self._steps.finish()
            weights = self._objective.trainable_variables
            for weight, trained in zip(weights, optimizer.trained, strict=True):
                weight.assign(_copy(trained))
        means = [figure["cross_entropy"] for figure in figures]
        total = float(np.dot(means, tokens))
        return total if math.isfinite(total) else math.inf
