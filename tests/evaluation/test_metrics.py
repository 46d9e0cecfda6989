"""Metrics against scikit-learn, seqeval and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.metrics import precision_score as seqeval_precision
from seqeval.metrics import recall_score as seqeval_recall
from seqeval.scheme import IOB2
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)

from nlp_rnn.evaluation.metrics import (
    classification_metrics,
    confusion,
    entity_metrics,
    language_model_metrics,
    tagging_metrics,
)
from nlp_rnn.text.entities import entity_spans

LABELS = ["a", "b", "c", "never"]


@pytest.fixture
def labelled() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 3, 500)
    return gold, np.where(rng.random(500) < 0.7, gold, rng.integers(0, 3, 500))


def test_classification_equals_scikit_learn(labelled: tuple[np.ndarray, np.ndarray]) -> None:
    gold, predicted = labelled
    metrics = classification_metrics(gold, predicted, LABELS)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    assert metrics["f1"] == pytest.approx(f1_score(gold, predicted, average="macro"))
    precision = precision_score(gold, predicted, average=None)
    assert metrics["per_class"]["b"]["precision"] == pytest.approx(precision[1])
    assert "never" not in metrics["per_class"]
    assert (confusion(gold, predicted, 3) == confusion_matrix(gold, predicted)).all()


def random_tags(seed: int) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    tags = ["O", "B-X", "I-X", "B-Y", "I-Y"]
    return [[tags[i] for i in rng.integers(0, 5, rng.integers(1, 12))] for _ in range(200)]


def test_entity_f1_follows_both_stated_conventions() -> None:
    gold = random_tags(0)
    predicted = [
        [tag if np.random.default_rng(i).random() < 0.8 else "O" for tag in row]
        for i, row in enumerate(gold)
    ]
    metrics = entity_metrics(gold, predicted)
    assert metrics["f1"] == pytest.approx(seqeval_f1(gold, predicted))
    loose = entity_metrics([["B-X", "O"]], [["I-X", "O"]])
    assert (loose["f1"], loose["strict"]["f1"]) == (1.0, 0.0)


def test_entity_spans_equal_seqevals_on_random_sequences() -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    for tags in random_tags(1):
        expected = [(kind, first, last + 1) for kind, first, last in get_entities(tags)]
        assert list(entity_spans(tags)) == expected


def test_tagging_accuracy_by_known_and_unseen_words() -> None:
    gold = [np.array([0, 1, 2]), np.array([1])]
    predicted = [np.array([0, 1, 1]), np.array([0])]
    known = [np.array([True, True, False]), np.array([False])]
    metrics = tagging_metrics(gold, predicted, ["N", "V", "D"], known, entities=False)
    assert metrics["accuracy"] == 0.5
    assert metrics["accuracy_known"] == 1.0
    assert metrics["accuracy_unseen"] == 0.0


def test_the_data_set_says_whether_tags_are_entities_not_their_names() -> None:
    gold, predicted = [np.array([0, 1, 2, 1])], [np.array([0, 1, 2, 2])]
    grades = ["A", "B-", "B"]
    metrics = tagging_metrics(gold, predicted, grades, entities=False)
    expected = f1_score(gold[0], predicted[0], average="macro")
    assert metrics["f1"] == pytest.approx(expected)
    assert "strict" not in metrics
    without_beginning = ["O", "I-A", "I-B"]
    entities = tagging_metrics(gold, predicted, without_beginning, entities=True)
    assert entities["f1"] == pytest.approx(seqeval_f1(*([[without_beginning[i] for i in row[0]]]
                                                        for row in (gold, predicted))))  # fmt: skip
    assert entities["f1"] != pytest.approx(expected)


@pytest.mark.filterwarnings("error")
def test_without_entities_every_figure_of_them_is_zero() -> None:
    for gold, predicted in (
        ([["O", "O"]], [["O", "O"]]),
        ([[]], [[]]),
        ([["O", "O"]], [["O", "I-A"]]),
        ([["O", "B-A"]], [["O", "O"]]),
    ):
        metrics = entity_metrics(gold, predicted)
        found = [metrics[name] for name in ("f1", "precision", "recall")]
        assert [*found, metrics["strict"]["f1"]] == [0.0] * 4


def test_entity_figures_equal_seqevals() -> None:
    gold = random_tags(2)
    predicted = [
        [tag if np.random.default_rng(i + 7).random() < 0.8 else "O" for tag in row]
        for i, row in enumerate(gold)
    ]
    metrics = entity_metrics(gold, predicted)
    assert metrics["precision"] == pytest.approx(seqeval_precision(gold, predicted))
    assert metrics["recall"] == pytest.approx(seqeval_recall(gold, predicted))
    strict = seqeval_f1(gold, predicted, mode="strict", scheme=IOB2)
    assert metrics["strict"]["f1"] == pytest.approx(strict)
    for kind, of_kind in metrics["per_class"].items():
        counts = [
            {(i, *span) for i, tags in enumerate(side) for span in entity_spans(tags)
             if span[0] == kind}
            for side in (gold, predicted)
        ]  # fmt: skip
        both = len(counts[0] & counts[1])
        assert of_kind["recall"] == pytest.approx(both / len(counts[0]))
        assert of_kind["precision"] == pytest.approx(both / len(counts[1]))


def test_recall_and_f1_of_each_class_equal_scikit_learns(
    labelled: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, predicted = labelled
    per_class = classification_metrics(gold, predicted, LABELS)["per_class"]
    recall, f1 = (of(gold, predicted, average=None) for of in (recall_score, f1_score))
    assert [c["recall"] for c in per_class.values()] == pytest.approx(recall.tolist())
    assert [c["f1"] for c in per_class.values()] == pytest.approx(f1.tolist())


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary() -> None:
    metrics = language_model_metrics(loss_sum=10 * math.log(7), tokens=10, characters=40)
    assert metrics["perplexity"] == pytest.approx(7)
    assert metrics["bits_per_character"] == pytest.approx(10 * math.log2(7) / 40)
