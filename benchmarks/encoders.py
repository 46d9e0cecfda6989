"""Windows, convolutions and recurrence: parameters, accuracy, speed, and how far each sees.

The built-in corpora decide tags and labels by context, and their optimum is known. The problem
``copy`` (:mod:`nlp_rnn.corpora.memory`) asks for what stood a number of words ago. All encoders
of a table have the same embeddings, training and seed. Speed is in tokens per second of processor
time, training and validation together, so that other work on the machine hardly changes it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Report, Row, number
from benchmarks.works import SEED
from nlp_rnn.config import AnyExperiment, Parameters, parse

CONVOLUTIONS = {"kind": "convolutional", "windows": [3], "filters": 128}
DILATED = CONVOLUTIONS | {"dilation": 2}

TAGGERS: dict[str, dict[str, Any]] = {
    "the word alone": {"kind": "window", "window": 1, "units": 128},
    "window of 3": {"kind": "window", "window": 3, "units": 128},
    "window of 5": {"kind": "window", "window": 5, "units": 128},
    "window of 9": {"kind": "window", "window": 9, "units": 128},
    "3 convolutions (7 words)": CONVOLUTIONS | {"layers": 3},
    "4 dilated convolutions (31 words)": DILATED | {"layers": 4},
    "BiLSTM": {"cell": "lstm", "units": 64},
}

CLASSIFIERS: dict[str, dict[str, Any]] = {
    "mean of vectors": {"kind": "averaged"},
    "window of 5, maximum": {"kind": "window", "units": 128},
    "Kim: windows of 3, 4 and 5": {"kind": "convolutional", "windows": [3, 4, 5], "filters": 64},
    "4 dilated convolutions (31 words)": DILATED | {"layers": 4},
    "BiLSTM, maximum": {"cell": "lstm", "units": 64, "pooling": "max"},
}

REACHES: dict[str, dict[str, Any]] = {
    "window of 9": TAGGERS["window of 9"],
    "4 dilated convolutions (31 words)": TAGGERS["4 dilated convolutions (31 words)"],
    "5 dilated convolutions (63 words)": DILATED | {"layers": 5},
    "BiLSTM": TAGGERS["BiLSTM"],
}

DISTANCES = (2, 20)
"""How many blanks stand between the symbols to copy and their copies."""

SIZES = {"parts_of_speech": 6000, "reviews": 6000}
"""Training examples of the built-in corpora."""


def parameters(corpus: str, size: int, models: dict[str, Any], dropout: float) -> Parameters:
    """Small experiments on a built-in corpus, one for each model."""
    task = "tagging" if corpus == "parts_of_speech" else "classification"
    data = {
        "datasets": {
            "d": {
                "source": "grammar",
                "corpus": corpus,
                "sizes": {"train": size, "validation": 500, "test": 2000},
                "tokenizer": {"unit": "whitespace", "lowercase": False},
                "vocabulary": {"min_count": 2},
            }
        },
        "experiments": {
            f"e{i}": {
                "task": task,
                "dataset": "d",
                "embeddings": {"kind": "learned", "dimension": 64},
                "model": {"dropout": dropout, **model},
                "training": {
                    "learning_rate": 0.003,
                    "clip_norm": 1.0,
                    "epochs": 5,
                    "batch_size": 32,
                    "schedule": {"kind": "cosine"},
                },
            }
            for i, model in enumerate(models.values())
        },
    }
    return parse(data, Path("params.yaml"))


def _trained(experiment: AnyExperiment, data: Path) -> dict[str, float]:
    """The figures of an encoder that was trained on prepared data."""
    import keras

    from benchmarks.works import initial_vectors
    from nlp_rnn.runtime.network import KerasNetwork
    from nlp_rnn.tasks.registry import make_task
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.training.checkpoint import Checkpoint
    from nlp_rnn.training.fit import fit
    from nlp_rnn.training.objective import compiled

    keras.utils.set_random_seed(SEED)
    dataset = PreparedDataset(data)
    task = make_task(experiment, dataset, SEED)
    network = task.network(initial_vectors(experiment, dataset))
    objective = compiled(task.objective(network), experiment.training)
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        progress = fit(
            objective,
            task.batches,
            lambda: task.validate(objective),
            experiment.training,
            Checkpoint(Path(folder), "benchmark"),
            lambda epoch, row: ends.append(time.process_time()),
        )
    tokens = sum(row["tokens_per_second"] * row["seconds"] for row in progress.history[1:])
    return {
        "parameters": network.count_params(),
        "accuracy": task.evaluate(KerasNetwork(network)).test["accuracy"],
        "speed": tokens / (ends[-1] - ends[0]),
    }


def _measure_corpus(corpus: str, models: dict[str, Any], dropout: float, report: Report) -> None:
    from nlp_rnn.corpora import grammar, open_corpus
    from nlp_rnn.text.prepared import prepare

    size = 400 if report.quick else SIZES[corpus]
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        made = parameters(corpus, size, models, dropout)
        dataset = made.dataset("d")
        opened = open_corpus("d", dataset)
        prepare("d", opened, dataset.tokenizer, dataset.vocabulary, data)
        optimum = grammar.optimum(corpus, list(opened.read("test")))["accuracy"]
        for i, name in enumerate(models):
            figures[name] = _trained(made.experiment(f"e{i}"), data)
    rows: list[Row] = [
        {
            "": name,
            "parameters": f"{found['parameters']:,}",
            "accuracy": f"{found['accuracy']:.4f}",
            "tokens per processor second": number(found["speed"]),
        }
        for name, found in figures.items()
    ]
    note = f"{size:,} examples; the optimum is {optimum:.4f}."
    report.add(f"Encoders: {corpus.replace('_', ' ')}", rows, figures, note)


def _copied(model: dict[str, Any], distance: int, batches: int) -> float:
    """The accuracy on unseen sequences of a tagger that was trained to copy over a distance."""
    import keras
    from pydantic import TypeAdapter

    from nlp_rnn.config import BatchTrainingParameters
    from nlp_rnn.config.model import Tagger
    from nlp_rnn.corpora.memory import problem
    from nlp_rnn.models.encoder import embedding_layer
    from nlp_rnn.models.tagger import tagger
    from nlp_rnn.training.objective import Objective, compiled

    keras.utils.set_random_seed(SEED)
    task, rng = problem("copy"), np.random.default_rng([SEED, distance])
    parameters = TypeAdapter(Tagger).validate_python(model)
    embedding = embedding_layer(len(task.types) + 1, 16, None, True)
    network = tagger(embedding, parameters, task.labels, entities=False)
    training = BatchTrainingParameters(learning_rate=0.003, clip_norm=1.0)
    objective = compiled(Objective(network), training)
    for batch in range(batches + 1):
        ids, tags = task.draw(rng, 32 if batch < batches else 500, distance)
        step = objective.train_on_batch if batch < batches else objective.test_on_batch
        weights = task.asked(tags)
        figures = step(ids + 1, tags, sample_weight=weights, return_dict=True)
    return float(figures["accuracy"])


def _measure_reach(report: Report) -> None:
    distances, batches = (DISTANCES[:1], 20) if report.quick else (DISTANCES, 500)
    figures = {
        name: {str(distance): _copied(model, distance, batches) for distance in distances}
        for name, model in REACHES.items()
    }
    rows: list[Row] = [
        {"": name, **{f"{distance} blanks": f"{value:.3f}" for distance, value in found.items()}}
        for name, found in figures.items()
    ]
    note = f"Chance is 0.125; {batches:,} batches of 32. A symbol stands 5 words and the blanks "
    note += "before its copy."
    report.add("Encoders: copying over a distance", rows, figures, note)


def measure(report: Report, only: str) -> None:
    """Measure the tables whose name contains ``only``."""
    from nlp_rnn import backend

    backend.select()
    if only in "parts of speech":
        _measure_corpus("parts_of_speech", TAGGERS, 0.3, report)
    if only in "reviews":
        _measure_corpus("reviews", CLASSIFIERS, 0.2, report)
    if only in "copying":
        _measure_reach(report)
