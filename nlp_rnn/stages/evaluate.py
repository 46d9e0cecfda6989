"""Stage evaluate: a trained model on the test split."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from nlp_rnn import paths
from nlp_rnn.config import LearnedEmbeddings, PretrainedEmbeddings, load_part, to_yaml
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, whole_folder, write_json, write_table
from nlp_rnn.hints import Remedy
from nlp_rnn.process import log
from nlp_rnn.stages.common import check_parameters
from nlp_rnn.stages.finished import forget_finished

if TYPE_CHECKING:
    from pathlib import Path

    from nlp_rnn.config import AnyExperiment
    from nlp_rnn.evaluation.result import Evaluation
    from nlp_rnn.runtime.bundle import Bundle
    from nlp_rnn.runtime.network import Network
    from nlp_rnn.tasks.task import Task
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.tracking import Run


def evaluate(name: str) -> None:
    """Judge a trained model on the test split, beside its baselines and the known optimum."""
    parameters = load_part("experiments", name)
    experiment = parameters.experiment(name)

    from nlp_rnn import tracking
    from nlp_rnn.evaluation.predictions import write_predictions
    from nlp_rnn.evaluation.report import headline_metrics, plain_headline, rows_of
    from nlp_rnn.runtime.bundle import Bundle
    from nlp_rnn.text.prepared import PreparedDataset

    bundle = Bundle.open(paths.bundle(name))
    dataset = PreparedDataset(
        paths.prepared(experiment.dataset),
        bundle.vocabulary if experiment.embeddings.more_words else None,
    )
    remedy = Remedy("train again", name, ("train",))
    if bundle.provenance.get("data_sha256") != dataset.card["data_sha256"]:
        raise UserError(f"{bundle.folder}: was trained on other data; {remedy}")
    check_parameters(bundle, experiment, remedy)
    record = read_json(paths.run_record(name), remedy)
    bundle.check_copyable()  # MLflow will copy it
    forget_finished(name)

    from nlp_rnn.tasks.registry import make_task

    with tracking.run(parameters.tracking.experiment, name, record["run_id"]) as run:
        started = time.perf_counter()
        task, network = make_task(experiment, dataset, parameters.seed), bundle.network()
        result = task.evaluate(network, bundle.temperature, bundle.thresholds)
        seconds = time.perf_counter() - started
        figures = _test_figures(bundle, task, result, seconds)
        figures |= _adapted_figures(task, network, bundle)
        figures |= _seed_figures(run, task, bundle, result)
        _log_evaluation(run, name, experiment, figures, result)
        _explain_errors(bundle, network, dataset, result)
        run.log_model(paths.bundle(name), name, _example_texts(dataset))
    write_predictions(paths.predictions(name), result.predictions)
    write_json(paths.figures(name), figures)
    write_json(paths.metrics(name), headline_metrics(figures, bundle.figures["validation"]))
    for row in rows_of(name, figures):
        log(f"{name}: {plain_headline(row)}")
    log(f"{name}: all of it is in {paths.figures(name)} and {paths.evaluation_plots(name)}")


def _test_figures(bundle: Bundle, task: Task, result: Evaluation, seconds: float) -> dict[str, Any]:
    """What ``figures/<experiment>.json`` holds."""
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
        "baselines": result.baselines | _baselines_of(task.dataset),
        "optimum": task.optimum,
        "training": {figure: bundle.figures[figure] for figure in training},
        "model": {
            "task": bundle.experiment.task,
            "dataset": bundle.experiment.dataset,
            "data_sha256": task.dataset.card["data_sha256"],
            "vectors": _vectors(bundle.experiment),
            "all_but_vectors": fingerprint(bundle.experiment.model_dump(exclude={"embeddings"})),
            "parameters": bundle.figures["parameters"],
            "entities": task.dataset.entities,
            "select": bundle.experiment.training.select,
        },
        "evaluation": {"seconds": seconds},
    }


def _baselines_of(dataset: PreparedDataset) -> dict[str, dict[str, Any]]:
    """The test metrics of the data set's baselines, where they were fitted to the same data."""
    file = paths.baseline_figures(dataset.card["name"])
    if not file.is_file():
        return {}
    remedy = Remedy("fit the baselines again", file.stem, ("baselines",))
    found = read_json(file, remedy)
    if found["data_sha256"] != dataset.card["data_sha256"]:
        return {}
    return {name: fitted["test"] for name, fitted in found["baselines"].items()}


def _vectors(experiment: AnyExperiment) -> str:
    """What a table calls the vectors that an experiment starts from."""
    from nlp_rnn.evaluation.report import RANDOM

    if isinstance(experiment.embeddings, LearnedEmbeddings):
        return RANDOM
    if isinstance(experiment.embeddings, PretrainedEmbeddings):
        return experiment.embeddings.file
    return experiment.embeddings.kind


