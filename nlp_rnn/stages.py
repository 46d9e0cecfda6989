"""The stages of the pipeline, one function each; ``pipelines/`` and ``dvc.yaml`` call them.

Heavy modules are imported inside, so that a mistake in the parameters answers at once.
"""

from __future__ import annotations

import csv
import itertools
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nlp_rnn import backend, paths
from nlp_rnn.config import GrammarDataset, MemoryDataset, MemoryParameters, Parameters, load
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, whole_file, write_json
from nlp_rnn.process import log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nlp_rnn.config import AnyExperiment
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.tasks.task import Evaluation
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


def embed(name: str) -> None:
    """Write the word vectors an experiment starts from: learned from zero, or pretrained."""
    parameters = load()
    experiment = parameters.experiment(name)

    from nlp_rnn.embeddings.initial import write_initial
    from nlp_rnn.text.prepared import PreparedDataset

    dataset = PreparedDataset(paths.prepared(experiment.dataset))
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


def _initial_vectors(name: str, experiment: AnyExperiment, dataset: PreparedDataset) -> Any:
    """The vectors that ``embed`` wrote, if they are for this data and these parameters."""
    import numpy as np

    folder = paths.embeddings(name)
    mend = f"write them again: dvc repro embed@{name}"
    coverage = read_json(folder / "coverage.json", mend)
    if coverage.get("data_sha256") != dataset.card["data_sha256"]:
        raise UserError(f"{folder}: the vectors are for other data; {mend}")
    if coverage.get("dimension") != experiment.embeddings.dimension:
        raise UserError(f"{folder}: the vectors have another dimension; {mend}")
    try:
        return np.load(folder / "vectors.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise UserError(f"{folder / 'vectors.npy'}: missing or broken; {mend}") from None


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
        _train(name, parameters, experiment)


def _train(name: str, parameters: Parameters, experiment: AnyExperiment) -> None:
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
    backend.deterministic(parameters.seed)
    dataset = PreparedDataset(paths.prepared(experiment.dataset))
    vectors = _initial_vectors(name, experiment, dataset)
    work = task(experiment, dataset, parameters.seed)
    network = work.network(vectors)
    objective = compiled(work.objective(network), experiment.training)
    identity = fingerprint(
        experiment.model_dump(),
        dataset.card["data_sha256"],
        sha256(paths.embeddings(name) / "vectors.npy"),
        parameters.seed,
        backend_name,
    )
    checkpoint = Checkpoint(paths.checkpoints(name), identity)
    notes = paths.checkpoints(name) / "run.json"
    begun = read_json(notes, "delete it") if notes.exists() else {}
    run_id = begun["run_id"] if begun.get("fingerprint") == identity else None
    with tracking.run(parameters.tracking.experiment, name, run_id, missing="new") as run:
        log(f"MLflow run {run.url}")
        write_json(notes, {"run_id": run.id, "fingerprint": identity})
        run.log_parameters(
            {
                "backend": backend_name,
                "seed": parameters.seed,
                **experiment.model_dump(),
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
            "seed": parameters.seed,
            "backend": backend_name,
            "devices": backend.devices(),
            "versions": backend.versions(),
            "data_sha256": dataset.card["data_sha256"],
            **tracking.provenance(),
            "trained": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        }
        write_bundle(paths.bundle(name), name, experiment, network, dataset, provenance, figures)
        folder = paths.training_plots(name)
        _write_table(folder / "loss.csv", _history_rows(progress.history))
        picture = folder / "loss.png"
        save(loss_curves(progress.history, progress.best_epoch, name), picture)
        run.log_file(picture, "plots")
        if flow:
            curves |= network_gradient_flow(network, work.example_inputs(), "trained")
            _draw_gradient_flow(run, name, curves)
        run.log_metrics({"training": {k: v for k, v in figures.items() if k != "history"}})
        write_json(paths.run_record(name), {"run_id": run.id, "uri": tracking.tracking_uri()})
    checkpoint.clear()
    notes.unlink(missing_ok=True)


def _draw_gradient_flow(run: Run, name: str, curves: dict[str, Any]) -> None:
    """How far gradients reach back, before and after training, in MLflow and as files."""
    from nlp_rnn.evaluation.gradient_flow import gradient_flow_picture, gradient_flow_rows
    from nlp_rnn.evaluation.plots import save

    folder = paths.training_plots(name)
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
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.text.prepared import PreparedDataset

    bundle = Bundle.open(paths.bundle(name))
    dataset = PreparedDataset(paths.prepared(experiment.dataset))
    mend = f"train again: dvc repro train@{name}"
    if bundle.provenance.get("data_sha256") != dataset.card["data_sha256"]:
        raise UserError(f"{bundle.folder}: was trained on other data; {mend}")
    if bundle.experiment != experiment:
        raise UserError(f"{bundle.folder}: was trained with other parameters; {mend}")
    record = read_json(paths.run_record(name), mend)

    from nlp_rnn.tasks.registry import task

    with tracking.run(parameters.tracking.experiment, name, record["run_id"]) as run:
        started = time.perf_counter()
        result = task(experiment, dataset, parameters.seed).evaluate(bundle.network())
        seconds = time.perf_counter() - started
        figures = _test_figures(bundle, dataset, result, seconds)
        _log_evaluation(run, name, experiment, figures, result)
        run.log_model(paths.bundle(name), name, _example_texts(dataset))
    write_json(paths.metrics(name), figures)


def _test_figures(
    bundle: Bundle, dataset: PreparedDataset, result: Evaluation, seconds: float
) -> dict[str, Any]:
    """What ``metrics/<experiment>.json`` holds."""
    from nlp_rnn.text.entities import is_entity_scheme

    training = ("epochs", "best_epoch", "seconds", "tokens_per_second")
    return {
        "test": result.test,
        "baselines": result.baselines,
        "optimum": dataset.optimum,
        "training": {figure: bundle.figures[figure] for figure in training},
        "model": {
            "task": bundle.experiment.task,
            "parameters": bundle.figures["parameters"],
            "entities": is_entity_scheme(bundle.labels),
        },
        "evaluation": {"seconds": seconds},
    }


def _log_evaluation(
    run: Run, name: str, experiment: AnyExperiment, figures: dict[str, Any], result: Evaluation
) -> None:
    """Figures, pictures and the worst predictions, in MLflow and as files."""
    from nlp_rnn.evaluation.metrics import confusion
    from nlp_rnn.evaluation.plots import confusion_picture, save
    from nlp_rnn.evaluation.report import headline, rows_of

    folder = paths.evaluation_plots(name)
    run.describe("\n\n".join([*map(headline, rows_of(name, figures)), f"`{experiment.model!r}`"]))
    run.log_metrics({k: figures[k] for k in ("test", "baselines", "optimum", "evaluation")})
    if result.labels:
        pairs = zip(result.gold, result.predicted, strict=True)  # DVC counts them
        names = result.labels
        rows = [{"gold": names[gold], "predicted": names[best]} for gold, best in pairs]
        _write_table(folder / "confusion.csv", rows)
        picture = folder / "confusion.png"
        matrix = confusion(result.gold, result.predicted, len(result.labels))
        save(confusion_picture(matrix, result.labels, name), picture)
        run.log_file(picture, "plots")
    run.log_table(result.samples, "worst_predictions.json")
    write_json(folder / "worst_predictions.json", result.samples)


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
    from nlp_rnn.evaluation.report import markdown, result_rows

    rows = result_rows(Path("metrics"))
    if not rows:
        raise UserError("metrics: no figures there yet; run the pipeline: dvc repro")
    table = markdown(rows)
    with whole_file(Path("reports/results.md")) as partial:
        partial.write_text(table + "\n", encoding="utf-8")
    save(results_picture(rows), Path("reports/results.png"))
    print(table)
