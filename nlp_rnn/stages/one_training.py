"""One training, with one seed: from the prepared data to a bundle, a picture and a run."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from nlp_rnn import backend, paths
from nlp_rnn.config import LearnedEmbeddings, Parameters
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, sha256, write_json, write_table
from nlp_rnn.hints import Remedy
from nlp_rnn.process import log
from nlp_rnn.stages.finished import Place, code_sha256, finished, record_of
from nlp_rnn.stages.start import Start
from nlp_rnn.training import devices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import keras

    from nlp_rnn.config import AnyExperiment
    from nlp_rnn.runtime.bundle import Bundle
    from nlp_rnn.runtime.network import Network
    from nlp_rnn.tasks.task import Task
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.text.vocabulary import Vocabulary
    from nlp_rnn.tracking import Run
    from nlp_rnn.training.checkpoint import Checkpoint, Progress
    from nlp_rnn.training.objective import Objective


LOSS = "loss.csv"
"""The losses of every epoch, beside the plots of a training."""


class Child(NamedTuple):
    """One training of several, in an MLflow run under that of all.

    Attributes:
        title: its name.
        parent: the run of all of them.
        fold: the number of its fold, if the data set has any.
        starting_seed: that of its initial weights, if it is not its own.
    """

    title: str
    parent: str | None
    fold: int | None = None
    starting_seed: int | None = None


def train_once(
    parameters: Parameters,
    name: str,
    experiment: AnyExperiment,
    seed: int,
    place: Place,
    child: Child | None = None,
) -> Bundle:
    """Train with one seed, or resume it; a training that is complete is not repeated.

    Args:
        name: of the experiment, whose initial vectors ``embed`` has written.
        child: if it is one of several trainings.
    """
    from nlp_rnn import tracking
    from nlp_rnn.runtime.bundle import Bundle, write_bundle
    from nlp_rnn.training.checkpoint import Checkpoint

    title, parent, fold, starting = child or Child(name, None)
    started = time.time()
    code_sha256()  # before somebody edits what is running
    given = Given.read(parameters, name, experiment, seed, fold, starting)
    start, identity = given.start, given.identity
    if devices.agreed(finished(place, identity)):
        log(f"{title}: is trained already, see {place.results}; to train anew, delete that folder")
        return Bundle.open(place.bundle)
    place.record.unlink(missing_ok=True)
    shutil.rmtree(place.plots, ignore_errors=True)
    task, network = given.beginning()
    run_id = begun(place.notes, identity)
    with tracking.run(parameters.tracking.experiment, title, run_id, "new", parent) as run:
        log(f"MLflow run {run.url}")
        write_json(place.notes, {"run_id": run.id, "fingerprint": identity})
        _log_beginning(run, task, network, given.backend, start)
        with _gradient_flow(task, network, run, title, place.plots):
            progress = _fit(task, network, Checkpoint(place.checkpoint, identity), run)
        figures = _training_figures(progress, network.count_params())
        write_bundle(
            place.bundle,
            name=name,
            experiment=experiment,
            model=network,
            dataset=task.dataset,
            provenance=_provenance(run, identity, task, given.backend, started)
            | ({"start": start.origin} if start else {})
            | ({} if fold is None else {"fold": fold}),
            figures=figures,
            calibration=partial(_calibrated, task, title),
        )
        _draw_loss(run, title, place.plots, progress)
        run.log_metrics({"training": {k: v for k, v in figures.items() if k != "history"}})
        write_json(place.record, record_of(run, identity))
    Checkpoint(place.checkpoint, identity).clear()
    place.notes.unlink(missing_ok=True)
    return Bundle.open(place.bundle)


def follow_once(
    parameters: Parameters,
    name: str,
    experiment: AnyExperiment,
    seed: int,
    fold: int | None = None,
    starting_seed: int | None = None,
) -> None:
    """What another process does while process 0 is in :func:`train_once`: it computes the same, and
    writes nothing."""
    given = Given.read(parameters, name, experiment, seed, fold, starting_seed)
    if devices.agreed(None):
        return

    from nlp_rnn.training.checkpoint import Checkpoint
    from nlp_rnn.training.fit import fit

    task, network = given.beginning()
    objective = _objective(task, network)
    with TemporaryDirectory() as folder:
        task.begin(objective, Path(folder))
        nowhere = Checkpoint(Path(folder), given.identity)
        fit(objective, task.batches, lambda: task.validate(objective), task.training, nowhere)


class Given(NamedTuple):
    """What one training begins with.

    Attributes:
        dataset: the prepared data, as ``prepare`` wrote them.
        initial: the folder that ``embed`` wrote.
        vectors: those in it.
        identity: a hash of what decides on the weights.
    """

    parameters: Parameters
    experiment: AnyExperiment
    seed: int
    starting_seed: int | None
    backend: str
    dataset: PreparedDataset
    initial: Path
    vectors: Any
    start: Start | None
    identity: str

    @classmethod
    def read(
        cls,
        parameters: Parameters,
        name: str,
        experiment: AnyExperiment,
        seed: int,
        fold: int | None,
        starting_seed: int | None,
    ) -> Given:
        """Choose the backend, seed it, and read what ``prepare`` and ``embed`` wrote."""
        backend_name = backend.select(parameters.backend)

        from nlp_rnn.text.prepared import PreparedDataset

        backend.deterministic(seed)
        initial = paths.fold(paths.embeddings(name), fold or 1)
        dataset = PreparedDataset(
            paths.fold(paths.prepared(experiment.dataset), fold or 1),
            _more_words(initial, experiment),
        )
        vectors = initial_vectors(initial, experiment, dataset, seed, parameters.seed)
        start = Start.of(parameters, name, experiment)
        begins = begins_of(start, starting_seed)
        data_sha256 = dataset.card["data_sha256"]
        identity = identity_of(initial, experiment, data_sha256, seed, backend_name, begins)
        devices.check_same(versions=backend.versions(), parameters=identity)
        return cls(
            parameters,
            experiment,
            seed,
            starting_seed,
            backend_name,
            dataset,
            initial,
            vectors,
            start,
            identity,
        )

    def beginning(self) -> tuple[Task, keras.Model]:
        """The task and its network before the first step."""
        from nlp_rnn.tasks.registry import make_task

        dataset, vectors, start = self.dataset, self.vectors, self.start
        if start is not None:
            own, dataset = dataset.vocabulary, start.dataset(dataset, self.seed)
            vectors = start.vectors(vectors, own, dataset)
        task = make_task(self.experiment, dataset, self.seed)
        network = starting_network(task, self.initial, vectors)
        if start is not None:
            start.take_over(network, dataset)
        elif self.starting_seed not in (None, self.seed):  # whose weights all trainings share
            network.set_weights(self._weights(self.starting_seed))
        return task, network

    def _weights(self, seed: int) -> list[Any]:
        """The initial weights of a training with another seed."""
        from nlp_rnn.tasks.registry import make_task

        backend.deterministic(seed)
        vectors = initial_vectors(
            self.initial, self.experiment, self.dataset, seed, self.parameters.seed
        )
        task = make_task(self.experiment, self.dataset, seed)
        weights = starting_network(task, self.initial, vectors).get_weights()
        backend.deterministic(self.seed)
        return weights


def _log_beginning(
    run: Run, task: Task, network: keras.Model, backend_name: str, start: Start | None
) -> None:
    """Log what is trained, on what, and from where."""
    if start is not None:
        run.set_tags({f"start.{key}": value for key, value in start.origin.items()})
    run.log_parameters(
        {
            "backend": backend_name,
            "seed": task.seed,
            **task.experiment.of_one_training(),
            "parameters": network.count_params(),
        }
    )
    run.log_data(task.dataset.card)


def _provenance(
    run: Run, identity: str, task: Task, backend_name: str, started: float
) -> dict[str, Any]:
    """How and when the weights came about, for the bundle.

    Args:
        started: seconds since 1970.
    """
    from nlp_rnn import tracking

    return {
        "run_id": run.id,
        "fingerprint": identity,
        "seed": task.seed,
        "backend": backend_name,
        "devices": backend.devices(),
        "versions": backend.versions(),
        "data_sha256": task.dataset.card["data_sha256"],
        **tracking.provenance(),
        "trained": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
    }


def _objective(task: Task, network: keras.Model) -> Objective:
    from nlp_rnn.training.objective import compiled

    frozen = task.experiment.embeddings.frozen_epochs
    return compiled(task.objective(network), task.training, frozen)


def _fit(task: Task, network: keras.Model, checkpoint: Checkpoint, run: Run) -> Progress:
    """Train a network, or resume it, and log every epoch."""
    from nlp_rnn.training.fit import fit

    objective = _objective(task, network)
    task.begin(objective, checkpoint.file.parent)
    if saved := checkpoint.load():
        # A run killed between its checkpoint and its log lacks an epoch here.
        logged = run.steps("validation/loss")
        for epoch, row in enumerate(saved.progress.history, start=1):
            if epoch not in logged:
                run.log_metrics(row, epoch)
    return fit(
        objective,
        task.batches,
        lambda: task.validate(objective),
        task.training,
        checkpoint,
        lambda epoch, row: run.log_metrics(row, epoch),
    )


def _calibrated(task: Task, title: str, network: Network) -> dict[str, Any]:
    """What the bundle records of its calibration, which the log says too."""
    found = task.calibrate(network)
    log(f"{title}: {found.reason}")
    return found.figures


def initial_vectors(
    folder: Path, experiment: AnyExperiment, dataset: PreparedDataset, seed: int, of_embed: int
) -> Any:
    """The vectors that ``embed`` wrote with the seed ``of_embed``, if they are for this data and
    these parameters; vectors drawn at random are drawn again for another ``seed``."""
    import numpy as np

    remedy = Remedy("write them again", paths.owner(folder), ("embed",))
    coverage = read_json(folder / "coverage.json", remedy)
    if coverage.get("data_sha256") != dataset.card["data_sha256"]:
        raise UserError(f"{folder}: the vectors are for other data; {remedy}")
    if coverage.get("dimension") != experiment.embeddings.dimension:
        raise UserError(f"{folder}: the vectors have another dimension; {remedy}")
    if seed != of_embed and isinstance(experiment.embeddings, LearnedEmbeddings):
        from nlp_rnn.embeddings.initial import learned

        return learned(experiment.embeddings, dataset.vocabulary, seed).matrix
    try:
        return np.load(folder / "vectors.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise UserError(f"{folder / 'vectors.npy'}: missing or broken; {remedy}") from None


def _more_words(folder: Path, experiment: AnyExperiment) -> Vocabulary | None:
    """The vocabulary that ``embed`` wrote, where it has more words than the data set's."""
    from nlp_rnn.embeddings.encoders import VOCABULARY
    from nlp_rnn.text.vocabulary import Vocabulary

    if not experiment.embeddings.more_words:
        return None
    return Vocabulary.load(folder / VOCABULARY)


