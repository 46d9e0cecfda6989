"""Files of predictions: what is written is read, and gives the figures of the evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.metrics import (
    classification_metrics,
    language_model_metrics,
    tagging_metrics,
)
from nlp_rnn.evaluation.predictions import figures, labels_of, read_predictions, write_predictions

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
    found = figures(rows, [*labels, "of another model"])
    assert found["accuracy"].value == pytest.approx(expected["accuracy"])
    assert found["f1"].value == pytest.approx(expected["f1"])


@pytest.mark.parametrize("tags", [["NOUN", "VERB", "X"], ["O", "B-A", "I-A", "B-B", "I-B"]])
def test_figures_of_tags_are_those_of_the_evaluation(tags: list[str]) -> None:
    rows = tagged(2, tags)
    labels = labels_of(rows)
    expected = tagging_metrics(
        indices(rows, "gold", labels), indices(rows, "predicted", labels), labels
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


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro evaluate@mine"):
        read_predictions(tmp_path / "mine.jsonl")
