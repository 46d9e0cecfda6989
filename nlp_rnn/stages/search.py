"""Search: trainings of one experiment with other parameters, compared on the validation split."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn import backend, paths
from nlp_rnn.config import AnyExperiment, Parameters, SearchParameters, load_part, to_yaml
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, sha256, whole_file, whole_folder, write_json, write_table
from nlp_rnn.process import log
from nlp_rnn.stages.finished import Place
from nlp_rnn.stages.one_training import Child, initial_files, initial_vectors, train_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlp_rnn.runtime.bundle import Bundle
    from nlp_rnn.search.space import Space
    from nlp_rnn.search.trials import Records, Trial
    from nlp_rnn.tracking import Run

EPOCHS = "training.epochs"

_SHOWN = 10
"""Trials of the table that is printed."""


def search(name: str) -> None:
    """Train an experiment with other parameters, again and again; an interrupted search goes on.

    Several processes may run the same search at once; they share its trials.
    """
    parameters = load_part("search", name)
    section = parameters.search_called(name)
    _search(name, parameters, section)


def _search(name: str, parameters: Parameters, section: SearchParameters) -> None:
    from nlp_rnn import tracking
    from nlp_rnn.search.claims import Claims
    from nlp_rnn.search.space import Space, check_values
    from nlp_rnn.search.trials import Records
    from nlp_rnn.text.prepared import PreparedDataset

    experiment = parameters.experiment(section.experiment)
    space = Space(section, experiment, parameters.seed)
    check_values(parameters, name, space)
    dataset = PreparedDataset(paths.prepared(experiment.dataset))
    # What no trial could do without is missed at once, not by each of them.
    initial = paths.embeddings(section.experiment)
    initial_vectors(initial, experiment, dataset, parameters.seed, parameters.seed)
    folder = paths.search(name)
    records = Records(folder / "trials")
    claims = Claims(folder, records)
    notes = folder / "search.json"
    identity = _identity(
        section,
        experiment,
        parameters.seed,
        dataset.card["data_sha256"],
        *map(sha256, initial_files(initial)),
        backend.select(parameters.backend),
    )
    with ExitStack() as stack:
        with claims.alone():
            run_id = _begun(notes, identity)
            title = f"search {name}"
            run = stack.enter_context(
                tracking.run(parameters.tracking.experiment, title, run_id, "new")
            )
            log(f"MLflow run {run.url}")
            write_json(notes, {"run_id": run.id, "fingerprint": identity})
            run.log_parameters({"seed": parameters.seed, **section.model_dump(exclude={"trials"})})
        # Closed, so that what an exception leaves is free at once.
        trials = stack.enter_context(closing(claims.trials(space.trials, space.draw)))
        for trial, earlier in trials:
            log(f"trial {trial.number} of {space.trials}: {trial.described()}")
            twin = next((t for t in earlier if t.parameters == trial.parameters), None)
            bundle = None
            if twin is not None:
                log(
                    f"trial {trial.number} has the parameters and so the figures of "
                    f"trial {twin.number}"
                )
                trial = replace(twin, number=trial.number)
            else:
                place = Place.within(claims.place(trial.number))
                trial, bundle = _train(trial, name, parameters, section, place, run.id)
            with claims.alone():
                _record(trial, bundle, records, folder, lower_is_better=space.lower_is_better)
            if trial.figure is not None:
                run.log_metrics(
                    {"search": {experiment.training.select: trial.figure}}, trial.number
                )
        with claims.alone():
            claims.clear()
            _report(name, parameters, section, space, list(records.read().values()), run)


def _record(
    trial: Trial, bundle: Bundle | None, records: Records, folder: Path, *, lower_is_better: bool
) -> None:
    """Record a trial, and keep its model if it is the best so far."""
    from nlp_rnn.search.trials import ranked

    best = ranked([*records.read().values(), trial], lower_is_better=lower_is_better)
    if bundle and best[0] is trial:
        with whole_folder(folder / "best") as partial:
            shutil.copytree(bundle.folder, partial, dirs_exist_ok=True)
    records.write(trial)


def _identity(section: SearchParameters, experiment: AnyExperiment, *origins: Any) -> str:
    """What trials need to have in common, to be compared with each other.

    Without what the experiment itself has for the parameters that are varied: so the best of them
    can be copied into it, and the search goes on.

    Args:
        origins: what they start from: seed, data, initial vectors and layers, backend.
    """
    from nlp_rnn.training.checkpoint import fingerprint

    common: dict[str, Any] = experiment.of_one_training()
    for key in section.space:
        *outer, last = key.split(".")
        place = common
        for part in outer:
            place = place[part]
        place.pop(last)
    return fingerprint(section.model_dump(exclude={"trials"}), common, *origins)


def _begun(notes: Path, identity: str) -> str | None:
    """The MLflow run of a search that has begun."""
    if not notes.exists():
        return None
    record = read_json(notes, "delete it")
    if record["fingerprint"] != identity:
        raise UserError(
            f"{notes.parent}: its trials are of another space, experiment, seed, data, vectors or "
            "backend; delete the folder to start anew, or give the search another name"
        )
    return str(record["run_id"])


def _train(
    trial: Trial,
    name: str,
    parameters: Parameters,
    section: SearchParameters,
    place: Place,
    parent: str,
) -> tuple[Trial, Bundle | None]:
    """Train with a trial's parameters; what cannot be trained is a trial that failed."""
    from nlp_rnn import tracking
    from nlp_rnn.search.space import changed

    try:
        experiment = changed(parameters, section.experiment, trial.parameters)
        bundle = train_once(
            parameters,
            section.experiment,
            experiment,
            parameters.seed,
            place,
            Child(f"{name} trial {trial.number}", parent),
        )
    except tracking.Unreachable:  # that is no fault of the trial, which can be resumed
        raise
    except UserError as error:
        log(f"trial {trial.number} failed: {error}")
        return replace(trial, error=str(error)), None
    figures = bundle.figures
    return replace(
        trial,
        figure=figures["validation"][experiment.training.select],
        validation=figures["validation"],
        training={
            figure: figures[figure] for figure in ("epochs", "best_epoch", "seconds", "parameters")
        },
        run_id=bundle.provenance["run_id"],
    ), bundle


