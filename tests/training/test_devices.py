"""Two processes train as one does."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import nlp_rnn
from helpers import two_processes
from helpers.project import Project
from nlp_rnn import stages
from nlp_rnn.errors import UserError
from nlp_rnn.stages.processes import together
from nlp_rnn.text.batches import Batch
from nlp_rnn.training import devices

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
@needs_jax
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """A tagger whose rows are filled up, and a language model whose streams are split, with
    dropout: weights, carried states and figures after 50 steps."""
    tests = Path(two_processes.__file__).parent.parent
    paths = os.pathsep.join([str(tests), str(tests.parent)])
    environment = os.environ | {"PYTHONPATH": paths, "KERAS_BACKEND": "jax"}
    place, file = f"127.0.0.1:{_free_port()}", tmp_path / "arrays.npz"
    command = [sys.executable, two_processes.__file__]
    running = [
        subprocess.Popen([*command, str(i), place, str(file)], env=environment) for i in range(2)
    ]
    try:
        assert [process.wait(300) for process in running] == [0, 0]
    finally:
        for process in running:
            process.kill()
    with np.load(file) as found:
        names = [name for name in found if not name.startswith("alone_")]
        assert len(names) > 10
        for name in names:
            np.testing.assert_allclose(found[name], found[f"alone_{name}"], atol=1e-5, err_msg=name)


@needs_jax
def test_missing_rows_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.device_count", lambda: 4)
    ids = np.arange(1, 11, dtype=np.int32).reshape(5, 2)
    found = devices.filled(Batch(ids, ids, np.ones((5, 2), np.float32), rate=0.5))
    assert found.ids.tolist() == [*ids.tolist(), *[[1, 2]] * 3]
    assert found.weights.sum(axis=1).tolist() == [2, 2, 2, 2, 2, 0, 0, 0]
    assert found.rate == 0.5


@needs_jax
@pytest.mark.parametrize(
    ("rows", "streams", "wrong"),
    [(3, False, "3 rows cannot be split among 4"), (6, True, "set it to 4 or 8")],
)
def test_batches_that_cannot_be_split(
    rows: int, streams: bool, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jax.device_count", lambda: 4)
    monkeypatch.setattr(devices, "_processes", [0, 1])
    with pytest.raises(UserError, match=wrong):
        devices.check_rows(rows, streams)


@needs_jax
@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({"PROCESSES": "two"}, "NLP_RNN_PROCESSES: expected a whole number of at least 1"),
        ({"PROCESSES": "0"}, "at least 1, not '0'"),
        ({"PROCESSES": "2", "PROCESS": "1"}, "set both, or neither"),
        ({"PROCESSES": "2", "PROCESS": "2", "COORDINATOR": "a:1"}, "expected 0 to 1, not 2"),
        ({"PROCESSES": "2", "PROCESS": "0", "COORDINATOR": "a"}, "expected HOST:PORT, not 'a'"),
    ],
)
def test_variables_that_are_wrong(
    variables: dict[str, str], wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for name, value in variables.items():
        monkeypatch.setenv(f"NLP_RNN_{name}", value)
    with pytest.raises(UserError, match=wrong), together("e", "jax"):
        pass


@pytest.mark.slow
@pytest.mark.exhaustive
@needs_jax
def test_processes_that_are_killed_go_on_together(tmp_path: Path) -> None:
    """From the last checkpoint, whichever is killed, to the weights of two that were not."""
    folders = [tmp_path / "undisturbed", tmp_path / "follower", tmp_path / "first"]
    finished = []
    for folder in folders:
        folder.mkdir()
        project = Project(folder, KILLED)
        project.prepare()
        with project.inside():
            stages.embed("tags")
        if folder != folders[0]:
            killed = _training_together(folder)
            checkpoint = folder / "checkpoints/tags/state.npz"
            try:
                deadline = time.monotonic() + 300
                while not checkpoint.exists() and time.monotonic() < deadline:
                    assert [process.poll() for process in killed] == [None, None]
                    time.sleep(0.02)
                killed[folder == folders[1]].kill()
                statuses = [process.wait(150) for process in killed]
                assert 0 not in statuses, "neither ends as if all was well"
            finally:
                for process in killed:
                    process.kill()
            assert not (folder / "models").exists()
        for process in (together := _training_together(folder)):
            assert process.wait(300) == 0
        told = together[0].stderr.read().decode()  # type: ignore[union-attr]
        assert ("resuming after epoch" in told) == (folder != folders[0])
        description = json.loads((folder / "models/tags/bundle.json").read_text())
        finished.append(description["sha256"]["model.weights.h5"])
    assert len(set(finished)) == 1


KILLED = {
    "backend": "jax",
    "datasets": {
        "tags": {
            "source": "grammar",
            "corpus": "parts_of_speech",
            "sizes": {"train": 2000, "validation": 50, "test": 50},
            "tokenizer": {"unit": "whitespace"},
        }
    },
    "experiments": {
        "tags": {
            "task": "tagging",
            "dataset": "tags",
            "embeddings": {"kind": "learned", "dimension": 8},
            "model": {"units": 8, "dropout": 0.3},
            "training": {"epochs": 8},
        }
    },
}


def _training_together(folder: Path) -> list[subprocess.Popen[bytes]]:
    """Two processes that train a project's experiment together."""
    place = f"127.0.0.1:{_free_port()}"
    shared = os.environ | {
        "KERAS_BACKEND": "jax",
        "NLP_RNN_PROCESSES": "2",
        "NLP_RNN_COORDINATOR": place,
    }
    script = Path(nlp_rnn.__file__).parents[1] / "pipelines" / "train.py"
    command = [sys.executable, str(script), "tags"]
    return [
        subprocess.Popen(
            command,
            cwd=folder,
            env=shared | {"NLP_RNN_PROCESS": str(number)},
            stderr=subprocess.PIPE,
        )
        for number in range(2)
    ]


def test_other_backends_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages.processes.backend, "chosen", lambda configured: "tensorflow")
    monkeypatch.setenv("NLP_RNN_PROCESSES", "2")
    with pytest.raises(UserError, match="only JAX trains on several devices"), together("e", None):
        pass


@pytest.mark.slow
@needs_jax
def test_a_process_that_waits_in_vain_ends() -> None:
    code = (
        "from nlp_rnn.training import devices as d\n"
        f"d.SECONDS_TO_MEET = 2\nd.meet(1, 2, '127.0.0.1:{_free_port()}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: process 1 did not meet all 2 processes")


@pytest.mark.slow
def test_a_process_that_follows_chooses_its_backend_before_it_imports_keras() -> None:
    """Keras cannot change its backend, and would take the first that is installed."""
    code = (
        "import sys\n"
        "from nlp_rnn.stages import one_training\n"
        "def read(*arguments):\n"
        "    sys.exit('keras' in sys.modules)\n"
        "one_training.Given.read = read\n"
        "one_training.follow_once(*[None] * 4)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
