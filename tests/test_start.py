"""``start_from``: what the stages do with a trained model, and what they refuse."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from ruamel.yaml import YAML

from helpers.project import Project
from nlp_rnn import stages
from nlp_rnn.config import load_part, parse
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS
from nlp_rnn.files import sha256
from nlp_rnn.projects.pipeline import dvc_yaml, knows_starts, write_pipeline
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.stages.start import Start

SIZES = dict.fromkeys(SPLITS, 5)

ROWS = {"old": "good fun,p\nbad bore,n\n", "new": "great fun,p\ndull talk,d\n"}


def files(name: str) -> dict[str, Any]:
    return {
        **{"source": "files", "format": "csv", "header": False},
        **{"text_column": 0, "label_column": 1},
        **{split: f"{name}.{split}.csv" for split in SPLITS},
        "tokenizer": {"unit": "word"},
    }


def experiment(dataset: str, **sections: Any) -> dict[str, Any]:
    return {
        "task": "classification",
        "dataset": dataset,
        "embeddings": {"kind": "learned", "dimension": 4},
        "model": {"units": 4},
        "training": {"epochs": 1},
        **sections,
    }


PARAMETERS: dict[str, Any] = {
    "backend": "tensorflow",
    "datasets": {"old": files("old"), "new": files("new")},
    "experiments": {
        "first": experiment("old"),
        "second": experiment("new", start_from={"model": "first", "rehearse": {"examples": 3}}),
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("start")
    for name, rows in ROWS.items():
        for times, split in enumerate(SPLITS, 4):
            (folder / f"{name}.{split}.csv").write_text(rows * times)
    project = Project(folder, PARAMETERS)
    project.prepare()
    with project.inside():
        for name in PARAMETERS["experiments"]:
            stages.embed(name)
            stages.train(name)
        stages.evaluate("second")
        yield folder


@pytest.mark.slow
def test_a_trained_model_goes_on_with_new_words_and_labels(project: Path) -> None:
    first, second = (Bundle.open(Path("models") / name) for name in ("first", "second"))
    assert first.labels == second.labels[:2]
    assert second.labels[2:] == ["d"]
    assert {"great", "dull", "talk"} <= {*second.vocabulary.types}
    assert second.vocabulary.types[: len(first.vocabulary)] == first.vocabulary.types


@pytest.mark.slow
def test_metrics_on_the_old_data_stand_beside_those_before(project: Path) -> None:
    figures = json.loads(Path("figures/second.json").read_text())["old_data"]
    assert figures["dataset"] == "old"
    for when in ("before", "after"):
        for split in ("validation", "test"):
            assert set(figures[when][split]) == {"loss", "accuracy", "f1"}
    validation = Bundle.open(Path("models/first")).figures["validation"]
    assert figures["before"]["validation"]["loss"] == pytest.approx(validation["loss"], abs=1e-5)


@pytest.mark.slow
def test_the_run_and_the_bundle_say_where_they_come_from(project: Path) -> None:
    record, first = (
        json.loads(Path(f"runs/{name}.json").read_text()) for name in ("second", "first")
    )
    run = mlflow.get_run(record["run_id"])
    assert run.data.tags["start.model"] == "first"
    assert run.data.tags["start.sha256"] == sha256(Path("models/first/bundle.json"))
    assert run.data.tags["start.run_id"] == first["run_id"]
    assert "old_data/after.test.loss" in run.data.metrics
    assert Bundle.open(Path("models/second")).provenance["start"]["run_id"] == first["run_id"]


def started(**changes: Any) -> None:
    """Ask for the start of the second experiment, with changed parameters."""
    data = copy.deepcopy(PARAMETERS)
    data["datasets"]["tags"] = {"source": "files", "format": "conll", "train": "x"}
    data["experiments"]["second"] |= changes
    parameters = parse(data, Path("params.yaml"))
    Start.of(parameters, "second", parameters.experiment("second"))


@pytest.mark.slow
def test_a_folder_is_checked_when_it_is_opened(project: Path, tmp_path: Path) -> None:
    shutil.copytree("models/first", tmp_path / "imported")
    folder = str(tmp_path / "imported")
    started(start_from=folder)
    with pytest.raises(UserError, match=r"experiments\.second\.model\.units: 5, but .*has 4"):
        started(start_from=folder, model={"units": 5})
    with pytest.raises(UserError, match=r"start_from: .*a model for classification, not tagging"):
        started(start_from=folder, task="tagging", dataset="tags", model={"units": 4})
    with pytest.raises(UserError, match=r"start_from: there is no folder nowhere; name"):
        started(start_from="./nowhere")


@pytest.mark.slow
def test_other_tokens_and_a_stale_model_are_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(project, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    data = copy.deepcopy(PARAMETERS)
    data["datasets"]["new"]["tokenizer"] = {"unit": "word", "lowercase": False}
    YAML().dump(data, Path("params.yaml"))
    stages.prepare("new")
    stages.embed("second")
    with pytest.raises(UserError, match=r"datasets\.new\.tokenizer\.lowercase: false, but"):
        stages.train("second")
    data["experiments"]["first"]["training"]["epochs"] = 2
    YAML().dump(data, Path("params.yaml"))
    with pytest.raises(UserError, match=r"models/first: was trained with other parameters"):
        stages.train("second")


def fault(**changes: Any) -> str:
    data = copy.deepcopy(PARAMETERS)
    data["datasets"]["tags"] = {"source": "files", "format": "conll", "train": "x"}
    data["experiments"]["second"] |= changes
    with pytest.raises(UserError) as caught:
        parse(data, Path("params.yaml"))
    return str(caught.value)


def test_faults_that_the_parameters_show_name_the_key() -> None:
    assert fault(start_from="frist").endswith(
        "second.start_from: no experiment 'frist' (a folder has a / in its path); "
        "did you mean 'first'?"
    )
    assert "second from second: an experiment cannot start from itself" in fault(
        start_from="second"
    )
    assert fault(model={"units": 4, "pooling": "mean"}).endswith(
        "second.model.pooling: mean, but experiments.first, which start_from names, has last; "
        "set it to that"
    )
    assert "second.embeddings.dimension: 5, but experiments.first" in fault(
        embeddings={"kind": "learned", "dimension": 5}
    )
    assert "start_from.rehearse: give either share or examples" in fault(
        start_from={"model": "first", "rehearse": {}}
    )
    assert "start_from.dataset: rehearse needs a data set" in fault(
        start_from={"model": "./elsewhere", "rehearse": {"share": 0.1}}
    )
    assert "start_from.dataset: classification needs a labelled data set" in fault(
        start_from={"model": "first", "dataset": "tags"}
    )


def test_dropout_may_differ() -> None:
    data = copy.deepcopy(PARAMETERS)
    data["experiments"]["second"]["model"] |= {"dropout": 0.5, "weight_drop": 0.2}
    parse(data, Path("params.yaml"))


def test_other_tasks_cannot_start_from_a_model() -> None:
    data = {
        "datasets": {"d": {"source": "pairs", "corpus": "translation", "sizes": SIZES}},
        "experiments": {
            "mine": experiment("d", task="sequence_to_sequence", start_from="./x", training={})
        },
    }
    with pytest.raises(UserError, match=r"start_from is of classification, tagging and language"):
        parse(data, Path("params.yaml"))


def test_a_stage_reads_the_experiment_and_the_data_that_it_starts_from(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    data = copy.deepcopy(PARAMETERS)
    data["experiments"]["broken"] = {}
    YAML().dump(data, file)
    found = load_part("experiments", "second", file)
    assert set(found.experiments) == {"first", "second"}
    assert set(found.datasets) == {"old", "new"}


def test_dvc_gets_the_model_and_the_old_data_as_dependencies(tmp_path: Path) -> None:
    data = copy.deepcopy(PARAMETERS)
    data["experiments"]["third"] = experiment("old", start_from="./imported/reviews")
    parameters = parse(data, Path("params.yaml"))
    YAML().dump(data, tmp_path / "params.yaml")
    write_pipeline(parameters, tmp_path)
    written = YAML(typ="safe").load(tmp_path / "dvc.yaml")
    starts = {k: v["start"] for k, v in written["vars"][0]["experiments"].items()}
    assert starts["second"] == {
        "model": "models/first",
        "data": "data/prepared/old",
        "parameters": "experiments.second.start_from",
    }
    assert starts["third"]["model"] == "./imported/reviews"
    for nothing in (*starts["first"].values(), starts["third"]["data"]):
        assert nothing == "seed" or (tmp_path / nothing).is_file()
    for stage in ("train", "evaluate"):
        deps = written["stages"][stage]["do"]["deps"]
        assert deps[-2:] == ["${item.start.model}", "${item.start.data}"]
    assert knows_starts(parameters, tmp_path)
    data["experiments"]["third"]["start_from"] = "first"
    assert not knows_starts(parse(data, Path("params.yaml")), tmp_path)


def test_a_project_without_a_start_is_written_as_before() -> None:
    data = copy.deepcopy(PARAMETERS)
    del data["experiments"]["second"]["start_from"]
    written = YAML(typ="safe").load(dvc_yaml(parse(data, Path("params.yaml"))))
    assert "vars" not in written
    assert not any("start" in dep for dep in written["stages"]["train"]["do"]["deps"])
