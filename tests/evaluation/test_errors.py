"""Tables of errors, on predictions made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import norm

from nlp_rnn.evaluation.errors import (
    NEGATION,
    Targets,
    accuracy_by,
    accuracy_by_bucket,
    confident_errors,
    confusion_pairs,
    slices,
)


def shown(wanted: Sequence[int]) -> dict[int, str]:
    return {target: f"text {target}" for target in wanted}


@pytest.fixture
def targets() -> Targets:
    gold, predicted = np.array([0, 0, 1, 1, 1, 2, 0]), np.array([0, 1, 0, 0, 1, 0, 1])
    confidence = np.array([0.99, 0.6, 0.7, 0.9, 0.8, 0.95, 0.5])
    return Targets(["x", "y", "z"], gold, predicted, confidence, shown)


def test_the_most_confident_errors_come_first(targets: Targets) -> None:
    rows = confident_errors(targets, 3)
    assert [row["text"] for row in rows] == ["text 5", "text 3", "text 2"]
    found = {"text": "text 5", "gold": "z", "predicted": "x", "confidence": 0.95, "target": 5}
    assert rows[0] == found
    assert len(confident_errors(targets, 100)) == 5


def test_confusion_pairs_count_and_show_their_surest_errors(targets: Targets) -> None:
    pairs = {(row["gold"], row["predicted"]): row for row in confusion_pairs(targets)}
    assert pairs["y", "x"]["errors"] == 2
    assert pairs["y", "x"]["share_of_gold"] == pytest.approx(2 / 3)
    assert pairs["y", "x"]["examples"] == ["text 3", "text 2"]
    assert list(pairs)[-1] == ("z", "x")
    assert len(pairs) == 3


def test_without_errors_there_is_nothing_to_show() -> None:
    gold = np.array([0, 1])
    perfect = Targets(["x", "y"], gold, gold, np.ones(2), shown)
    assert confident_errors(perfect, 5) == confusion_pairs(perfect) == []


def test_groups_have_wilsons_interval() -> None:
    right = np.array([True] * 8 + [False] * 2 + [True])
    rows = accuracy_by(np.array([0] * 10 + [2]), ["a", "empty", "b"], right, "group")
    assert [row["group"] for row in rows] == ["a", "b"]
    z, n, p = norm.ppf(0.975), 10, 0.8
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (rows[0]["low"], rows[0]["high"]) == pytest.approx((middle - half, middle + half))
    assert rows[1]["low"] < 0.3  # a single right answer says little


def test_buckets_hold_what_their_names_say() -> None:
    values = np.array([0, 1, 2, 4, 5, 99, 100, 5000])
    rows = accuracy_by_bucket(values, (0, 1, 2, 5, 100), np.ones(8, bool), "times")
    assert {row["times"]: row["targets"] for row in rows} == {
        "0": 1, "1": 1, "2 to 4": 2, "5 to 99": 2, "100 or more": 2
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("It isn't good", True),
        ("do n't", True),
        ("NOT bad", True),
        ("I don’t know", True),
        ("a notable knot of Norwegians", False),
        ("noon", False),
    ],
)
def test_negations_are_words(text: str, negated: bool) -> None:
    assert bool(NEGATION.search(text)) == negated


def test_slices_count_the_targets_of_each_text() -> None:
    rows = slices(
        ["not good", "very good indeed"],
        np.array([0.0, 0.5]),
        np.array([2, 3]),
        np.array([True, False, True, True, True]),
    )
    found = {row["slice"]: (row["targets"], row["accuracy"]) for row in rows}
    assert found == {
        "with a negation": (2, 0.5),
        "without a negation": (3, 1.0),
        "no unknown word": (2, 0.5),
        "more unknown words": (3, 1.0),
    }
