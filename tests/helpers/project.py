"""A project in a folder of its own, whose stages a test runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from helpers.store import put_store
from nlp_rnn import stages


class Project:
    """A folder with ``params.yaml``.

    Args:
        folder: is there already; raw data lie in it too.
        parameters: what ``params.yaml`` says.
    """

    def __init__(self, folder: Path, parameters: Mapping[str, Any]) -> None:
        self.folder = folder
        self.write(parameters)
        if not (folder / "mlflow.db").exists():
            put_store(folder)

    def write(self, parameters: Mapping[str, Any]) -> None:
        """Let ``params.yaml`` say something else."""
        self.parameters = parameters
        YAML().dump(dict(parameters), self.folder / "params.yaml")

    @contextmanager
    def inside(self) -> Iterator[Path]:
        """Work in the folder for as long as the block lasts."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("NLP_RNN_DATA", str(self.folder))
            yield self.folder

    def prepare(self) -> None:
        """Prepare every data set."""
        with self.inside():
            for name in self.parameters["datasets"]:
                stages.prepare(name)

    def train(self, *names: str) -> None:
        """Train and evaluate experiments, all without names."""
        with self.inside():
            for name in names or self.parameters["experiments"]:
                stages.embed(name)
                stages.train(name)
                stages.evaluate(name)

    def figures(self, name: str) -> dict[str, Any]:
        """What the evaluation of an experiment found."""
        return json.loads((self.folder / f"figures/{name}.json").read_text(encoding="utf-8"))
