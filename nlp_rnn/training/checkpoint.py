"""Checkpoints: everything needed to resume training, in one file without pickle."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.files import whole_file


def fingerprint(*values: Any) -> str:
    """A hash of JSON-able values that identifies a checkpoint's configuration and data."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


@dataclass
class PartOfEpoch:
    """The steps of an epoch that are complete.

    Attributes:
        figures: for each step, the means of its metrics over the batch.
        targets: for each step, the number of targets behind these means.
        tokens: the number of tokens read in all these steps.
        seconds: the time that all these steps took.
    """

    figures: list[dict[str, float]] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0

    @property
    def steps(self) -> int:
        return len(self.targets)


@dataclass
class Progress:
    """The progress of training, apart from the variables.

    Attributes:
        epoch: the number of complete epochs.
        best_epoch: the epoch (counted from 1) whose weights are kept; 0 before any.
        best_figure: its selected validation metric, negated if higher is better.
        plateaus: epochs without an improvement, over all of training.
        waited: epochs since the last improvement.
        history: one row of metrics per epoch.
        part: the complete steps of the epoch in progress.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_figure: float = float("inf")
    plateaus: int = 0
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    part: PartOfEpoch = field(default_factory=PartOfEpoch)


class Saved(NamedTuple):
    """The state of a training run: all variables, the best weights so far, and the progress."""

    variables: list[NDArray[Any]]
    best: list[NDArray[Any]]
    progress: Progress


class Checkpoint:
    """The state of one training run in ``folder``, always replaced as a whole.

    Args:
        folder: the folder that holds ``state.npz``.
        fingerprint: identifies configuration and data; a checkpoint with another one is not
            resumed.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.file = folder / "state.npz"
        self.fingerprint = fingerprint

    def save(
        self,
        variables: list[NDArray[Any]],
        best: list[NDArray[Any]],
        progress: Progress,
    ) -> None:
        """Write all variables (weights, optimiser, random state), the best weights, progress."""
        arrays = {f"variable_{i}": value for i, value in enumerate(variables)}
        arrays |= {f"best_{i}": value for i, value in enumerate(best)}
        header = json.dumps({"fingerprint": self.fingerprint, "progress": asdict(progress)})
        with whole_file(self.file) as partial, partial.open("wb") as stream:
            np.savez(stream, allow_pickle=False, header=np.array(header), **arrays)

    def load(self, source: Path | BinaryIO | None = None) -> Saved | None:
        """What :meth:`save` wrote for the same configuration and data, or None.

        Args:
            source: a copy of the file.
        """
        try:
            with np.load(source or self.file, allow_pickle=False) as state:
                header = json.loads(str(state["header"]))
                if header["fingerprint"] != self.fingerprint:
                    return None
                groups: dict[str, list[NDArray[Any]]] = {"variable": [], "best": []}
                for group, values in groups.items():
                    while f"{group}_{len(values)}" in state:
                        values.append(state[f"{group}_{len(values)}"])
                progress = Progress(**header["progress"])
                progress.part = PartOfEpoch(**header["progress"]["part"])
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            return None  # none yet, or damaged: training starts anew
        return Saved(groups["variable"], groups["best"], progress)

    def clear(self) -> None:
        """Delete the checkpoint, because training is complete."""
        self.file.unlink(missing_ok=True)
