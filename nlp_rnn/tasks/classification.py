"""Classification: a label for a text, such as its sentiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.baselines.counts import majority_class
from nlp_rnn.baselines.suite import judged, weighted_classifiers
from nlp_rnn.config import AnyExperiment, ClassificationTrainingParameters, LongTexts
from nlp_rnn.errors import UserError
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
from nlp_rnn.evaluation.metrics import Metrics, classification_metrics
from nlp_rnn.evaluation.predictions import labelled_rows
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.runtime.forward import log, probabilities
from nlp_rnn.runtime.network import Network
from nlp_rnn.tasks.class_weights import class_weights
from nlp_rnn.tasks.examples import EVALUATION_BATCH, ExamplesTask
from nlp_rnn.tasks.task import ERRORS_SHOWN
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import UNK_INDEX

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.objective import Objective


class Classification(ExamplesTask):
    """Trains and evaluates a classifier that gives each text one label.

    Raises:
        UserError: a parameter is for any number of labels, or names a label that there is not.
    """

    def __init__(self, experiment: AnyExperiment, dataset: PreparedDataset, seed: int) -> None:
        super().__init__(experiment, dataset, seed)
        self._check_labels()
        self.class_weights  # noqa: B018  # raises UserError for a label that there is not

    def _check_labels(self) -> None:
        """Raise UserError unless the parameters fit texts of one label each."""
        training, name = self._classification, self.experiment.dataset
        one = f"but each text of {name} has exactly one label"
        if training.select == "exact_match":
            raise UserError(f"training.select: exact_match is for sets of labels, {one}; use f1")
        if training.thresholds != "micro_f1":  # the default, which a bundle writes too
            raise UserError(f"training.thresholds is for sets of labels, {one}; leave it out")

    @property
    def _classification(self) -> ClassificationTrainingParameters:
        assert isinstance(self.training, ClassificationTrainingParameters)
        return self.training

    @property
    def long_texts(self) -> LongTexts:
        return self._classification.long_texts

    @cached_property
    def class_weights(self) -> Floats | None:
        """The weights that the parameters ask for; see :func:`class_weights`."""
        given = self._classification.class_weights
        return None if given is None else class_weights(self.dataset, given)

    @property
    def example_weights(self) -> Floats | None:
        return self.class_weights

    def _drawn(self, rng: np.random.Generator) -> NDArray[np.intp]:
        if self._classification.sampling == "all":
            return super()._drawn(rng)
        gold = np.asarray(self.dataset.split("train").labels)
        shares = class_weights(self.dataset, "balanced")[gold]
        return rng.choice(len(gold), len(gold), p=shares / shares.sum())

    @cached_property
    def _weighted_baselines(self) -> dict[str, Metrics]:
        """The data set's linear baselines with the same class weights; empty without any."""
        if self.class_weights is None:
            return {}
        fitted = weighted_classifiers(self.dataset, self.class_weights)
        return {each.name: judged(self.dataset, each)[0] for each in fitted}

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.training.objective import Objective

        return Objective(network)

    def _log_probabilities(self, network: Network, name: str) -> Floats:
        """``ln P`` of every label ``(texts, labels)``."""
        texts = self._encoded_texts(name)
        return log(np.stack(list(probabilities(network, texts, EVALUATION_BATCH))))

    def _encoded_texts(self, name: str) -> list[Encoded]:
        """All texts of a split."""
        return self.encoded(name, range(len(self.dataset.split(name))), self.max_length)

    def measure(self, network: Network, split: str) -> dict[str, float]:
        gold = np.array(self.dataset.split(split).labels)
        logs = self._log_probabilities(network, split)
        loss = float(-logs[np.arange(len(gold)), gold].mean())
        return {"loss": loss, **_judged(gold, logs)}

    def calibrate(self, network: Network) -> Calibration:
        gold = np.array(self.dataset.split("validation").labels)
        logs = self._log_probabilities(network, "validation")
        return calibrate(list(logs[:, None]), list(gold[:, None]))

    def evaluate(
        self,
        network: Network,
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
    ) -> Evaluation:
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
            baselines={
                "majority": classification_metrics(gold, majority, labels),
                **self._weighted_baselines,
            },
            samples=confident_errors(targets, ERRORS_SHOWN),
            predictions=labelled_rows(labels, gold, best, confidence),
            labels=labels,
            gold=gold,
            predicted=best,
            confidence=confidence,
            uncalibrated=np.exp(logs.max(axis=1)),
            tables=self._tables(targets),
            log_loss={"before": test["loss"], "after": log_loss([calibrated], [gold])},
            shown=targets.shown,
        )

    def _texts(self, numbers: Sequence[int]) -> dict[int, str]:
        """The texts of the test split with these numbers."""
        wanted = set(numbers)
        records = enumerate(self.dataset.split("test").records())
        return {i: record["text"] for i, record in records if i in wanted}

    def _tables(self, targets: Targets) -> dict[str, Table]:
        return {"confusion_pairs": confusion_pairs(targets), **self._accuracies(targets.right)}

    def _accuracies(self, right: NDArray[np.bool_]) -> dict[str, Table]:
        """How often texts of different kinds are right ``(texts,)``."""
        split = self.dataset.split("test")
        is_unknown = (split.ids == UNK_INDEX).astype(np.int64)
        unknown = np.add.reduceat(is_unknown, split.offsets[:-1]) / split.lengths
        texts = (record["text"] for record in split.records())
        sizes = np.ones(len(split), np.int64)
        return {
            "accuracy_by_length": accuracy_by_bucket(split.lengths, LENGTHS, right, "tokens"),
            "slices": slices(texts, unknown, sizes, right),
        }


def _judged(gold: Ints, logs: Floats) -> dict[str, float]:
    """Accuracy and macro-F1 of the most likely labels."""
    best = logs.argmax(axis=1)
    metrics = classification_metrics(gold, best, list(map(str, range(logs.shape[1]))))
    return {name: metrics[name] for name in ("accuracy", "f1")}
