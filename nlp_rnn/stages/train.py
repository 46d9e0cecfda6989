"""Stage train: an experiment, with its seed or with several."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from nlp_rnn import backend, paths
from nlp_rnn.config import Parameters, load_part
from nlp_rnn.files import read_json, whole_file, whole_folder, write_json
from nlp_rnn.process import log
from nlp_rnn.stages.common import only_one
from nlp_rnn.stages.finished import Place, finished, finished_place, record_of
from nlp_rnn.stages.one_training import LOSS, Child, begun, identity_of, train_once
from nlp_rnn.stages.start import Start

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
    with only_one(paths.checkpoints(name), name):
        place = finished_place(name)
        if experiment.training.seeds is None:
            train_once(parameters, name, experiment, parameters.seed, place)
        else:
            _train_seeds(name, parameters, experiment, experiment.training.seeds, place)
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


def _train_seeds(
    name: str,
    parameters: Parameters,
    experiment: AnyExperiment,
    seeds: Sequence[int],
    place: Place,
) -> None:
    """Train with each seed in turn, in a child run of its own, and keep the best of them.

    What is done lies beside the checkpoints until all seeds are, so that nothing is lost where
    this is interrupted.
    """
    from nlp_rnn import tracking
    from nlp_rnn.runtime.bundle import SEEDS
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.training.checkpoint import fingerprint

    folder, notes = place.checkpoint, place.notes
    data = PreparedDataset(paths.prepared(experiment.dataset)).card["data_sha256"]
    backend_name = backend.select(parameters.backend)
    start = Start.of(parameters, name, experiment)
    identity = fingerprint(
        *(identity_of(name, experiment, data, seed, backend_name, start) for seed in seeds)
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
        for seed in seeds:
            own = Place.within(folder / f"seed-{seed}")
            child = Child(f"{name} seed {seed}", run.id)
            bundles[seed] = train_once(parameters, name, experiment, seed, own, child)
        select = experiment.training.select
        figures = {seed: bundle.figures["validation"][select] for seed, bundle in bundles.items()}
        best = (min if select == "loss" else max)(figures, key=figures.__getitem__)
        log(
            f"{name}: the best on the validation split is seed {best}, {select} {figures[best]:.4f}"
        )
        with whole_folder(place.results) as partial:
            for part in ("bundle", "plots"):
                for seed in seeds:
                    inside = partial / part
                    into = inside if seed == best else inside / SEEDS / str(seed)
                    shutil.copytree(folder / f"seed-{seed}" / part, into, dirs_exist_ok=True)
            write_json(partial / place.record.name, record_of(run, identity))
    for seed in seeds:
        shutil.rmtree(folder / f"seed-{seed}")
    notes.unlink()
