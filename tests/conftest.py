"""What tests share: quiet backends, tiny data sets, real data where it is present."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

# Before NumPy is imported: the processes of the tests share the cores already.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest

from helpers import backends
from helpers.bundles import write_untrained
from nlp_rnn.example import Example, Kind
from nlp_rnn.process import collect_rarely

backends.compile_soon()


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


REQUESTS = [
    Example(label="trip", tokens=("to", "New", "York"), tags=("O", "B-LOC", "I-LOC")),
    Example(label="call", tokens=("call", "Ann", "Lee"), tags=("O", "B-PER", "I-PER")),
    Example(label="trip", tokens=("Rome",), tags=("B-LOC",)),
]


WORDS = ("Ann", "sees", "Rome", "sleep")
PROPOSITIONS = [
    Example(tokens=WORDS, tags=("O", "B-V", "O", "B-V")),
    Example(tokens=WORDS, tags=("B-ARG0", "B-V", "B-ARG1", "I-ARG1"), predicate=1, frame="see.01"),
    Example(tokens=WORDS, tags=("O", "O", "B-ARG0", "B-V"), predicate=3, frame="sleep.01"),
]


@pytest.fixture
def requests() -> list[Example]:
    return REQUESTS * 4


@pytest.fixture
def propositions() -> list[Example]:
    return PROPOSITIONS * 4


@pytest.fixture
def pairs() -> list[Example]:
    return [
        Example(text="the cat sleeps", target="die Katze schläft"),
        Example(text="the dog barks at the cat", target="der Hund bellt die Katze an"),
    ] * 10


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
    pairs = [Example(text="the cat sleeps", target="die Katze schläft")]
    corpora: list[tuple[str, Kind, list[Example]]] = [
        ("classification", "labelled", reviews),
        ("tagging", "tagged", sentences),
        ("language_modelling", "text", lines),
        ("sequence_to_sequence", "pairs", pairs),
        ("semantic_roles", "roles", PROPOSITIONS),
        ("intents_and_slots", "joint", REQUESTS),
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


@pytest.fixture(scope="session")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger with random weights, which finds entities in most texts."""
    examples = [
        Example(tokens=("Ann", "Lee", "sleeps"), tags=("B-PER", "I-PER", "O")),
        Example(tokens=("in", "New", "York"), tags=("O", "B-LOC", "I-LOC")),
    ]
    folder = tmp_path_factory.mktemp("tagger")
    model = {"output": "crf", "units": 12}
    return write_untrained(folder, "tagging", "tagged", examples, model, scale=1.0)


Arrays = dict[str, np.ndarray]


def pytest_collection_finish() -> None:
    backends.do_not_optimise()  # modules of tests have imported TensorFlow
    gc.freeze()  # a million objects that stay
    collect_rarely()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules stay whole where tests run in several processes, and share what they build.

    All modules that ask for ``on_backends`` go to one process, which starts the backends once.
    Modules of slow tests alone go first, those of whole pipelines before all others, so that no
    process is left alone with one of them in the end. Examples that train are slow too.
    """
    for item in items:
        on_backends = "on_backends" in getattr(item, "fixturenames", ())
        if on_backends or (isinstance(item, pytest.DoctestItem) and _trains(item)):
            item.add_marker(pytest.mark.slow)
        group = "backends" if on_backends else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))

    fast = {item.path for item in items if not item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path in fast, item.path.parent != Path(__file__).parent))


def _trains(item: pytest.DoctestItem) -> bool:
    """Whether an example in a docstring fits a network."""
    return any(".fit(" in example.source for example in item.dtest.examples)


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