def _seed_figures(run: Run, task: Task, best: Bundle, result: Evaluation) -> dict[str, Any]:
    """The test figures of every seed, their means and standard deviations.

    Args:
        run: of all seeds; each of them completes its own, under this one.
        best: the bundle whose ``result`` is known already.
    """
    seeds = task.training.seeds
    if seeds is None:
        return {}

    from nlp_rnn import tracking
    from nlp_rnn.evaluation.analysis import over_seeds
    from nlp_rnn.runtime.bundle import SEEDS, Bundle

    each = {}
    for seed in seeds:
        bundle, judged = best, result
        if seed != best.provenance["seed"]:
            bundle = Bundle.open(best.folder / SEEDS / str(seed))
            found = bundle.temperature, bundle.thresholds
            judged = task.evaluate(bundle.network(), *found)
        name, own = f"{run.name} seed {seed}", bundle.provenance["run_id"]
        with tracking.run(run.experiment, name, own, parent=run.id) as child:
            child.log_metrics({"test": judged.test})
        each[str(seed)] = judged.test
    return {"seeds": over_seeds(each)}


def _adapted_figures(task: Task, network: Network, bundle: Bundle) -> dict[str, Any]:
    """What ``evaluation:`` of a language model asks for, apart from its plain figures."""
    from nlp_rnn.tasks.language_modelling import LanguageModelling

    if not isinstance(task, LanguageModelling) or not task.evaluation:
        return {}

    from nlp_rnn.tasks.adapted import adapted

    return {"adapted": adapted(task, network, bundle.keras_model)}


def _log_evaluation(
    run: Run, name: str, experiment: AnyExperiment, figures: dict[str, Any], result: Evaluation
) -> None:
    """Figures, pictures and the worst predictions, in MLflow and as files."""
    from nlp_rnn.drawing import save
    from nlp_rnn.evaluation.analysis import write_analysis
    from nlp_rnn.evaluation.plots import attention_picture
    from nlp_rnn.evaluation.report import headline, rows_of
    from nlp_rnn.evaluation.role_page import write_role_page

    folder = paths.evaluation_plots(name)
    for drawn in (paths.confusion(name), paths.calibration(name)):
        _write_for_dvc(drawn, [])
    run.describe("\n\n".join([*map(headline, rows_of(name, figures)), _described(experiment)]))
    groups = ("test", "intervals", "calibration", "baselines", "optimum", "adapted", "evaluation")
    run.log_metrics({k: figures[k] for k in groups if k in figures})
    if "seeds" in figures:
        run.log_metrics({"seeds": {k: figures["seeds"][k] for k in ("mean", "deviation")}})
    if result.labels and not result.multi_label:
        _log_confusion(run, name, result)
    if result.labels:
        tables = write_analysis(folder, name, figures, result)
        for table, rows in tables.items():
            run.log_table(rows, f"{table}.json")
        _write_for_dvc(paths.calibration(name), tables["reliability"])
        for diagram in sorted(folder.glob("*reliability.png")):
            run.log_file(diagram, "plots")
        run.log_file(folder / "report.md")
    if result.attention:
        picture = folder / "attention.png"
        save(attention_picture(result.attention, name), picture)
        run.log_file(picture, "plots")
        write_json(folder / "attention.json", result.attention)
    if result.roles:
        write_role_page(folder / "roles.html", result.roles, name)
        run.log_file(folder / "roles.html", "plots")
    run.log_table(result.samples, "worst_predictions.json")
    write_json(folder / "worst_predictions.json", result.samples)


def _explain_errors(
    bundle: Bundle, network: Network, dataset: PreparedDataset, result: Evaluation
) -> None:
    """Write which words the worst errors rest on, for the report."""
    if not result.labels:
        return

    from nlp_rnn.explanation.errors import explained_errors

    found = explained_errors(bundle, network, dataset, result.samples)
    write_json(paths.evaluation_plots(bundle.name) / "explanations.json", found)


def _log_confusion(run: Run, name: str, result: Evaluation) -> None:
    """Which label or tag was taken for which."""
    from nlp_rnn.drawing import save
    from nlp_rnn.evaluation.metrics import confusion
    from nlp_rnn.evaluation.plots import confusion_picture

    names = result.labels
    pairs = zip(result.gold, result.predicted, strict=True)  # DVC counts them
    rows = [{"gold": names[gold], "predicted": names[best]} for gold, best in pairs]
    _write_for_dvc(paths.confusion(name), rows)
    picture = paths.evaluation_plots(name) / "confusion.png"
    matrix = confusion(result.gold, result.predicted, len(names))
    save(confusion_picture(matrix, names, name), picture)
    run.log_file(picture, "plots")


def _write_for_dvc(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write a table that DVC draws, in a folder that is there even where there is none to draw."""
    with whole_folder(folder) as partial:
        if rows:
            write_table(partial / f"{folder.name}.csv", rows)


def _described(experiment: AnyExperiment) -> str:
    """The model as ``params.yaml`` has it, in Markdown."""
    values = experiment.model.model_dump(mode="json", exclude_unset=True)
    return f"```yaml\n{to_yaml({'model': values})}```"


def _example_texts(dataset: PreparedDataset) -> list[str]:
    """Two texts of the test split, as a user of the model would give them."""
    records = itertools.islice(dataset.split("test").records(), 2)
    from nlp_rnn.text.gold import source_text

    return [
        source_text(record) if "text" in record else " ".join(record["tokens"])
        for record in records
    ]
