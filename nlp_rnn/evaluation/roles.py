"""Metrics of predicates and their arguments, as in the shared task CoNLL-2005.

An argument is right if its predicate, its role and all its words are those of the gold standard
(Carreras & Màrquez 2005; ``srl-eval.pl``). A phrase ``C-ARG1`` continues the nearest ``ARG1``
before it as one discontinuous argument, or begins one if there is none; ``R-ARG1``, a reference to
``ARG1``, is a role of its own; the predicate itself, ``V``, does not count. With the predicates
that a model has found itself, the arguments of a wrong one are wrong and those of a missed one are
missed; ``srl-eval.pl`` would skip the former.

=====================  =======================================================================
``f1``                 micro-F1 of arguments, with the gold predicates given
``predicate_f1``       F1 of the words found to be predicates
``end_to_end_f1``      micro-F1 of the arguments of the predicates found
=====================  =======================================================================

A row of predictions is a sentence: its ``gold`` propositions, the ones ``predicted`` for the gold
predicates, and those ``found`` from the words alone. A proposition is a predicate, counted from 0,
and the BIO tags of the words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.corpora.propositions import PREDICATE
from nlp_rnn.evaluation.figure import Figure, quotient
from nlp_rnn.evaluation.metrics import Metrics
from nlp_rnn.text.entities import entity_spans

Phrases = tuple[tuple[int, int], ...]
"""The phrases of an argument in order, each its first word and the word after its last."""

Argument = tuple[str, Phrases]
"""A role and where it is."""

Row = dict[str, Any]

CONTINUED = "C-"


def predicates_of(tags: Sequence[str]) -> list[int]:
    """The predicates that tags of a sentence without a given predicate mark.

    >>> predicates_of(["O", "B-V", "O", "B-V"])
    [1, 3]
    """
    return [i for i, tag in enumerate(tags) if tag == f"B-{PREDICATE}"]


def arguments(tags: Sequence[str]) -> list[Argument]:
    """The arguments that BIO tags mark, without the predicate.

    >>> arguments(["B-ARG1", "B-V", "B-C-ARG1", "I-C-ARG1"])
    [('ARG1', ((0, 1), (2, 4)))]
    """
    found: list[tuple[str, list[tuple[int, int]]]] = []
    latest: dict[str, list[tuple[int, int]]] = {}
    for label, start, end in entity_spans(tags):
        role = label.removeprefix(CONTINUED)
        if label != role and role in latest:
            latest[role].append((start, end))
            continue
        latest[role] = [(start, end)]
        found.append((role, latest[role]))
    return [(role, tuple(phrases)) for role, phrases in found if role != PREDICATE]


# --- rows -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Propositions:
    """The examples of a sentence.

    Attributes:
        first: the number of that without a predicate.
        of: the number of each predicate's.
    """

    first: int
    of: dict[int, int]


def by_sentence(predicates: Ints) -> list[Propositions]:
    """The sentences of a split, from the predicate of each example, -1 for none ``(examples,)``."""
    sentences: list[Propositions] = []
    for number, predicate in enumerate(np.asarray(predicates).tolist()):
        if predicate < 0:
            sentences.append(Propositions(number, {}))
        else:
            sentences[-1].of[predicate] = number
    return sentences


Others = Callable[[list[tuple[int, int]]], Sequence[Ints]]
"""Maps pairs of an example and a word of it to the tags of the roles of this word."""


def role_rows(
    labels: Sequence[str],
    predicates: Ints,
    gold: Sequence[Ints],
    predicted: Sequence[Ints],
    others: Others,
) -> list[Row]:
    """Rows of predictions.

    Args:
        labels: names of the tags.
        predicates: the predicate of each example, -1 for none ``(examples,)``.
        gold: the gold tag indices of each example ``(words,)``.
        predicted: the predicted ones, with the gold predicates.
        others: tags the roles of words that were found to be predicates and are none.
    """

    def names(tags: Ints) -> list[str]:
        return [labels[tag] for tag in tags]

    sentences = by_sentence(predicates)
    found = [predicates_of(names(predicted[sentence.first])) for sentence in sentences]
    pairs = list(zip(sentences, found, strict=True))
    wrong = [(one.first, place) for one, places in pairs for place in places if place not in one.of]
    roles_of = dict(zip(wrong, others(wrong), strict=True))
    rows = []
    for sentence, places in pairs:
        of_found = {
            place: predicted[sentence.of[place]]
            if place in sentence.of
            else roles_of[sentence.first, place]
            for place in places
        }
        rows.append(
            {
                "gold": [[place, names(gold[i])] for place, i in sentence.of.items()],
                "predicted": [[place, names(predicted[i])] for place, i in sentence.of.items()],
                "found": [[place, names(tags)] for place, tags in of_found.items()],
            }
        )
    return rows


# --- metrics ----------------------------------------------------------------------------

Found = set[tuple[Any, ...]]
"""What is right or wrong as a whole: predicates, or arguments with their predicate and role."""


def _predicates(propositions: Sequence[tuple[int, Sequence[str]]]) -> Found:
    return {(predicate,) for predicate, _ in propositions}


def _arguments(propositions: Sequence[tuple[int, Sequence[str]]]) -> Found:
    return {
        (predicate, *argument) for predicate, tags in propositions for argument in arguments(tags)
    }


COMPARED = {
    "predicate_f1": (_predicates, "found"),
    "end_to_end_f1": (_arguments, "found"),
    "f1": (_arguments, "predicted"),
}
"""What each metric counts, and which side of a row it compares with the gold one; the most
important is the last."""


def role_figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """Each F1 in terms of sentences: twice what was found, and what both sides have."""

    def figure(count: Callable[[Any], Found], side: str) -> Figure:
        pairs = ((count(row["gold"]), count(row[side])) for row in rows)
        terms = [[2 * len(gold & found), len(gold) + len(found)] for gold, found in pairs]
        return Figure(np.array(terms, np.float64), quotient)

    return {name: figure(*compared) for name, compared in COMPARED.items()}


def role_metrics(rows: Sequence[Row]) -> Metrics:
    """Each F1 with its precision and recall, the share of propositions without a fault
    (``perfect``), and the metrics of each role (``per_class``)."""
    metrics: Metrics = {}
    for name, (count, side) in COMPARED.items():
        gold, found = (_of_all(rows, of, count) for of in ("gold", side))
        metrics |= {
            name.replace("f1", measure): value for measure, value in _rates(gold, found).items()
        }
    gold, given = (_of_all(rows, side, _arguments) for side in ("gold", "predicted"))
    faults, propositions = {found[:2] for found in gold ^ given}, _of_all(rows, "gold", _predicates)
    roles = sorted({argument[2] for argument in gold | given})
    per_class = {}
    for role in roles:
        of_role = [{each for each in side if each[2] == role} for side in (gold, given)]
        per_class[role] = _rates(*of_role) | {"support": len(of_role[0])}
    perfect = 1 - len(faults) / max(len(propositions), 1)
    return {**metrics, "perfect": perfect, "per_class": per_class}


def _of_all(rows: Sequence[Row], side: str, count: Callable[[Any], Found]) -> Found:
    """What all sentences have on a side, each with the number of its sentence."""
    return {(number, *found) for number, row in enumerate(rows) for found in count(row[side])}


def _rates(gold: Found, found: Found) -> dict[str, float]:
    right = len(gold & found)
    return {
        "f1": 2 * right / max(len(gold) + len(found), 1),
        "precision": right / max(len(found), 1),
        "recall": right / max(len(gold), 1),
    }
