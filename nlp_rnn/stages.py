"""The stages of the pipeline, one function each; ``pipelines/`` and ``dvc.yaml`` call them.

Heavy modules are imported inside, so that a mistake in the parameters answers at once.
"""

from __future__ import annotations

import csv
import itertools
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nlp_rnn import backend, paths
from nlp_rnn.config import (
    GrammarDataset,
    LearnedEmbeddings,
    MemoryDataset,
    MemoryParameters,
    Parameters,
    load,
)
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, whole_file, whole_folder, write_json
from nlp_rnn.process import log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import keras

    from nlp_rnn.config import AnyExperiment, AnyVectors
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.inference.network import Network
    from nlp_rnn.tasks.task import Evaluation, Task
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.text.vocabulary import Vocabulary
    from nlp_rnn.tracking import Run
    from nlp_rnn.training.checkpoint import Progress


def download(name: str) -> None:
    """Get or find the files of a real data set and write their checksums.

    Where the checksums are as before, nothing after this stage runs again.
    """
    dataset = load().dataset(name)

    from nlp_rnn.corpora import open_corpus

    write_json(paths.checksums(name), open_corpus(name, dataset).provenance())


def prepare(name: str) -> None:
    """Download or generate a data set, tokenise it, build its vocabulary, write its data card."""
    dataset = load().dataset(name)

    from tqdm import tqdm

    from nlp_rnn.corpora import open_corpus
    from nlp_rnn.corpora.splits import with_all_splits
    from nlp_rnn.text.prepared import prepare as prepare_dataset

    def progress(examples: Iterable[Any]) -> Iterator[Any]:
        return iter(tqdm(examples, desc=name, unit=" examples", disable=not sys.stderr.isatty()))

    corpus = with_all_splits(open_corpus(name, dataset), dataset.split, dataset.seed)

    def optimum(vocabulary: Vocabulary) -> dict[str, float]:
        from nlp_rnn.corpora import grammar
        from nlp_rnn.corpora.memory import OPTIMUM

        if isinstance(dataset, MemoryDataset):
            return OPTIMUM
        assert isinstance(dataset, GrammarDataset)
        unit: Literal["word", "character"]
        unit = "character" if dataset.tokenizer.unit == "character" else "word"
        known = frozenset(vocabulary.types)
        return grammar.optimum(dataset.corpus, list(corpus.read("test")), known, unit)

    card = prepare_dataset(
        name,
        corpus,
        dataset.tokenizer,
        dataset.vocabulary,
        paths.prepared(name),
        progress,
        optimum if isinstance(dataset, GrammarDataset | MemoryDataset) else None,
    )
    for split, counts in card["splits"].items():
        log(
            f"{name} {split}: {counts['sentences']:,} examples, {counts['tokens']:,} tokens, "
            f"{counts['unknown_rate']:.2%} unknown"
        )


def vectors(name: str) -> None:
    """Learn word vectors from a data set; an interrupted run goes on where it was."""
    parameters = load()
    section = parameters.learned_vectors(name)
    run_name = f"vectors-{name}"
    with _only_one(paths.checkpoints(run_name), run_name):
        _vectors(name, run_name, parameters, section)


def _vectors(name: str, run_name: str, parameters: Parameters, section: AnyVectors) -> None:
    from nlp_rnn.embeddings.learned import LearnedVectors
    from nlp_rnn.embeddings.learning.corpus import TokenCorpus
    from nlp_rnn.embeddings.learning.learner import learn
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.text.vocabulary import UNK
    from nlp_rnn.training.checkpoint import Checkpoint, Progress, fingerprint

    dataset = PreparedDataset(paths.prepared(section.dataset))
    corpus = TokenCorpus.of(dataset.split("train"), dataset.vocabulary.types, section.min_count)
    origin = {
        **section.model_dump(),
        "seed": parameters.seed,
        "data_sha256": dataset.card["data_sha256"],
    }
    checkpoint = Checkpoint(paths.checkpoints(run_name), fingerprint(origin))
    saved = checkpoint.load()
    started = time.perf_counter()
    learned, subwords = learn(
        corpus,
        section,
        parameters.seed,
        (saved[-1].epoch, saved[0]) if saved else None,
        lambda epoch, arrays: checkpoint.save(arrays, [], Progress(epoch=epoch)),
    )
    log(
        f"{name}: {len(learned):,} words from {len(corpus.ids):,} tokens in "
        f"{time.perf_counter() - started:.1f} s"
    )
    known = sum(n for word, n in zip(corpus.words, corpus.counts, strict=True) if word != UNK)
    card = {
        "name": name,
        **origin,
        "words": len(learned),
        "tokens": len(corpus.ids),
        "token_coverage": float(known / len(corpus.ids)),
        "licence": dataset.card["licence"],
        "citation": dataset.card["citation"],
    }
    source = parameters.dataset(section.dataset)
    if isinstance(source, GrammarDataset):
        from nlp_rnn.corpora.grammar import classes_of_words
        from nlp_rnn.embeddings.classes import evaluate_classes

        classes = evaluate_classes(learned, classes_of_words(source.corpus))
        log(f"{name}: {classes}")
        card["word_classes"] = asdict(classes)
    LearnedVectors(learned, subwords, card).write(paths.vectors(name))
    checkpoint.clear()


