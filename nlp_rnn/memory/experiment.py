"""How long networks remember: each is trained on a problem over increasing distances.

After Bengio, Simard & Frasconi (1994), "Learning long-term dependencies with gradient descent is
difficult": the share of training runs that solve a problem, by the distance in steps between the
information to remember and the point where it is needed.

Inputs are as strong as states: embeddings are initialised uniformly in [-1, 1]. With the usual
embeddings near 0, a simple recurrent network with an orthogonal recurrent kernel is nearly linear
and keeps what it saw first, whatever comes after; distractors must disturb it to be distractors.

The experiment measures what a network learns within a number of batches, not what it could
represent: with several times as many batches, a simple recurrent network may solve a distance at
which it failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_rnn.config import (
    BatchTrainingParameters,
    ClassifierParameters,
    MemoryNetwork,
    MemoryParameters,
    TaggerParameters,
)
from nlp_rnn.corpora.memory import Problem, problem
from nlp_rnn.files import read_json, write_json, write_table
from nlp_rnn.process import log
from nlp_rnn.progress import progress

if TYPE_CHECKING:
    import keras

DIMENSION = 16
"""The dimension of the embeddings."""

EVERY = 25
"""The number of batches between two tests."""

TEST_SEQUENCES = 256

FAILURES = 2
"""The number of consecutive distances without success after which longer ones are skipped."""


@dataclass(frozen=True)
class Result:
    """The result of a network's training runs over one distance.

    Attributes:
        success: the share of seeds that solved the problem; None if the distance was not tried.
        accuracy: the mean final accuracy on unseen sequences; None if the distance was not tried.
        batches: the mean number of batches of the runs that solved it; None if none did.
    """

    network: str
    steps: int
    success: float | None = None
    accuracy: float | None = None
    batches: float | None = None


def _network(task: Problem, cell: Any, units: int) -> keras.Model:
    """An untrained network for a problem: a one-directional classifier or tagger."""
    from nlp_rnn.models.classifier import classifier
    from nlp_rnn.models.encoder import embedding_layer
    from nlp_rnn.models.tagger import tagger

    size = len(task.types) + 1  # index 0 is padding
    vectors = np.random.uniform(-1, 1, (size, DIMENSION))
    embedding = embedding_layer(size, DIMENSION, vectors, trainable=True)
    if task.kind == "tagged":
        tagging = TaggerParameters(cell=cell, units=units, bidirectional=False)
        return tagger(embedding, tagging, task.labels, entities=False)
    return classifier(
        embedding,
        ClassifierParameters(cell=cell, units=units, bidirectional=False, pooling="last"),
        len(task.labels),
    )


class Learner:
    """A network that can be trained repeatedly.

    It is compiled only once: tracing it anew for each distance and seed would take longer than most
    training runs.

    Args:
        task: the problem.
        network: the network of one curve of the experiment.
        parameters: the parameters of the experiment.
    """

    def __init__(self, task: Problem, network: MemoryNetwork, parameters: MemoryParameters) -> None:
        from keras import ops

        from nlp_rnn.training.objective import Objective, compiled

        self.task = task
        self.parameters = parameters
        self._fresh = partial(_network, task, network.cell, parameters.units)
        training = BatchTrainingParameters(
            learning_rate=parameters.learning_rate, clip_norm=network.clip_norm
        )
        self.objective = compiled(Objective(self._fresh()), training)
        self.objective.build((None, None))
        self._optimizer = [
            np.array(ops.convert_to_numpy(variable))
            for variable in self.objective.optimizer.variables
        ]

    def _restart(self, seed: int) -> None:
        """Reset the network to the state of one just built with ``seed``."""
        import keras

        keras.utils.set_random_seed(seed)
        self.objective.network.set_weights(self._fresh().get_weights())
        optimizer = self.objective.optimizer
        for variable, value in zip(optimizer.variables, self._optimizer, strict=True):
            variable.assign(value)

    def _batch(
        self, rng: np.random.Generator, count: int, steps: int
    ) -> tuple[Any, Any, dict[str, Any]]:
        tokens, labels = self.task.draw(rng, count, steps)
        return (
            tokens + 1,
            labels,
            {"sample_weight": self.task.asked(labels), "return_dict": True},
        )

    def train(self, steps: int, seed: int) -> tuple[float, int | None]:
        """Train on new batches until the problem is solved or the batches run out.

        Returns:
            The last accuracy on unseen sequences, and the number of batches needed to solve the
            problem, or None if it was not solved.
        """
        self._restart(seed)
        training, test = (np.random.default_rng([seed, steps, stream]) for stream in range(2))
        accuracy = 0.0
        for batch in range(1, self.parameters.batches + 1):
            ids, labels, options = self._batch(training, self.parameters.batch_size, steps)
            figures = self.objective.train_on_batch(ids, labels, **options)
            last = batch == self.parameters.batches or not math.isfinite(figures["cross_entropy"])
            if last or batch % EVERY == 0:
                ids, labels, options = self._batch(test, TEST_SEQUENCES, steps)
                figures = self.objective.test_on_batch(ids, labels, **options)
                accuracy = float(figures["accuracy"])
                if accuracy >= self.parameters.success:
                    return accuracy, batch
            if last:
                break
        return accuracy, None


def _result(learner: Learner, name: str, steps: int, seed: int) -> Result:
    """The result of training with all seeds over one distance."""
    repetitions = learner.parameters.repetitions
    accuracies, batches = zip(
        *(learner.train(steps, seed + repetition) for repetition in range(repetitions)),
        strict=True,
    )
    solved = [count for count in batches if count is not None]
    return Result(
        name,
        steps,
        len(solved) / repetitions,
        float(np.mean(accuracies)),
        float(np.mean(solved)) if solved else None,
    )


class Record:
    """The results so far, in a file to which each new one is added.

    A result is identified by the problem, the network's parameters, the distance, all other
    training parameters, the seed and the backend; if any of them changes, it is not found again.

    Args:
        file: a JSON file that is not a DVC output, which DVC would delete before the stage runs.
        name: the name of the problem.
        parameters: the parameters of the experiment.
        seed: the seed of the first repetition.
    """

    def __init__(self, file: Path, name: str, parameters: MemoryParameters, seed: int) -> None:
        import keras

        shared = parameters.of(name).model_dump(
            exclude={"problems", "steps", "networks", "overrides"}
        )
        self._circumstances = (name, shared, seed, keras.backend.backend())
        self._file = file
        self._results: dict[str, Any] = read_json(file, "delete it") if file.exists() else {}

    def _key(self, network: MemoryNetwork, steps: int) -> str:
        from nlp_rnn.training.checkpoint import fingerprint

        return fingerprint(network.model_dump(), steps, *self._circumstances)

    def find(self, name: str, network: MemoryNetwork, steps: int) -> Result | None:
        """The result of a network, regardless of its name, over a distance."""
        found = self._results.get(self._key(network, steps))
        return Result(**{**found, "network": name}) if found else None

    def add(self, network: MemoryNetwork, result: Result) -> None:
        """Store a result."""
        self._results[self._key(network, result.steps)] = asdict(result)
        write_json(self._file, self._results)

    def clear(self) -> None:
        """Delete the results, because the experiment is complete."""
        self._file.unlink(missing_ok=True)


def run(
    name: str,
    parameters: MemoryParameters,
    seed: int,
    record: Record,
    on_result: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Train every network on a problem over every distance, except for recorded results.

    Args:
        name: the name of the problem.
        record: the record from which an interrupted run resumes.
        on_result: called with each result when it is available, including recorded ones.

    Returns:
        A result for every network and distance, in their order.

    Raises:
        UserError: there is no such problem.
    """
    task, parameters = problem(name), parameters.of(name)
    results: list[Result] = []
    total = len(parameters.networks) * len(parameters.steps)
    with progress(None, name, "distances", total, leave=True) as bar:
        for title, network in parameters.networks.items():
            learner: Learner | None = None
            failures = 0
            for steps in parameters.steps:
                bar.set_postfix_str(f"{title}, {steps} steps")
                bar.update()
                if failures == FAILURES:
                    results.append(Result(title, steps))
                    continue
                result = record.find(title, network, steps)
                if result is None:
                    learner = learner or Learner(task, network, parameters)
                    result = _result(learner, title, steps, seed)
                    record.add(network, result)
                failures = 0 if result.success else failures + 1
                results.append(result)
                on_result(result)
                log(f"{name}: {_sentence(result)}")
    return results


