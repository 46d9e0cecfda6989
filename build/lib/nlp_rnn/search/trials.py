"""The trials of a search, stored in one file each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, write_json


@dataclass(frozen=True)
class Trial:
    """One training run of a search.

    Attributes:
        number: the number of the trial, from 1.
        parameters: the values by dotted key.
        figure: the validation metric by which trials are compared; None if the trial failed.
        validation: all metrics of the validation split.
        training: the number of epochs, the seconds and so on.
        run_id: the id of the MLflow run.
        error: the reason why it failed.
    """

    number: int
    parameters: dict[str, Any]
    figure: float | None = None
    validation: dict[str, float] = field(default_factory=dict)
    training: dict[str, float] = field(default_factory=dict)
    run_id: str | None = None
    error: str | None = None

    def described(self) -> str:
        """The parameters on one line."""
        return ", ".join(f"{key} {shown(value)}" for key, value in self.parameters.items())


def shown(value: Any) -> str:
    """A value for a table or a line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Records:
    """The completed trials, in a folder.

    Args:
        folder: the folder, with a file ``NUMBER.json`` for each trial.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> dict[int, Trial]:
        """Every trial by its number, in order."""
        trials = {}
        for file in self.folder.glob("*.json"):
            remedy = "delete it, and the trial is repeated"
            try:
                trial = Trial(**read_json(file, remedy))
            except TypeError:
                raise UserError(f"{file}: is not a record of a trial; {remedy}") from None
            trials[trial.number] = trial
        return dict(sorted(trials.items()))

    def write(self, trial: Trial) -> None:
        """Store a trial."""
        write_json(self.folder / f"{trial.number}.json", asdict(trial))


def ranked(trials: Iterable[Trial], *, lower_is_better: bool) -> list[Trial]:
    """Trials that did not fail, best first; ties are in order of their numbers."""
    sign = 1 if lower_is_better else -1
    done = [(sign * trial.figure, trial) for trial in trials if trial.figure is not None]
    return [trial for _, trial in sorted(done, key=lambda pair: (pair[0], pair[1].number))]


def rows(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """A row of a table for each trial."""
    return [
        {
            "trial": trial.number,
            **{key: shown(value) for key, value in trial.parameters.items()},
            **{name: trial.validation.get(name) for name in _names(t.validation for t in trials)},
            **{name: trial.training.get(name) for name in _names(t.training for t in trials)},
            "run_id": trial.run_id,
            "error": trial.error,
        }
        for trial in trials
    ]


def _names(mappings: Iterable[dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))
