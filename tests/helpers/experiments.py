"""Experiments of tests, checked as those of params.yaml are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlp_rnn.config import AnyExperiment, parse
from nlp_rnn.task_kinds import TASK_KINDS


def with_units(model: dict[str, Any], units: int) -> dict[str, Any]:
    """The parameters of a model, narrow where it has ``units`` at all and says nothing else."""
    without = model.get("kind") in ("averaged", "convolutional")
    return model if without else {"units": units} | model


def small_experiment(
    task: str,
    model: dict[str, Any],
    training: dict[str, Any] | None = None,
    dimension: int = 4,
    **sections: Any,
) -> AnyExperiment:
    """An experiment on a data set that is not read; ``sections`` are added or replace others."""
    experiment = {
        "task": task,
        "dataset": "d",
        "embeddings": {"kind": "learned", "dimension": dimension},
        "model": model,
        "training": training or {},
    }
    data = {
        "datasets": {"d": {"source": "tfds", "name": "x", "kind": TASK_KINDS[task].data}},
        "experiments": {"e": experiment | sections},
    }
    return parse(data, Path("params.yaml")).experiment("e")
