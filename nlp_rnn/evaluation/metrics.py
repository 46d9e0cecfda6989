"""Metrics from exact sums over tokens or examples."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlp_rnn.text.entities import entity_spans

Metrics = dict[str, Any]


def precision_recall_f1(
    right: ArrayLike, predicted: ArrayLike, gold: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Precision, recall and F1 of each class from counts; a division by zero gives 0.

    The import of scikit-learn, whose figures these are, takes longer than many evaluations.

    Args:
        right: how often each class was predicted and is right.
        predicted: how often each class was predicted.
        gold: how often each class occurs.
    """
    right, predicted, gold = (np.asarray(counts, float) for counts in (right, predicted, gold))
    together = predicted + gold
    return (
        right / np.where(predicted, predicted, 1),
        right / np.where(gold, gold, 1),
        2 * right / np.where(together, together, 1),
    )


def classification_metrics(
    gold: NDArray[Any], predicted: NDArray[Any], labels: Sequence[str]
) -> Metrics:
    """Accuracy, macro-F1 and each class's precision, recall and F1.

    Args:
        gold: class indices ``(examples,)``.
        predicted: class indices ``(examples,)``.
        labels: names of the classes.

    Macro-F1 is the mean over the classes that occur in ``gold`` or ``predicted``; a division by
    zero gives 0, as in scikit-learn.
    """
    present = np.union1d(gold, predicted)
    right, of_predicted, of_gold = (
        np.bincount(classes, minlength=len(labels))[present]
        for classes in (gold[gold == predicted], predicted, gold)
    )
    scores = precision_recall_f1(right, of_predicted, of_gold)
    per_class = {
        labels[index]: {
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "support": int(support),
        }
        for index, precision, recall, f1, support in zip(present, *scores, of_gold, strict=True)
    }
    return {
        "accuracy": float(np.mean(gold == predicted)),
        "f1": float(np.mean(scores[2])),
        "per_class": per_class,
    }


def entity_metrics(gold: list[list[str]], predicted: list[list[str]]) -> Metrics:
    """Entity micro-F1 over BIO tags, by seqeval.

    ``f1`` follows the CoNLL convention (conlleval): an ``I-`` that does not continue an entity
    begins one. ``strict`` follows IOB2 to the letter: such an entity does not count. An entity is
    right if its type and both its ends are. A division by zero gives 0, so without any entity every
    metric is 0.
    """
    from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2

    # The averages of seqeval's report would be means of nothing, about which NumPy warns.
    if not any(next(entity_spans(tags), None) for tags in (*gold, *predicted)):
        return {"f1": 0.0, "precision": 0.0, "recall": 0.0, "strict": {"f1": 0.0}, "per_class": {}}
    report = classification_report(gold, predicted, output_dict=True, zero_division=0)
    per_type = {
        name: {
            "precision": float(row["precision"]),
            "recall": float(row["recall"]),
            "f1": float(row["f1-score"]),
            "support": int(row["support"]),
        }
        for name, row in report.items()
        if not name.endswith(" avg")
    }
    return {
        "f1": float(f1_score(gold, predicted, zero_division=0)),
        "precision": float(precision_score(gold, predicted, zero_division=0)),
        "recall": float(recall_score(gold, predicted, zero_division=0)),
        "strict": {
            "f1": float(f1_score(gold, predicted, mode="strict", scheme=IOB2, zero_division=0))
        },
        "per_class": per_type,
    }


def entity_surface_metrics(
    gold: Sequence[NDArray[Any]],
    predicted: Sequence[NDArray[Any]],
    tags: Sequence[str],
    words: Sequence[Sequence[str]],
    known: Collection[str],
) -> Metrics:
    """Metrics of an entity tagger by the surface form of entities.

    Args:
        gold: the gold tag indices of each sentence.
        predicted: the predicted tag indices of each sentence.
        tags: names of the tags.
        words: the words of each sentence, as written.
        known: the entities of the training split, their words joined by spaces.

    ``surface_f1`` is the F1 of the distinct pairs of entity and type in the whole split, so that a
    frequent entity counts once (Derczynski et al. 2017, for WNUT-17); a pair is right if it occurs
    anywhere in the gold tags. ``unseen_entity_recall`` is the recall of the occurrences of gold
    entities that were never an entity in training; None if there are none.
    """

    def entities(of: Sequence[NDArray[Any]]) -> list[tuple[str, int, int, int, str]]:
        return [
            (" ".join(words[i][start:end]), i, start, end, kind)
            for i, sentence in enumerate(of)
            for kind, start, end in entity_spans([tags[tag] for tag in sentence])
        ]

    right, found = entities(gold), set(entities(predicted))
    surfaces, guessed = ({(e[0], e[-1]) for e in side} for side in (right, found))
    unseen = [entity in found for entity in right if entity[0] not in known]
    return {
        "surface_f1": 2 * len(surfaces & guessed) / max(len(surfaces) + len(guessed), 1),
        "unseen_entity_recall": sum(unseen) / len(unseen) if unseen else None,
    }


def tagging_metrics(
    gold: Sequence[NDArray[Any]],
    predicted: Sequence[NDArray[Any]],
    tags: Sequence[str],
    seen: Sequence[NDArray[np.bool_]] | None = None,
    *,
    entities: bool,
) -> Metrics:
    """Token accuracy overall, on words seen in training and on unseen ones, and F1.

    Args:
        gold: the gold tag indices of each sentence.
        predicted: the predicted tag indices of each sentence.
        tags: names of the tags.
        seen: whether each word occurs in training; None omits those accuracies.
        entities: whether the tags mark entities, which the data set knows. Names alone do not tell:
            a class may be called ``B-movie``.

    ``f1`` is the entity micro-F1 if tags mark entities, otherwise the macro-F1 over the tags.
    """
    flat_gold, flat_predicted = np.concatenate(gold), np.concatenate(predicted)
    metrics = classification_metrics(flat_gold, flat_predicted, tags)
    if seen is not None:
        right, known = flat_gold == flat_predicted, np.concatenate(seen)
        metrics["accuracy_known"] = float(right[known].mean()) if known.any() else None
        metrics["accuracy_unseen"] = float(right[~known].mean()) if not known.all() else None
    if entities:
        named_gold = [[tags[i] for i in sentence] for sentence in gold]
        named_predicted = [[tags[i] for i in sentence] for sentence in predicted]
        metrics |= entity_metrics(named_gold, named_predicted)
    return metrics


def language_model_metrics(loss_sum: float, tokens: int, characters: int) -> Metrics:
    """Perplexity ``exp(L / tokens)`` and bits per character ``L / (characters ln 2)``.

    Args:
        loss_sum: ``L``, the sum of ``-ln P`` over all tokens, in nats.
        tokens: the number of tokens, including end symbols.
        characters: the number of characters in the raw text, including newlines.
    """
    return {
        "loss": loss_sum / tokens,
        "perplexity": math.exp(min(loss_sum / tokens, 700)),
        "bits_per_character": loss_sum / (characters * math.log(2)),
        "tokens": tokens,
    }


def confusion(gold: NDArray[Any], predicted: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """The confusion matrix ``(gold, predicted)``."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (gold, predicted), 1)
    return matrix
