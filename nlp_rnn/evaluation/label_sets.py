"""Texts with any number of labels: thresholds for probabilities, and metrics of sets of labels.

Sets of labels are arrays ``(texts, labels)`` that are true where a label applies.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.evaluation.metrics import Metrics, precision_recall_f1

Bools = NDArray[np.bool_]


# --- thresholds -------------------------------------------------------------------------


def best_threshold(scores: Floats, gold: Bools, near: float | None = None) -> float:
    """The threshold with the highest F1 of ``scores >= threshold``.

    All values between two neighbouring scores have the same F1. Of these, the one nearest to
    ``near`` is taken, at some distance from both scores.

    Args:
        scores: the score of each decision ``(decisions,)``.
        gold: whether each should be positive; at least one should.
        near: None is half of the highest F1, which is the best threshold of calibrated
            probabilities (Lipton et al. 2014).
    """
    order = np.argsort(-scores, kind="stable")
    ranked, found = scores[order], np.cumsum(gold[order])
    f1 = 2 * found / (np.arange(1, len(found) + 1) + found[-1])
    last_of_equals = np.append(ranked[:-1] > ranked[1:], True)
    best = int(np.where(last_of_equals, f1, -1.0).argmax())
    high = float(ranked[best])
    if best == len(ranked) - 1:
        return high
    low = float(ranked[best + 1])
    distance = DISTANCE * (high - low)
    wanted = float(f1[best]) / 2 if near is None else near
    threshold = min(max(wanted, low + distance), high - distance)
    return threshold if low < threshold <= high else high


def common_threshold(scores: Floats, gold: Bools, near: float | None = None) -> float:
    """The one threshold of all labels with the highest micro-F1.

    Args:
        scores: ``(texts, labels)``.
        gold: ``(texts, labels)``; without any label, the threshold is ``near``, or 0.5.
        near: see :func:`best_threshold`.
    """
    if gold.any():
        return best_threshold(scores.ravel(), gold.ravel(), near)
    return 0.5 if near is None else near


DISTANCE = 0.1
"""Of the gap between two scores, how much lies between a threshold and either of them."""


def label_thresholds(probabilities: Floats, gold: Bools, by: str | float) -> Floats:
    """The threshold of each label ``(labels,)``.

    Lipton et al. (2014): the highest micro-F1 needs the same threshold for all labels, the highest
    macro-F1 one for each. A label that no text has takes that of all labels.

    Args:
        probabilities: ``(texts, labels)``.
        gold: ``(texts, labels)``.
        by: ``micro_f1``, ``macro_f1``, or the threshold itself.
    """
    labels = gold.shape[1]
    if not isinstance(by, str):
        return np.full(labels, by)
    common = common_threshold(probabilities, gold)
    if by == "micro_f1":
        return np.full(labels, common)
    columns = zip(probabilities.T, gold.T, strict=True)
    return np.array([best_threshold(p, own) if own.any() else common for p, own in columns])


# --- metrics ----------------------------------------------------------------------------


def label_set_metrics(
    gold: Bools, predicted: Bools, scores: Floats, labels: Sequence[str]
) -> Metrics:
    """Micro- and macro-averages, exact match, label ranking, and each label's metrics.

    ``precision``, ``recall`` and ``f1`` are micro-averages. The macro-averages are means over the
    labels that occur in ``gold`` or ``predicted``; a division by zero gives 0, as in scikit-learn.

    Args:
        gold: ``(texts, labels)``.
        predicted: ``(texts, labels)``.
        scores: by which labels are ranked ``(texts, labels)``.
        labels: the names of the labels.
    """
    names = ("precision", "recall", "f1")
    present = np.flatnonzero((gold | predicted).any(axis=0))
    counts = [side.sum(axis=0) for side in (gold & predicted, predicted, gold)]
    of_labels = precision_recall_f1(*counts)
    micro = precision_recall_f1(*(of_label.sum() for of_label in counts))
    means = [float(scores[present].mean()) if len(present) else 0.0 for scores in of_labels]
    return {
        **dict(zip(names, map(float, micro), strict=True)),
        **{f"macro_{name}": mean for name, mean in zip(names, means, strict=True)},
        "exact_match": float((gold == predicted).all(axis=1).mean()),
        "label_ranking": float(label_ranking(gold, scores).mean()),
        "per_class": {
            labels[i]: {
                **{name: float(of_labels[j][i]) for j, name in enumerate(names)},
                "support": int(counts[2][i]),
            }
            for i in present.tolist()
        },
    }


def micro_f1(gold: Bools, predicted: Bools) -> float:
    """The F1 of all decisions together; 0 without any label."""
    return float(2 * (gold & predicted).sum() / max(gold.sum() + predicted.sum(), 1))


def label_ranking(gold: Bools, scores: Floats) -> Floats:
    """The label ranking average precision of each text ``(texts,)`` (Schapire & Singer 2000).

    For each gold label, the share of gold labels among those that score at least as high, averaged
    over the gold labels; 1 for a text without any.
    """

    def of_text(own: Bools, of_labels: Floats) -> float:
        if not own.any():
            return 1.0
        as_high = of_labels >= of_labels[own][:, None]
        return float((as_high[:, own].sum(axis=1) / as_high.sum(axis=1)).mean())

    return np.array([of_text(own, row) for own, row in zip(gold, scores, strict=True)])


def confidences(probabilities: Floats, given: Bools) -> Floats:
    """The confidence in each text's labels ``(texts,)``: the probability of the least certain
    decision for or against a label."""
    found: Floats = np.where(given, probabilities, 1 - probabilities).min(axis=1)
    return found


# --- errors -----------------------------------------------------------------------------


def written(labels: Sequence[str], given: Bools) -> str:
    """The labels of a text, in words."""
    return ", ".join(compress(labels, given)) or "no label"


def most_confident_mistakes(gold: Bools, predicted: Bools, probabilities: Floats) -> list[Any]:
    """The texts with wrong labels, each with the probability that the model gave to its worst
    decision, the most confident first."""
    sure = np.where(predicted, probabilities, 1 - probabilities)
    worst = np.where(gold != predicted, sure, -1.0).max(axis=1)
    wrong = np.flatnonzero(worst >= 0)
    order = wrong[np.argsort(-worst[wrong], kind="stable")]
    return [(int(i), float(worst[i])) for i in order]
