"""Intents and slots: a label for a text and a tag for each of its words, by one network.

The task is that of a tagger, whose network has another head; the labels are judged by the task of a
classifier on the same data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.baselines.suite import joint_baselines, judged
from nlp_rnn.config import JointTrainingParameters
from nlp_rnn.evaluation.calibration import Calibration
from nlp_rnn.evaluation.joint import joint_metrics, joint_rows
from nlp_rnn.evaluation.metrics import tagging_metrics
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.runtime.forward import LABELS, log, probabilities
from nlp_rnn.runtime.network import Network
from nlp_rnn.tasks.classification import Classification
from nlp_rnn.tasks.examples import EVALUATION_BATCH
from nlp_rnn.tasks.tagging import Tagging
from nlp_rnn.tasks.task import ERRORS_SHOWN

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.objective import Objective


class IntentsAndSlots(Tagging):
    """Trains and evaluates a model of intents and slots. Test sentences are never cut."""

    @cached_property
    def intents(self) -> Intents:
        """The task of the labels alone."""
        return Intents(self)

    @property
    def _joint(self) -> JointTrainingParameters:
        assert isinstance(self.training, JointTrainingParameters)
        return self.training

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.models.tagger import crf_of
        from nlp_rnn.training.objective import JointObjective

        crf = crf_of(network)
        if crf is not None:
            self._check_constraints()
        return JointObjective(network, self._joint.intent_weight, crf)

    def measure(self, network: Network, split: str) -> dict[str, float]:
        result = self._judge(network, split)
        logs, gold = self.intents.log_probabilities(network, split)
        loss = float(-logs[np.arange(len(gold)), gold].mean())
        right = logs.argmax(axis=1) == gold
        both = right & list(map(np.array_equal, result.gold, result.best))
        found = {
            "loss": self._loss(split, result.loss, loss),
            "accuracy": float(right.mean()),
            "exact_match": float(both.mean()),
        }
        if self.dataset.entities:
            of_tags = tagging_metrics(result.gold, result.best, self.dataset.labels, entities=True)
            found["f1"] = of_tags["f1"]
        return found

    def _loss(self, name: str, of_words: float, of_texts: float) -> float:
        """The loss per word of a split, from those of its words and its texts."""
        lengths = self.dataset.split(name).lengths
        of_texts *= len(lengths) / int(lengths.sum())
        return float(of_words + self._joint.intent_weight * of_texts)

    def calibrate(self, network: Network) -> Calibration:
        tags, labels = super().calibrate(network), self.intents.calibrate(network)
        return tags._replace(
            reason=f"Tags: {tags.reason} Labels of texts: {labels.reason}",
            intent_temperature=labels.temperature,
        )

    def evaluate(
        self,
        network: Network,
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
        intent_temperature: float = 1.0,
    ) -> Evaluation:
        of_words = super().evaluate(network, temperature)
        of_texts = self.intents.evaluate(network, intent_temperature)
        rows = joint_rows(of_texts.predictions, of_words.predictions)
        test = joint_metrics(of_texts.test, of_words.test, rows)
        test["loss"] = self._loss("test", of_words.test["loss"], of_texts.test["loss"])
        wrong = [{**sample, "of_text": True} for sample in of_texts.samples] + of_words.samples
        wrong.sort(key=lambda sample: -sample["confidence"])
        majority = next(joint_baselines(self.dataset))
        of_labels = {f"intent_{name}": table for name, table in of_texts.tables.items()}
        return replace(
            of_words,
            test=test,
            baselines={majority.name: judged(self.dataset, majority)[0]},
            samples=wrong[:ERRORS_SHOWN],
            predictions=rows,
            tables=of_words.tables | of_labels,
            intents=of_texts,
        )


class Intents(Classification):
    """The labels of a model of intents and slots, judged as those of a classifier."""

    def __init__(self, joint: IntentsAndSlots) -> None:
        self._joint = joint
        super().__init__(joint.experiment, joint.dataset.labelled, joint.seed)

    def _check_labels(self) -> None:
        """The parameters of classifiers are not there."""

    @cached_property
    def class_weights(self) -> None:
        """None: all labels count alike."""
        return None

    def log_probabilities(self, network: Network, name: str) -> tuple[Floats, Ints]:
        """``ln P`` of every label ``(texts, labels)`` of a split, and the gold labels."""
        return self._log_probabilities(network, name), np.array(self.dataset.split(name).labels)

    def _log_probabilities(self, network: Network, name: str) -> Floats:
        texts = self._joint.encoded(name, range(len(self.dataset.split(name))), None)
        return log(np.stack(list(probabilities(network, texts, EVALUATION_BATCH, head=LABELS))))
