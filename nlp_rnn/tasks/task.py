"""The interface of tasks for the stages of the pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints
from nlp_rnn.config import AnyExperiment, TrainingParameters
from nlp_rnn.evaluation.calibration import Calibration
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.example import TAGGED_KINDS
from nlp_rnn.runtime.network import KerasNetwork, Network
from nlp_rnn.text.batches import Batch
from nlp_rnn.text.prepared import PreparedDataset

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.fit import Row
    from nlp_rnn.training.objective import Objective

EXAMPLES_SHOWN = 8
"""The number of sequences that a diagnostic uses."""

LONGEST_SHOWN = 200
"""The number of tokens of a sequence that it uses."""

ERRORS_SHOWN = 200
"""The number of sample predictions kept for inspection, the worst first."""


class Task(ABC):
    """One experiment on its prepared data. Training requires Keras, but evaluation need not.

    Args:
        experiment: the parameters of the experiment.
        dataset: the prepared data set.
        seed: the seed of batches, initial weights and dropout.
    """

    def __init__(self, experiment: AnyExperiment, dataset: PreparedDataset, seed: int) -> None:
        self.experiment = experiment
        self.dataset = dataset
        self.seed = seed

    @property
    def training(self) -> TrainingParameters:
        return self.experiment.training

    def network(self, vectors: NDArray[Any]) -> keras.Model:
        """A new network that starts from the embeddings ``vectors``."""
        from nlp_rnn.models.network import build_network

        dataset = self.dataset
        characters = dataset.characters.types if dataset.kind in TAGGED_KINDS else ()
        return build_network(
            self.experiment,
            len(dataset.vocabulary),
            dataset.labels,
            characters,
            vectors,
            dataset.entities,
            dataset.pair_sizes,
            dataset.intents,
        )

    def predicting(self, network: keras.Model) -> Network:
        """Wrap a network, which may still be in training, for predictions."""
        return KerasNetwork(network, self.experiment.model.monte_carlo_samples)

    def rng(self, epoch: int) -> np.random.Generator:
        """The generator that shuffles one epoch, independent of earlier epochs."""
        return np.random.default_rng([self.seed, epoch])

    @abstractmethod
    def objective(self, network: keras.Model) -> Objective:
        """The loss that trains ``network``."""

    def begin(self, objective: Objective, folder: Path) -> None:  # noqa: B027
        """Compute before a training what would be the same in each of its epochs; nothing here.

        Args:
            objective: that of a network with the weights that it starts from.
            folder: for large files, which end with the process.
        """

    @abstractmethod
    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        """The training batches of an epoch and their number."""

    @abstractmethod
    def example_inputs(self) -> list[Sequence[Ints]]:
        """The network's inputs for a few sequences of the validation split, without padding."""

    def validate(self, objective: Objective) -> Row:
        """``validation/loss`` and other metrics, from exact sums: those of :meth:`evaluate`, by the
        same network, which averages passes if predictions do."""
        found = self.measure(self.predicting(objective.network), "validation")
        return {f"validation/{name}": value for name, value in found.items()}

    @abstractmethod
    def measure(self, network: Network, split: str) -> dict[str, float]:
        """The ``loss`` and other metrics of a split that :meth:`validate` watches."""

    def calibrate(self, network: Network) -> Calibration:
        """The calibration of a trained network's probabilities, fitted on the validation split; the
        temperature 1 changes nothing."""
        return Calibration(1.0, "A language model's probabilities are not calibrated.")

    @property
    def optimum(self) -> dict[str, float]:
        """The test metrics that no model with the same inputs can beat; empty if unknown. Its
        ``loss`` is the same quantity as in :meth:`evaluate`."""
        return self.dataset.optimum("indices")

    @abstractmethod
    def evaluate(
        self,
        network: Network,
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
    ) -> Evaluation:
        """Evaluate a trained network and its baselines on the test split.

        Args:
            temperature: the temperature of its confidences; test metrics ignore it.
            thresholds: the probability from which each label is given, where a text has any number
                of them; None for 0.5.
        """