def initial_files(folder: Path) -> list[Path]:
    """What ``embed`` wrote: the vectors, of an encoder also the weights of recurrent layers, of
    more words than the data set's the vocabulary, of contextual vectors the language models."""
    from nlp_rnn.embeddings.contextual import CONTEXT
    from nlp_rnn.embeddings.encoders import RECURRENT, VECTORS, VOCABULARY

    files = (folder / part for part in (VECTORS, RECURRENT, VOCABULARY, CONTEXT))
    return [file for file in files if file.exists()]


def starting_network(task: Task, folder: Path, vectors: Any) -> keras.Model:
    """A fresh network, which starts from an encoder's recurrent layers where there is one, and has
    the language models of contextual vectors."""
    from nlp_rnn.embeddings.encoders import RECURRENT, is_encoder, read_recurrent

    network = task.network(vectors)
    if is_encoder(folder):
        from nlp_rnn.models.transfer import start_from

        remedy = Remedy("write it again", paths.owner(folder), ("embed",))
        start_from(network, read_recurrent(folder / RECURRENT, remedy))
    if task.experiment.embeddings.contextual is not None:
        from nlp_rnn.embeddings.contextual import read_context
        from nlp_rnn.models.contextual import take_context

        take_context(network, *read_context(folder, "embed"))
    return network


