"""Evaluations of whole tasks: predictions, certainty, tables and the report agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.bundles import write_untrained
from nlp_rnn.evaluation.analysis import certainty, harm, write_analysis
from nlp_rnn.evaluation.metrics import entity_surface_metrics
from nlp_rnn.evaluation.predictions import figures, labels_of
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.example import Example
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.prepared import PreparedDataset

TEMPERATURE = 3.0


def evaluated(folder: Path, name: str) -> tuple[Bundle, Evaluation]:
    """An untrained bundle and what its evaluation at a temperature gives."""
    bundle = Bundle.open(folder)
    bundle.figures["temperature"] = TEMPERATURE
    dataset = PreparedDataset(folder.parent / "data")
    work = make_task(bundle.experiment, dataset, seed=1)
    return bundle, work.evaluate(bundle.network(), TEMPERATURE)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_a_taggers_file_holds_what_its_bundle_predicts(
    tmp_path: Path, sentences: list[Example], output: str
) -> None:
    examples = [*sentences, Example(), Example(tokens=("Ann",), tags=("B-PER",))]
    folder = write_untrained(tmp_path, "tagging", "tagged", examples, {"output": output})
    bundle, result = evaluated(folder, "mine")
    predicted = list(Predictor.of(bundle).predict([e.tokens for e in examples]))
    for row, example, prediction in zip(result.predictions, examples, predicted, strict=True):
        assert row["gold"] == list(example.tags)
        assert row["predicted"] == prediction["tags"]
        assert row["confidence"] == pytest.approx(prediction["probabilities"], abs=1e-5)
    assert result.confidence.mean() < result.uncalibrated.mean()
    rows = result.predictions
    found = figures(rows, labels_of(rows))
    assert found["accuracy"].value == pytest.approx(result.test["accuracy"])
    assert found["f1"].value == pytest.approx(result.test["f1"])


@pytest.mark.slow
def test_a_classifiers_file_holds_what_its_bundle_predicts(
    tmp_path: Path, reviews: list[Example]
) -> None:
    folder = write_untrained(tmp_path, "classification", "labelled", reviews)
    bundle, result = evaluated(folder, "mine")
    predicted = list(Predictor.of(bundle).predict([e.text for e in reviews]))
    assert [row["gold"] for row in result.predictions] == [e.label for e in reviews]
    assert [row["predicted"] for row in result.predictions] == [p["label"] for p in predicted]
    assert [row["confidence"] for row in result.predictions] == pytest.approx(
        [p["probability"] for p in predicted], abs=1e-5
    )
    expected = -np.mean(
        [
            np.log(p["probabilities"][e.label])
            for e, p in zip(reviews, plain(bundle, reviews), strict=True)
        ]
    )
    assert result.test["loss"] == pytest.approx(expected, abs=1e-5)  # of the network as it is


def plain(bundle: Bundle, reviews: Sequence[Example]) -> list[dict[str, Any]]:
    bundle.figures["temperature"] = 1.0
    return list(Predictor.of(bundle).predict([e.text for e in reviews]))


def test_a_language_models_file_has_its_losses(tmp_path: Path, lines: list[Example]) -> None:
    folder = write_untrained(tmp_path, "language_modelling", "text", lines)
    _, result = evaluated(folder, "mine")
    found = figures(result.predictions, [])
    assert found["perplexity"].value == pytest.approx(result.test["perplexity"])
    assert found["bits_per_character"].value == pytest.approx(result.test["bits_per_character"])
    intervals = certainty(result, 1.0)["intervals"]
    assert intervals["perplexity"]["low"] <= result.test["perplexity"]
    assert result.test["perplexity"] <= intervals["perplexity"]["high"]


@pytest.mark.slow
def test_the_report_shows_figures_calibration_and_errors(
    tmp_path: Path, sentences: list[Example]
) -> None:
    odd = Example(tokens=("not", "|", "*x*"), tags=("O", "B-PER", "O"))
    # In every sentence, because it depends on random weights which of them is shown as an error.
    marked = [replace(e, tokens=(*e.tokens, "*x*"), tags=(*e.tags, "O")) for e in sentences]
    folder = write_untrained(tmp_path, "tagging", "tagged", [*marked, odd, Example()])
    _, result = evaluated(folder, "mine")
    found = {"test": result.test} | certainty(result, TEMPERATURE)
    right = result.gold == result.predicted
    assert found["calibration"]["temperature"] == TEMPERATURE
    assert found["calibration"]["before"]["mean_confidence"] == result.uncalibrated.mean()
    assert result.log_loss is not None
    assert found["calibration"]["before"]["loss"] == pytest.approx(result.test["loss"])
    assert found["calibration"]["after"]["loss"] == result.log_loss["after"]
    tables = write_analysis(tmp_path / "out", "mine", found, result)
    for name, rows in tables.items():
        assert json.loads((tmp_path / f"out/{name}.json").read_text()) == rows
    assert sum(row["targets"] for row in tables["accuracy_by_frequency"]) == len(right)
    assert sum(row["errors"] for row in tables["confusion_pairs"]) == (~right).sum()
    report = (tmp_path / "out/report.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in report.splitlines()]
    assert ["accuracy", f"{result.test['accuracy']:.4f}"] in rows
    assert ["with a negation", "3"] in rows
    assert "\\*x\\*" in report and "| *x*" not in report
    assert (tmp_path / "out/reliability.png").stat().st_size > 0
    shown = [row["text"] for row in result.samples]
    assert all(text.count("[") == 1 and "→" in text for text in shown)


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.1, 1.0, 3.0])
def test_a_calibration_that_is_worse_than_none_is_called_so(
    tmp_path: Path, sentences: list[Example], temperature: float
) -> None:
    """A tagger with random weights is mostly wrong: to be more confident harms it."""
    keras.utils.set_random_seed(1)
    folder = write_untrained(tmp_path, "tagging", "tagged", sentences, scale=1.0)
    dataset = PreparedDataset(folder.parent / "data")
    bundle = Bundle.open(folder)
    result = make_task(bundle.experiment, dataset, seed=1).evaluate(bundle.network(), temperature)
    found = {"test": result.test} | certainty(result, temperature)
    losses = [found["calibration"][side]["loss"] for side in ("before", "after")]
    write_analysis(tmp_path / "out", "mine", found, result)
    report = (tmp_path / "out/report.md").read_text(encoding="utf-8")
    said = harm(found["calibration"])
    assert (said is not None) == (losses[1] > losses[0] + 1e-9)
    assert ("worse than none" in report) == (said is not None)
    if temperature == 0.1:
        assert said is not None
        assert f"{losses[1]:.4g} nats" in said and f"{losses[0]:.4g} without" in said
    if temperature == 1:
        assert said is None


def test_entities_are_counted_by_what_they_are_called() -> None:
    tags = ["O", "B-LOC", "I-LOC", "B-PER"]
    words = [["Rome", "and", "Rome"], ["New", "York"], ["Ann", "met", "Bo"]]
    gold = [[1, 0, 1], [1, 2], [3, 0, 3]]
    predicted = [[1, 0, 0], [1, 0], [1, 0, 3]]
    arrays = [[np.array(s) for s in side] for side in (gold, predicted)]
    found = entity_surface_metrics(*arrays, tags, words, known={"Rome", "Ann"})
    # Gold: Rome LOC, New York LOC, Ann PER, Bo PER. Predicted: Rome LOC, New LOC, Ann LOC, Bo PER.
    assert found["surface_f1"] == pytest.approx(2 * 2 / 8)
    assert found["unseen_entity_recall"] == pytest.approx(1 / 2)  # New York and Bo are unseen
    everything = {"Rome", "New York", "Ann", "Bo"}
    known = entity_surface_metrics(*arrays, tags, words, everything)
    assert known["unseen_entity_recall"] is None
