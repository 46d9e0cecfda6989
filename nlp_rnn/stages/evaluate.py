"""Stage evaluate: a trained model on the test split."""

from __future__ import annotations

import itertools
import time
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from nlp_rnn import paths
from nlp_rnn.config import (
    LearnedEmbeddings,
    Parameters,
    PretrainedEmbeddings,
    load_part,
    to_yaml,
)
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, whole_folder, write_json, write_table
from nlp_rnn.hints import Remedy
from nlp_rnn.process import log
from nlp_rnn.stages.common import check_parameters
from nlp_rnn.stages.finished import forget_finished
from nlp_rnn.stages.several import Member, members_of
from nlp_rnn.stages.start import Start, said_of_old_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nlp_rnn.config import AnyExperiment
    from nlp_rnn.evaluation.result import Evaluation
    from nlp_rnn.runtime.bundle import Bundle
    from nlp_rnn.runtime.network import Network
    from nlp_rnn.tasks.task import Task
    from nlp_rnn.text.prepared import PreparedDataset
    from nlp_rnn.tracking import Run


class Judged(NamedTuple):
    """A trained model, judged on its test split.

    Attributes:
        network: the network of the bundle.
        temperature: the divisor of its logits.
        calibration: why it is this one.
        seconds: what the evaluation took.
    """

    task: Task
    bundle: Bundle
    network: Network
    result: Evaluation
    temperature: float
    calibration: str | None
    seconds: float


TIMED = 500
"""The number of test texts by which the time of predictions is measured."""


def evaluate(name: str) -> None:
    """Judge a trained model on the test split, beside its baselines and the known optimum."""
    parameters = load_part("experiments", name)
    experiment = parameters.experiment(name)

    from nlp_rnn import tracking
    from nlp_rnn.evaluation.analysis import told_of_several
    from nlp_rnn.evaluation.predictions import write_predictions
    from nlp_rnn.evaluation.report import headline_metrics, plain_headline, rows_of
    from nlp_rnn.runtime.bundle import Bundle

    bundle = Bundle.open(paths.bundle(name))
    members = members_of(parameters, experiment)
    bundles = {member: member.bundle(bundle) for member in members}
    remedy = Remedy("train again", name, ("train",))
    for trained in (bundle, *bundles.values()):
        _check_data(trained, experiment, remedy)
    check_parameters(bundle, experiment, remedy)
    start = Start.of(parameters, name, experiment)
    if start is not None and bundle.provenance.get("start") != start.origin:
        raise UserError(f"{bundle.folder}: was trained from another model; {remedy}")
    record = read_json(paths.run_record(name), remedy)
    bundle.check_copyable()  # MLflow will copy it
    forget_finished(name)

    with tracking.run(parameters.tracking.experiment, name, record["run_id"]) as run:
        tasks = _tasks(parameters, experiment, (bundle, *bundles.values()))
        each = {member: _judged(tasks, of) for member, of in bundles.items()}
        own = _judged_as_one(tasks, bundle, each)
        _log_members(run, each)
        figures = _test_figures(own)
        figures |= _adapted_figures(own.task, own.network, bundle)
        figures |= _several_figures(own, each)
        figures |= _start_figures(start, own.task, bundle)
        _log_evaluation(run, name, experiment, figures, own.result)
        _explain_errors(own, each)
        run.log_model(paths.bundle(name), name, _example_texts(own.task.dataset))
    write_predictions(paths.predictions(name), own.result.predictions)
    write_json(paths.figures(name), figures)
    write_json(paths.metrics(name), headline_metrics(figures, bundle.figures["validation"]))
    for row in rows_of(name, figures):
        log(f"{name}: {plain_headline(row)}")
    for sentence in told_of_several(figures):
        log(f"{name}: {sentence}")
    log(f"{name}: all of it is in {paths.figures(name)} and {paths.evaluation_plots(name)}")


