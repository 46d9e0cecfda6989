"""Prediction: sentences per second, start-up time of the command, words per second on files.

Bundles are trained briefly, so that their tags are meaningful. Networks are compared on sentences
in memory: the time includes everything from token indices to the best tags or label, for ours also
the probabilities of tags. Files are predicted by the command, including its start-up. Peers are run
if they are installed for ``BENCHMARK_PEERS``, a Python interpreter.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import (
    PROJECT,
    Command,
    Contestant,
    Report,
    Result,
    Row,
    Worker,
    busy_core,
    call,
    machine,
    number,
    race,
    ratio,
)
from benchmarks.works import SENTIMENT, TAGGER, Work, from_json, prepared
from nlp_rnn.arrays import Ints
from nlp_rnn.inference.predictor import BATCH
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.forward import probabilities, tag
from nlp_rnn.runtime.network import KerasNetwork, Network
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.prepared import PreparedDataset

WORKS = (TAGGER, SENTIMENT)
REFERENCE = "PyTorch"
PLAIN_BATCH = 32
TRAINING_STEPS = 200

PUBLISHED = {"spaCy, large pipeline": 10_014, "Stanza": 878, "Flair, fast": 323}
"""Words per second on a CPU, as published in spaCy's documentation (Facts & Figures)."""

PEERS = {"spacy-tagger": "spaCy, tagger alone", "spacy-pipeline": "spaCy, whole pipeline"}

PREDICT = (sys.executable, str(PROJECT / "pipelines/predict.py"))
HERE = {"PYTHONPATH": str(PROJECT)}

Slice = Callable[[], dict[str, float]]


def write(work: dict[str, Any], data: str, target: str, int8: str = "") -> None:
    """Train a workload's network briefly; write its bundle, and an int8 version of it to ``int8``
    if that is given."""
    from nlp_rnn import backend

    backend.select()

    from benchmarks.works import SEED, first_batches, initial_vectors
    from nlp_rnn.runtime.bundle import write_bundle
    from nlp_rnn.runtime.export import export_onnx
    from nlp_rnn.tasks.registry import make_task
    from nlp_rnn.training.fit import train_epoch
    from nlp_rnn.training.objective import compiled
    from nlp_rnn.training.steps import training_steps

    made, dataset = from_json(work), PreparedDataset(Path(data))
    experiment, batches = made.experiment, first_batches(made, dataset)
    fitted = make_task(experiment, dataset, SEED)
    network = fitted.network(initial_vectors(experiment, dataset))
    objective = compiled(fitted.objective(network), experiment.training)
    steps = training_steps(objective, batches[0])
    train_epoch(steps, batches, len(batches), 0, experiment.training, 0)
    write_bundle(
        Path(target),
        name=made.name,
        experiment=experiment,
        model=network,
        dataset=dataset,
        provenance={"backend": "jax"},
        figures={},
    )
    if int8:
        export_onnx(Path(target), Path(int8), int8=True)


def _sentences(data: str, longest: int | None, size: int) -> list[Ints]:
    """Sentences of the test split, repeated from the first if there are too few."""
    split = PreparedDataset(Path(data)).split("test")
    filled = np.flatnonzero(split.lengths).tolist()
    return [
        np.array(split.sequence(split.ids, i)[:longest], np.int32)
        for i in islice(cycle(filled), size)
    ]


def _best(network: Network, sentences: list[Ints], tags: bool) -> list[NDArray[Any]]:
    """The best tags of each sentence, or its best label."""
    encoded = [Encoded(ids) for ids in sentences]
    if tags:
        return [tagged.best for tagged in tag(network, encoded, BATCH)]
    return [np.array([row.argmax()]) for row in probabilities(network, encoded, BATCH)]


def ours(bundle: str, data: str, size: int, keras: bool = False, compared_with: str = "") -> Slice:
    """A contestant: the network of a bundle, run as in predictors.

    Args:
        keras: whether to run the bundle's Keras network instead of its default one.
        compared_with: a bundle of the same model; ``agreement`` is the share of equal best tags or
            labels.
    """
    opened = Bundle.open(Path(bundle))
    network = KerasNetwork(opened.keras_model()) if keras else opened.network()
    tags = opened.experiment.task == "tagging"
    longest = getattr(opened.experiment.training, "max_length", None)
    sentences = _sentences(data, longest, size)
    figures = {"work": float(size)}
    if compared_with:
        other = Bundle.open(Path(compared_with)).network()
        pairs = zip(_best(network, sentences, tags), _best(other, sentences, tags), strict=True)
        figures["agreement"] = float(np.mean(np.concatenate([a == b for a, b in pairs])))

    def slice_() -> dict[str, float]:
        _best(network, sentences, tags)
        return figures

    return slice_


def plain(work: dict[str, Any], data: str, size: int) -> Slice:
    """A contestant: PyTorch on batches of similar lengths."""
    import torch

    from benchmarks.plain import DEVICE, Plain, build

    experiment, dataset = from_json(work).experiment, PreparedDataset(Path(data))
    network = build(experiment, dataset).eval()
    assert isinstance(network, Plain)
    sentences = _sentences(data, getattr(experiment.training, "max_length", None), size)

    def slice_() -> dict[str, float]:
        order = sorted(range(size), key=lambda i: len(sentences[i]))
        best: dict[int, Any] = {}
        with torch.no_grad():
            for start in range(0, size, PLAIN_BATCH):
                rows = order[start : start + PLAIN_BATCH]
                batch = [torch.from_numpy(sentences[i]) for i in rows]
                ids = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True).to(DEVICE)
                logits, _ = network(ids)
                if network.crf is None:
                    found = logits.argmax(-1)
                else:
                    found = network.crf.viterbi(logits, ids != 0)
                best.update(zip(rows, found.tolist(), strict=True))
        return {"work": size}

    return slice_


