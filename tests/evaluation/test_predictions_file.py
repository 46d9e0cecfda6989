"""Files of predictions: what is written is read, and gives the figures of the evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.bootstrap import interval
from nlp_rnn.evaluation.metrics import (
    classification_metrics,
    language_model_metrics,
    tagging_metrics,
)
from nlp_rnn.evaluation.predictions import (
    figures,
    labels_of,
    marks_entities,
    read_predictions,
    tagged_rows,
    write_predictions,
)

Rows = list[dict[str, Any]]


def classified(seed: int, count: int = 200) -> Rows:
    rng = np.random.default_rng(seed)
    labels = ["a", "b", "c"]
    gold = rng.choice(labels, count)
    predicted = np.where(rng.random(count) < 0.7, gold, rng.choice(labels, count))
    return [
        {"gold": g, "predicted": p} for g, p in zip(gold.tolist(), predicted.tolist(), strict=True)
    ]


def tagged(seed: int, tags: list[str], count: int = 100) -> Rows:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        gold = rng.choice(tags, rng.integers(0, 9))
        predicted = np.where(rng.random(len(gold)) < 0.7, gold, rng.choice(tags, len(gold)))
        rows.append({"gold": gold.tolist(), "predicted": predicted.tolist()})
    return rows


def indices(rows: Rows, side: str, labels: list[str]) -> list[np.ndarray]:
    return [np.array([labels.index(tag) for tag in row[side]], np.int64) for row in rows]


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    rows = [{"gold": "\u2028 naïve", "predicted": "b", "confidence": 0.25}]
    write_predictions(file, rows)
    assert read_predictions(file) == rows
    assert labels_of(rows) == ["b", "\u2028 naïve"]


def test_figures_of_labels_are_those_of_the_evaluation() -> None:
    rows = classified(1)
    labels = labels_of(rows)
    gold, predicted = (
        np.array([labels.index(row[side]) for row in rows]) for side in ("gold", "predicted")
    )
    expected = classification_metrics(gold, predicted, labels)
    found = figures(rows, labels)
    assert found["accuracy"].value == pytest.approx(expected["accuracy"])
    assert found["f1"].value == pytest.approx(expected["f1"])


def test_macro_f1_is_over_the_same_classes_in_every_resample() -> None:
    """Classes A to D; D is predicted but never right, so no resample can exceed 3/4."""
    rows = [{"gold": g, "predicted": p} for g, p in zip("AAABBBCCA", "AAABBACCD", strict=True)]
    labels = labels_of(rows)
    figure = figures(rows, labels)["f1"]
    rng = np.random.default_rng(0)
    for _ in range(50):
        drawn = rng.integers(0, len(rows), len(rows))
        gold, predicted = ([rows[i][side] for i in drawn] for side in ("gold", "predicted"))
        expected = f1_score(gold, predicted, labels=labels, average="macro", zero_division=0)
        assert figure.of_sums(figure.terms[drawn].sum(axis=0)) == pytest.approx(expected)
    low, high = interval(figure)
    assert low < figure.value < high <= 0.75


def test_a_class_that_looks_like_a_tag_is_a_class() -> None:
    rows = [{"gold": g, "predicted": p} for g, p in
            [("B-movie", "B-movie"), ("A", "B-"), ("B-", "B-"), ("B", "A")]]  # fmt: skip
    expected = f1_score(*([row[side] for row in rows] for side in ("gold", "predicted")),
                        average="macro")  # fmt: skip
    assert figures(rows, labels_of(rows))["f1"].value == pytest.approx(expected)


def test_tags_are_entities_if_their_file_says_so() -> None:
    rows = tagged_rows(["O", "I-A", "B-A"], [np.array([0, 1])], [np.array([1, 1])], entities=True)
    assert figures(rows, labels_of(rows))["f1"].value == 0.0  # no B- here, an entity missed
    as_words = [row | {"entities": False} for row in rows]
    assert figures(as_words, labels_of(rows))["f1"].value == pytest.approx(1 / 3)
    old = [{k: v for k, v in row.items() if k != "entities"} for row in rows]
    assert marks_entities(old, rows) and not marks_entities(old)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("gold", ["a", "aa", "ab", "aab"])
@pytest.mark.parametrize("predicted", ["a", "b"])
def test_few_examples_all_right_or_wrong_have_sensible_intervals(gold: str, predicted: str) -> None:
    rows = [{"gold": g, "predicted": predicted} for g in gold]
    for name, figure in figures(rows, labels_of(rows)).items():
        low, high = interval(figure)
        assert 0 <= low <= figure.value <= high <= 1, name


@pytest.mark.parametrize("tags", [["NOUN", "VERB", "X"], ["O", "B-A", "I-A", "B-B", "I-B"]])
def test_figures_of_tags_are_those_of_the_evaluation(tags: list[str]) -> None:
    rows = tagged(2, tags)
    labels = labels_of(rows)
    expected = tagging_metrics(
        indices(rows, "gold", labels),
        indices(rows, "predicted", labels),
        labels,
        entities="B-A" in tags,
    )
    found = figures(rows, labels)
    assert found["accuracy"].value == pytest.approx(expected["accuracy"])
    assert found["f1"].value == pytest.approx(expected["f1"])


def test_figures_of_language_models_are_those_of_the_evaluation() -> None:
    rows = [
        {"loss": 7.5, "tokens": 4, "unknown": 1, "characters": 20},
        {"loss": 30.0, "tokens": 9, "unknown": 0, "characters": 41},
    ]
    expected = language_model_metrics(37.5, 13, 61)
    for name, figure in figures(rows, []).items():
        assert figure.value == pytest.approx(expected[name])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "has no predictions"),
        (["{}"], "line 1: no prediction"),
        (["not JSON"], "line 1: no prediction"),
        ([{"gold": "a", "predicted": "b"}, {"gold": ["a"], "predicted": []}], "line 2: no predic"),
        ([{"gold": "a", "predicted": "b"}, {"gold": ["a"], "predicted": ["a"]}], "line 2: a pred"),
        ([{"gold": ["a"], "predicted": ["a"], "entities": "yes"}], "line 1: no prediction"),
        ([{"loss": float("nan"), "tokens": 1, "unknown": 0, "characters": 1}], "line 1"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(
    tmp_path: Path, lines: list[Any], message: str
) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(
        "".join(x + "\n" if isinstance(x, str) else json.dumps(x) + "\n" for x in lines)
    )
    with pytest.raises(UserError, match=message) as error:
        read_predictions(file)
    assert str(file) in str(error.value)


def test_a_missing_file_says_what_to_run() -> None:
    with pytest.raises(UserError, match="dvc repro evaluate@mine"):
        read_predictions(Path("predictions/mine.jsonl"))
