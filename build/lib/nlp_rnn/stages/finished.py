"""Complete results, kept beside the checkpoints until DVC has those that are in place.

DVC deletes the outputs of a stage before it runs it. If it cannot lock the project when the command
ends, it fails and runs the stage again the next time. Without a copy, a training would then begin
at its first epoch.
"""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import nlp_rnn
from nlp_rnn import paths
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, sha256

if TYPE_CHECKING:
    from nlp_rnn.tracking import Run

REMEDY = "delete it"


class Place(NamedTuple):
    """Where one training keeps its state, and its results once it is complete.

    Attributes:
        checkpoint: the folder of the state.
        results: the folder of bundle, plots and record. The record is written last, so the results
            are complete where it is.
    """

    checkpoint: Path
    results: Path

    @classmethod
    def within(cls, folder: Path) -> Place:
        """Everything in one folder: of a training that is one of several."""
        return cls(folder, folder)

    @property
    def bundle(self) -> Path:
        """The trained model."""
        return self.results / "bundle"

    @property
    def notes(self) -> Path:
        """The MLflow run of a training that is not complete."""
        return self.checkpoint / "run.json"

    @property
    def plots(self) -> Path:
        """Loss curves, as data and as a picture."""
        return self.results / "plots"

    @property
    def record(self) -> Path:
        """The MLflow run, and which parameters, data and code it was trained with."""
        return self.results / "record.json"


def finished_place(name: str) -> Place:
    """Where the results of an experiment's training are kept until DVC has them."""
    folder = paths.checkpoints(name)
    return Place(folder, folder / "finished")


def forget_finished(name: str) -> None:
    """Delete the copy of a training's results, once DVC has those in place."""
    place, in_place = finished_place(name), paths.run_record(name)
    if place.record.exists() and read_json(place.record, REMEDY) == read_json(in_place, REMEDY):
        shutil.rmtree(place.results)


def record_of(run: Run, identity: str) -> dict[str, str]:
    """What is kept beside complete results: their MLflow run and what they are the results of."""
    from nlp_rnn import tracking

    return {
        "run_id": run.id,
        "uri": tracking.tracking_uri(),
        "fingerprint": identity,
        "code_sha256": code_sha256(),
    }


def finished(place: Place, identity: str) -> bool:
    """Whether a training of the same parameters and data, by the same code, is complete there."""
    from nlp_rnn.runtime.bundle import Bundle

    if not place.record.exists():
        return False
    record = read_json(place.record, REMEDY)
    if (record.get("fingerprint"), record.get("code_sha256")) != (identity, code_sha256()):
        return False
    try:
        Bundle.open(place.bundle)
    except UserError:  # what somebody has broken is trained again
        return False
    return True


@cache
def code_sha256() -> str:
    """The hash of this package's source, as it is when it is first asked for."""
    package = Path(nlp_rnn.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{sha256(file)}  {file.relative_to(package).as_posix()}\n".encode())
    return digest.hexdigest()
