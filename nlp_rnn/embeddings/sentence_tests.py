"""What sentence vectors are worth: simple classifiers on them, and relatedness of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.corpora.lines import numbered_lines
from nlp_rnn.embeddings.vectors import TINY, Matrix
from nlp_rnn.errors import UserError

FOLDS = 5
"""How many parts a file without a test file is cut into, each in turn the test split."""

RELATED = ("sentence_A", "sentence_B", "relatedness_score")
"""The columns of SICK."""

Numbers = NDArray[np.float64]


def read_labelled(file: Path) -> tuple[list[str], list[str]]:
    """The texts and labels of a file with a label, a space and a text in each line, like those of
    TREC, SUBJ and customer reviews; a text may be empty.

    Raises:
        UserError: the file cannot be read, or has fewer than two labels.
    """
    texts, labels = [], []
    for _, line in numbered_lines(file, "replace"):
        if line.strip():
            label, _, text = line.strip().partition(" ")
            texts.append(text)
            labels.append(label)
    if len(set(labels)) < 2:
        raise UserError(f"{file}: has {len(set(labels))} labels, expected at least 2")
    return texts, labels


def check_folds(file: Path, labels: Sequence[str]) -> None:
    """Raise UserError unless each part of a file can have every label."""
    label, times = min(Counter(labels).items(), key=lambda item: item[1])
    if times < FOLDS:
        raise UserError(
            f"{file}: only {times} lines have the label '{label}', and cross-validation needs "
            f"{FOLDS}; each line begins with its label, or give a test file"
        )


def read_related(file: Path) -> tuple[list[str], list[str], Numbers]:
    """The sentences of each pair and how related people find them, in the format of SICK.

    Raises:
        UserError: the file cannot be read, or a column or number is missing.
    """
    lines = [(n, line.rstrip("\r\n").split("\t")) for n, line in numbered_lines(file, "replace")]
    header = lines[0][1] if lines else []
    if missing := [name for name in RELATED if name not in header]:
        raise UserError(
            f"{file}: its first line lacks {missing[0]}; expected the tab-separated columns "
            f"{', '.join(RELATED)}"
        )
    places = [header.index(name) for name in RELATED]
    pairs, scores = [], []
    for number, cells in lines[1:]:
        if cells == [""]:
            continue
        try:
            first, second, score = (cells[place] for place in places)
            scores.append(float(score))
        except (IndexError, ValueError):
            raise UserError(f"{file}, line {number}: expected two sentences and a number") from None
        pairs.append((first, second))
    if not pairs:
        raise UserError(f"{file}: has no pairs")
    return [a for a, _ in pairs], [b for _, b in pairs], np.array(scores)


def accuracy(vectors: Matrix, labels: Sequence[str], training: int | None = None) -> float:
    """The accuracy of a logistic regression.

    Args:
        vectors: ``(sentences, size)``.
        training: how many of the first sentences it learns from; it is tested on the others. None
            tests each of :data:`FOLDS` parts by a regression on the others.
    """
    from sklearn.model_selection import StratifiedKFold

    gold = np.array(labels)
    if training is not None:
        return _right(vectors, gold, np.arange(training), np.arange(training, len(gold)))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(vectors, gold)
    return float(np.mean([_right(vectors, gold, train, test) for train, test in folds]))


def _right(vectors: Matrix, gold: Any, train: Any, test: Any) -> float:
    """Accuracy on the test rows; a tenth of the training rows chooses the penalty."""
    held_out = np.zeros(len(train), bool)
    held_out[::10] = True
    first, chosen = train[~held_out], train[held_out]
    penalty = max((0.01, 0.1, 1.0), key=lambda c: _fitted(vectors, gold, first, chosen, c))
    return _fitted(vectors, gold, train, test, penalty)


def _fitted(vectors: Matrix, gold: Any, train: Any, test: Any, inverse_penalty: float) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=inverse_penalty, max_iter=1000, tol=1e-3)
    )
    return float(model.fit(vectors[train], gold[train]).score(vectors[test], gold[test]))


def cosines(first: Matrix, second: Matrix) -> Numbers:
    """The cosine of each row of two matrices; 0 where a row is zero."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / np.maximum(lengths, TINY), np.float64)


def pearson(found: Numbers, gold: Numbers) -> float:
    """Pearson's correlation; 0 if all values are equal."""
    return float(np.corrcoef(found, gold)[0, 1]) if np.ptp(found) > 0 else 0.0


def relatedness(first: Matrix, second: Matrix, gold: Numbers, training: int) -> float:
    """Pearson's correlation of a ridge regression on ``[|u - v|, u ⊙ v]`` (Tai et al. 2015) with
    people's judgements, on the pairs after the first ``training``."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = np.concatenate([abs(first - second), first * second], axis=1)
    model = make_pipeline(StandardScaler(), RidgeCV(10.0 ** np.arange(6)))
    model.fit(features[:training], gold[:training])
    return pearson(model.predict(features[training:]), gold[training:])
