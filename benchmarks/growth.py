"""How cost grows: time and memory by the size of data, lengths, vocabulary, units and more.

Each point of a curve is a contestant, and they take turns. The slope of a line fitted to a log-log
plot is the exponent: 1 is linear, 0 is constant. For small sizes fixed costs dominate, so the slope
between the two largest sizes is shown next to the one fitted to all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from benchmarks import projects
from benchmarks.harness import Command, Contestant, Report, Result, Row, Worker, call, number, race
from benchmarks.peak_memory import write_texts
from benchmarks.prediction import HERE, PREDICT, write_file
from benchmarks.works import (
    SEED,
    SENTIMENT,
    TAGGER,
    Work,
    from_json,
    initial_vectors,
    language_model,
    prepared,
)
from nlp_rnn.drawing import blank_figure, save
from nlp_rnn.text.prepared import PreparedDataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKEND = {"KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "jax")}
FIGURES = {"seconds": "seconds", "peak_mib": "peak MiB"}


Points = dict[float, Contestant]
"""The contestant of each size, in ascending order."""


def epoch(work: dict[str, Any], data: str) -> Callable[[], dict[str, float]]:
    """A contestant: one epoch of training on batches that are read on demand."""
    from nlp_rnn import backend

    backend.select()

    from nlp_rnn.tasks.registry import make_task
    from nlp_rnn.training.fit import train_epoch
    from nlp_rnn.training.objective import compiled
    from nlp_rnn.training.steps import training_steps

    experiment, dataset = from_json(work).experiment, PreparedDataset(Path(data))
    fitted = make_task(experiment, dataset, SEED)
    network = fitted.network(initial_vectors(experiment, dataset))
    objective = compiled(fitted.objective(network), experiment.training)
    trained = training_steps(objective, next(iter(fitted.batches(0)[0])))

    def slice_() -> dict[str, float]:
        batches, steps = fitted.batches(0)
        train_epoch(trained, batches, steps, 0, experiment.training, 0)
        return {"work": steps}

    return slice_


def _training(
    works: dict[int, Work], folder: Path, function: str = "benchmarks.training:ours"
) -> Points:
    """Training on random text."""
    points: Points = {}
    for size, work in works.items():
        arguments = {"work": work.to_json(), "data": str(prepared(work, folder))}
        points[size] = Worker(str(size), function, arguments, BACKEND)
    return points


def _doubling(first: int, points: int) -> list[int]:
    return [first << i for i in range(points)]


def sentences(folder: Path, points: int) -> Points:
    """One epoch of training a small tagger on increasing numbers of sentences."""
    tagger = TAGGER.with_model(TAGGER.name, layers=1, units=32, output="softmax")
    works = {
        size: replace(tagger, text=replace(tagger.text, examples=size))
        for size in _doubling(1_000, points)
    }
    return _training(works, folder, "benchmarks.growth:epoch")


def length(folder: Path, points: int) -> Points:
    """Three batches of increasingly long reviews."""
    reviews = replace(SENTIMENT, steps=3).with_training(max_length=None)
    works = {
        size: replace(reviews, text=replace(reviews.text, length=size, spread=0.0, examples=128))
        for size in _doubling(64, points)
    }
    return _training(works, folder)


def _language_model(units: int, vocabulary: int) -> Work:
    work = language_model(units, steps=5)
    return replace(work, text=replace(work.text, vocabulary=vocabulary))


def vocabulary(folder: Path, points: int) -> Points:
    """A language model with an increasing vocabulary."""
    return _training({v: _language_model(200, v) for v in _doubling(2_000, points)}, folder)


def units(folder: Path, points: int) -> Points:
    """A language model with increasingly wide layers."""
    return _training({u: _language_model(u, 2_000) for u in _doubling(32, points)}, folder)


def labels(folder: Path, points: int) -> Points:
    """Five batches of a tagger with a CRF and an increasing number of tags."""
    tagger = replace(TAGGER, steps=5)
    works = {
        size: replace(tagger, text=replace(tagger.text, labels=size, examples=500))
        for size in _doubling(4, points)
    }
    return _training(works, folder)


def preparing(folder: Path, points: int) -> Points:
    """Preparing a data set with increasing amounts of text."""
    found: Points = {}
    for size in _doubling(1, points):
        file = folder / f"{size}.csv"
        write_texts(file, size)
        arguments = {"file": str(file), "unit": "word"}
        found[size] = Worker(str(size), "benchmarks.preparation:whole", arguments)
    return found


def predicting(folder: Path, points: int) -> Points:
    """Predicting for increasingly large files with the command."""
    data, bundle = prepared(TAGGER, folder), folder / "bundle"
    call(
        "benchmarks.prediction:write",
        BACKEND,
        work=replace(TAGGER, steps=20).to_json(),
        data=str(data),
        target=str(bundle),
        int8=str(folder / "int8"),
    )
    found: Points = {}
    for size in _doubling(1, points):
        file, output = folder / f"{size}.txt", str(folder / f"{size}.jsonl")
        words = write_file(data, file, size * 200_000)  # about four letters and a space each
        command = [*PREDICT, str(bundle), str(file), output]
        found[file.stat().st_size / 1e6] = Command(str(size), command, words, HERE)
    return found


def repeating(folder: Path, points: int) -> Points:
    """``dvc repro`` with nothing to do, in projects with increasing numbers of experiments."""
    found: Points = {}
    for size in _doubling(5, points):
        project = folder / f"project-{size}"
        projects.with_experiments(project, size)
        found[size] = projects.nothing_to_do(str(size), project)
    return found


def repeating_nothing(folder: Path, points: int) -> Points:
    """The same with as many stages that are empty: what DVC itself takes."""
    found: Points = {}
    for size in _doubling(5, points):
        counted, project = folder / f"counted-{size}", folder / f"empty-{size}"
        projects.with_experiments(counted, size)
        projects.with_empty_stages(project, projects.stages_of(counted))
        found[size] = projects.nothing_to_do(str(size), project)
    return found


CURVES: dict[tuple[str, str], Callable[[Path, int], Points]] = {
    ("train an epoch", "sentences"): sentences,
    ("train 3 batches", "words of a text"): length,
    ("train 5 windows", "words of the vocabulary"): vocabulary,
    ("train 5 windows", "units of a layer"): units,
    ("train 5 batches", "tags of a CRF"): labels,
    ("prepare a data set", "MB of text"): preparing,
    ("predict tags of a file", "MB of text"): predicting,
    ("dvc repro, nothing to do", "experiments"): repeating,
    ("dvc repro, empty stages", "experiments' worth of stages"): repeating_nothing,
}
"""The operation, and the quantity that grows."""


def exponent(sizes: ArrayLike, values: ArrayLike) -> float:
    """The slope of a line fitted to the logarithms, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def picture(measured: dict[tuple[str, str], dict[float, Result]]) -> Figure:
    """Plot time above memory with a column per curve, on logarithmic scales with fitted lines."""
    figure = blank_figure(3.2 * len(measured), 6)
    axes = figure.subplots(len(FIGURES), len(measured), squeeze=False)
    for column, ((what, quantity), results) in zip(axes.T, measured.items(), strict=True):
        sizes = np.array(list(results))
        for axis, (key, label) in zip(column, FIGURES.items(), strict=True):
            values = np.array([result.median(key) for result in results.values()])
            slope = exponent(sizes, values)
            line = np.exp(np.log(values).mean()) * (sizes / np.exp(np.log(sizes).mean())) ** slope
            axis.loglog(sizes, values, "o")
            axis.loglog(sizes, line, "--", label=f"slope {slope:.2f}")
            axis.set(xlabel=quantity, ylabel=label)
            axis.legend()
        column[0].set_title(what)
    return figure


