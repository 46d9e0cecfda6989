"""Classification with any number of labels for a text, such as the topics of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.baselines.suite import judged, most_frequent_labels
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.calibration import Calibration, calibrate
from nlp_rnn.evaluation.errors import Table
from nlp_rnn.evaluation.label_sets import (
    Bools,
    confidences,
    label_ranking,
    label_set_metrics,
    label_thresholds,
    most_confident_mistakes,
    written,
)
from nlp_rnn.evaluation.predictions import label_set_rows
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.runtime.forward import label_logits, sigmoid
from nlp_rnn.runtime.network import Network
from nlp_rnn.tasks.classification import Classification
from nlp_rnn.tasks.examples import EVALUATION_BATCH
from nlp_rnn.tasks.task import ERRORS_SHOWN

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.fit import Row
    from nlp_rnn.training.objective import Objective


class LabelSets(Classification):
    """Trains and evaluates a classifier that gives each text any number of labels.

    The network is that of a classifier; each of its logits decides on one label by itself.
    """

    def _check_labels(self) -> None:
        training, name = self._classification, self.experiment.dataset
        several = f"but texts of {name} have any number of labels"
        if training.select == "accuracy":
            raise UserError(
                f"training.select: accuracy is for one label a text, {several}; use f1 or "
                "exact_match"
            )
        if training.sampling != "all":
            raise UserError(
                f"training.sampling: {training.sampling} is for one label a text, {several}; use "
                "class_weights: balanced"
            )
        if self.experiment.model.monte_carlo_samples:
            raise UserError(
                f"model.monte_carlo_samples is for one label a text, {several}; leave it out"
            )

    @property
    def example_weights(self) -> Floats | None:
        """None, because the weights are those of single labels, which the objective knows."""
        return None

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.training.objective import LabelSetObjective

        return LabelSetObjective(network, self.class_weights)

    def _gold(self, name: str) -> Bools:
        """Which labels apply ``(texts, labels)``."""
        found: Bools = np.asarray(self.dataset.split(name).labels, bool)
        return found

    def _logits(self, network: Network, name: str) -> Floats:
        """The logits of all labels ``(texts, labels)``."""
        return np.stack(list(label_logits(network, self._encoded_texts(name), EVALUATION_BATCH)))

    def validated(self, network: Network) -> Row:
        gold = self._gold("validation")
        logits = self._logits(network, "validation")
        probabilities = sigmoid(logits)
        thresholds = label_thresholds(probabilities, gold, self._classification.thresholds)
        given = probabilities >= thresholds
        metrics = label_set_metrics(gold, given, probabilities, self.dataset.labels)
        return {
            "validation/loss": _loss(logits, gold),
            **{f"validation/{name}": metrics[name] for name in ("f1", "macro_f1", "exact_match")},
        }

    def calibrate(self, network: Network) -> Calibration:
        """The temperature of all binary decisions, and the thresholds of the probabilities that it
        gives."""
        gold, logits = self._gold("validation"), self._logits(network, "validation")
        # A sigmoid is the softmax over 0 and the logit.
        decisions = np.stack([np.zeros_like(logits), logits], axis=-1)
        found = calibrate(list(decisions), list(gold.astype(np.int64)))
        probabilities = sigmoid(logits / found.temperature)
        chosen = label_thresholds(probabilities, gold, self._classification.thresholds).tolist()
        return found._replace(thresholds=dict(zip(self.dataset.labels, chosen, strict=True)))

    def evaluate(
        self,
        network: Network,
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
    ) -> Evaluation:
        labels, gold = self.dataset.labels, self._gold("test")
        logits = self._logits(network, "test")
        uncalibrated, probabilities = sigmoid(logits), sigmoid(logits / temperature)
        given = probabilities >= np.array([(thresholds or {}).get(name, 0.5) for name in labels])
        test = label_set_metrics(gold, given, probabilities, labels)
        test["loss"] = _loss(logits, gold)
        baseline = most_frequent_labels(self.dataset)
        sure, ranking = confidences(probabilities, given), label_ranking(gold, probabilities)
        return Evaluation(
            test=test,
            baselines={
                baseline.name: judged(self.dataset, baseline)[0],
                **self._weighted_baselines,
            },
            samples=self._mistakes(gold, given, probabilities),
            predictions=label_set_rows(labels, gold, given, ranking, sure),
            labels=labels,
            multi_label=True,
            gold=gold.ravel().astype(np.int64),
            predicted=np.ones(gold.size, np.int64),
            confidence=probabilities.ravel(),
            uncalibrated=uncalibrated.ravel(),
            tables=self._accuracies((gold == given).all(axis=1)),
            log_loss={
                "before": test["loss"] / len(labels),
                "after": _loss(logits / temperature, gold) / len(labels),
            },
        )

    def _mistakes(self, gold: Bools, given: Bools, probabilities: Floats) -> Table:
        """The texts with wrong labels, the most confident mistakes first."""
        labels = self.dataset.labels
        worst = most_confident_mistakes(gold, given, probabilities)[:ERRORS_SHOWN]
        texts = self._texts([i for i, _ in worst])
        return [
            {
                "text": texts[i],
                "gold": written(labels, gold[i]),
                "predicted": written(labels, given[i]),
                "confidence": confidence,
            }
            for i, confidence in worst
        ]


def _loss(logits: Floats, gold: Bools) -> float:
    """``-ln P`` of the labels of a text, the mean over texts in nats."""
    losses = np.logaddexp(0, logits.astype(np.float64)) - gold * logits
    return float(losses.sum(axis=1).mean())
