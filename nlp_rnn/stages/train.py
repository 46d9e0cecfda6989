"""Stage train: an experiment, with its seed, with several, or in each fold of its data set."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Literal, NamedTuple

from nlp_rnn import backend, paths
from nlp_rnn.config import Parameters, load_part
from nlp_rnn.files import read_json, whole_file, whole_folder, write_json
from nlp_rnn.process import log
from nlp_rnn.stages.common import only_one
from nlp_rnn.stages.finished import Place, finished, finished_place, record_of
from nlp_rnn.stages.one_training import LOSS, Child, begun, identity_of, train_once

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nlp_rnn.config import AnyExperiment
    from nlp_rnn.runtime.bundle import Bundle


def train(name: str) -> None:
    """Train an experiment's model; an interrupted training resumes.

    Complete results are kept beside the checkpoints until :func:`nlp_rnn.stages.evaluate` runs, and
    put in place once more if DVC could not save them (see :mod:`nlp_rnn.stages.finished`).
    """
    parameters = load_part("experiments", name)
    experiment = parameters.experiment(name)
    with only_one(paths.checkpoints(name), name):
        place = finished_place(name)
        if members := _members(parameters, experiment):
            _train_several(name, parameters, experiment, members, place)
        else:
            train_once(parameters, name, experiment, parameters.seed, place)
        _put_in_place(place, name)


def _put_in_place(place: Place, name: str) -> None:
    """Copy complete results to where DVC and users look for them."""
    for part, target in (
        (place.bundle, paths.bundle(name)),
        (place.plots, paths.training_plots(name)),
    ):
        with whole_folder(target) as partial:
            shutil.copytree(part, partial, dirs_exist_ok=True)
    with whole_file(paths.loss(name)) as partial:
        shutil.copyfile(place.plots / LOSS, partial)
    write_json(paths.run_record(name), read_json(place.record, "delete it"))


class Member(NamedTuple):
    """One of several trainings of an experiment.

    Attributes:
        kind: what they differ in.
        number: the seed, or the number of the fold.
        seed: the seed of the training.
    """

    kind: Literal["seed", "fold"]
    number: int
    seed: int

    @property
    def fold(self) -> int | None:
        """The number of the fold, if the data set has any."""
        return self.number if self.kind == "fold" else None

    def place(self, place: Place) -> Place:
        """Where this training keeps its state and results, below that of all."""
        return Place.within(place.checkpoint / f"{self.kind}-{self.number}")

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


def _members(parameters: Parameters, experiment: AnyExperiment) -> list[Member]:
    """The trainings of an experiment with several; none for one with its seed alone."""
    if folds := parameters.folds(experiment.dataset):
        return [Member("fold", number, parameters.seed) for number in range(1, folds + 1)]
    return [Member("seed", seed, seed) for seed in experiment.training.seeds or ()]


def _train_several(
    name: str,
    parameters: Parameters,
    experiment: AnyExperiment,
    members: Sequence[Member],
    place: Place,
) -> None:
    """Train each member in turn, in a child run of its own, and keep what ``keep`` asks for.

    What is done lies beside the checkpoints until all members are, so that nothing is lost where
    this is interrupted.
    """
    from nlp_rnn import tracking
    from nlp_rnn.training.checkpoint import fingerprint

    notes, start = place.notes, _start(experiment)
    backend_name = backend.select(parameters.backend)
    identity = fingerprint(
        *(_identity(name, experiment, member, backend_name, start) for member in members),
        *([] if experiment.training.keep == "best" else [experiment.training.keep]),
    )
    if finished(place, identity):
        log(f"{name}: is trained already, see {place.results}; to train anew, delete that folder")
        return
    run_id = begun(notes, identity)
    with tracking.run(parameters.tracking.experiment, name, run_id, missing="new") as run:
        log(f"MLflow run {run.url}")
        write_json(notes, {"run_id": run.id, "fingerprint": identity})
        run.log_parameters(experiment.of_training())
        bundles = {}
        for member in members:
            child = Child(f"{name} {member}", run.id, member.fold, start)
            own = member.place(place)
            bundles[member] = train_once(parameters, name, experiment, member.seed, own, child)
        best = _best(name, experiment, bundles)
        with whole_folder(place.results) as partial:
            for part in ("bundle", "plots"):
                for member in members:
                    inside = partial / part
                    into = (
                        inside
                        if member == best
                        else inside / f"{member.kind}s" / f"{member.number}"
                    )
                    source = member.place(place).results / part
                    shutil.copytree(source, into, dirs_exist_ok=True)
            write_json(partial / place.record.name, record_of(run, identity))
    for member in members:
        shutil.rmtree(member.place(place).results)
    notes.unlink()


def _start(experiment: AnyExperiment) -> int | None:
    """The seed of the initial weights, where all members share them."""
    seeds = experiment.training.seeds
    return seeds[0] if seeds and experiment.training.keep == "soup" else None


def _identity(
    name: str, experiment: AnyExperiment, member: Member, backend_name: str, start: int | None
) -> str:
    """:func:`identity_of` a member."""
    from nlp_rnn.text.prepared import PreparedDataset

    fold = member.fold or 1
    data = PreparedDataset(paths.fold(paths.prepared(experiment.dataset), fold))
    initial = paths.fold(paths.embeddings(name), fold)
    sha256 = data.card["data_sha256"]
    return identity_of(initial, experiment, sha256, member.seed, backend_name, start)


def _best(name: str, experiment: AnyExperiment, bundles: Mapping[Member, Bundle]) -> Member:
    """The member that is best on its validation split."""
    select = experiment.training.select
    figures = {member: bundle.figures["validation"][select] for member, bundle in bundles.items()}
    best = (min if select == "loss" else max)(figures, key=figures.__getitem__)
    log(f"{name}: the best on the validation split is {best}, {select} {figures[best]:.4f}")
    return best