def _dataset(bundle: Bundle, experiment: AnyExperiment) -> PreparedDataset:
    """The prepared data of a bundle, those of its fold, with what its network knows besides."""
    from nlp_rnn.text.prepared import PreparedDataset

    folder = paths.fold(paths.prepared(experiment.dataset), _fold(bundle))
    if experiment.start_from is not None:
        return PreparedDataset(folder, bundle.vocabulary, bundle.labels, bundle.characters)
    return PreparedDataset(folder, bundle.vocabulary if experiment.embeddings.more_words else None)


def _check_data(bundle: Bundle, experiment: AnyExperiment, remedy: Remedy) -> None:
    """Raise UserError unless a bundle was trained on the data that are prepared."""
    now = _dataset(bundle, experiment).card["data_sha256"]
    if bundle.provenance.get("data_sha256") != now:
        raise UserError(f"{bundle.folder}: was trained on other data; {remedy}")


def _tasks(
    parameters: Parameters, experiment: AnyExperiment, bundles: Iterable[Bundle]
) -> dict[int, Task]:
    """The task of each fold that bundles are of; seeds share one."""
    from nlp_rnn.tasks.registry import make_task

    of_folds = {_fold(bundle): bundle for bundle in bundles}
    return {
        fold: make_task(experiment, _dataset(bundle, experiment), parameters.seed)
        for fold, bundle in of_folds.items()
    }


def _fold(bundle: Bundle) -> int:
    """The number of the fold whose test split judges a bundle, from 1."""
    return int(bundle.provenance.get("fold", 1))


def _judged(tasks: Mapping[int, Task], bundle: Bundle) -> Judged:
    """Judge one model."""
    started = time.perf_counter()
    task, network = tasks[_fold(bundle)], bundle.network()
    result = task.evaluate(network, **bundle.calibration)
    seconds = time.perf_counter() - started
    chosen = bundle.figures.get("calibration")
    return Judged(task, bundle, network, result, bundle.temperature, chosen, seconds)


def _judged_as_one(
    tasks: Mapping[int, Task], bundle: Bundle, each: Mapping[Member, Judged]
) -> Judged:
    """What the experiment reaches: in all folds together, or with the model that was kept."""
    if any(member.fold for member in each):
        from nlp_rnn.evaluation.pooled import pooled
        from nlp_rnn.tasks.task import ERRORS_SHOWN

        return Judged(
            tasks[1],
            bundle,
            bundle.network(),
            pooled([judged.result for judged in each.values()], ERRORS_SHOWN),
            fmean(judged.temperature for judged in each.values()),
            "Each fold has a temperature of its own; this is their mean.",
            sum(judged.seconds for judged in each.values()),
        )
    same = (judged for judged in each.values() if judged.bundle is bundle)
    return next(same, None) or _judged(tasks, bundle)


def _log_members(run: Run, each: Mapping[Member, Judged]) -> None:
    """Complete the run of each member, under that of all."""
    from nlp_rnn import tracking

    for member, judged in each.items():
        name, own = f"{run.name} {member}", judged.bundle.provenance["run_id"]
        with tracking.run(run.experiment, name, own, parent=run.id) as child:
            child.log_metrics({"test": judged.result.test})


def _test_figures(judged: Judged) -> dict[str, Any]:
    """What ``figures/<experiment>.json`` holds."""
    from nlp_rnn.evaluation.analysis import certainty, harm
    from nlp_rnn.training.checkpoint import fingerprint

    task, bundle, result = judged.task, judged.bundle, judged.result
    training = ("epochs", "best_epoch", "seconds", "tokens_per_second")
    sure = certainty(result, judged.temperature, bundle.intent_temperature)
    if "calibration" in sure:
        sure["calibration_choice"] = judged.calibration
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
        "evaluation": {"seconds": judged.seconds},
    }


