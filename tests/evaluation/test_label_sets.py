"""Sets of labels: thresholds against enumeration, metrics against scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    label_ranking_average_precision_score,
    precision_recall_fscore_support,
)

from nlp_rnn.evaluation.comparison import compare
from nlp_rnn.evaluation.label_sets import (
    best_threshold,
    confidences,
    label_ranking,
    label_set_metrics,
    label_thresholds,
)
from nlp_rnn.evaluation.predictions import figures, label_set_rows, labels_of, write_predictions

LABELS = list("abcde")


def drawn(seed: int, texts: int = 60) -> tuple[Any, Any]:
    """Gold labels, one of them rare and one never given, and probabilities with ties."""
    rng = np.random.default_rng(seed)
    gold = rng.random((texts, 5)) < (0.5, 0.3, 0.2, 0.05, 0.0)
    return gold, np.round(np.clip(0.5 * gold + rng.random(gold.shape) * 0.6, 0.01, 0.99), 2)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    gold, scores = drawn(seed)
    predicted = scores >= 0.5
    found = label_set_metrics(gold, predicted, scores, LABELS)
    occurring = np.flatnonzero((gold | predicted).any(axis=0))
    for prefix, average in (("", "micro"), ("macro_", "macro")):
        expected = precision_recall_fscore_support(
            gold, predicted, labels=occurring, average=average, zero_division=0
        )
        names = [f"{prefix}{name}" for name in ("precision", "recall", "f1")]
        assert [found[name] for name in names] == pytest.approx(expected[:3])
    assert found["exact_match"] == pytest.approx(accuracy_score(gold, predicted))
    ranking = label_ranking_average_precision_score(gold, scores)
    assert found["label_ranking"] == pytest.approx(ranking)
    of_labels = f1_score(gold, predicted, average=None, zero_division=0)
    for i, label in enumerate(LABELS):
        if i in occurring:
            assert found["per_class"][label]["f1"] == pytest.approx(of_labels[i])
            assert found["per_class"][label]["support"] == gold[:, i].sum()


def test_metrics_of_rows_are_those_of_arrays() -> None:
    gold, scores = drawn(7)
    predicted = scores >= 0.5
    metrics = label_set_metrics(gold, predicted, scores, LABELS)
    rows = label_set_rows(LABELS, gold, predicted, label_ranking(gold, scores))
    found = figures(rows, labels_of(rows))
    assert list(found) == ["f1", "exact_match", "macro_f1", "label_ranking"]
    for name, figure in found.items():
        assert figure.value == pytest.approx(metrics[name])


def test_nothing_given_and_nothing_gold() -> None:
    nothing, scores = np.zeros((3, 2), bool), np.full((3, 2), 0.2)
    found = label_set_metrics(nothing, nothing, scores, ["a", "b"])
    assert (found["f1"], found["macro_f1"], found["exact_match"]) == (0, 0, 1)
    assert found["label_ranking"] == 1 and found["per_class"] == {}


def f1_at(threshold: float, scores: Any, gold: Any) -> float:
    return float(f1_score(gold.ravel(), (scores >= threshold).ravel(), zero_division=0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_has_a_higher_f1(seed: int) -> None:
    gold, scores = drawn(seed)
    gold, scores = gold[:, :4], scores[:, :4]
    candidates = np.unique(scores)
    common = label_thresholds(scores, gold, "micro_f1")
    assert len(set(common)) == 1
    best = max(f1_at(t, scores, gold) for t in candidates)
    assert f1_at(common[0], scores, gold) == pytest.approx(best)
    for i, threshold in enumerate(label_thresholds(scores, gold, "macro_f1")):
        own = max(f1_at(t, scores[:, i], gold[:, i]) for t in candidates)
        assert f1_at(threshold, scores[:, i], gold[:, i]) == pytest.approx(own)


def test_a_label_that_never_applies_takes_the_threshold_of_all() -> None:
    gold, scores = drawn(1)
    found = label_thresholds(scores, gold, "macro_f1")
    assert found[4] == label_thresholds(scores, gold, "micro_f1")[0]
    assert (label_thresholds(scores, gold, 0.3) == 0.3).all()
    assert (label_thresholds(scores, np.zeros_like(gold), "micro_f1") == 0.5).all()


def test_a_wide_gap_leaves_the_threshold_near_half_of_the_f1() -> None:
    scores, gold = np.array([0.9, 0.8, 0.1, 0.05]), np.array([True, True, False, False])
    assert best_threshold(scores, gold) == pytest.approx(0.5)
    assert 0.1 < best_threshold(np.array([0.3, 0.1]), np.array([True, False])) < 0.3


def test_the_confidence_is_that_of_the_least_certain_decision() -> None:
    probabilities, given = np.array([[0.9, 0.3], [0.4, 0.05]]), np.array([[1, 0], [1, 0]], bool)
    assert confidences(probabilities, given).tolist() == pytest.approx([0.7, 0.4])


def test_models_are_compared(tmp_path: Path) -> None:
    gold, scores = drawn(3)
    for name, predicted in (("good", scores >= 0.55), ("poor", scores >= 0.2)):
        rows = label_set_rows(LABELS, gold, predicted, label_ranking(gold, scores))
        write_predictions(tmp_path / name, rows)
    said = compare(tmp_path / "good", tmp_path / "poor", 200, 1)
    for metric in ("f1", "exact_match", "macro_f1", "label_ranking"):
        assert f"| {metric} " in said
    assert "exact_match: A is better" in said and "McNemar" in said
