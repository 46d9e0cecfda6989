"""Stage train: an experiment, with its seed or with several."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from nlp_rnn import paths
from nlp_rnn.config import Parameters, load
from nlp_rnn.files import whole_folder, write_json
from nlp_rnn.process import log
from nlp_rnn.stages.common import only_one
from nlp_rnn.stages.one_training import Child, Place, begun, train_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlp_rnn.config import AnyExperiment


def train(name: str) -> None:
    """Train an experiment's model; an interrupted training goes on where it was."""
    parameters = load()
    experiment = parameters.experiment(name)
    with only_one(paths.checkpoints(name), name):
        if experiment.training.seeds is None:
            place = Place(
                paths.checkpoints(name),
                paths.bundle(name),
                paths.training_plots(name),
                paths.run_record(name),
            )
            train_once(parameters, name, experiment, parameters.seed, place)
        else:
            _train_seeds(name, parameters, experiment, experiment.training.seeds)


def _train_seeds(
    name: str, parameters: Parameters, experiment: AnyExperiment, seeds: Sequence[int]
) -> None:
    """Train with each seed in turn, in a child run of its own, and keep the best of them.

    What is done lies beside the checkpoints until all seeds are, so that nothing is lost where
    this is interrupted.
    """
    from nlp_rnn import tracking
    from nlp_rnn.training.checkpoint import fingerprint

    folder = paths.checkpoints(name)
    notes = folder / "run.json"
    identity = fingerprint(experiment.of_training())
    run_id = begun(notes, identity)
    with tracking.run(parameters.tracking.experiment, name, run_id, missing="new") as run:
        log(f"MLflow run {run.url}")
        write_json(notes, {"run_id": run.id, "fingerprint": identity})
        run.log_parameters(experiment.of_training())
        bundles = {}
        for seed in seeds:
            place = Place.within(folder / f"seed-{seed}")
            child = Child(f"{name} seed {seed}", run.id)
            bundles[seed] = train_once(parameters, name, experiment, seed, place, child)
        select = experiment.training.select
        figures = {seed: bundle.figures["validation"][select] for seed, bundle in bundles.items()}
        best = (min if select == "loss" else max)(figures, key=figures.__getitem__)
        log(
            f"{name}: the best on the validation split is seed {best}, {select} {figures[best]:.4f}"
        )
        for part, target in (("bundle", paths.bundle(name)), ("plots", paths.training_plots(name))):
            with whole_folder(target) as partial:
                for seed in seeds:
                    into = partial if seed == best else partial / "seeds" / str(seed)
                    shutil.copytree(folder / f"seed-{seed}" / part, into, dirs_exist_ok=True)
        write_json(paths.run_record(name), {"run_id": run.id, "uri": tracking.tracking_uri()})
    for seed in seeds:
        shutil.rmtree(folder / f"seed-{seed}")
    notes.unlink()