def begun(notes: Path, identity: str) -> str | None:
    """The MLflow run of a training that was interrupted, if it is the same one."""
    record = read_json(notes, "delete it") if notes.exists() else {}
    return record["run_id"] if record.get("fingerprint") == identity else None


def begins_of(start: Start | None, starting_seed: int | None) -> list[Any]:
    """What initial weights come from besides the seed and what ``embed`` wrote."""
    return [*(start.identity if start else ()), *([] if starting_seed is None else [starting_seed])]


def identity_of(
    folder: Path,
    experiment: AnyExperiment,
    data_sha256: str,
    seed: int,
    backend_name: str,
    begins: Sequence[Any] = (),
) -> str:
    """A hash of what decides on the weights of one training, apart from the code.

    Args:
        folder: what ``embed`` wrote.
        begins: what else the initial weights come from: another model, or the seed of another
            training.
    """
    from nlp_rnn.training.checkpoint import fingerprint

    return fingerprint(
        experiment.of_one_training(),
        data_sha256,
        *map(sha256, initial_files(folder)),
        seed,
        backend_name,
        *begins,
    )


@contextmanager
def _gradient_flow(
    task: Task, network: keras.Model, run: Run, title: str, folder: Path
) -> Iterator[None]:
    """How far gradients reach back, before and after the training that happens inside."""
    if not task.training.gradient_flow:
        yield
        return

    from nlp_rnn.drawing import save
    from nlp_rnn.inspection.gradient_flow import (
        gradient_flow_picture,
        gradient_flow_rows,
        network_gradient_flow,
    )

    curves = network_gradient_flow(network, task.example_inputs(), "fresh")
    yield
    curves |= network_gradient_flow(network, task.example_inputs(), "trained")
    write_table(folder / "gradient_flow.csv", gradient_flow_rows(curves))
    picture = folder / "gradient_flow.png"
    save(gradient_flow_picture(curves, title), picture)
    run.log_file(picture, "plots")


