"""Two classifiers label texts for a third: every stage, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from helpers.project import Project
from helpers.topics import texts, write_texts
from nlp_rnn import stages
from nlp_rnn.config import parse
from nlp_rnn.errors import UserError
from nlp_rnn.self_training.pseudo_labels import Texts, pseudo_labels
from nlp_rnn.text.prepared import PreparedDataset

pytestmark = pytest.mark.slow

WORDS = 250
"""Of each of two topics."""

TOKENIZER = {"unit": "whitespace", "lowercase": False}

TRAINING = {"epochs": 8, "learning_rate": 0.01, "batch_size": 10, "select": "accuracy"}


def classifier(dataset: str, **model: Any) -> dict[str, Any]:
    return {
        "task": "classification",
        "dataset": dataset,
        "embeddings": {"kind": "learned", "dimension": 16},
        "model": model,
        "training": TRAINING,
    }


def files(split: str) -> dict[str, Any]:
    return {"source": "files", "format": "folders", "train": split, "tokenizer": TOKENIZER}


PARAMETERS: dict[str, Any] = {
    "backend": "tensorflow",
    "datasets": {
        "few": {**files("texts/train"), "validation": "texts/validation", "test": "texts/test"},
        "many": {
            **files("texts/train"),
            "kind": "text",
            "split": {"validation": 0.02, "test": 0.02},
        },
    },
    "pseudo_labelled": {
        "grown": {
            "labelled": "few",
            "unlabelled": "many",
            "teachers": ["averaged", "recurrent"],
            "min_confidence": 0.6,
        }
    },
    "experiments": {
        "averaged": classifier("few", kind="averaged"),
        "recurrent": classifier("few", units=16, pooling="mean"),
        "student": classifier("grown", units=16, pooling="mean"),
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Twenty texts with labels, and a thousand without, in which their words meet others."""
    folder = tmp_path_factory.mktemp("pseudo-labels")
    rng = np.random.default_rng(0)
    places = {"train/a": 10, "train/b": 10, "validation/a": 25, "validation/b": 25}
    places |= {"test/a": 200, "test/b": 200}
    for place, count in places.items():
        write_texts(folder / "texts" / place, texts(rng, place[-1], count, WORDS))
    unlabelled = [*texts(rng, "a", 500, WORDS), *texts(rng, "b", 500, WORDS)]
    write_texts(folder / "texts/train/unsup", [unlabelled[i] for i in rng.permutation(1000)])
    project = Project(folder, PARAMETERS)
    project.prepare()
    with project.inside():
        for experiment in PARAMETERS["experiments"]:
            if experiment == "student":
                stages.pseudo_label("grown")
            project.train(experiment)
        yield folder


def test_the_student_is_better_than_its_teachers(project: Path) -> None:
    accuracy = {
        name: json.loads((project / f"figures/{name}.json").read_text())["test"]["accuracy"]
        for name in PARAMETERS["experiments"]
    }
    assert accuracy["student"] > 0.03 + max(accuracy["averaged"], accuracy["recurrent"])


def test_only_the_training_split_grows_and_nothing_labelled_comes_twice(project: Path) -> None:
    few, grown = (PreparedDataset(project / "data/prepared" / name) for name in ("few", "grown"))
    for split in ("validation", "test"):
        assert list(grown.split(split).records()) == list(few.split(split).records())
    before, after = (list(dataset.split("train").records()) for dataset in (few, grown))
    assert after[: len(before)] == before
    added = after[len(before) :]
    # Texts of the data set itself, which "many" has too, are not labelled again.
    assert not {record["text"] for record in before} & {record["text"] for record in added}
    right = np.mean([record["text"][0] == record["label"] for record in added])
    assert len(added) > 500 and right > 0.75
    assert set(grown.card["teachers"]) == {"averaged", "recurrent"}


class Teacher:
    """A classifier that says the same probability of "good" for the same text."""

    def __init__(self, good: dict[str, float]) -> None:
        self.good = good

    def predict(self, items: Any) -> Iterator[dict[str, Any]]:
        for item in items:
            yield {"probabilities": {"bad": 1 - self.good[item], "good": self.good[item]}}


def test_the_mean_of_the_teachers_decides_and_must_be_sure() -> None:
    first = Teacher({"agreed": 0.9, "outvoted": 0.2, "unsure": 0.9, "known": 1.0})
    second = Teacher({"agreed": 0.8, "outvoted": 0.1, "unsure": 0.3, "known": 1.0})
    labels = pseudo_labels(first.good, [first, second], 0.8, Texts(["known\n"]))  # type: ignore[list-item]
    assert list(labels) == ["good", "bad", None, None]


def test_confidence_that_no_teacher_has_is_an_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parameters = deepcopy(PARAMETERS)
    parameters["pseudo_labelled"]["grown"]["min_confidence"] = 0.999999
    YAML().dump(parameters, tmp_path / "params.yaml")
    for folder in ("data", "models"):
        (tmp_path / folder).symlink_to(project / folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"pseudo_labelled.grown.min_confidence.*set it lower"):
        stages.pseudo_label("grown")
    assert (project / "data/prepared/grown/card.json").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labelled": "fw"}, r"pseudo_labelled.grown.labelled: no data set 'fw'.*few"),
        ({"labelled": "many"}, r"grown.labelled: many is text, not labelled"),
        ({"unlabelled": "few"}, r"grown.unlabelled: few is labelled, not text"),
        ({"teachers": ["averaged", "recurent"]}, r"no experiment 'recurent'.*recurrent"),
        ({"teachers": ["averaged", "student"]}, r"student learns from grown, not few"),
        ({"teachers": ["averaged", "averaged"]}, r"two different experiments"),
        ({"teachers": ["averaged"]}, r"teachers: .*at least 2"),
        ({"min_confidence": 1.0}, r"min_confidence: .*less than 1"),
        ({"confidence": 0.5}, r"confidence"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, Any], message: str) -> None:
    parameters = deepcopy(PARAMETERS)
    parameters["pseudo_labelled"]["grown"] |= changed
    with pytest.raises(UserError, match=message):
        parse(parameters, Path("params.yaml"))


def test_a_name_is_of_one_data_set() -> None:
    parameters = deepcopy(PARAMETERS)
    parameters["pseudo_labelled"]["few"] = parameters["pseudo_labelled"].pop("grown")
    with pytest.raises(UserError, match=r"pseudo_labelled.few: also named in datasets"):
        parse(parameters, Path("params.yaml"))
