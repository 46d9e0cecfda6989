"""A small project in a folder of its own, which is run, broken and compared."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nlp_rnn.config import load
from nlp_rnn.projects.pipeline import write_pipeline
from nlp_rnn.projects.skeleton import DVCIGNORE

PARAMETERS = """\
backend: jax
seed: 1
datasets:
  tags:
    source: grammar
    corpus: entities
    sizes: {train: 400, validation: 60, test: 60}
    tokenizer: {unit: whitespace, lowercase: false}
    vocabulary: {min_count: 2}
experiments:
  small:
    task: tagging
    dataset: tags
    embeddings: {kind: learned, dimension: 8}
    model: {units: 8}
    training: {epochs: 3, learning_rate: 0.01}
"""
"""A tagger, because it has the most kinds of files: words, forms, characters, tags."""

VARIES = ("seconds", "per_second", "run_id", "time", "mlflow", "commit", "memory", "url")
"""Parts of the names of figures that no two runs share: times, and what depends on them."""

PATIENCE = 900
"""Seconds after which a run counts as hanging."""


@dataclass(frozen=True)
class Ended:
    """How ``dvc repro`` ended.

    Attributes:
        status: its exit status; negative for a signal.
        said: the last line of its error messages that is not DVC's own.
    """

    status: int
    said: str


@dataclass(frozen=True)
class Project:
    """A project in a folder."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Project:
        """A project of which no stage has run."""
        folder.mkdir(parents=True)
        (folder / "params.yaml").write_text(PARAMETERS, encoding="utf-8")
        (folder / ".dvcignore").write_text(DVCIGNORE, encoding="utf-8")
        write_pipeline(load(folder / "params.yaml"), folder)
        project = cls(folder)
        project.run(["dvc", "init", "--no-scm", "--quiet"])
        return project

    def copied(self, folder: Path) -> Project:
        """A copy, in which the paths of MLflow's store lead to the copy too."""
        shutil.copytree(self.folder, folder, symlinks=True)
        store = folder / "mlflow.db"
        if store.exists():
            _move_store(store, str(self.folder), str(folder))
        return Project(folder)

    # --- running --------------------------------------------------------------------

    def start(
        self, command: list[str], environment: dict[str, str] | None = None, **limits: int
    ) -> subprocess.Popen[str]:
        """Start a command in the folder, as the leader of a group of processes.

        Args:
            command: a command of DVC or of this package.
            environment: variables beside the usual ones.
            limits: by name, as ``AS=...`` for :data:`resource.RLIMIT_AS`.
        """

        def bounded() -> None:
            for name, value in limits.items():
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))

        paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"PATH": os.pathsep.join(paths)} | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=bounded,
        )

    def run(
        self, command: list[str], environment: dict[str, str] | None = None, **limits: int
    ) -> Ended:
        """Run a command to its end; see :meth:`start`."""
        return ended(self.start(command, environment, **limits))

    def repro(self, environment: dict[str, str] | None = None, **limits: int) -> Ended:
        """Run ``dvc repro``; see :meth:`start`."""
        return self.run(["dvc", "repro"], environment, **limits)

    # --- what there is --------------------------------------------------------------

    def results(self) -> dict[str, str]:
        """The figures and the hash of the weights, by name, but for what no two runs share."""
        found: dict[str, str] = {}
        for file in sorted(self.folder.glob("metrics/*.json")) + sorted(
            self.folder.glob("figures/*.json")
        ):
            found |= dict(_flat(json.loads(file.read_text(encoding="utf-8")), file.name))
        for file in self.folder.glob("models/*/model.weights.h5"):
            found[f"weights of {file.parent.name}"] = weights_sha256(file)
        for file in sorted(self.folder.glob("data/prepared/*/*")):
            if file.name != "card.json":
                found[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
        return found

    def left_over(self) -> list[str]:
        """Half-written files, and runs that MLflow takes to be running."""
        partial = [file.name for file in self.folder.rglob("*.partial")]
        store = self.folder / "mlflow.db"
        if not store.exists():
            return partial
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
            running = database.execute("SELECT name FROM runs WHERE status = 'RUNNING'").fetchall()
        return partial + [f"running: {name}" for (name,) in running]


def ended(process: subprocess.Popen[str]) -> Ended:
    """How a process ended; one that hangs is killed."""
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Ended(-signal.SIGKILL, f"hung for {PATIENCE} seconds")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # DVC names a file of its own that it cannot read, in quotes, before it shows what is in it.
    errors = [line for line in lines if line.lower().startswith("error") or line.startswith("'./")]
    own = [line for line in errors if "failed to reproduce" not in line]
    return Ended(process.returncode, (own or errors or lines or [""])[-1][:300])


def weights_sha256(file: Path) -> str:
    """The hash of all arrays in a file of weights; HDF5 itself notes times."""
    digest = hashlib.sha256()

    def add(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset):
            digest.update(name.encode() + np.asarray(entry).tobytes())

    with h5py.File(file, "r") as weights:
        weights.visititems(add)
    return digest.hexdigest()


def _flat(value: Any, name: str) -> list[tuple[str, str]]:
    if any(part in name.rpartition(".")[2] for part in VARIES):
        return []
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(inner, f"{name}.{key}")]
    return [(name, json.dumps(value))]


def _move_store(store: Path, before: str, after: str) -> None:
    """Let the addresses in a store of MLflow lead to another folder."""
    with closing(sqlite3.connect(store)) as database, database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            columns = database.execute(f'PRAGMA table_info("{table}")').fetchall()
            for _, column, kind, *_ in columns:
                if "CHAR" in kind or "TEXT" in kind:
                    database.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) '
                        f'WHERE "{column}" LIKE ?',
                        (before, after, f"%{before}%"),
                    )