def encoder(name: str) -> None:
    """Take the embeddings and recurrent layers out of a trained language model, for others."""
    experiment = load().encoder(name)

    import numpy as np

    from nlp_rnn.embeddings.encoders import write_encoder
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.models.transfer import recurrent_weights

    bundle = Bundle.open(paths.bundle(name))
    _check_parameters(bundle, experiment, f"train again: dvc repro train@{name}")
    network = bundle.keras_model()
    (vectors,) = network.get_layer("embedding").get_weights()
    write_encoder(
        paths.vectors(name),
        np.asarray(vectors, np.float32),
        recurrent_weights(network),
        bundle.folder / "vocabulary.json",
        {"name": bundle.name, "provenance": bundle.provenance},
    )


def _check_parameters(bundle: Bundle, experiment: AnyExperiment, mend: str) -> None:
    """That a bundle was trained with the parameters that the experiment has now."""
    if bundle.experiment.of_training() != experiment.of_training():
        raise UserError(f"{bundle.folder}: was trained with other parameters; {mend}")


def embed(name: str) -> None:
    """Write what an experiment starts from: word vectors, and recurrent layers of an encoder."""
    parameters = load()
    experiment = parameters.experiment(name)

    from nlp_rnn.embeddings.encoders import is_encoder
    from nlp_rnn.embeddings.initial import write_initial
    from nlp_rnn.text.prepared import PreparedDataset

    dataset = PreparedDataset(paths.prepared(experiment.dataset))
    source = experiment.embeddings.kind
    if source in parameters.all_encoders and not is_encoder(paths.vectors(source)):
        raise UserError(
            f"{paths.vectors(source)}: no encoder there; write it: dvc repro encoder@{source}"
        )
    coverage = write_initial(
        paths.embeddings(name),
        experiment.embeddings,
        dataset.vocabulary,
        parameters.seed,
        dataset.card["data_sha256"],
    )
    if "type_coverage" in coverage:
        log(
            f"{name}: vectors for {coverage['type_coverage']:.1%} of types, "
            f"{coverage['token_coverage']:.1%} of tokens"
        )


