"""The DVC command that makes something of a project again, for the hints in messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_rnn.bounded_yaml import load_yaml


@dataclass(frozen=True)
class Remedy:
    """What to do about something missing or stale, as text: ``"train again: dvc repro train@X"``.

    The project's files are read when the text is made, so that only a message costs time.

    Attributes:
        action: in words.
        name: of a data set, experiment and the like.
        stages: kinds of stages that may make it, the usual one first.
        force: even where DVC finds nothing changed.

    >>> str(Remedy("prepare the data set", "imdb", ("prepare", "pseudo_label")))
    'prepare the data set: dvc repro prepare@imdb'
    """

    action: str
    name: str
    stages: tuple[str, ...]
    force: bool = False

    def __str__(self) -> str:
        stage = next(iter(stages_of(self.name, *self.stages)), self.stages[0])
        return f"{self.action}: dvc repro {'-f ' if self.force else ''}{stage}@{self.name}"


def stages_of(name: str, *stages: str) -> Iterable[str]:
    """Which of the ``stages`` of the project make ``name``.

    Files that are missing or broken have none: a hint must not end in an error of its own.
    """
    parameters, pipeline = _read(Path("params.yaml")), _read(Path("dvc.yaml"))
    defined = pipeline.get("stages") or {}
    return (stage for stage in stages if name in _names(defined.get(stage), parameters))


def _read(file: Path) -> dict[str, Any]:
    from ruamel.yaml.error import YAMLError

    try:
        found = load_yaml(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _names(stage: Any, parameters: dict[str, Any]) -> Iterable[str]:
    """What a stage runs for: the items of its ``foreach``, most often ``${key of params.yaml}``."""
    items = stage.get("foreach", ()) if isinstance(stage, dict) else ()
    if isinstance(items, str) and (key := re.fullmatch(r"\$\{([\w.]+)\}", items)):
        items = parameters
        for part in key[1].split("."):
            items = items.get(part, ()) if isinstance(items, dict) else ()
    return map(str, items) if isinstance(items, dict | list) else ()
