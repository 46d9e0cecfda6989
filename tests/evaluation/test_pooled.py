"""The evaluation of all folds together equals that of all predictions at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    label_ranking_average_precision_score,
    precision_recall_fscore_support,
)

from nlp_rnn.evaluation.errors import (
    LENGTHS,
    Targets,
    accuracy_by_bucket,
    confident_errors,
    confusion_pairs,
)
from nlp_rnn.evaluation.label_sets import label_ranking, label_set_metrics
from nlp_rnn.evaluation.metrics import classification_metrics, tagging_metrics
from nlp_rnn.evaluation.pooled import pooled, pooled_metrics
from nlp_rnn.evaluation.predictions import label_set_rows, labelled_rows, tagged_rows
from nlp_rnn.evaluation.result import Evaluation

LABELS = ["a", "b", "c"]
ORDERS = [["a", "b", "c"], ["c", "a", "b"]]
SIZES = [30, 17]
RNG = np.random.default_rng(5)
GOLD, PREDICTED = (
    [RNG.choice(LABELS, size, p=[0.5, 0.3, 0.2]).tolist() for size in SIZES] for _ in range(2)
)
CONFIDENCE = [RNG.uniform(0.3, 1, size) for size in SIZES]
ALL_GOLD, ALL_PREDICTED = (list(chain.from_iterable(side)) for side in (GOLD, PREDICTED))
LENGTH = [RNG.integers(1, 40, size) for size in SIZES]


def evaluation(
    gold: Sequence[str],
    predicted: Sequence[str],
    confidence: np.ndarray,
    lengths: np.ndarray,
    labels: list[str],
    first: int,
) -> Evaluation:
    """What a classifier's evaluation gives, for texts that are numbered from ``first``."""
    indices = [np.array([labels.index(label) for label in side]) for side in (gold, predicted)]

    def shown(wanted: Sequence[int]) -> dict[int, str]:
        return {i: f"text {first + i}" for i in wanted}

    targets = Targets(labels, *indices, confidence, shown)
    loss = float(-np.log(confidence).mean())
    return Evaluation(
        test=classification_metrics(*indices, labels) | {"loss": loss},
        baselines={"majority": classification_metrics(indices[0], indices[0] * 0, labels)},
        samples=confident_errors(targets, 100),
        predictions=labelled_rows(labels, *indices, confidence),
        labels=labels,
        gold=indices[0],
        predicted=indices[1],
        confidence=confidence,
        uncalibrated=confidence,
        tables={
            "confusion_pairs": confusion_pairs(targets),
            "accuracy_by_length": accuracy_by_bucket(lengths, LENGTHS, targets.right, "tokens"),
        },
        log_loss={"before": loss, "after": loss},
        shown=shown,
    )


@pytest.fixture(scope="module")
def found() -> Evaluation:
    sides = zip(GOLD, PREDICTED, CONFIDENCE, LENGTH, ORDERS, (0, SIZES[0]), strict=True)
    return pooled([evaluation(*side) for side in sides], most=100)


@pytest.fixture(scope="module")
def expected() -> Evaluation:
    """The evaluation of all texts at once."""
    return evaluation(
        ALL_GOLD,
        ALL_PREDICTED,
        np.concatenate(CONFIDENCE),
        np.concatenate(LENGTH),
        LABELS,
        0,
    )


def test_metrics_are_those_of_scikit_learn_on_all_predictions(found: Evaluation) -> None:
    accuracy = accuracy_score(ALL_GOLD, ALL_PREDICTED)
    assert found.test["accuracy"] == pytest.approx(accuracy)
    f1 = f1_score(ALL_GOLD, ALL_PREDICTED, average="macro")
    assert found.test["f1"] == pytest.approx(f1)


def test_it_is_the_evaluation_of_all_texts_at_once(found: Evaluation, expected: Evaluation) -> None:
    loss = found.test.pop("loss"), expected.test.pop("loss")
    assert loss[0] == pytest.approx(loss[1])
    assert found.test == expected.test
    assert found.log_loss == pytest.approx(expected.log_loss)
    assert found.samples == expected.samples
    assert found.tables["accuracy_by_length"] == expected.tables["accuracy_by_length"]
    assert found.labels == expected.labels
    for name in ("gold", "predicted", "confidence"):
        assert (getattr(found, name) == getattr(expected, name)).all()
    pairs = [evaluation.tables["confusion_pairs"] for evaluation in (found, expected)]
    assert pairs[0] == pairs[1]


def test_rows_say_their_fold(found: Evaluation, expected: Evaluation) -> None:
    assert [row.pop("fold") for row in found.predictions] == [1] * 30 + [2] * 17
    assert found.predictions == expected.predictions


def test_any_number_of_labels_is_judged_over_all_texts() -> None:
    gold, predicted = (RNG.random((47, 3)) < 0.4 for _ in range(2))
    scores = RNG.random((47, 3))
    parts = [slice(0, 30), slice(30, 47)]
    tests = [label_set_metrics(gold[p], predicted[p], scores[p], LABELS) for p in parts]
    rows = [
        label_set_rows(LABELS, gold[p], predicted[p], label_ranking(gold[p], scores[p]))
        for p in parts
    ]
    found = pooled_metrics(tests, rows, LABELS)
    for average, prefix in (("micro", ""), ("macro", "macro_")):
        figures = precision_recall_fscore_support(gold, predicted, average=average)
        for name, expected in zip(("precision", "recall", "f1"), figures[:3], strict=True):
            assert found[prefix + name] == pytest.approx(expected), prefix + name
    ranking = label_ranking_average_precision_score(gold, scores)
    assert found["label_ranking"] == pytest.approx(ranking)
    assert found["per_class"] == label_set_metrics(gold, predicted, scores, LABELS)["per_class"]


def test_words_that_training_has_not_seen_are_those_of_each_fold() -> None:
    """Their share differs, so that a mean weighted by all words would be neither."""
    gold, seen = [np.zeros(4, np.int64)], [np.array([True, True, True, False])]
    tests = [tagging_metrics(gold, gold, ["X"], seen, entities=False) for _ in range(2)]
    assert "accuracy_unseen" in tests[0]
    found = pooled_metrics(tests, [tagged_rows(["X"], gold, gold, entities=False)] * 2, ["X"])
    assert found["accuracy"] == 1
    assert not found.keys() & {"accuracy_known", "accuracy_unseen"}


def test_entities_are_counted_over_all_sentences() -> None:
    tags = ["O", "B-X", "I-X"]
    gold = [[np.array([1, 2, 0])], [np.array([1]), np.array([0, 1])]]
    best = [[np.array([1, 2, 1])], [np.array([0]), np.array([0, 1])]]
    tests: list[dict[str, Any]] = [
        tagging_metrics(*pair, tags, entities=True) | {"loss": loss}
        for *pair, loss in zip(gold, best, (0.5, 1.0), strict=True)
    ]
    rows = [tagged_rows(tags, *pair, entities=True) for pair in zip(gold, best, strict=True)]
    found = pooled_metrics(tests, rows, tags)
    assert found["f1"] == pytest.approx(2 / 3)  # two of three entities, one too many
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["loss"] == pytest.approx(0.75)  # three words each
