"""How much the examples of each label count in a training: ``training.class_weights``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.config import nearest
from nlp_rnn.errors import UserError
from nlp_rnn.text.prepared import PreparedDataset


def class_weights(dataset: PreparedDataset, given: str | Mapping[str, float]) -> Floats:
    """The weight of every class.

    ``balanced`` weighs a class of ``n`` of ``N`` training texts by ``N / (classes n)``, so that all
    classes weigh the same in total (King & Zeng 2001). Where a text has any number of labels, this
    is done for each label: its classes are the texts that lack it and those that have it.

    Args:
        given: ``balanced``, or the weights of some labels; the others count 1.

    Returns:
        ``(labels,)``; for any number of labels ``(2, labels)``, first of the texts that lack the
        label.

    Raises:
        UserError: there is no such label.
    """
    labels = dataset.labels
    if isinstance(given, Mapping):
        for label in given:
            if label not in labels:
                raise UserError(
                    f"training.class_weights: data set {dataset.card['name']} has no label "
                    f"'{label}'; {nearest(label, labels)}"
                )
        weights = np.array([float(given.get(label, 1.0)) for label in labels])
        return np.stack([np.ones(len(labels)), weights]) if dataset.multi_label else weights
    gold = np.asarray(dataset.split("train").labels)
    if not dataset.multi_label:
        return _balanced(np.bincount(gold, minlength=len(labels)))
    present = gold.sum(axis=0, dtype=np.int64)
    return _balanced(np.stack([len(gold) - present, present]))


def _balanced(counts: Ints) -> Floats:
    """Weights in inverse proportion to the counts of the classes along the first axis."""
    found: Floats = counts.sum(axis=0) / (len(counts) * np.maximum(counts, 1))
    return found