def measure(report: Report, only: str) -> None:
    """Measure the workloads whose name contains ``only``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for work in (work for work in WORKS if only in work.name):
            data = prepared(work, folder)
            steps = 20 if report.quick else TRAINING_STEPS
            trained = replace(work, steps=steps)
            bundle, int8 = folder / f"{work.real}-bundle", folder / f"{work.real}-int8"
            call(
                "benchmarks.prediction:write",
                {"KERAS_BACKEND": "jax"},
                work=trained.to_json(),
                data=str(data),
                target=str(bundle),
                int8=str(int8),
            )
            for busy in (False, True):
                _measure_throughput(work, data, bundle, int8, busy, report)
            _measure_start(work, bundle, report)
            _measure_files(work, data, bundle, int8, report)


def _measure_throughput(
    work: Work, data: Path, bundle: Path, int8: Path, busy: bool, report: Report
) -> None:
    size = 640 if report.quick else 6_400
    common = {"data": str(data), "size": size if work is TAGGER else size // 4}
    here = "benchmarks.prediction:"
    ours_ = common | {"bundle": str(bundle)}
    jax = {"KERAS_BACKEND": "jax"}
    contestants = [
        Worker(REFERENCE, f"{here}plain", common | {"work": work.to_json()}),
        Worker("Keras on JAX", f"{here}ours", ours_ | {"keras": True}, jax),
        Worker("ours", f"{here}ours", ours_),
        Worker("ours, int8", f"{here}ours", common | _compared(int8, bundle)),
    ]
    with busy_core() if busy else nullcontext():
        results = race(work.name, contestants, rounds=2 if report.quick else 9)
    rows = [_row(result, results[REFERENCE]) for result in results.values()]
    title = f"Prediction: {work.name}" + (", one core busy with another process" if busy else "")
    report.add_race(title, rows, results)


def _compared(int8: Path, bundle: Path) -> dict[str, str]:
    return {"bundle": str(int8), "compared_with": str(bundle)}


def _row(result: Result, reference: Result) -> Row:
    agrees = result.turns and "agreement" in result.turns[0]
    return {
        "": result.name,
        "sentences/s": number(result.speed),
        "× PyTorch (quartiles)": ratio(result, reference),
        "cores busy": number(result.median("cores")),
        "peak MiB": number(result.median("peak_mib")),
        "start, s": number(result.setup),
        "same answers": f"{result.median('agreement'):.2%}" if agrees else result.failure,
    }


def _measure_start(work: Work, bundle: Path, report: Report) -> None:
    sentence = "w1 w2 w3 w4 w5\n"
    keras = {"KERAS_BACKEND": "tensorflow"}
    contestants = [
        Command(
            "nlp-rnn predict MODEL - -",
            [*PREDICT, str(bundle), "-", "-"],
            environment=HERE,
            input=sentence,
        ),
        Command("Python alone", [sys.executable, "-c", "pass"]),
        Command("import keras (TensorFlow)", [sys.executable, "-c", "import keras"], 1, keras),
    ]
    results = race("start", contestants, rounds=2 if report.quick else 9)
    rows: list[Row] = [
        {
            "": result.name,
            "seconds": number(result.median("seconds")) if result.turns else result.failure,
            "peak MiB": number(result.median("peak_mib")),
        }
        for result in results.values()
    ]
    report.add_race(f"From start to end with one sentence: {work.name}", rows, results)


def _measure_files(work: Work, data: Path, bundle: Path, int8: Path, report: Report) -> None:
    words = 50_000 if report.quick else 2_000_000
    with tempfile.TemporaryDirectory() as name:
        file, output = Path(name) / "texts.txt", str(Path(name) / "predictions.jsonl")
        written = write_file(data, file, words)
        contestants: list[Contestant] = [
            Command(label, [*PREDICT, str(model), str(file), output], written, HERE)
            for label, model in (("nlp-rnn predict", bundle), ("nlp-rnn predict, int8", int8))
        ]
        python = os.environ.get("BENCHMARK_PEERS", sys.executable)
        script = str(PROJECT / "benchmarks/peers.py")
        contestants += [
            Command(label, [python, script, peer, str(file), output], written)
            for peer, label in PEERS.items()
        ]
        results = race("files", contestants, rounds=1 if report.quick else 3, warm=0)
    rows: list[Row] = [
        {
            "": result.name,
            "words/s": number(result.speed),
            "cores busy": number(result.median("cores")),
            "peak MiB": number(result.median("peak_mib")),
            "source": result.failure or "measured here",
        }
        for result in results.values()
    ]
    rows += [
        {"": name, "words/s": number(speed), "source": "published"}
        for name, speed in PUBLISHED.items()
    ]
    cores = machine()["cores"]
    title = f"From file to file, {written:,.0f} words, {cores} cores: {work.name}"
    report.add_race(title, rows, results)


def write_file(data: Path, file: Path, words: int) -> float:
    """Write texts of the test split repeatedly, one per line; returns the number of words."""
    records = list(PreparedDataset(data).split("test").records())
    written = 0
    with file.open("w", encoding="utf-8") as stream:
        for record in cycle(records):
            text = record.get("text") or " ".join(record["tokens"])
            print(" ".join(text.split()), file=stream)
            written += len(text.split())
            if written >= words:
                return float(written)
    raise ValueError(f"{data}: no texts")