def measure(report: Report, only: str) -> None:
    """Measure and plot the curves whose name or quantity contains ``only``."""
    rows: list[Row] = []
    measured: dict[tuple[str, str], dict[float, Result]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for (what, quantity), make in CURVES.items():
            title = f"{what}: {quantity}"
            if only not in title:
                continue
            points = make(Path(folder), 3 if report.quick else 6)
            results = race(title, list(points.values()), rounds=2 if report.quick else 3)
            curve = dict(zip(points, results.values(), strict=True))
            if any(result.failure for result in results.values()):
                continue  # the race has logged why
            measured[what, quantity] = curve
            rows.append(_row(what, quantity, curve))
    figures = {
        ": ".join(key): {size: result.turns for size, result in curve.items()}
        for key, curve in measured.items()
    }
    note = "In parentheses: the exponent between the two largest sizes."
    report.add("How cost grows: exponents", rows, figures, note)
    save(picture(measured), report.folder / f"{report.name}.png")


def _row(what: str, quantity: str, curve: dict[float, Result]) -> Row:
    sizes = list(curve)
    row = {"": what, "against": f"{quantity}, {number(sizes[0])} to {number(sizes[-1])}"}
    for key, label in FIGURES.items():
        values = [result.median(key) for result in curve.values()]
        last = exponent(sizes[-2:], values[-2:])
        row[label] = f"{number(values[0])} to {number(values[-1])}"
        row[f"exponent of {label}"] = f"{exponent(sizes, values):.2f} ({last:.2f})"
    return row