def _sentence(result: Result) -> str:
    taken = "" if result.batches is None else f" after {result.batches:.0f} batches"
    return (
        f"{result.network} over {result.steps} steps: solved by {result.success:.0%} of "
        f"seeds{taken}, accuracy {result.accuracy:.3f}"
    )


def longest(results: Iterable[Result]) -> dict[str, int]:
    """The longest distance that each network solved with more than half of its seeds, or 0."""
    found: dict[str, int] = {}
    for result in results:
        solved = result.steps if (result.success or 0) > 0.5 else 0
        found[result.network] = max(found.get(result.network, 0), solved)
    return found


def figures(name: str, results: Sequence[Result]) -> dict[str, Any]:
    """The contents of ``figures/memory/<problem>.json``: chance, longest distances, all results."""
    success: dict[str, dict[str, float]] = {}
    for result in results:
        if result.success is not None:
            success.setdefault(result.network, {})[str(result.steps)] = result.success
    return {"chance": problem(name).chance, "longest": longest(results), "success": success}


def write_plots(name: str, batches: int, results: Sequence[Result], folder: Path) -> None:
    """Write ``success.csv``, with a line per result for ``dvc plots``, and ``success.png``."""
    from nlp_rnn.drawing import save
    from nlp_rnn.memory.plots import memory_curves

    write_table(folder / "success.csv", [asdict(result) for result in results])
    title = f"{name}: solved within {batches:,} batches"
    save(memory_curves(results, problem(name).chance, title), folder / "success.png")
