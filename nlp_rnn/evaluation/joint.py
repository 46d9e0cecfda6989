"""Intents and slots judged together: the labels of texts, the tags of words, and both at once.

===============  ==============================================================================
``accuracy``     the share of texts with the right label (intent accuracy)
``f1``           micro-F1 of the entities that tags mark (slot F1), or macro-F1 of plain tags
``exact_match``  the share of texts whose label and tags are all right: semantic frame accuracy
                 (Goo et al. 2018)
===============  ==============================================================================

A row of predictions is that of a tagger, with the ``gold_label``, the ``label`` and the
``label_confidence`` of the text beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nlp_rnn.evaluation.figure import Figure, quotient
from nlp_rnn.evaluation.metrics import Metrics

Row = dict[str, Any]


def joint_rows(of_texts: Sequence[Row], of_words: Sequence[Row]) -> list[Row]:
    """Rows from those of a classifier and a tagger on the same texts."""
    names = {"gold": "gold_label", "predicted": "label", "confidence": "label_confidence"}
    return [
        words | {names[key]: value for key, value in text.items()}
        for text, words in zip(of_texts, of_words, strict=True)
    ]


def is_joint(row: Row) -> bool:
    """Whether a row of predictions is of intents and slots."""
    return "gold_label" in row


def is_right(row: Row) -> bool:
    """Whether the tags of a row, and its label if it has one, are all right."""
    return bool(row["gold"] == row["predicted"]) and row.get("gold_label") == row.get("label")


def joint_figures(rows: Sequence[Row], f1: Figure) -> dict[str, Figure]:
    """The metrics of the module, given that of the tags."""

    def share(right: Sequence[bool]) -> Figure:
        return Figure(np.array([right, [True] * len(right)], np.float64).T, quotient)

    return {
        "accuracy": share([row["gold_label"] == row["label"] for row in rows]),
        "f1": f1,
        "exact_match": share([is_right(row) for row in rows]),
    }


def joint_metrics(of_texts: Metrics, of_words: Metrics, rows: Sequence[Row]) -> Metrics:
    """The metrics of the tags, except that ``accuracy`` is that of labels, and theirs is
    ``tag_accuracy``; more of the labels is in ``intents``.

    Args:
        of_texts: the metrics of the labels.
        of_words: those of the tags.
        rows: the predictions.
    """
    return of_words | {
        "accuracy": of_texts["accuracy"],
        "tag_accuracy": of_words["accuracy"],
        "exact_match": float(np.mean([is_right(row) for row in rows])),
        "intents": {name: of_texts[name] for name in ("f1", "per_class")},
    }
