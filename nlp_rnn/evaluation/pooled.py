"""The evaluation of a cross-validation: the test predictions of all folds taken together.

Every example is tested in one fold, so metrics are those of all predictions at once, rather than
means over folds, which would depend on how a ratio such as F1 falls out in each (Forman & Scholz
2010).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints
from nlp_rnn.evaluation.errors import (
    Table,
    Targets,
    accuracy_by,
    confident_errors,
    confusion_pairs,
)
from nlp_rnn.evaluation.label_sets import label_set_metrics
from nlp_rnn.evaluation.metrics import Metrics, classification_metrics, tagging_metrics
from nlp_rnn.evaluation.predictions import (
    Row,
    has_label_set,
    kind_of,
    marks_entities,
)
from nlp_rnn.evaluation.result import Evaluation, JudgedEntities

Rows = Sequence[Row]

OF_SOME_WORDS = ("accuracy_known", "accuracy_unseen", "surface_f1", "unseen_entity_recall")
"""Metrics of some words or entities of a fold; predictions do not tell which."""


def with_fold(rows: Sequence[Rows]) -> list[Row]:
    """The predictions of all folds, each with the number of its ``fold``, from 1."""
    return [row | {"fold": number} for number, of in enumerate(rows, start=1) for row in of]


def pooled_metrics(
    tests: Sequence[Metrics], rows: Sequence[Rows], labels: Sequence[str]
) -> Metrics:
    """The test metrics of all predictions together.

    What predictions do not tell, such as the loss, is the mean over all targets of the folds;
    metrics of words that training has not seen, which differ from fold to fold, are left out.

    Args:
        tests: the metrics of each fold.
        rows: its predictions.
        labels: the classes.
    """
    sizes = [sum(_targets(row) for row in of_fold) for of_fold in rows]
    means = weighted_means(tests, sizes)
    exact = _metrics_of([row for of_fold in rows for row in of_fold], labels)
    settled = {*exact, *OF_SOME_WORDS}
    return exact | {name: value for name, value in means.items() if name not in settled}


def weighted_means(tests: Sequence[Metrics], sizes: Sequence[int]) -> Metrics:
    """The mean of each number that the metrics of all folds have, weighted by ``sizes``."""
    names = (name for name in tests[0] if all(_is_number(test.get(name)) for test in tests))
    return {
        name: float(np.average([test[name] for test in tests], weights=sizes)) for name in names
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _targets(row: Row) -> int:
    """The number of predictions in a row: the words of a sentence, or one for a text."""
    return len(row["gold"]) if kind_of(row) == "tagging" else 1


def _metrics_of(rows: Rows, labels: Sequence[str]) -> Metrics:
    """The metrics of predictions, as evaluations of their task give them."""
    if has_label_set(rows[0]):
        applies, given = (
            np.array([[label in row[side] for label in labels] for row in rows], bool)
            for side in ("gold", "predicted")
        )
        found = label_set_metrics(applies, given, given.astype(float), labels)
        # Its ranking is by probabilities, of which rows have the result.
        return found | {"label_ranking": float(np.mean([row["label_ranking"] for row in rows]))}
    index = {label: i for i, label in enumerate(labels)}
    tagged = kind_of(rows[0]) == "tagging"
    gold, predicted = (
        [
            np.array([index[label] for label in (row[side] if tagged else [row[side]])], np.int64)
            for row in rows
            if row[side]
        ]
        for side in ("gold", "predicted")
    )
    if tagged:
        return tagging_metrics(gold, predicted, labels, entities=marks_entities(rows))
    return classification_metrics(np.concatenate(gold), np.concatenate(predicted), labels)


def pooled(folds: Sequence[Evaluation], most: int) -> Evaluation:
    """The evaluations of all folds as one.

    The order of labels is that of the first fold, which has all of them. The metrics of baselines
    are means over folds.

    Args:
        folds: the evaluations of classifiers or taggers.
        most: how many errors are shown.
    """
    labels = folds[0].labels
    folds = [_with_labels(fold, labels) for fold in folds]
    rows = [fold.predictions for fold in folds]
    sizes = [fold.gold.size for fold in folds]
    gold, predicted, confidence, uncalibrated = (
        np.concatenate([getattr(fold, name) for fold in folds])
        for name in ("gold", "predicted", "confidence", "uncalibrated")
    )
    targets = Targets(labels, gold, predicted, confidence, _shown(folds, sizes))
    single = not folds[0].multi_label
    return Evaluation(
        test=pooled_metrics([fold.test for fold in folds], rows, labels),
        baselines={
            name: weighted_means([fold.baselines[name] for fold in folds], sizes)
            for name in folds[0].baselines
        },
        samples=confident_errors(targets, most) if single else _worst(folds, most),
        predictions=with_fold(rows),
        labels=labels,
        multi_label=not single,
        gold=gold,
        predicted=predicted,
        confidence=confidence,
        uncalibrated=uncalibrated,
        tables=dict(_tables(folds, targets)),
        log_loss=weighted_means([fold.log_loss or {} for fold in folds], sizes) or None,
        entities=_entities(folds),
    )


def _with_labels(fold: Evaluation, labels: Sequence[str]) -> Evaluation:
    """An evaluation whose classes are numbered as in ``labels``."""
    order = np.array([fold.labels.index(label) for label in labels])
    if fold.multi_label:  # each label of each text is a target
        names = ("gold", "predicted", "confidence", "uncalibrated")
        by_text = {name: getattr(fold, name).reshape(-1, len(labels)) for name in names}
        return replace(fold, **{name: of[:, order].ravel() for name, of in by_text.items()})
    places = np.argsort(order)
    return replace(fold, gold=places[fold.gold], predicted=places[fold.predicted])


def _shown(
    folds: Sequence[Evaluation], sizes: Sequence[int]
) -> Callable[[Sequence[int]], dict[int, str]]:
    """The function that gives the texts of some targets of all folds."""
    starts = np.cumsum([0, *sizes])

    def shown(wanted: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        numbers = np.array(wanted, np.int64)
        for fold, start, end in zip(folds, starts, starts[1:], strict=False):
            own: Ints = numbers[(numbers >= start) & (numbers < end)] - start
            assert fold.shown is not None
            found |= {int(start) + i: text for i, text in fold.shown(own.tolist()).items()}
        return found

    return shown


def _worst(folds: Sequence[Evaluation], most: int) -> list[dict[str, Any]]:
    """The most confident errors of all folds."""
    samples = [sample for fold in folds for sample in fold.samples]
    return sorted(samples, key=lambda sample: -sample["confidence"])[:most]


def _entities(folds: Sequence[Evaluation]) -> JudgedEntities | None:
    """The predicted entities of all folds."""
    found = [fold.entities for fold in folds if fold.entities is not None]
    if not found:
        return None
    together: dict[str, NDArray[Any]] = {
        name: np.concatenate([getattr(each, name) for each in found])
        for name in ("right", "confidence", "uncalibrated")
    }
    return JudgedEntities(**together)


def _tables(folds: Sequence[Evaluation], targets: Targets) -> Iterator[tuple[str, Table]]:
    """The tables of errors of all folds."""
    for name in folds[0].tables:
        if name == "confusion_pairs":
            yield name, confusion_pairs(targets)
        else:
            yield name, _accuracies([fold.tables[name] for fold in folds])


def _accuracies(tables: Sequence[Table]) -> Table:
    """Tables of :func:`accuracy_by` as one; the order is that of the fullest of them."""
    tables = sorted(tables, key=len, reverse=True)
    column = next(iter(tables[0][0]))
    counts: dict[str, list[int]] = {}
    for row in (row for table in tables for row in table):
        of_group = counts.setdefault(row[column], [0, 0])
        right = round(row["accuracy"] * row["targets"])
        of_group[0] += right
        of_group[1] += row["targets"] - right
    sizes = np.array(list(counts.values()))
    groups = np.repeat(np.arange(len(counts)), sizes.sum(axis=1))
    right = np.repeat(np.tile([True, False], len(counts)), sizes.ravel())
    return accuracy_by(groups, list(counts), right, column)
