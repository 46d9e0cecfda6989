"""Time to reach a given validation loss, measured from the start of the process.

The default experiments are trained by the project and by a plain PyTorch loop with the same model,
batches, initial embeddings, schedule and epochs; the validation loss is measured after each epoch.
The loss to reach is the worst of the contestants' best losses, so that all of them reach it. Time
is interpolated between the ends of epochs and includes imports and compilation.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from benchmarks.harness import MALLOC, PROJECT, Report, Result, Row, Worker, number, race
from benchmarks.works import SEED, batches, initial_vectors
from nlp_rnn.config import (
    AnyExperiment,
    Experiment,
    GrammarDataset,
    LanguageModelTrainingParameters,
    load,
)
from nlp_rnn.corpora import open_corpus
from nlp_rnn.text.batches import Batch, by_length, example_batches
from nlp_rnn.text.prepared import PreparedDataset, prepare
from nlp_rnn.text.streams import fixed_widths, stream_steps, windows

EXPERIMENTS = ("sentiment-bilstm", "pos-bilstm", "ner-bilstm-crf", "lm-lstm")
VALIDATION_BATCH = 64

Slice = Callable[[], dict[str, float]]


def _validation(experiment: AnyExperiment, dataset: PreparedDataset) -> Iterator[Batch]:
    """The validation split in batches."""
    split, training = dataset.split("validation"), experiment.training
    if isinstance(training, LanguageModelTrainingParameters):
        widths = fixed_widths(stream_steps(len(split.ids), training.batch_size), VALIDATION_BATCH)
        return windows(split.ids, dataset.vocabulary.end_index, training.batch_size, widths)
    return example_batches(split, by_length(split.lengths, VALIDATION_BATCH), training.max_length)


def plain(experiment: dict[str, Any], data: str) -> Slice:
    """A contestant: one epoch of plain PyTorch, then validation."""
    from benchmarks.plain import build, evaluate, optimizer, train
    from nlp_rnn.training.schedules import learning_rate

    parameters: AnyExperiment = TypeAdapter(Experiment).validate_python(experiment)
    dataset, training = PreparedDataset(Path(data)), parameters.training
    network = build(parameters, dataset)
    update = optimizer(network, parameters)
    epochs = itertools.count()

    def slice_() -> dict[str, float]:
        epoch = next(epochs)
        epoch_batches = list(batches(parameters, dataset, epoch))

        def rate(step: int) -> float:
            return learning_rate(
                training, epoch + step / len(epoch_batches), 0, 1 / len(epoch_batches)
            )

        train(network, update, epoch_batches, training.clip_norm, rate)
        return {"work": 1, "loss": evaluate(network, _validation(parameters, dataset))}

    return slice_


def ours(experiment: dict[str, Any], data: str) -> Slice:
    """A contestant: one epoch of the project's loop on ``KERAS_BACKEND``, then validation."""
    from nlp_rnn import backend

    backend.select()

    from nlp_rnn.tasks.registry import make_task
    from nlp_rnn.training.fit import train_epoch
    from nlp_rnn.training.objective import compiled
    from nlp_rnn.training.steps import training_steps

    backend.deterministic(SEED)
    parameters: AnyExperiment = TypeAdapter(Experiment).validate_python(experiment)
    dataset, training = PreparedDataset(Path(data)), parameters.training
    fitted = make_task(parameters, dataset, SEED)
    network = fitted.network(initial_vectors(parameters, dataset))
    objective = compiled(fitted.objective(network), training)
    trained = training_steps(objective, next(iter(fitted.batches(0)[0])))
    epochs = itertools.count()

    def slice_() -> dict[str, float]:
        epoch = next(epochs)
        epoch_batches, steps = fitted.batches(epoch)
        train_epoch(trained, epoch_batches, steps, epoch, training, 0)
        return {"work": 1, "loss": fitted.validate(objective)["validation/loss"]}

    return slice_


def time_to(result: Result, loss: float) -> float:
    """The seconds from the start of the process until the validation loss reaches ``loss``."""
    times = result.setup + np.cumsum(result.all("seconds"))
    losses = np.minimum.accumulate(result.all("loss"))
    reached = int(np.argmax(losses <= loss))
    if losses[reached] > loss:
        return float("nan")
    if reached == 0:
        return float(times[0])
    around = slice(reached - 1, reached + 1)
    return float(np.interp(-loss, -losses[around], times[around]))


def measure(report: Report, only: str) -> None:
    """Race the contestants on each default experiment whose name contains ``only``."""
    parameters = load(PROJECT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        for name in EXPERIMENTS:
            if only not in name:
                continue
            experiment = parameters.experiment(name)
            dataset = parameters.dataset(experiment.dataset)
            assert isinstance(dataset, GrammarDataset)
            if report.quick:
                few = dataset.sizes.model_copy(update={"train": 1000, "validation": 200})
                dataset = dataset.model_copy(update={"sizes": few})
            target = Path(folder) / name
            corpus = open_corpus(name, dataset)
            prepare(name, corpus, dataset.tokenizer, dataset.vocabulary, target)
            _measure(name, experiment, target, report)


def _measure(name: str, experiment: AnyExperiment, data: Path, report: Report) -> None:
    arguments = {"experiment": experiment.model_dump(), "data": str(data)}
    function = "benchmarks.convergence:"
    jax = {"KERAS_BACKEND": "jax"}
    contestants = [
        Worker("PyTorch", f"{function}plain", arguments),
        Worker("PyTorch, malloc", f"{function}plain", arguments, MALLOC),
        Worker("JAX", f"{function}ours", arguments, jax),
        Worker("JAX, malloc", f"{function}ours", arguments, jax | MALLOC),
        Worker("TensorFlow", f"{function}ours", arguments, {"KERAS_BACKEND": "tensorflow"}),
    ]
    epochs = 2 if report.quick else experiment.training.epochs
    results = race(name, contestants, epochs, warm=0)
    loss = max(min(result.all("loss")) for result in results.values() if result.turns)
    reference = time_to(results["PyTorch"], loss) if results["PyTorch"].turns else float("nan")
    rows = [_row(result, loss, reference) for result in results.values()]
    title = f"Time to a validation loss of {loss:.4g} nats: {name}"
    report.add_race(title, rows, results, loss=loss, experiment=experiment.model_dump())


def _row(result: Result, loss: float, reference: float) -> Row:
    if not result.turns:
        return {"": result.name, "seconds to reach it": result.failure}
    seconds = time_to(result, loss)
    return {
        "": result.name,
        "seconds to reach it": number(seconds),
        "× PyTorch": number(reference / seconds),
        "start, s": number(result.setup),
        "first epoch, s": number(result.turns[0]["seconds"]),
        "later epochs, s": number(float(np.median(result.all("seconds")[1:]))),
        "best loss": f"{min(result.all('loss')):.4f}",
    }
