"""Stages evaluate, baselines and report: every figure, and all of them in one table."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn import paths
from nlp_rnn.config import LearnedEmbeddings, PretrainedEmbeddings, load
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, whole_file, whole_folder, write_json, write_table
from nlp_rnn.hints import Remedy
from nlp_rnn.process import log
from nlp_rnn.stages.common import check_parameters
from nlp_rnn.stages.finished import forget_finished

if TYPE_CHECKING:
    from nlp_rnn.config import AnyExperiment
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.inference.network import Network
    from nlp_rnn.tasks.task import Evaluation, Task
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.tracking import Run


def evaluate(name: str) -> None:
    """Judge a trained model on the test split, beside its baselines and the known optimum."""
    parameters = load()
    experiment = parameters.experiment(name)

    from nlp_rnn import tracking
    from nlp_rnn.evaluation.predictions import write_predictions
    from nlp_rnn.inference.bundle import Bundle
    from nlp_rnn.text.prepared import PreparedDataset

    bundle = Bundle.open(paths.bundle(name))
    dataset = PreparedDataset(
        paths.prepared(experiment.dataset),
        bundle.vocabulary if experiment.embeddings.more_words else None,
    )
    mend = Remedy("train again", name, ("train",))
    if bundle.provenance.get("data_sha256") != dataset.card["data_sha256"]:
        raise UserError(f"{bundle.folder}: was trained on other data; {mend}")
    check_parameters(bundle, experiment, mend)
    record = read_json(paths.run_record(name), mend)
    forget_finished(name)

    from nlp_rnn.tasks.registry import task

    with tracking.run(parameters.tracking.experiment, name, record["run_id"]) as run:
        started = time.perf_counter()
        work, network = task(experiment, dataset, parameters.seed), bundle.network()
        result = work.evaluate(network, bundle.temperature)
        seconds = time.perf_counter() - started
        figures = _test_figures(bundle, work, result, seconds)
        figures |= _adapted_figures(work, network, bundle)
        figures |= _seed_figures(run, work, bundle, result)
        _log_evaluation(run, name, experiment, figures, result)
        run.log_model(paths.bundle(name), name, _example_texts(dataset))
    write_predictions(paths.predictions(name), result.predictions)
    write_json(paths.metrics(name), figures)


def _test_figures(bundle: Bundle, work: Task, result: Evaluation, seconds: float) -> dict[str, Any]:
    """What ``metrics/<experiment>.json`` holds."""
    from nlp_rnn.evaluation.analysis import certainty, harm
    from nlp_rnn.training.checkpoint import fingerprint

    training = ("epochs", "best_epoch", "seconds", "tokens_per_second")
    sure = certainty(result, bundle.temperature)
    if "calibration" in sure:
        sure["calibration_choice"] = bundle.figures.get("calibration")
        if worse := harm(sure["calibration"]):
            log(f"{bundle.name}: {worse}")
    return {
        "test": result.test,
        **sure,
        "baselines": result.baselines,
        "optimum": work.optimum,
        "training": {figure: bundle.figures[figure] for figure in training},
        "model": {
            "task": bundle.experiment.task,
            "dataset": bundle.experiment.dataset,
            "data_sha256": work.dataset.card["data_sha256"],
            "vectors": _vectors(bundle.experiment),
            "all_but_vectors": fingerprint(bundle.experiment.model_dump(exclude={"embeddings"})),
            "parameters": bundle.figures["parameters"],
            "entities": work.dataset.entities,
        },
        "evaluation": {"seconds": seconds},
    }


def _vectors(experiment: AnyExperiment) -> str:
    """What a table calls the vectors that an experiment starts from."""
    from nlp_rnn.evaluation.report import RANDOM

    if isinstance(experiment.embeddings, LearnedEmbeddings):
        return RANDOM
    if isinstance(experiment.embeddings, PretrainedEmbeddings):
        return experiment.embeddings.file
    return experiment.embeddings.kind


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
        write_table(folder / "confusion.csv", rows)
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


def _example_texts(dataset: PreparedDataset) -> list[str]:
    """Two texts of the test split, as a user of the model would give them."""
    records = itertools.islice(dataset.split("test").records(), 2)
    return [record.get("text") or " ".join(record.get("tokens", ())) for record in records]


def baselines(name: str) -> None:
    """Fit the simple models that a network must beat; judge them on the test split."""
    parameters = load()
    parameters.dataset(name)

    from nlp_rnn import tracking
    from nlp_rnn.baselines.suite import fit_all, judged
    from nlp_rnn.evaluation.predictions import write_predictions
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
            "optimum": dataset.optimum("words"),
            "data_sha256": dataset.card["data_sha256"],
            "entities": dataset.entities,
        },
    )


def report() -> None:
    """Print the table of all results, keep it in reports/results.md and draw it beside."""
    from nlp_rnn.evaluation.plots import results_picture, save
    from nlp_rnn.evaluation.report import (
        Results,
        adapted_markdown,
        gains,
        markdown,
        result_rows,
        stale_markdown,
        standings,
    )

    results = Results.read(Path("metrics"))
    rows = result_rows(results)
    if not rows and results.stale:
        raise UserError(
            "metrics: all figures are of other data than the prepared ones; "
            f"{next(reversed(results.stale))}"
        )
    if not rows:
        raise UserError("metrics: no figures there yet; run the pipeline: dvc repro")
    table = markdown(rows)
    if standing := standings(rows, results):
        table += f"\n\nEach data set's baselines and networks, from the worst:\n\n{standing}"
    if gained := gains(rows):
        table += f"\n\nWhat word vectors are worth, all else being equal:\n\n{gained}"
    if adapted := adapted_markdown(results):
        table += f"\n\nLanguage models with more at test time, apart from the above:\n\n{adapted}"
    if stale := stale_markdown(results):
        table += f"\n\nLeft out, because they are of other data than the prepared ones:\n\n{stale}"
    with whole_file(Path("reports/results.md")) as partial:
        partial.write_text(table + "\n", encoding="utf-8")
    save(results_picture(rows), Path("reports/results.png"))
    print(table)
