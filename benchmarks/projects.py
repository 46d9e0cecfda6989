"""Projects that are finished, to time a ``dvc repro`` that finds nothing to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dvc.repo import Repo
from ruamel.yaml import YAML

from benchmarks.harness import Command
from nlp_rnn.config import load
from nlp_rnn.projects.pipeline import write_pipeline

SIZES = {"train": 100, "validation": 10, "test": 10}
CLASSIFIER = {
    "task": "classification",
    "dataset": "reviews",
    "embeddings": {"kind": "learned", "dimension": 8},
    "model": {"cell": "lstm", "units": 8},
    "training": {"learning_rate": 0.01, "epochs": 1, "batch_size": 32},
}


def with_experiments(folder: Path, experiments: int) -> None:
    """A project with some experiments on one data set."""
    folder.mkdir()
    parameters = {
        "backend": "auto",
        "seed": 1,
        "tracking": {"experiment": "growth"},
        "datasets": {"reviews": {"source": "grammar", "corpus": "reviews", "sizes": SIZES}},
        "experiments": {f"classifier-{i}": CLASSIFIER for i in range(experiments)},
    }
    file = folder / "params.yaml"
    YAML().dump(parameters, file)
    write_pipeline(load(file), folder)
    subprocess.run([*_dvc(folder), "init", "--quiet", "--no-scm"], check=True)


def with_empty_stages(folder: Path, stages: int) -> None:
    """A project with as many stages that do nothing: what DVC itself takes."""
    folder.mkdir()
    parts = {f"stage-{i}": {"cmd": "true", "outs": [f"out-{i}"]} for i in range(stages)}
    YAML().dump({"stages": parts}, folder / "dvc.yaml")
    subprocess.run([*_dvc(folder), "init", "--quiet", "--no-scm"], check=True)


def stages_of(folder: Path) -> int:
    """The number of a project's stages."""
    return len(Repo(str(folder)).index.stages)


def nothing_to_do(name: str, folder: Path) -> Command:
    """A contestant: ``dvc repro`` in a project that DVC knows as one whose stages have all run."""
    for out in Repo(str(folder)).index.outs:
        path = Path(out.fs_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name, encoding="utf-8")
    subprocess.run([*_dvc(folder), "commit", "--quiet", "--force"], check=True)
    return Command(name, [*_dvc(folder), "repro"])


def _dvc(folder: Path) -> list[str]:
    return [sys.executable, "-m", "dvc", "--cd", str(folder)]
