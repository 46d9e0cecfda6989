"""What tests share: quiet backends, tiny data sets, real data where it is present."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import backends

from nlp_rnn.config import TokenizerParameters, VocabularyParameters, parse
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.example import SPLITS, Example, Kind
from nlp_rnn.text.prepared import PreparedDataset, prepare


class ListCorpus(Corpus):
    """A corpus held in memory: the same examples in every split, or its own for each."""

    def __init__(self, kind: Kind, **splits: list[Example]) -> None:
        self.name = "list"
        self.kind = kind
        self.examples = splits

    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if split in self.examples)

    def read(self, split: str) -> Iterator[Example]:
        return iter(self.examples[split])

    def origin(self, split: str) -> str:
        return f"memory:{split}"

    def provenance(self) -> dict[str, Any]:
        return {"source": "memory", "files": {}, "licence": "none", "citation": "none"}


def prepared(
    folder: Path, corpus: Corpus, unit: str = "whitespace", **vocabulary: Any
) -> PreparedDataset:
    """Prepare ``corpus`` in ``folder`` and open it."""
    tokenizer = TokenizerParameters(unit=unit, lowercase=False)  # type: ignore[arg-type]
    prepare("list", corpus, tokenizer, VocabularyParameters(**vocabulary), folder)
    return PreparedDataset(folder)


def same_everywhere(kind: Kind, examples: list[Example]) -> ListCorpus:
    """A corpus whose splits are all ``examples``: enough where nothing is judged."""
    return ListCorpus(kind, train=examples, validation=examples, test=examples)


@pytest.fixture
def reviews() -> list[Example]:
    return [
        Example(text="good , not bad at all", label="positive"),
        Example(text="bad , not good at all", label="negative"),
        Example(text="good", label="positive"),
        Example(text="a bad film", label="negative"),
    ] * 4


@pytest.fixture
def sentences() -> list[Example]:
    return [
        Example(tokens=("Ann", "lives", "in", "Rome"), tags=("B-PER", "O", "O", "B-LOC")),
        Example(tokens=("Rome", "sleeps"), tags=("B-LOC", "O")),
        Example(
            tokens=("New", "York", "and", "Ann", "Lee"),
            tags=("B-LOC", "I-LOC", "O", "B-PER", "I-PER"),
        ),
    ] * 4


@pytest.fixture
def lines() -> list[Example]:
    return [Example(text="the cat sleeps"), Example(text="the dog barks at the cat")] * 20


def write_untrained(
    folder: Path,
    task: str,
    kind: Kind,
    examples: list[Example],
    model: dict[str, Any] | None = None,
    scale: float | None = None,
) -> Path:
    """A bundle of a small network with random weights; ``model`` adds to its parameters.

    Args:
        scale: draw all weights, biases and a CRF's transitions too, from a normal distribution of
            this standard deviation.
    """
    from nlp_rnn.models.network import build_network
    from nlp_rnn.runtime.bundle import write_bundle

    dataset = prepared(folder / "data", same_everywhere(kind, examples))
    sizes = {} if (model or {}).get("kind") == "averaged" else {"units": 8}
    experiment = parse(
        {
            "datasets": {
                "list": {
                    "source": "files",
                    "train": "x",
                    "format": {"labelled": "csv", "tagged": "conll", "text": "text"}[kind],
                }
            },
            "experiments": {
                "mine": {
                    "task": task,
                    "dataset": "list",
                    "embeddings": {"kind": "learned", "dimension": 8, "scale": 1.0},
                    "model": sizes | (model or {}),
                    "training": {},
                }
            },
        },
        Path("params.yaml"),
    ).experiment("mine")
    characters = dataset.characters.types if kind == "tagged" else ()
    built = build_network(experiment, len(dataset.vocabulary), dataset.labels, characters)
    if scale is not None:
        rng = np.random.default_rng(3)
        built.set_weights([rng.normal(0, scale, weight.shape) for weight in built.get_weights()])
    write_bundle(folder / task, "mine", experiment, built, dataset, {"backend": None}, {})
    return folder / task


def parquet_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file, with mappings, which Arrow gives as pairs, as they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    maps = [field.name for field in table.schema if pa.types.is_map(field.type)]
    return [row | {name: dict(row[name]) for name in maps} for row in table.to_pylist()]


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An untrained bundle for each task."""
    import keras

    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("bundles")
    reviews = [
        Example(text="good , not bad at all", label="positive"),
        Example(text="a bad film", label="negative"),
    ]
    sentences = [
        Example(
            tokens=("Ann", "Lee", "lives", "in", "Rome"), tags=("B-PER", "I-PER", "O", "O", "B-LOC")
        ),
        Example(tokens=("New", "York"), tags=("B-LOC", "I-LOC")),
    ]
    lines = [Example(text="the cat sleeps"), Example(text="the dog barks")]
    corpora: list[tuple[str, Kind, list[Example]]] = [
        ("classification", "labelled", reviews),
        ("tagging", "tagged", sentences),
        ("language_modelling", "text", lines),
    ]
    return {
        task: write_untrained(folder / task, task, kind, examples)
        for task, kind, examples in corpora
    }


@pytest.fixture(scope="session")
def crf_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained bundle of a tagger with a CRF."""
    examples = [
        Example(tokens=("Ann", "Lee", "sleeps"), tags=("B-PER", "I-PER", "O")),
        Example(tokens=("Rome",), tags=("B-LOC",)),
    ]
    folder = tmp_path_factory.mktemp("crf")
    return write_untrained(folder, "tagging", "tagged", examples, {"output": "crf"})


Arrays = dict[str, np.ndarray]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules stay whole where tests run in several processes, and share what they build.

    All modules that ask for ``on_backends`` go to one process, which starts the backends once.
    """
    for item in items:
        on_backends = "on_backends" in getattr(item, "fixturenames", ())
        group = "backends" if on_backends else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def started_backends(
    request: pytest.FixtureRequest,
) -> Iterator[dict[str, dict[str, Future[Arrays]]]]:
    """What the modules of all selected tests compute, while the tests go on."""
    tests = (item for item in request.session.items if isinstance(item, pytest.Function))
    futures = backends.start(
        test.module.__name__ for test in tests if "on_backends" in test.fixturenames
    )
    yield futures
    for of_module in futures.values():
        for future in of_module.values():
            future.cancel()


@pytest.fixture(scope="module")
def on_backends(
    request: pytest.FixtureRequest, started_backends: dict[str, dict[str, Future[Arrays]]]
) -> dict[str, Arrays]:
    """What ``computed()`` of the test's module returns on each installed backend."""
    futures = started_backends[request.module.__name__]
    return {backend: future.result() for backend, future in futures.items()}


def real_data(relative: str) -> Path:
    """A file under ``NLP_RNN_DATA``; the test is skipped where it is absent."""
    folder = os.environ.get("NLP_RNN_DATA")
    if not folder:
        pytest.skip("NLP_RNN_DATA is not set, so there is no real data to test on")
    file = Path(folder) / relative
    if not file.exists():
        pytest.skip(f"no {relative} under NLP_RNN_DATA")
    return file
