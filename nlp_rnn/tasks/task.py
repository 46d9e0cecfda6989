"""What every task offers to the stages of the pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints
from nlp_rnn.config import AnyExperiment, TrainingParameters
from nlp_rnn.evaluation.calibration import Calibration
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.runtime.network import KerasNetwork, Network
from nlp_rnn.text.batches import Batch
from nlp_rnn.text.prepared import PreparedDataset

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.fit import Row
    from nlp_rnn.training.objective import Objective

EXAMPLES_SHOWN = 8
"""Sequences that a diagnostic looks along."""

LONGEST_SHOWN = 200
"""Tokens of a sequence that it looks at."""

ERRORS_SHOWN = 200
"""Sample predictions kept for looking at, the worst first."""


class Task(ABC):
    """One experiment on its prepared data. Training it takes Keras, evaluating it need not.

    Args:
        experiment: its parameters.
        dataset: prepared.
        seed: of batches, initial weights and dropout.
    """

    def __init__(self, experiment: AnyExperiment, dataset: PreparedDataset, seed: int) -> None:
        self.experiment = experiment
        self.dataset = dataset
        self.seed = seed

    @property
    def training(self) -> TrainingParameters:
        return self.experiment.training

    def network(self, vectors: NDArray[Any]) -> keras.Model:
        """A fresh network that starts from the embeddings ``vectors``."""
        from nlp_rnn.models.network import build_network

        dataset = self.dataset
        characters = dataset.characters.types if dataset.kind == "tagged" else ()
        return build_network(
            self.experiment,
            len(dataset.vocabulary),
            dataset.labels,
            characters,
            vectors,
            dataset.entities,
        )

    def predicting(self, network: keras.Model) -> Network:
        """A network that may be in training, as predictions use it."""
        return KerasNetwork(network, self.experiment.model.monte_carlo_samples)

    def rng(self, epoch: int) -> np.random.Generator:
        """The generator that shuffles one epoch, whatever came before."""
        return np.random.default_rng([self.seed, epoch])

    @abstractmethod
    def objective(self, network: keras.Model) -> Objective:
        """The loss that trains ``network``."""

    @abstractmethod
    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        """The training batches of an epoch and their number."""

    @abstractmethod
    def example_inputs(self) -> list[Sequence[Ints]]:
        """What the network takes for a few sequences of the validation split, without padding."""

    @abstractmethod
    def validate(self, objective: Objective) -> Row:
        """``validation/loss`` and more, from exact sums: what :meth:`evaluate` finds on the test
        split, by the same network, which averages passes where predictions do."""

    def calibrate(self, network: Network) -> Calibration:
        """What calibrates the probabilities of a trained network, found on the validation split;
        the temperature 1 changes nothing."""
        return Calibration(1.0, "A language model's probabilities are not calibrated.")

    @property
    def optimum(self) -> dict[str, float]:
        """What no model that reads the same can beat on the test split; empty where it is not
        known. Its ``loss`` is the same quantity as that of :meth:`evaluate`."""
        return self.dataset.optimum("indices")

    @abstractmethod
    def evaluate(self, network: Network, temperature: float = 1.0) -> Evaluation:
        """Judge a trained network on the test split, beside its baselines.

        Args:
            temperature: of its confidences; the test figures are of the network as it is.
        """