def _report(
    name: str,
    parameters: Parameters,
    section: SearchParameters,
    space: Space,
    trials: Sequence[Trial],
    run: Run,
) -> None:
    """Write and log all trials, the best parameters and the pictures; print what was found."""
    from nlp_rnn.drawing import save
    from nlp_rnn.markdown import markdown_table
    from nlp_rnn.search.plots import importance_picture, importances, parallel_coordinates
    from nlp_rnn.search.space import changed
    from nlp_rnn.search.trials import ranked, rows

    folder, select = paths.search(name), parameters.experiment(section.experiment).training.select
    order = ranked(trials, lower_is_better=space.lower_is_better)
    write_table(folder / "trials.csv", rows(trials))
    run.log_file(folder / "trials.csv")
    run.log_table(rows(trials), "trials.json")
    if not order:
        raise UserError(f"{folder}: every trial failed; the first: {trials[0].error}")
    best = order[0]
    save(parallel_coordinates(space, trials, select, name), folder / "parallel_coordinates.png")
    run.log_file(folder / "parallel_coordinates.png", "plots")
    if shares := importances(space, trials):
        save(importance_picture(shares, select, name), folder / "importance.png")
        run.log_file(folder / "importance.png", "plots")
    else:
        log(f"{name}: the trials do not differ in {select}, so no parameter is important")
    kept = {key: value for key, value in best.parameters.items() if key not in _budget(section)}
    experiment = changed(parameters, section.experiment, kept)
    lines = _shortened(section, experiment) + _as_parameters(section.experiment, experiment)
    with whole_file(folder / "best.yaml") as partial:
        partial.write_text(lines, encoding="utf-8")
    run.log_file(folder / "best.yaml")
    run.log_metrics({"best": best.validation})
    run.set_tags({"best_trial": best.number, "best_run": best.run_id})

    header = ["trial", *best.validation, *space.values, "epochs", "seconds"]
    cells = [
        [
            str(trial.number),
            *(f"{trial.validation[figure]:.4f}" for figure in best.validation),
            *(f"{row[key]}" for key in space.values),
            f"{trial.training['epochs']:.0f}",
            f"{trial.training['seconds']:.1f}",
        ]
        for trial, row in zip(order[:_SHOWN], rows(order[:_SHOWN]), strict=True)
    ]
    failed = len(trials) - len(order)
    print(
        f"{name}: {len(trials)} trials{f', {failed} failed' if failed else ''}, "
        f"by {select} on the validation split\n\n{markdown_table(header, cells)}\n\n"
        f"The best, for params.yaml ({folder / 'best.yaml'}):\n\n{lines}\n"
        f"Its model: {folder / 'best'}   all trials: {folder / 'trials.csv'}\n"
        f"Pictures: {folder}/*.png, also in the MLflow run"
    )


def _budget(section: SearchParameters) -> set[str]:
    """The epochs, where all trials have the same: what the search could afford, not what it found.

    The experiment itself keeps its own.
    """
    epochs = section.space.get(EPOCHS)
    return {EPOCHS} if isinstance(epochs, list) and len(epochs) == 1 else set()


def _shortened(section: SearchParameters, experiment: AnyExperiment) -> str:
    """A comment, where the trials had other epochs than the experiment."""
    (epochs,) = section.space[EPOCHS] if _budget(section) else [experiment.training.epochs]
    if epochs == experiment.training.epochs:
        return ""
    return (
        f"# {EPOCHS} is the experiment's own: {experiment.training.epochs}. Trials had {epochs}.\n"
    )


def _as_parameters(name: str, experiment: AnyExperiment) -> str:
    """An experiment as ``params.yaml`` has it, with the keys that are set."""
    values = experiment.model_dump(mode="json", exclude_unset=True)
    entry = {key: values.pop(key) for key in ("task", "dataset", "embeddings", "model")} | values
    return to_yaml({"experiments": {name: entry}})
