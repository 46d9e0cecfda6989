"""A project with cross-validation, from its data to its figures; and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from sklearn.metrics import accuracy_score

import nlp_rnn
from helpers.store import put_store
from nlp_rnn import stages
from nlp_rnn.config import parse
from nlp_rnn.errors import UserError
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.tracking.runs import Run

WORDS = {"pos": ("good", "fine", "great"), "neg": ("bad", "poor", "awful")}
ROWS = [
    (f"a {WORDS[label][i % 3]} film {i}", label, f"author {i // 3}")
    for i in range(72)
    for label in ["neg" if i % 4 else "pos"]
]
PARAMETERS: dict[str, Any] = {
    "backend": "tensorflow",
    "seed": 3,
    "datasets": {
        "films": {
            "source": "files",
            "format": "csv",
            "train": "./films.csv",
            "split": {"folds": 2, "groups": "author", "validation": 0.2},
        }
    },
    "experiments": {
        "judge": {
            "task": "classification",
            "dataset": "films",
            "embeddings": {"kind": "learned", "dimension": 4},
            "model": {"kind": "averaged"},
            "training": {"epochs": 1, "learning_rate": 0.05, "keep": "ensemble"},
        }
    },
}


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folds")
    lines = ["text,label,author", *map(",".join, ROWS)]
    (folder / "films.csv").write_text("\n".join(lines), encoding="utf-8")
    YAML().dump(PARAMETERS, folder / "params.yaml")
    put_store(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stages.prepare("films")
        stages.baselines("films")
        stages.embed("judge")
        stages.train("judge")
        patch.setattr(Run, "log_model", lambda *_: "")  # tracking/test_tracking.py logs models
        stages.evaluate("judge")
    return folder


@pytest.mark.slow
def test_every_text_is_tested_once_and_figures_are_of_all(project: Path) -> None:
    folders = [project / "data/prepared/films", project / "data/prepared/films/folds/2"]
    tested = [
        json.loads(line)["text"]
        for folder in folders
        for line in (folder / "test.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert Counter(tested) == Counter(text for text, *_ in ROWS)
    lines = (project / "predictions/judge.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    label_of = {text: label for text, label, _ in ROWS}
    assert [row["gold"] for row in rows] == [label_of[text] for text in tested]
    figures = read(project / "figures/judge.json")
    gold, predicted = ([row[side] for row in rows] for side in ("gold", "predicted"))
    accuracy = accuracy_score(gold, predicted)
    assert figures["test"]["accuracy"] == pytest.approx(accuracy)
    assert read(project / "metrics/judge.json")["test"]["accuracy"] == pytest.approx(accuracy)
    each = [
        np.mean([row["gold"] == row["predicted"] for row in rows if row["fold"] == fold])
        for fold in (1, 2)
    ]
    found = figures["folds"]
    assert [test["accuracy"] for test in found["each"].values()] == pytest.approx(each)
    assert found["deviation"]["accuracy"] == pytest.approx(np.std(each, ddof=1))


@pytest.mark.slow
def test_no_word_is_known_from_a_test_split(project: Path) -> None:
    for folder in (project / "data/prepared/films", project / "data/prepared/films/folds/2"):
        known = set(read(folder / "vocabulary.json")["types"])
        texts = (folder / "test.jsonl").read_text(encoding="utf-8").splitlines()
        numbers = {json.loads(line)["text"].split()[-1] for line in texts}
        assert not numbers & known


@pytest.mark.slow
def test_baselines_are_of_the_same_folds(project: Path) -> None:
    found = read(project / "figures/baselines/films.json")["baselines"]
    folder = project / "predictions/baselines/films"
    for name, baseline in found.items():
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert Counter(row["fold"] for row in rows) == Counter(
            json.loads(line)["fold"]
            for line in (project / "predictions/judge.jsonl").read_text("utf-8").splitlines()
        )
        right = np.mean([row["gold"] == row["predicted"] for row in rows])
        assert baseline["test"]["accuracy"] == pytest.approx(right)
        assert list(baseline["folds"]["each"]) == ["1", "2"]


@pytest.mark.slow
def test_the_ensemble_of_folds_predicts_their_mean(project: Path) -> None:
    kept = project / "models/judge"
    texts = ["a good film 3", "an awful film 50", "nothing known"]
    members = [nlp_rnn.load(kept / "folds" / fold).predict(texts) for fold in ("1", "2")]
    found = nlp_rnn.load(kept).predict(texts)
    for both, *each in zip(found, *members, strict=True):
        for label in ("pos", "neg"):
            mean = np.mean([one["probabilities"][label] for one in each])
            assert both["probabilities"][label] == pytest.approx(mean, abs=0.05)
    cost = read(project / "figures/judge.json")["kept"]["cost"]
    assert cost["bytes"] > cost["bytes_of_one"]
    assert read(kept / "bundle.json")["provenance"]["members"] == ["fold 1", "fold 2"]


@pytest.mark.slow
def test_each_fold_is_a_run_under_that_of_the_experiment(project: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("nlp_rnn")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    parent = runs["judge"]
    assert "no text is left" in parent.data.tags["mlflow.note.content"].lower()
    each = read(project / "figures/judge.json")["folds"]["each"]
    for fold in ("1", "2"):
        child = runs[f"judge fold {fold}"]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.data.metrics["test/accuracy"] == pytest.approx(each[fold]["accuracy"])


@pytest.mark.slow
def test_the_members_of_a_soup_start_from_the_same_weights(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their weights after training at a learning rate of almost nothing are those of the start."""
    parameters = json.loads(json.dumps(PARAMETERS))
    parameters["datasets"]["films"] |= {"train": str(project / "films.csv"), "split": {}}
    soup = {"keep": "soup", "seeds": [5, 1], "learning_rate": 1e-9}
    parameters["experiments"]["judge"]["training"] |= soup
    YAML().dump(parameters, tmp_path / "params.yaml")
    put_store(tmp_path)
    monkeypatch.chdir(tmp_path)
    stages.prepare("films")
    stages.embed("judge")
    stages.train("judge")
    kept = tmp_path / "models/judge"
    bundles = [Bundle.open(kept / part) for part in (".", "seeds/5", "seeds/1")]
    soup_weights, *each = (bundle.keras_model().get_weights() for bundle in bundles)
    for mean, first, second in zip(soup_weights, *each, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)
        np.testing.assert_allclose(mean, first, atol=1e-6)
    assert any(np.abs(weights).max() > 0.01 for weights in each[0])
    orders = [bundle.figures["history"][0]["train/loss"] for bundle in bundles[1:]]
    assert orders[0] != orders[1]  # in another order


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "a test share": ({"split": {"folds": 2, "test": 0.2}}, "leave test out"),
    "a test file": ({"test": "y.csv"}, "list the file of test under train"),
    "one fold": ({"split": {"folds": 1}}, "greater than or equal to 2"),
    "groups and duplicates": (
        {"split": {"groups": "author", "duplicates": "together"}},
        "choose one of them",
    ),
    "groups of the label": ({"split": {"groups": "label"}}, "holds the text or a label"),
    "groups of folders": ({"format": "folders", "split": {"groups": "x"}}, "a column of tables"),
    "running text": ({"format": "text"}, "not for text"),
    "seeds": ({"training": {"seeds": [1, 2]}}, "leave seeds out"),
    "a soup of folds": ({"training": {"keep": "soup"}}, "set training.seeds"),
    "one model": ({"split": {}, "training": {"keep": "ensemble"}}, "needs several models"),
    "many passes": (
        {"model": {"monte_carlo_samples": 4, "dropout": 0.5}},
        "leave one of them out",
    ),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_what_does_not_fit_is_one_line(change: dict[str, Any], message: str) -> None:
    parameters = json.loads(json.dumps(PARAMETERS))
    dataset, experiment = parameters["datasets"]["films"], parameters["experiments"]["judge"]
    for key, value in change.items():
        if key in ("training", "model"):
            experiment[key] |= value
        else:
            dataset[key] = value
    if dataset["format"] in ("text", "folders"):
        del parameters["experiments"]
    if dataset["format"] == "text":
        dataset["split"].pop("groups")
    with pytest.raises(UserError, match=message) as raised:
        parse(parameters, Path("params.yaml"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("group", ["vectors", "search"])
def test_what_is_made_once_has_no_folds(group: str) -> None:
    more: dict[str, Any] = {
        "vectors": {"v": {"algorithm": "glove", "dataset": "films", "dimension": 4}},
        "search": {
            "s": {"experiment": "judge", "sampler": "grid", "space": {"training.epochs": [4]}}
        },
    }
    parameters = PARAMETERS | {group: more[group]}
    with pytest.raises(UserError, match=f"{group}.*films has folds"):
        parse(parameters, Path("params.yaml"))
