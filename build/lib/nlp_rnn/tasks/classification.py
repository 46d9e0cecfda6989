"""Classification: a label for a text, such as its sentiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.baselines.counts import majority_class
from nlp_rnn.config import ClassificationTrainingParameters, LongTexts
from nlp_rnn.evaluation.calibration import Calibration, calibrate, log_loss, probabilities_at
from nlp_rnn.evaluation.errors import (
    LENGTHS,
    Table,
    Targets,
    accuracy_by_bucket,
    confident_errors,
    confusion_pairs,
    slices,
)
from nlp_rnn.evaluation.metrics import classification_metrics
from nlp_rnn.evaluation.predictions import labelled_rows
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.runtime.forward import log, probabilities
from nlp_rnn.runtime.network import Network
from nlp_rnn.tasks.examples import EVALUATION_BATCH, ExamplesTask
from nlp_rnn.tasks.task import ERRORS_SHOWN
from nlp_rnn.text.vocabulary import UNK_INDEX

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.fit import Row
    from nlp_rnn.training.objective import Objective


class Classification(ExamplesTask):
    """Trains and evaluates a classifier."""

    @property
    def long_texts(self) -> LongTexts:
        assert isinstance(self.training, ClassificationTrainingParameters)
        return self.training.long_texts

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.training.objective import Objective

        return Objective(network)

    def _log_probabilities(self, network: Network, name: str) -> Floats:
        """``ln P`` of every label ``(texts, labels)``."""
        texts = self.encoded(name, range(len(self.dataset.split(name))), self.max_length)
        return log(np.stack(list(probabilities(network, texts, EVALUATION_BATCH))))

    def validate(self, objective: Objective) -> Row:
        gold = np.array(self.dataset.split("validation").labels)
        logs = self._log_probabilities(self.predicting(objective.network), "validation")
        return {
            "validation/loss": float(-logs[np.arange(len(gold)), gold].mean()),
            "validation/accuracy": float((logs.argmax(axis=1) == gold).mean()),
        }

    def calibrate(self, network: Network) -> Calibration:
        gold = np.array(self.dataset.split("validation").labels)
        logs = self._log_probabilities(network, "validation")
        return calibrate(list(logs[:, None]), list(gold[:, None]))

    def evaluate(self, network: Network, temperature: float = 1.0) -> Evaluation:
        split, labels = self.dataset.split("test"), self.dataset.labels
        logs = self._log_probabilities(network, "test")
        gold = np.array(split.labels)
        best = logs.argmax(axis=1)
        test = classification_metrics(gold, best, labels)
        test["loss"] = float(-logs[np.arange(len(gold)), gold].mean())
        majority = np.full_like(gold, majority_class(self.dataset.split("train")))
        (calibrated,) = probabilities_at(temperature, [logs])
        confidence = calibrated.max(axis=1)
        targets = Targets(labels, gold, best, confidence, self._texts)
        return Evaluation(
            test=test,
            baselines={"majority": classification_metrics(gold, majority, labels)},
            samples=confident_errors(targets, ERRORS_SHOWN),
            predictions=labelled_rows(labels, gold, best, confidence),
            labels=labels,
            gold=gold,
            predicted=best,
            confidence=confidence,
            uncalibrated=np.exp(logs.max(axis=1)),
            tables=self._tables(targets),
            log_loss={"before": test["loss"], "after": log_loss([calibrated], [gold])},
        )

    def _texts(self, numbers: Sequence[int]) -> dict[int, str]:
        """The texts of the test split with these numbers."""
        wanted = set(numbers)
        records = enumerate(self.dataset.split("test").records())
        return {i: record["text"] for i, record in records if i in wanted}

    def _tables(self, targets: Targets) -> dict[str, Table]:
        split = self.dataset.split("test")
        is_unknown = (split.ids == UNK_INDEX).astype(np.int64)
        unknown = np.add.reduceat(is_unknown, split.offsets[:-1]) / split.lengths
        texts = (record["text"] for record in split.records())
        sizes = np.ones(len(split), np.int64)
        return {
            "confusion_pairs": confusion_pairs(targets),
            "accuracy_by_length": accuracy_by_bucket(
                split.lengths, LENGTHS, targets.right, "tokens"
            ),
            "slices": slices(texts, unknown, sizes, targets.right),
        }
