"""The stages of the pipeline, one function each; ``pipelines/`` and ``dvc.yaml`` call them.

Heavy modules are imported inside, so that a mistake in the parameters answers at once.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nlp_rnn import backend, paths
from nlp_rnn.config import GrammarDataset, load
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, whole_file, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nlp_rnn.tasks.task import Evaluation
    from nlp_rnn.training.checkpoint import Progress


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


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
    folder = paths.prepared(name)
    card = prepare_dataset(name, corpus, dataset.tokenizer, dataset.vocabulary, folder, progress)
    if isinstance(dataset, GrammarDataset):
        from nlp_rnn.corpora import grammar
        from nlp_rnn.text.vocabulary import Vocabulary

        unit: Literal["word", "character"]
        unit = "character" if dataset.tokenizer.unit == "character" else "word"
        vocabulary = frozenset(Vocabulary.load(folder / "vocabulary.json").types)
        write_json(
            folder / "optimum.json",
            grammar.optimum(dataset.corpus, list(corpus.read("test")), vocabulary, unit),
        )
    for split, counts in card["splits"].items():
        _log(
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
        paths.embeddings(name), experiment.embeddings, dataset.vocabulary, parameters.seed
    )
    if "type_coverage" in coverage:
        _log(
            f"{name}: vectors for {coverage['type_coverage']:.1%} of types, "
            f"{coverage['token_coverage']:.1%} of tokens"
        )


def train(name: str) -> None:
    """Train an experiment's model; an interrupted training goes on where it was."""
    parameters = load()
    experiment = parameters.experiment(name)
    backend_name = backend.select(parameters.backend)

    import numpy as np

    from nlp_rnn import tracking
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
    vectors_file = paths.embeddings(name) / "vectors.npy"
    vectors = np.load(vectors_file, allow_pickle=False)
    work = task(experiment, dataset, parameters.seed)
    network = work.network(vectors)
    objective = compiled(work.objective(network), experiment.training)
    identity = fingerprint(
        experiment.model_dump(),
        dataset.card["data_sha256"],
        sha256(vectors_file),
        parameters.seed,
        backend_name,
    )
    checkpoint = Checkpoint(paths.checkpoints(name), identity)
    previous = checkpoint.load()
    notes = paths.checkpoints(name) / "run.json"
    run_id = read_json(notes, "start anew")["run_id"] if previous and notes.exists() else None
    with tracking.run(parameters.tracking.experiment, name, run_id, missing="new") as run:
        write_json(notes, {"run_id": run.id})
        run.log_parameters(
            {
                "backend": backend_name,
                "seed": parameters.seed,
                **experiment.model_dump(),
                "parameters": network.count_params(),
            }
        )
        run.log_data(dataset.card)
        if previous:
            # A run killed between its checkpoint and its log lacks an epoch here.
            logged = run.steps("validation/loss")
            for epoch, row in enumerate(previous[-1].history, start=1):
                if epoch not in logged:
                    run.log_metrics(row, epoch)
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
        _write_history(folder / "loss.csv", progress.history)
        picture = folder / "loss.png"
        save(loss_curves(progress.history, progress.best_epoch, name), picture)
        run.log_file(picture, "plots")
        run.log_metrics({"training": {k: v for k, v in figures.items() if k != "history"}})
        write_json(paths.run_record(name), {"run_id": run.id, "uri": tracking.tracking_uri()})
    checkpoint.clear()
    notes.unlink(missing_ok=True)


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


def _write_history(file: Path, history: Sequence[dict[str, float]]) -> None:
    """One line an epoch, for ``dvc plots``."""
    with whole_file(file) as partial:
        # Vega, which draws DVC's plots, gives dots and slashes in names a meaning of its own.
        names = [name.replace("/", "_") for name in history[0]]
        lines = [",".join(["epoch", *names])]
        for epoch, row in enumerate(history, start=1):
            lines.append(",".join([str(epoch), *(f"{value:.6g}" for value in row.values())]))
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def evaluate(name: str) -> None:
    """Judge a trained model on the test split, beside its baselines and the known optimum."""
    parameters = load()
    experiment = parameters.experiment(name)
    backend.select(parameters.backend)

    from nlp_rnn import tracking
    from nlp_rnn.evaluation.metrics import confusion, is_entity_scheme
    from nlp_rnn.evaluation.plots import confusion_picture, save
    from nlp_rnn.evaluation.report import markdown, rows_of
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.tasks.registry import task
    from nlp_rnn.text.prepared import PreparedDataset

    bundle = Bundle.open(paths.bundle(name))
    dataset = PreparedDataset(paths.prepared(experiment.dataset))
    started = time.perf_counter()
    result = task(experiment, dataset, parameters.seed).evaluate(bundle.network())
    record = read_json(paths.run_record(name), f"train again: dvc repro -f train@{name}")
    training = {k: bundle.figures[k] for k in ("epochs", "best_epoch", "seconds")}
    training["tokens_per_second"] = bundle.figures["tokens_per_second"]
    figures = {
        "test": result.test,
        "baselines": result.baselines,
        "optimum": dataset.optimum,
        "training": training,
        "model": {
            "task": experiment.task,
            "parameters": bundle.figures["parameters"],
            "entities": is_entity_scheme(bundle.labels),
        },
        "evaluation": {"seconds": time.perf_counter() - started},
    }
    folder = paths.evaluation_plots(name)
    with tracking.run(parameters.tracking.experiment, name, record["run_id"]) as run:
        run.describe(f"{markdown(rows_of(name, figures))}\n\n`{experiment.model!r}`")
        run.log_metrics({k: figures[k] for k in ("test", "baselines", "optimum", "evaluation")})
        if result.labels:
            _write_confusion(folder / "confusion.csv", result)
            picture = folder / "confusion.png"
            matrix = confusion(result.gold, result.predicted, len(result.labels))
            save(confusion_picture(matrix, result.labels, name), picture)
            run.log_file(picture, "plots")
        run.log_table(result.samples, "worst_predictions.json")
        write_json(folder / "worst_predictions.json", result.samples)
        examples = [
            str(sample["text"]) for sample in sorted(result.samples, key=lambda s: len(s["text"]))
        ]
        run.log_model(paths.bundle(name), name, examples[:2])
    write_json(paths.metrics(name), figures)


def _write_confusion(file: Path, result: Evaluation) -> None:
    """One line a target; ``dvc plots`` counts them."""
    with whole_file(file) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["gold", "predicted"])
        for gold, predicted in zip(result.gold, result.predicted, strict=True):
            rows.writerow([result.labels[gold], result.labels[predicted]])


def report() -> None:
    """Print the table of all results, and draw it in reports/results.png."""
    from nlp_rnn.evaluation.plots import results_picture, save
    from nlp_rnn.evaluation.report import markdown, result_rows

    rows = result_rows(Path("metrics"))
    if not rows:
        raise UserError("metrics: no figures there yet; run the pipeline: dvc repro")
    save(results_picture(rows), Path("reports/results.png"))
    print(markdown(rows))
