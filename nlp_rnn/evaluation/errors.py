"""Error analysis of classifiers and taggers: tables for people to read.

A *target* is the object of one prediction: a text for a classifier, a word for a tagger.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints

Bools = NDArray[np.bool_]
Table = list[dict[str, Any]]

NEGATION = re.compile(
    r"\b(no|not|never|none|nobody|nothing|nowhere|neither|nor|cannot|without|hardly|barely)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
"""English words that reverse a meaning."""

LENGTHS = (1, 5, 9, 17, 33, 65, 129, 257, 513, 1025)
"""The lower limits of the length buckets."""

FREQUENCIES = (0, 1, 2, 5, 10, 100, 1000)
"""The lower limits of the buckets of counts in the training split."""

UNKNOWN = ("no unknown word", "up to 5 % unknown words", "more unknown words")
NEGATED = ("without a negation", "with a negation")

PAIRS_SHOWN = 20
EXAMPLES_OF_A_PAIR = 3


@dataclass(frozen=True)
class Targets:
    """Predictions of a test split, each array ``(targets,)``.

    Attributes:
        labels: the names of the classes.
        gold: the gold class indices.
        predicted: the predicted class indices.
        confidence: the probabilities of the predictions.
        shown: the texts of some targets; for a word, its sentence with the word marked.
    """

    labels: Sequence[str]
    gold: Ints
    predicted: Ints
    confidence: Floats
    shown: Callable[[Sequence[int]], dict[int, str]]

    @property
    def right(self) -> Bools:
        return self.gold == self.predicted

    def surest_errors(self) -> Ints:
        """The targets with a wrong prediction, most confident first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]


def confident_errors(targets: Targets, most: int) -> Table:
    """The most confident errors, the first place to look for wrong gold labels.

    ``target`` is the number of the target in the test split, from 0.
    """
    worst = targets.surest_errors()[:most].tolist()
    texts = targets.shown(worst)
    return [
        {
            "text": texts[i],
            "gold": targets.labels[targets.gold[i]],
            "predicted": targets.labels[targets.predicted[i]],
            "confidence": float(targets.confidence[i]),
            "target": i,
        }
        for i in worst
    ]


def confusion_pairs(targets: Targets) -> Table:
    """The most frequent confusions, with the most confident errors as examples."""
    errors = targets.surest_errors()
    pairs = np.stack([targets.gold[errors], targets.predicted[errors]], axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:PAIRS_SHOWN]
    examples = {
        i: errors[(pairs == found[i]).all(axis=1)][:EXAMPLES_OF_A_PAIR].tolist() for i in order
    }
    texts = targets.shown([target for some in examples.values() for target in some])
    return [
        {
            "gold": targets.labels[found[i, 0]],
            "predicted": targets.labels[found[i, 1]],
            "errors": int(counts[i]),
            "share_of_gold": float(counts[i] / (targets.gold == found[i, 0]).sum()),
            "examples": [texts[target] for target in examples[i]],
        }
        for i in order
    ]


def accuracy_by(groups: Ints, names: Sequence[str], right: Bools, column: str) -> Table:
    """The accuracy of each group with a 95% interval (Wilson 1927); empty groups are left out.

    Args:
        groups: the group of each target, an index of ``names``.
        column: the name of the grouping.
    """
    from scipy.stats import binomtest

    rows = []
    for group, name in enumerate(names):
        of_group = right[groups == group]
        if len(of_group):
            correct = int(of_group.sum())
            limits = binomtest(correct, len(of_group)).proportion_ci(0.95, "wilson")
            rows.append(
                {
                    column: name,
                    "targets": len(of_group),
                    "accuracy": correct / len(of_group),
                    "low": float(limits.low),
                    "high": float(limits.high),
                }
            )
    return rows


def accuracy_by_bucket(values: Ints, starts: Sequence[int], right: Bools, column: str) -> Table:
    """:func:`accuracy_by` ranges of whole numbers, the last one open-ended.

    Args:
        values: the value of each target, at least the first of ``starts``.
        starts: the lower limits of the ranges.
    """
    names = [
        str(start) if end == start + 1 else f"{start} to {end - 1}"
        for start, end in itertools.pairwise(starts)
    ]
    groups = np.searchsorted(np.array(starts), values, side="right") - 1
    return accuracy_by(groups, [*names, f"{starts[-1]} or more"], right, column)


def slices(texts: Iterable[str], unknown: Floats, sizes: Ints, right: Bools) -> Table:
    """Accuracy in texts with and without negations, and with few and many unknown words.

    Args:
        texts: the texts.
        unknown: the share of each text's words that are not in training ``(texts,)``.
        sizes: the number of targets in each text ``(texts,)``.
    """
    negated = np.array([bool(NEGATION.search(text)) for text in texts], np.int64)
    amount = np.digitize(unknown, [1e-9, 0.05 + 1e-9])
    return [
        *accuracy_by(np.repeat(negated, sizes), NEGATED, right, "slice"),
        *accuracy_by(np.repeat(amount, sizes), UNKNOWN, right, "slice"),
    ]