def _draw_loss(run: Run, title: str, folder: Path, progress: Progress) -> None:
    """The losses of every epoch, as a table and as a picture."""
    from nlp_rnn.drawing import save
    from nlp_rnn.evaluation.plots import loss_curves

    write_table(folder / LOSS, _history_rows(progress.history))
    picture = folder / "loss.png"
    save(loss_curves(progress.history, progress.best_epoch, title), picture)
    run.log_file(picture, "plots")


def _training_figures(progress: Progress, parameters: int) -> dict[str, Any]:
    """What training took and reached, for the bundle."""
    seconds = sum(row["seconds"] for row in progress.history)
    tokens = sum(row["seconds"] * row["tokens_per_second"] for row in progress.history)
    return {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "validation": {
            name.removeprefix("validation/"): value
            for name, value in progress.history[progress.best_epoch - 1].items()
            if name.startswith("validation/")
        },
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "parameters": parameters,
        "history": progress.history,
    }


def _history_rows(history: Sequence[dict[str, float]]) -> list[dict[str, Any]]:
    """One row an epoch, for ``dvc plots``."""
    # Vega, which draws DVC's plots, gives dots and slashes in names a meaning of its own.
    return [
        {"epoch": epoch, **{name.replace("/", "_"): f"{value:.6g}" for name, value in row.items()}}
        for epoch, row in enumerate(history, start=1)
    ]
