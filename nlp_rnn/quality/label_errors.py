"""Probable label errors by confident learning (Northcutt, Jiang & Chuang 2021).

A baseline predicts the labels of texts that it was not trained on. Class ``j`` has the threshold
``t_j``, the mean probability of ``j`` over the texts labelled ``j``. A text labelled ``i`` counts
in the *confident joint* ``C[i, j]`` (equation 1) for the most probable ``j`` among those with
``p_j >= t_j``, if there are any. The texts off the diagonal are the probable errors (method
``C_confusion``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.baselines.bag_of_words import term_counts, tf_idf

FOLDS = 5

FEWEST = 5
"""Different texts that a label needs to be judged."""

PENALTY = 10.0
"""``C`` of the classifier, which is ``tf_idf`` of the baselines."""


@dataclass(frozen=True)
class Judged:
    """What out-of-sample predictions say of labels.

    Attributes:
        suggested: the confidently predicted class of each text ``(texts,)``; -1 for none.
        probabilities: out of sample ``(texts, classes)``.
        accuracy: of these probabilities against the given labels.
    """

    suggested: Ints
    probabilities: Floats
    accuracy: float


def judge(words: Sequence[Sequence[str]], labels: Ints, groups: Ints) -> Judged:
    """Judge the labels of texts by a classifier that was trained on other texts.

    Args:
        labels: class indices ``(texts,)`` from 0, each of which occurs.
        groups: equal for copies of a text ``(texts,)``, so that none is trained on another.
    """
    probabilities = out_of_sample(words, labels, groups)
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return Judged(confident_classes(probabilities, labels), probabilities, accuracy)


def out_of_sample(words: Sequence[Sequence[str]], labels: Ints, groups: Ints) -> Floats:
    """The probability of each class by a model of the other folds ``(texts, classes)``."""
    from scipy.sparse import hstack
    from sklearn.model_selection import StratifiedGroupKFold

    counts = hstack([term_counts(words, 1), term_counts(words, 2)], format="csr")
    repeated = np.asarray((counts > 0).sum(axis=0)).ravel() > 1  # others tell nothing elsewhere
    if repeated.any():
        counts = counts[:, repeated]
    probabilities = np.zeros((len(labels), int(labels.max()) + 1))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=1)
    for training, held_out in folds.split(counts, labels, groups):
        model = tf_idf(PENALTY).fit(counts[training], labels[training])
        predicted = model.predict_proba(counts[held_out])
        probabilities[np.ix_(held_out, model.classes_)] = predicted
    return probabilities


def confident_classes(probabilities: Floats, labels: Ints) -> Ints:
    """The class to which the confident joint counts each text ``(texts,)``; -1 for none.

    Args:
        probabilities: out of sample ``(texts, classes)``.
        labels: as given ``(texts,)``; every class occurs.
    """
    classes = range(probabilities.shape[1])
    thresholds = np.array([probabilities[labels == j, j].mean() for j in classes])
    confident = probabilities >= thresholds
    best: Ints = np.where(confident, probabilities, -1.0).argmax(axis=1)
    return np.where(confident.any(axis=1), best, -1)