def _initial_vectors(
    name: str, experiment: AnyExperiment, dataset: PreparedDataset, seed: int, of_embed: int
) -> Any:
    """The vectors that ``embed`` wrote with the seed ``of_embed``, if they are for this data and
    these parameters; vectors drawn at random are drawn again for another ``seed``."""
    import numpy as np

    folder = paths.embeddings(name)
    mend = f"write them again: dvc repro embed@{name}"
    coverage = read_json(folder / "coverage.json", mend)
    if coverage.get("data_sha256") != dataset.card["data_sha256"]:
        raise UserError(f"{folder}: the vectors are for other data; {mend}")
    if coverage.get("dimension") != experiment.embeddings.dimension:
        raise UserError(f"{folder}: the vectors have another dimension; {mend}")
    if seed != of_embed and isinstance(experiment.embeddings, LearnedEmbeddings):
        from nlp_rnn.embeddings.initial import learned

        return learned(experiment.embeddings, dataset.vocabulary, seed)[0]
    try:
        return np.load(folder / "vectors.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise UserError(f"{folder / 'vectors.npy'}: missing or broken; {mend}") from None


def _initial_files(name: str) -> list[Path]:
    """What ``embed`` wrote: the vectors and, from an encoder, the weights of recurrent layers."""
    from nlp_rnn.embeddings.encoders import RECURRENT, VECTORS

    folder = paths.embeddings(name)
    return [file for file in (folder / VECTORS, folder / RECURRENT) if file.exists()]


def _starting_network(work: Task, name: str, vectors: Any) -> keras.Model:
    """A fresh network, which starts from an encoder's recurrent layers where there is one."""
    from nlp_rnn.embeddings.encoders import RECURRENT, is_encoder, read_recurrent

    network = work.network(vectors)
    folder = paths.embeddings(name)
    if is_encoder(folder):
        from nlp_rnn.models.transfer import start_from

        mend = f"write it again: dvc repro embed@{name}"
        start_from(network, read_recurrent(folder / RECURRENT, mend))
    return network


@contextmanager
def _only_one(folder: Path, name: str) -> Iterator[None]:
    """Keep a second training of the same experiment away from its checkpoint."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout:
        raise UserError(
            f"{folder}: another process is training {name}; wait for it, or end it"
        ) from None


def train(name: str) -> None:
    """Train an experiment's model; an interrupted training goes on where it was."""
    parameters = load()
    experiment = parameters.experiment(name)
    with _only_one(paths.checkpoints(name), name):
        if experiment.training.seeds is None:
            place = _Place(
                paths.checkpoints(name),
                paths.bundle(name),
                paths.training_plots(name),
                paths.run_record(name),
            )
            _train(name, parameters, experiment, parameters.seed, place)
        else:
            _train_seeds(name, parameters, experiment, experiment.training.seeds)


class _Place(NamedTuple):
    """Where one training keeps its state and puts its results."""

    checkpoint: Path
    bundle: Path
    plots: Path
    record: Path


def _train_seeds(
    name: str, parameters: Parameters, experiment: AnyExperiment, seeds: Sequence[int]
) -> None:
    """Train with each seed in turn, in a child run of its own, and keep the best of them.

    What is done lies beside the checkpoints until all seeds are, so that nothing is lost where
    this is interrupted.
    """
    from nlp_rnn import tracking
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.training.checkpoint import fingerprint

    folder = paths.checkpoints(name)
    notes = folder / "run.json"
    identity = fingerprint(experiment.of_training())
    run_id = _begun(notes, identity)
    with tracking.run(parameters.tracking.experiment, name, run_id, missing="new") as run:
        log(f"MLflow run {run.url}")
        write_json(notes, {"run_id": run.id, "fingerprint": identity})
        run.log_parameters(experiment.of_training())
        bundles = {}
        for seed in seeds:
            own = folder / f"seed-{seed}"
            place = _Place(own, own / "bundle", own / "plots", own / "record.json")
            _train(f"{name} seed {seed}", parameters, experiment, seed, place, run.id, name)
            bundles[seed] = Bundle.open(place.bundle)
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


def _begun(notes: Path, identity: str) -> str | None:
    """The MLflow run of a training that was interrupted, if it is the same one."""
    begun = read_json(notes, "delete it") if notes.exists() else {}
    return begun["run_id"] if begun.get("fingerprint") == identity else None


def _finished(place: _Place, identity: str) -> bool:
    """Whether a training of the same parameters and data is complete."""
    from nlp_rnn.inference.bundle import Bundle

    if not place.record.exists():
        return False
    return Bundle.open(place.bundle).provenance.get("fingerprint") == identity


def _train(
    name: str,
    parameters: Parameters,
    experiment: AnyExperiment,
    seed: int,
    place: _Place,
    parent: str | None = None,
    of: str | None = None,
) -> None:
    """Train once.

    Args:
        name: of the run.
        parent: the MLflow run of all seeds, if there are several.
        of: the experiment, where that is not ``name``.
    """
    backend_name = backend.select(parameters.backend)

    from nlp_rnn import tracking
    from nlp_rnn.evaluation.gradient_flow import network_gradient_flow
    from nlp_rnn.evaluation.plots import loss_curves, save
    from nlp_rnn.files import sha256
    from nlp_rnn.inference.bundle import write_bundle
    from nlp_rnn.tasks.registry import task
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.training.checkpoint import Checkpoint, fingerprint
    from nlp_rnn.training.fit import fit
    from nlp_rnn.training.objective import compiled

    started = time.time()
    experiment_name = of or name
    backend.deterministic(seed)
    dataset = PreparedDataset(paths.prepared(experiment.dataset))
    vectors = _initial_vectors(experiment_name, experiment, dataset, seed, parameters.seed)
    identity = fingerprint(
        experiment.of_one_training(),
        dataset.card["data_sha256"],
        *map(sha256, _initial_files(experiment_name)),
        seed,
        backend_name,
    )
    if parent and _finished(place, identity):
        log(f"{name}: is trained already")
        return
    work = task(experiment, dataset, seed)
    network = _starting_network(work, experiment_name, vectors)
    objective = compiled(
        work.objective(network), experiment.training, experiment.embeddings.frozen_epochs
    )
    checkpoint = Checkpoint(place.checkpoint, identity)
    notes = place.checkpoint / "run.json"
    run_id = _begun(notes, identity)
    with tracking.run(parameters.tracking.experiment, name, run_id, "new", parent) as run:
        log(f"MLflow run {run.url}")
        write_json(notes, {"run_id": run.id, "fingerprint": identity})
        run.log_parameters(
            {
                "backend": backend_name,
                "seed": seed,
                **experiment.of_one_training(),
                "parameters": network.count_params(),
            }
        )
        run.log_data(dataset.card)
        previous = checkpoint.load()
        if previous:
            # A run killed between its checkpoint and its log lacks an epoch here.
            logged = run.steps("validation/loss")
            for epoch, row in enumerate(previous[-1].history, start=1):
                if epoch not in logged:
                    run.log_metrics(row, epoch)
        flow = experiment.training.gradient_flow
        curves = network_gradient_flow(network, work.example_inputs(), "fresh") if flow else {}
        progress = fit(
            objective,
            work.batches,
            lambda: work.validate(objective),
            experiment.training,
            checkpoint,
            lambda epoch, row: run.log_metrics(row, epoch),
        )
        figures = _training_figures(progress, network.count_params())
        provenance = {
            "run_id": run.id,
            "fingerprint": identity,
            "seed": seed,
            "backend": backend_name,
            "devices": backend.devices(),
            "versions": backend.versions(),
            "data_sha256": dataset.card["data_sha256"],
            **tracking.provenance(),
            "trained": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        }
        write_bundle(
            place.bundle,
            experiment_name,
            experiment,
            network,
            dataset,
            provenance,
            figures,
            work.temperature,
        )
        _write_table(place.plots / "loss.csv", _history_rows(progress.history))
        picture = place.plots / "loss.png"
        save(loss_curves(progress.history, progress.best_epoch, name), picture)
        run.log_file(picture, "plots")
        if flow:
            curves |= network_gradient_flow(network, work.example_inputs(), "trained")
            _draw_gradient_flow(run, name, place.plots, curves)
        run.log_metrics({"training": {k: v for k, v in figures.items() if k != "history"}})
        write_json(place.record, {"run_id": run.id, "uri": tracking.tracking_uri()})
    checkpoint.clear()
    notes.unlink(missing_ok=True)


def _draw_gradient_flow(run: Run, name: str, folder: Path, curves: dict[str, Any]) -> None:
    """How far gradients reach back, before and after training, in MLflow and as files."""
    from nlp_rnn.evaluation.gradient_flow import gradient_flow_picture, gradient_flow_rows
    from nlp_rnn.evaluation.plots import save

    _write_table(folder / "gradient_flow.csv", gradient_flow_rows(curves))
    picture = folder / "gradient_flow.png"
    save(gradient_flow_picture(curves, name), picture)
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


def _write_table(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """A CSV file with the keys of the first row as its header."""
    with whole_file(file) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def evaluate(name: str) -> None:
    """Judge a trained model on the test split, beside its baselines and the known optimum."""
    parameters = load()
    experiment = parameters.experiment(name)

    from nlp_rnn import tracking
    from nlp_rnn.evaluation.predictions import write_predictions
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.text.prepared import PreparedDataset

    bundle = Bundle.open(paths.bundle(name))
    dataset = PreparedDataset(paths.prepared(experiment.dataset))
    mend = f"train again: dvc repro train@{name}"
    if bundle.provenance.get("data_sha256") != dataset.card["data_sha256"]:
        raise UserError(f"{bundle.folder}: was trained on other data; {mend}")
    _check_parameters(bundle, experiment, mend)
    record = read_json(paths.run_record(name), mend)

    from nlp_rnn.tasks.registry import task

    with tracking.run(parameters.tracking.experiment, name, record["run_id"]) as run:
        started = time.perf_counter()
        work, network = task(experiment, dataset, parameters.seed), bundle.network()
        result = work.evaluate(network, bundle.temperature)
        seconds = time.perf_counter() - started
        figures = _test_figures(bundle, dataset, result, seconds)
        figures |= _adapted_figures(work, network, bundle)
        figures |= _seed_figures(run, work, bundle, result)
        _log_evaluation(run, name, experiment, figures, result)
        run.log_model(paths.bundle(name), name, _example_texts(dataset))
    write_predictions(paths.predictions(name), result.predictions)
    write_json(paths.metrics(name), figures)


def _test_figures(
    bundle: Bundle, dataset: PreparedDataset, result: Evaluation, seconds: float
) -> dict[str, Any]:
    """What ``metrics/<experiment>.json`` holds."""
    from nlp_rnn.evaluation.analysis import certainty
    from nlp_rnn.text.entities import is_entity_scheme

    training = ("epochs", "best_epoch", "seconds", "tokens_per_second")
    return {
        "test": result.test,
        **certainty(result, bundle.temperature),
        "baselines": result.baselines,
        "optimum": dataset.optimum,
        "training": {figure: bundle.figures[figure] for figure in training},
        "model": {
            "task": bundle.experiment.task,
            "dataset": bundle.experiment.dataset,
            "parameters": bundle.figures["parameters"],
            "entities": is_entity_scheme(bundle.labels),
        },
        "evaluation": {"seconds": seconds},
    }


def _seed_figures(run: Run, work: Task, best: Bundle, result: Evaluation) -> dict[str, Any]:
    """The test figures of every seed, their means and standard deviations.

    Args:
        run: of all seeds; each of them completes its own, under this one.
        best: the bundle whose ``result`` is known already.
    """
    seeds = work.training.seeds
    if seeds is None:
        return {}

    from nlp_rnn import tracking
    from nlp_rnn.evaluation.analysis import over_seeds
    from nlp_rnn.inference.bundle import Bundle

    each = {}
    for seed in seeds:
        bundle, judged = best, result
        if seed != best.provenance["seed"]:
            bundle = Bundle.open(best.folder / "seeds" / str(seed))
            judged = work.evaluate(bundle.network(), bundle.temperature)
        name, own = f"{run.name} seed {seed}", bundle.provenance["run_id"]
        with tracking.run(run.experiment, name, own, parent=run.id) as child:
            child.log_metrics({"test": judged.test})
        each[str(seed)] = judged.test
    return {"seeds": over_seeds(each)}


def _adapted_figures(work: Task, network: Network, bundle: Bundle) -> dict[str, Any]:
    """What ``evaluation:`` of a language model asks for, apart from its plain figures."""
    from nlp_rnn.tasks.language_modelling import LanguageModelling

    if not isinstance(work, LanguageModelling) or not work.evaluation:
        return {}

    from nlp_rnn.tasks.adapted import adapted

    return {"adapted": adapted(work, network, bundle.keras_model)}


def _log_evaluation(
    run: Run, name: str, experiment: AnyExperiment, figures: dict[str, Any], result: Evaluation
) -> None:
    """Figures, pictures and the worst predictions, in MLflow and as files."""
    from nlp_rnn.evaluation.analysis import write_analysis
    from nlp_rnn.evaluation.metrics import confusion
    from nlp_rnn.evaluation.plots import confusion_picture, save
    from nlp_rnn.evaluation.report import headline, rows_of

    folder = paths.evaluation_plots(name)
    run.describe("\n\n".join([*map(headline, rows_of(name, figures)), f"`{experiment.model!r}`"]))
    groups = ("test", "intervals", "calibration", "baselines", "optimum", "adapted", "evaluation")
    run.log_metrics({k: figures[k] for k in groups if k in figures})
    if "seeds" in figures:
        run.log_metrics({"seeds": {k: figures["seeds"][k] for k in ("mean", "deviation")}})
    if result.labels:
        pairs = zip(result.gold, result.predicted, strict=True)  # DVC counts them
        names = result.labels
        rows = [{"gold": names[gold], "predicted": names[best]} for gold, best in pairs]
        _write_table(folder / "confusion.csv", rows)
        picture = folder / "confusion.png"
        matrix = confusion(result.gold, result.predicted, len(result.labels))
        save(confusion_picture(matrix, result.labels, name), picture)
        run.log_file(picture, "plots")
        for table, rows in write_analysis(folder, name, figures, result).items():
            run.log_table(rows, f"{table}.json")
        run.log_file(folder / "reliability.png", "plots")
        run.log_file(folder / "report.md")
    run.log_table(result.samples, "worst_predictions.json")
    write_json(folder / "worst_predictions.json", result.samples)


def baselines(name: str) -> None:
    """Fit the simple models that a network must beat on a data set; judge them on its test split.

    Of running text there are none: n-gram models stand beside each language model.
    """
    parameters = load()
    parameters.dataset(name)

    from nlp_rnn import tracking
    from nlp_rnn.baselines.suite import fit_all, judged
    from nlp_rnn.evaluation.predictions import write_predictions
    from nlp_rnn.text.entities import is_entity_scheme
    from nlp_rnn.text.prepared import PreparedDataset

    dataset = PreparedDataset(paths.prepared(name))
    figures: dict[str, Any] = {}
    with whole_folder(paths.baseline_predictions(name)) as folder:
        for fitted in fit_all(dataset):
            test, predictions = judged(dataset, fitted)
            file = folder / f"{fitted.name}.jsonl"
            write_predictions(file, predictions)
            title = f"{name}-{fitted.name}"
            with tracking.run(parameters.tracking.experiment, title) as run:
                run.log_parameters(
                    {"dataset": name, "baseline": fitted.name, "chosen": fitted.chosen}
                )
                run.log_data(dataset.card)
                run.log_metrics({"test": test, "training": {"seconds": fitted.seconds}})
                run.log_file(file)
            figures[fitted.name] = {
                "test": test,
                "chosen": fitted.chosen,
                "tried": fitted.tried,
                "seconds": fitted.seconds,
            }
    write_json(
        paths.baseline_metrics(name),
        {
            "baselines": figures,
            "optimum": dataset.optimum,
            "entities": is_entity_scheme(dataset.labels),
        },
    )


def _example_texts(dataset: PreparedDataset) -> list[str]:
    """Two texts of the test split, as a user of the model would give them."""
    records = itertools.islice(dataset.split("test").records(), 2)
    return [record.get("text") or " ".join(record.get("tokens", ())) for record in records]


def memory(name: str) -> None:
    """Train the networks of ``memory:`` to remember over ever more steps; draw how far they got."""
    parameters = load()
    if parameters.memory is None:
        raise UserError("params.yaml: no section 'memory'; it names steps and networks")

    from nlp_rnn.corpora.memory import problem

    problem(name)  # a mistake in the name answers at once
    run_name = f"memory-{name}"
    with _only_one(paths.checkpoints(run_name), run_name):
        _memory(name, run_name, parameters, parameters.memory)


def _memory(name: str, run_name: str, parameters: Parameters, section: MemoryParameters) -> None:
    backend_name = backend.select(parameters.backend)

    from nlp_rnn import memory as experiment
    from nlp_rnn import tracking

    backend.deterministic(parameters.seed)
    file = paths.checkpoints(run_name) / "results.json"
    record = experiment.Record(file, name, section, parameters.seed)
    with tracking.run(parameters.tracking.experiment, run_name) as run:
        log(f"MLflow run {run.url}")
        run.log_parameters(
            {"backend": backend_name, "seed": parameters.seed, **section.model_dump()}
        )

        def log_result(result: experiment.Result) -> None:
            run.log_metrics({"success": {result.network: result.success}}, result.steps)

        results = experiment.run(name, section, parameters.seed, record, log_result)
        figures = experiment.figures(name, results)
        run.log_metrics({"longest": figures["longest"]})
        folder = paths.memory_plots(name)
        experiment.write_plots(name, section.of(name).batches, results, folder)
        run.log_file(folder, "plots")
    write_json(paths.memory_metrics(name), figures)
    record.clear()


def report() -> None:
    """Print the table of all results, keep it in reports/results.md and draw it beside."""
    from nlp_rnn.evaluation.plots import results_picture, save
    from nlp_rnn.evaluation.report import adapted_markdown, markdown, result_rows, standings

    rows = result_rows(Path("metrics"))
    if not rows:
        raise UserError("metrics: no figures there yet; run the pipeline: dvc repro")
    table = markdown(rows)
    if standing := standings(rows, Path("metrics")):
        table += f"\n\nEach data set's baselines and networks, from the worst:\n\n{standing}"
    if adapted := adapted_markdown(Path("metrics")):
        table += f"\n\nLanguage models with more at test time, apart from the above:\n\n{adapted}"
    with whole_file(Path("reports/results.md")) as partial:
        partial.write_text(table + "\n", encoding="utf-8")
    save(results_picture(rows), Path("reports/results.png"))
    print(table)