def _start_figures(start: Start | None, task: Task, bundle: Bundle) -> dict[str, Any]:
    """Where an experiment started, and the metrics on the old data before and after training."""
    if start is None:
        return {}
    found: dict[str, Any] = {"start": start.origin}
    if not (old := start.measured(bundle, task)):
        return found
    log(f"{bundle.name}: on the old data, {old['dataset']}, {said_of_old_data(old)}")
    return found | {"old_data": old}


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

    embeddings = experiment.embeddings
    if isinstance(embeddings, LearnedEmbeddings):
        found = RANDOM
    elif isinstance(embeddings, PretrainedEmbeddings):
        found = embeddings.file
    else:
        found = embeddings.kind
    context = embeddings.contextual
    return found if context is None else f"{found}, {context.vectors} in context"


def _several_figures(own: Judged, each: Mapping[Member, Judged]) -> dict[str, Any]:
    """The test figures of all members, their means and standard deviations; and of what is made of
    them its gain and cost."""
    if not each:
        return {}

    from nlp_rnn.evaluation.analysis import gain_over, over_seeds

    tests = {str(member.number): judged.result.test for member, judged in each.items()}
    found = over_seeds(tests)
    keep, kind = own.bundle.experiment.training.keep, next(iter(each)).kind
    if keep == "best":
        return {f"{kind}s": found}
    kept: dict[str, Any] = {"what": keep, "members": len(each), "cost": _cost(own, each)}
    if kind == "fold":
        return {"folds": found, "kept": kept}
    return {"kept": kept | {"gain": gain_over(found["mean"], own.result.test), "each": found}}


def _cost(own: Judged, each: Mapping[Member, Judged]) -> dict[str, float]:
    """How much slower and larger a bundle is than one of its members."""
    first = next(iter(each.values()))
    seconds, of_one = (_seconds_to_predict(first.task, judged) for judged in (own, first))
    sizes = [judged.bundle.bytes_to_predict for judged in (own, first)]
    return {"times_slower": seconds / of_one, "bytes": sizes[0], "bytes_of_one": sizes[1]}


def _seconds_to_predict(task: Task, judged: Judged) -> float:
    """The processor time that a network takes for some test texts, the shorter of two."""
    from nlp_rnn.runtime.forward import label_logits
    from nlp_rnn.tasks.examples import EVALUATION_BATCH, ExamplesTask

    assert isinstance(task, ExamplesTask)
    numbers = [i for i, length in enumerate(task.dataset.split("test").lengths[:TIMED]) if length]
    texts = task.encoded("test", numbers, task.max_length)
    seconds = []
    for _ in range(2):
        started = time.process_time()
        for _ in label_logits(judged.network, texts, EVALUATION_BATCH):
            pass
        seconds.append(time.process_time() - started)
    return min(seconds)


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
    from nlp_rnn.evaluation.analysis import told_of_several, write_analysis
    from nlp_rnn.evaluation.plots import attention_picture
    from nlp_rnn.evaluation.report import headline, rows_of
    from nlp_rnn.evaluation.role_page import write_role_page

    folder = paths.evaluation_plots(name)
    for drawn in (paths.confusion(name), paths.calibration(name)):
        _write_for_dvc(drawn, [])
    told = [*map(headline, rows_of(name, figures)), *told_of_several(figures)]
    run.describe("\n\n".join([*told, _described(experiment)]))
    groups = (
        *("test", "intervals", "calibration", "baselines", "optimum", "adapted", "evaluation"),
        "old_data",
    )
    run.log_metrics({k: figures[k] for k in groups if k in figures})
    for several in ("seeds", "folds"):
        if several in figures:
            run.log_metrics({several: {k: figures[several][k] for k in ("mean", "deviation")}})
    if "kept" in figures:
        kept = figures["kept"]
        run.log_metrics({"kept": {k: kept[k] for k in ("gain", "cost") if k in kept}})
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


def _explain_errors(own: Judged, each: Mapping[Member, Judged]) -> None:
    """Write which words the worst errors rest on, for the report; those of folds lie in several
    test splits, and are left out."""
    result = own.result
    if not result.labels or any(member.fold for member in each):
        return

    from nlp_rnn.explanation.errors import explained_errors

    found = explained_errors(own.bundle, own.network, own.task.dataset, result.samples)
    write_json(paths.evaluation_plots(own.bundle.name) / "explanations.json", found)


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
