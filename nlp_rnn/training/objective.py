"""Training objectives: the cross-entropy of every target that counts, from exact sums."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn.arrays import Floats
from nlp_rnn.config import (
    LanguageModelTrainingParameters,
    ScheduledSamplingParameters,
    TrainingParameters,
)
from nlp_rnn.layers.crf import CRF
from nlp_rnn.layers.softmax.full import cross_entropy
from nlp_rnn.models.encoder_decoder import begun_decoder
from nlp_rnn.models.language_model import hidden_states
from nlp_rnn.training.optimizer import optimizer
from nlp_rnn.training.scheduled_sampling import mixed_inputs
from nlp_rnn.training.schedules import sampling_probability
from nlp_rnn.training.unfreezing import paces


class Objective(keras.Model):
    """A network with its loss, ready for ``train_on_batch``.

    The loss of a batch is the mean cross-entropy over its targets of weight 1, plus the
    penalties of the layers. ``cross_entropy`` and ``accuracy`` are means over the same targets
    without penalties; :class:`Totals` weights them by the number of targets, so that the metrics of
    an epoch come from exact sums and are not means of batch means.

    Args:
        network: maps token indices to logits ``(..., classes)``.
        with_accuracy: whether to track accuracy too, which costs an argmax over the classes.
        scheduled_sampling: how often the network reads its own predictions, if it may.

    Attributes:
        called: what a batch is given to: the network, or a part of it whose inputs are computed
            before the training.
    """

    def __init__(
        self,
        network: keras.Model,
        with_accuracy: bool = True,
        scheduled_sampling: ScheduledSamplingParameters | None = None,
    ) -> None:
        super().__init__(name="objective")
        self.network = network
        self.called = network
        self.cross_entropy = keras.metrics.Mean(name="cross_entropy")
        self.accuracy = keras.metrics.Mean(name="accuracy") if with_accuracy else None
        self.scheduled_sampling = scheduled_sampling
        if scheduled_sampling:
            self.sampling = self._held((), "sampling_probability")
            self.seeds = keras.random.SeedGenerator()

    def _held(self, shape: tuple[int, ...], name: str) -> Any:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.called(inputs, training=training)

    def compile(self, **options: Any) -> None:
        super().compile(**options)
        # TensorFlow traces a step that creates variables a second time.
        self.optimizer.build(self.trainable_variables)

    @property
    def means(self) -> list[keras.metrics.Mean]:
        """The metrics of a batch, which computing its loss updates."""
        return [metric for metric in (self.cross_entropy, self.accuracy) if metric is not None]

    def settings(self, progress: float) -> list[tuple[keras.Variable, float]]:
        """The variables to set before a step, given the share of training that is done."""
        if self.scheduled_sampling is None:
            return []
        return [(self.sampling, sampling_probability(self.scheduled_sampling, progress))]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        loss = self._cross_entropy(y, y_pred, sample_weight)
        for penalty in self.losses:
            loss += penalty
        return loss

    def _cross_entropy(self, targets: Any, logits: Any, weights: Any) -> Any:
        """The mean cross-entropy of the targets that count; updates the metrics."""
        if self.accuracy is not None:
            correct = ops.equal(
                ops.cast(ops.argmax(logits, axis=-1), "int32"), ops.cast(targets, "int32")
            )
            self.accuracy.update_state(ops.cast(correct, logits.dtype), weights)
        return self._mean(cross_entropy(logits, targets), weights)

    def _mean(self, losses: Any, weights: Any) -> Any:
        """The mean loss of the targets that count."""
        weights = ops.cast(weights, losses.dtype)
        self.cross_entropy.update_state(losses, weights)
        return ops.sum(losses * weights) / ops.sum(weights)


class LabelSetObjective(Objective):
    """The objective of a classifier that gives any number of labels: ``-ln P`` of the labels.

    The labels are independent of one another, given the text. So the loss of a text is the sum of
    the binary cross-entropies of all labels, in nats, from logits ``z``::

        -sum over labels of  y ln sigmoid(z) + (1 - y) ln (1 - sigmoid(z))

    Args:
        network: maps token indices to logits ``(batch, labels)``.
        class_weights: the factor of each term ``(2, labels)``, first of texts that lack the label;
            None for 1.
    """

    def __init__(self, network: keras.Model, class_weights: Floats | None = None) -> None:
        super().__init__(network, with_accuracy=False)
        self.class_weights = class_weights

    def _cross_entropy(self, targets: Any, logits: Any, weights: Any) -> Any:
        applies = ops.cast(targets, logits.dtype)
        losses = ops.softplus(logits) - applies * logits
        if self.class_weights is not None:
            absent, present = ops.cast(self.class_weights, logits.dtype)
            losses = losses * (applies * present + (1 - applies) * absent)
        return self._mean(ops.sum(losses, axis=-1), weights)


class CRFObjective(Objective):
    """The objective of a tagger with a CRF: ``-ln P`` of whole tag sequences.

    The loss is in nats per word. It cannot be compared with a softmax tagger's loss, which scores
    each tag independently. Accuracy would need a Viterbi search in every step, so it is measured
    only in validation.
    """

    def __init__(self, network: keras.Model, crf: CRF) -> None:
        super().__init__(network, with_accuracy=False)
        self.crf = crf

    def _cross_entropy(self, targets: Any, emissions: Any, weights: Any) -> Any:
        loss = _sequence_loss(self.crf, emissions, targets, ops.greater(weights, 0))
        words = ops.sum(ops.cast(weights, loss.dtype))
        self.cross_entropy.update_state(loss / words, words)
        return loss / words


def _sequence_loss(crf: CRF, emissions: Any, tags: Any, real: Any) -> Any:
    """The sum of ``-ln P`` of tag sequences, whose words are ``real``."""
    likelihoods = crf.log_likelihood(emissions, tags, real)
    # Rows that fill up a batch have no word that counts.
    return -ops.sum(ops.where(ops.any(real, axis=-1), likelihoods, 0.0))


class JointObjective(Objective):
    """The objective of intents and slots: ``-ln P`` of the tags plus a weight times ``-ln P`` of
    the label (Liu & Lane 2016), in nats per word.

    Args:
        network: maps token indices to the logits of tags and those of labels ``(batch, labels)``.
        intent_weight: the weight of the label.
        crf: the CRF over the tags; None for a softmax.
    """

    def __init__(self, network: keras.Model, intent_weight: float, crf: CRF | None = None) -> None:
        super().__init__(network, with_accuracy=False)
        self.intent_weight = intent_weight
        self.crf = crf

    def _cross_entropy(self, targets: Any, outputs: Any, weights: Any) -> Any:
        (tags, intents), (of_tags, of_intents) = targets, outputs
        real = ops.greater(weights, 0)
        if self.crf is None:
            loss = ops.sum(ops.where(real, cross_entropy(of_tags, tags), 0.0))
        else:
            loss = _sequence_loss(self.crf, of_tags, tags, real)
        # Rows that fill up a batch have no word that counts.
        texts = ops.any(real, axis=-1)
        of_texts = ops.where(texts, cross_entropy(of_intents, intents), 0.0)
        loss += self.intent_weight * ops.sum(of_texts)
        words = ops.sum(ops.cast(real, loss.dtype))
        self.cross_entropy.update_state(loss / words, words)
        return loss / words


class TargetObjective(Objective):
    """The objective of an encoder-decoder: ``-ln P`` of each token of the target.

    With label smoothing ``e`` the loss is ``(1 - e) (-ln P(y)) + e mean_v(-ln P(v))`` (Szegedy et
    al. 2016); ``cross_entropy`` stays ``-ln P(y)``.

    Args:
        network: as :func:`~nlp_rnn.models.encoder_decoder.encoder_decoder` builds it.
        label_smoothing: ``e``.
        scheduled_sampling: how often the decoder reads its own predictions, if it may.
    """

    def __init__(
        self,
        network: keras.Model,
        label_smoothing: float = 0.0,
        scheduled_sampling: ScheduledSamplingParameters | None = None,
    ) -> None:
        super().__init__(network, False, scheduled_sampling)
        self.label_smoothing = label_smoothing

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if training and self.scheduled_sampling:
            ids, target_ids, *vectors = inputs
            decoder, source, states = begun_decoder(self.network, ids, vectors)
            target_ids = mixed_inputs(
                decoder, target_ids, states, self.sampling, self.seeds, source
            )
            inputs = [ids, target_ids, *vectors]
        return self.network(inputs, training=training)

    def _cross_entropy(self, targets: Any, logits: Any, weights: Any) -> Any:
        losses = cross_entropy(logits, targets)
        mean = self._mean(losses, weights)
        if not self.label_smoothing:
            return mean
        spread = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
        weights = ops.cast(weights, losses.dtype)
        of_all = ops.sum(spread * weights) / ops.sum(weights)
        return (1 - self.label_smoothing) * mean + self.label_smoothing * of_all


class TruncatedBPTT(Objective):
    """An objective for language models that carries the state from window to window.

    The gradient stops at the window's start, the state does not (truncated backpropagation
    through time, Williams & Peng 1990, BPTT(h; h)). Inputs are ``[ids, starts]``: a row whose
    ``starts`` is 1 begins a new text, and its state is set to zero independently of the other rows.
    The call returns the encoder's outputs: the loss is the output layer's own, which may not need
    all logits.

    Args:
        network: maps ``[ids, *states]`` to ``[logits, *states]``.
        batch_size: the number of parallel streams, fixed because each has its own state.
        parameters: the training parameters, including scheduled sampling.
    """

    def __init__(
        self, network: keras.Model, batch_size: int, parameters: LanguageModelTrainingParameters
    ) -> None:
        super().__init__(network, False, parameters.scheduled_sampling)
        self.hidden_states = hidden_states(network)
        self.output_layer = network.get_layer("logits")
        self.states = [
            self._held((batch_size, state.shape[-1]), f"state_{i}")
            for i, state in enumerate(network.inputs[1:])
        ]

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        ids, starts = inputs
        going_on = ops.expand_dims(1 - starts, -1)
        before = [state * ops.cast(going_on, state.dtype) for state in self.states]
        if training and self.scheduled_sampling:
            ids = mixed_inputs(self.network, ids, before, self.sampling, self.seeds)
        hidden, *after = self.hidden_states([ids, *before], training=training)
        for state, value in zip(self.states, after, strict=True):
            state.assign(ops.stop_gradient(value))
        return hidden

    def _cross_entropy(self, targets: Any, hidden: Any, weights: Any) -> Any:
        return self._mean(self.output_layer(hidden, targets, training=True), weights)


class NeighboursObjective(Objective):
    """The objective of a forward and a backward language model: ``-ln P`` of both neighbours.

    Args:
        network: as :func:`~nlp_rnn.models.contextual.bidirectional_language_model` builds it.
            Targets are the next words, then the words before, ``(batch, 2 * timesteps)``.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(network, with_accuracy=False)
        self.called = keras.Model(network.inputs[0], network.get_layer("hidden").output)
        self.output_layer = network.get_layer("logits")

    def _cross_entropy(self, targets: Any, hidden: Any, weights: Any) -> Any:
        return self._mean(self.output_layer(hidden, targets, training=True), weights)


class Totals:
    """Means over every target of many batches, from the batches' own means."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._targets = 0.0

    def add(self, figures: dict[str, Any], targets: float) -> None:
        """Add a batch: its means, and the number of targets behind them."""
        self._targets += targets
        for name in ("cross_entropy", "accuracy"):
            if name in figures:
                self._sums[name] = self._sums.get(name, 0.0) + float(figures[name]) * targets

    def means(self, prefix: str) -> dict[str, float]:
        """``<prefix>/loss`` in nats, and ``<prefix>/accuracy`` if it is tracked."""
        names = {"cross_entropy": "loss", "accuracy": "accuracy"}
        return {f"{prefix}/{names[k]}": v / self._targets for k, v in self._sums.items()}


def compiled(
    objective: Objective, training: TrainingParameters, frozen_epochs: int = 0
) -> Objective:
    """Give the objective its optimiser.

    Args:
        objective: the objective of a network with a layer called ``embedding``.
        training: the training parameters.
        frozen_epochs: the number of first epochs in which embeddings are not trained.
    """
    chosen = optimizer(training, paces(objective.network, training, frozen_epochs))
    objective.compile(optimizer=chosen, loss=None, jit_compile="auto")
    return objective
