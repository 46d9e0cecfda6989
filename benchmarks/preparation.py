"""Preparing data: megabytes of text per minute on one core, in total and by step.

The text is the film reviews in ``NLP_RNN_DATA``, or else random words with punctuation. The total
is :func:`nlp_rnn.text.prepared.prepare`: reading, tokenising twice, counting, encoding, writing. At
the end, the speed of assembling batches is measured in tokens per second.
"""

from __future__ import annotations

import itertools
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness import PROJECT, Report, Row, Worker, number, race
from benchmarks.peak_memory import write_texts
from benchmarks.works import LSTM, SEED, Work, batches, from_json, prepared
from nlp_rnn.config import FilesDataset, TokenizerParameters, VocabularyParameters, load
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.splits import with_all_splits
from nlp_rnn.text.prepared import PreparedDataset, prepare
from nlp_rnn.text.tokenizers import make_tokenizer
from nlp_rnn.text.vocabulary import add

UNITS = ("word", "whitespace", "character", "subword")
VOCABULARY = VocabularyParameters(size=20_000)

Slice = Callable[[], dict[str, float]]


def write_sample(file: Path, megabytes: int) -> None:
    """Write a CSV of labelled texts: the first film reviews if available, or else random words."""
    if not os.environ.get("NLP_RNN_DATA"):
        write_texts(file, megabytes)
        return
    import csv

    reviews = open_corpus("imdb", load(PROJECT / "params.yaml").dataset("imdb")).read("train")
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for number_, review in enumerate(itertools.cycle(reviews)):
            writer.writerow([review.text, ("one", "other")[number_ % 2]])
            if stream.tell() > megabytes * 1_000_000:
                return


def _corpus(file: str, unit: str) -> tuple[Any, TokenizerParameters]:
    dataset = FilesDataset.model_validate({"source": "files", "format": "csv", "train": file})
    corpus = with_all_splits(
        open_corpus("sample", dataset, Path(file).parent), dataset.split, dataset.seed
    )
    return corpus, TokenizerParameters.model_validate({"unit": unit})


def whole(file: str, unit: str) -> Slice:
    """A contestant: prepare the texts of a file; its work is bytes."""
    corpus, units = _corpus(file, unit)

    def slice_() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            prepare("sample", corpus, units, VOCABULARY, Path(folder) / "prepared")
        return {"work": Path(file).stat().st_size}

    return slice_


def reading(file: str) -> Slice:
    """A contestant: read the training split only."""
    corpus, _ = _corpus(file, "word")

    def slice_() -> dict[str, float]:
        return {"work": sum(len(example.text.encode()) for example in corpus.read("train"))}

    return slice_


def tokenising(file: str, unit: str, counting: bool = False) -> Slice:
    """A contestant: tokenise, or tokenise and count, texts in memory."""
    corpus, parameters = _corpus(file, unit)
    texts, units = [example.text for example in corpus.read("train")], make_tokenizer(parameters)
    units.fit(random.Random(SEED).sample(texts, len(texts) // 10 + 1), 8000)
    size = sum(len(text.encode()) for text in texts)

    def slice_() -> dict[str, float]:
        counts: Counter[str] = Counter()
        for tokens in map(units.tokens, texts):
            if counting:
                add(counts, tokens)
        return {"work": size}

    return slice_


def batching(work: dict[str, Any], data: str) -> Slice:
    """A contestant: assemble the batches of an epoch; its work is tokens."""
    made, dataset = from_json(work), PreparedDataset(Path(data))

    def slice_() -> dict[str, float]:
        return {"work": sum(batch.tokens for batch in batches(made.experiment, dataset))}

    return slice_


def measure(report: Report, only: str) -> None:
    """Measure each unit whose name contains ``only``, and batching."""
    megabytes, rounds = (2, 2) if report.quick else (20, 5)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "texts.csv"
        write_sample(file, megabytes)
        _measure_units(file, [unit for unit in UNITS if only in unit], rounds, report)
        _measure_batching(LSTM, Path(name), rounds, report)


def _measure_units(file: Path, units: list[str], rounds: int, report: Report) -> None:
    here, text = "benchmarks.preparation:", {"file": str(file)}
    contestants = [Worker("reading", f"{here}reading", text)]
    for unit in units:
        arguments = text | {"unit": unit}
        contestants += [
            Worker(f"{unit}: everything", f"{here}whole", arguments),
            Worker(f"{unit}: tokenising", f"{here}tokenising", arguments),
            Worker(f"{unit}: and counting", f"{here}tokenising", arguments | {"counting": True}),
        ]
    results = race("preparation", contestants, rounds)
    rows: list[Row] = [
        {
            "": result.name,
            "MB/min/core": number(result.speed / 1e6 * 60 / result.median("cores")),
            "MB/min": number(result.speed / 1e6 * 60),
            "cores busy": number(result.median("cores")),
            "peak MiB": number(result.median("peak_mib")),
        }
        for result in results.values()
    ]
    report.add_race("Preparing text", rows, results)


def _measure_batching(works: tuple[Work, ...], folder: Path, rounds: int, report: Report) -> None:
    contestants = [
        Worker(
            work.name,
            "benchmarks.preparation:batching",
            {"work": work.to_json(), "data": str(prepared(work, folder))},
        )
        for work in works
        if work.text.kind != "text" or work is works[0]
    ]
    results = race("batching", contestants, rounds)
    rows: list[Row] = [{"": r.name, "tokens/s": number(r.speed)} for r in results.values()]
    report.add_race("Putting batches together", rows, results)
