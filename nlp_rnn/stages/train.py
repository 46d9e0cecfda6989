"""Stage train: an experiment, with its seed, with several, or in each fold of its data set."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from nlp_rnn import backend, paths
from nlp_rnn.config import Parameters, load_part
from nlp_rnn.files import read_json, whole_file, whole_folder, write_json
from nlp_rnn.process import log
from nlp_rnn.stages.common import only_one
from nlp_rnn.stages.finished import Place, finished, finished_place, record_of
from nlp_rnn.stages.one_training import (
    LOSS,
    Child,
    begins_of,
    begun,
    follow_once,
    identity_of,
    train_once,
)
from nlp_rnn.stages.processes import together
from nlp_rnn.stages.several import Member, members_of, starting_seed, write_kept
from nlp_rnn.stages.start import Start
from nlp_rnn.training import devices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlp_rnn.config import AnyExperiment


def train(name: str) -> None:
    """Train an experiment's model; an interrupted training resumes.

    Complete results are kept beside the checkpoints until :func:`nlp_rnn.stages.evaluate` runs, and
    put in place once more if DVC could not save them (see :mod:`nlp_rnn.stages.finished`).
    """
    parameters = load_part("experiments", name)
    experiment = parameters.experiment(name)
    with together(name, parameters.backend):
        if not devices.is_first():
            _follow(parameters, name, experiment)
            return
        with only_one(paths.checkpoints(name), name):
            place = finished_place(name)
            if members := members_of(parameters, experiment):
                _train_several(name, parameters, experiment, members, place)
            else:
                train_once(parameters, name, experiment, parameters.seed, place)
            _put_in_place(place, name)


def _follow(parameters: Parameters, name: str, experiment: AnyExperiment) -> None:
    """Compute what :func:`train` does in process 0, and write nothing."""
    members = members_of(parameters, experiment)
    if not members:
        follow_once(parameters, name, experiment, parameters.seed)
    elif not devices.agreed(None):
        seed = starting_seed(experiment)
        for member in members:
            follow_once(parameters, name, experiment, member.seed, member.fold, seed)


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
    from nlp_rnn.runtime.ensemble import check_can_join
    from nlp_rnn.training.checkpoint import fingerprint

    notes, seed = place.notes, starting_seed(experiment)
    backend_name = backend.select(parameters.backend)
    begins = begins_of(Start.of(parameters, name, experiment), seed)
    identity = fingerprint(
        *(_identity(name, experiment, member, backend_name, begins) for member in members),
        *([] if experiment.training.keep == "best" else [experiment.training.keep]),
    )
    if devices.agreed(finished(place, identity)):
        log(f"{name}: is trained already, see {place.results}; to train anew, delete that folder")
        return
    run_id = begun(notes, identity)
    with tracking.run(parameters.tracking.experiment, name, run_id, missing="new") as run:
        log(f"MLflow run {run.url}")
        write_json(notes, {"run_id": run.id, "fingerprint": identity})
        run.log_parameters(experiment.of_training())
        bundles = {}
        for member in members:
            child = Child(f"{name} {member}", run.id, member.fold, seed)
            own = member.place(place)
            bundles[member] = train_once(parameters, name, experiment, member.seed, own, child)
            if experiment.training.keep == "ensemble":
                check_can_join(bundles[member])
        with whole_folder(place.results) as partial:
            results = Place.within(partial)
            made = {"run_id": run.id, "fingerprint": identity}
            write_kept(results, place, name, experiment, bundles, made)
            write_json(results.record, record_of(run, identity))
    for member in members:
        shutil.rmtree(member.place(place).results)
    notes.unlink()


def _identity(
    name: str,
    experiment: AnyExperiment,
    member: Member,
    backend_name: str,
    begins: Sequence[Any],
) -> str:
    """:func:`identity_of` a member."""
    from nlp_rnn.text.prepared import PreparedDataset

    fold = member.fold or 1
    data = PreparedDataset(paths.fold(paths.prepared(experiment.dataset), fold))
    initial = paths.fold(paths.embeddings(name), fold)
    sha256 = data.card["data_sha256"]
    return identity_of(initial, experiment, sha256, member.seed, backend_name, begins)
