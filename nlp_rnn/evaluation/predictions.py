"""Files of predictions on a test split, and the metrics computed from them.

Each line is a JSON object for one example, in the order of the split:

====================  =============================================================
classification        ``gold``, ``predicted``, ``confidence``; for any number of labels, the
                      first two are lists of labels, and ``label_ranking`` is the text's label
                      ranking average precision
tagging               the same, each a list with an item per word, and ``entities``,
                      whether the tags mark entities; if so, ``entity_confidence``, the
                      probability of each predicted entity in order
intents and slots     as tagging, and ``gold_label``, ``label`` and ``label_confidence`` of the
                      text, see :mod:`nlp_rnn.evaluation.joint`
language modelling    ``loss`` (nats), ``tokens``, ``unknown`` (of them), ``characters``
sequence to sequence  ``text``, ``gold`` and ``output``, the ``log_probability`` of the
                      output, and ``loss`` (nats) and ``tokens`` of the gold target;
                      ``trees``, whether these are trees; ``reference``, the target as
                      in the data, and ``lowercase``, whether outputs have no capitals;
                      ``also``, other right outputs
semantic roles        ``gold``, ``predicted`` and ``found``, see
                      :mod:`nlp_rnn.evaluation.roles`, and ``confidence``, a list with the
                      lowest probability of a tag for each gold predicate
====================  =============================================================

``confidence``, the probability of the prediction, may be absent; so may ``entities`` and
``entity_confidence`` in files of earlier versions. Every metric is a function of sums over
examples, so it can be recomputed for any resampling of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn import paths
from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.figure import Figure, quotient
from nlp_rnn.evaluation.joint import is_joint, joint_figures
from nlp_rnn.evaluation.roles import role_figures
from nlp_rnn.evaluation.sequences import TEXT, TREES, sequence_figures
from nlp_rnn.files import write_json_lines
from nlp_rnn.hints import Remedy
from nlp_rnn.text.entities import entity_spans, is_entity_scheme
from nlp_rnn.text.prepared import Split
from nlp_rnn.text.vocabulary import UNK_INDEX

Row = dict[str, Any]

SINGLE_REFERENCE = ("bleu", "chrf", "bracket_f1", "malformed")
"""Metrics of the outputs of pairs that compare with the target of the pair alone, as others do."""

WITH_TAGS = ("tagging", "intents_and_slots")
"""Tasks whose rows have a gold and a predicted tag for each word."""

DIGITS = 6
"""The number of decimals of a confidence in a file."""


def labelled_rows(
    labels: Sequence[str], gold: Ints, predicted: Ints, confidence: Floats | None = None
) -> list[Row]:
    """Rows of a classifier's predictions: class indices ``(texts,)`` and their probabilities."""
    rows: list[Row] = [
        {"gold": labels[g], "predicted": labels[p]} for g, p in zip(gold, predicted, strict=True)
    ]
    if confidence is not None:
        for row, sure in zip(rows, confidence.tolist(), strict=True):
            row["confidence"] = round(sure, DIGITS)
    return rows


def label_set_rows(
    labels: Sequence[str],
    gold: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    ranking: Floats,
    confidence: Floats | None = None,
) -> list[Row]:
    """Rows of a classifier that gives any number of labels: which apply ``(texts, labels)``, and
    for each text its ranking and confidence ``(texts,)``."""
    rows: list[Row] = [
        {
            "gold": list(compress(labels, g)),
            "predicted": list(compress(labels, p)),
            "label_ranking": value,
        }
        for g, p, value in zip(gold, predicted, ranking.tolist(), strict=True)
    ]
    if confidence is not None:
        for row, sure in zip(rows, confidence.tolist(), strict=True):
            row["confidence"] = round(sure, DIGITS)
    return rows


def tagged_rows(
    tags: Sequence[str],
    gold: Sequence[Ints],
    predicted: Sequence[Ints],
    confidence: Sequence[Floats] | None = None,
    *,
    entities: bool,
    entity_confidence: Sequence[Floats] | None = None,
) -> list[Row]:
    """Rows of a tagger's predictions: per sentence, tag indices ``(words,)`` and probabilities.

    Args:
        entities: whether the tags mark entities, which the data set knows.
        entity_confidence: the probability of each predicted entity of each sentence.
    """
    rows: list[Row] = [
        {"gold": [tags[i] for i in g], "predicted": [tags[i] for i in p], "entities": entities}
        for g, p in zip(gold, predicted, strict=True)
    ]
    if confidence is not None:
        for row, sure in zip(rows, confidence, strict=True):
            row["confidence"] = [round(p, DIGITS) for p in sure.tolist()]
    if entity_confidence is not None:
        for row, sure in zip(rows, entity_confidence, strict=True):
            row["entity_confidence"] = [round(p, DIGITS) for p in sure.tolist()]
    return rows


def scored_rows(split: Split, losses: Floats) -> list[Row]:
    """Rows of a language model's scores: ``-ln P`` of every line of a split, in nats
    ``(lines,)``."""
    is_unknown = (split.ids == UNK_INDEX).astype(np.int64)
    unknown = np.add.reduceat(is_unknown, split.offsets[:-1])
    lines = zip(split.records(), losses, split.lengths, unknown, strict=True)
    return [
        {
            "loss": float(loss),
            "tokens": int(tokens),
            "unknown": int(unknown),
            "characters": len(record["text"]) + 1,  # the newline counts
        }
        for record, loss, tokens, unknown in lines
    ]


def written_rows(
    gold: Iterable[Row],
    outputs: Sequence[str],
    log_p: Sequence[float] | None = None,
    losses: Sequence[Floats] | None = None,
) -> list[Row]:
    """Rows of the outputs of pairs.

    Args:
        gold: what would have been right, from :func:`nlp_rnn.text.gold.gold_rows`.
        outputs: one for each pair.
        log_p: ``ln P`` of each output; None for models without probabilities.
        losses: ``-ln P`` of each token of each target, in nats.
    """
    rows = [row | {"output": output} for row, output in zip(gold, outputs, strict=True)]
    for row, value in zip(rows, log_p or (), strict=False):
        row["log_probability"] = float(value)
    for row, of_target in zip(rows, () if losses is None else losses, strict=False):
        row |= {"loss": float(of_target.sum()), "tokens": len(of_target)}
    return rows


def write_predictions(file: Path, rows: Iterable[Row]) -> None:
    """Write ``rows`` completely or not at all."""
    write_json_lines(file, rows)


def read_predictions(file: Path) -> list[Row]:
    """Read what :func:`write_predictions` wrote.

    Raises:
        UserError: the file is missing or empty, or a line is not a prediction.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            rows = [_row(file, number, line) for number, line in enumerate(lines, 1)]
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; {_missing(file)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}); give a file of predictions") from None
    if not rows:
        raise UserError(f"{file}: has no predictions")
    kinds = [kind_of(row) for row in rows]
    if wrong := next((i for i, kind in enumerate(kinds, 1) if kind != kinds[0]), None):
        raise UserError(f"{file}, line {wrong}: a prediction for {kinds[wrong - 1]} after others")
    return rows


def _missing(file: Path) -> str:
    """How to get a missing file of predictions."""
    if file == paths.predictions(file.stem):
        return str(Remedy("evaluate the experiment", file.stem, ("evaluate",)))
    if file.parent != paths.baseline_predictions(file.parent.name):
        return "give an evaluated experiment, or a file of predictions"
    if found := sorted(other.stem for other in file.parent.glob("*.jsonl")):
        return f"the baselines there are {', '.join(found)}"
    return str(Remedy("fit the baselines", file.parent.name, ("baselines",)))


def _row(file: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    checks = (_is_of_roles, _is_judged, _is_scored, _is_written)
    if not isinstance(row, dict) or not any(check(row) for check in checks):
        raise UserError(
            f"{file}, line {number}: no prediction; expected gold and predicted (strings, or lists "
            "of equal length), or text, gold and output (strings), or loss, tokens, unknown and "
            "characters (numbers)"
        )
    return row


def _is_of_roles(row: Row) -> bool:
    sides = [row.get(side) for side in ("gold", "predicted", "found")]
    return all(isinstance(side, list) and all(map(_is_proposition, side)) for side in sides)


def _is_proposition(found: Any) -> bool:
    if not (isinstance(found, list) and len(found) == 2):
        return False
    predicate, tags = found
    return type(predicate) is int and isinstance(tags, list) and all(type(t) is str for t in tags)


def _is_written(row: Row) -> bool:
    if not all(isinstance(row.get(key, False), bool) for key in ("trees", "lowercase")):
        return False
    also = row.get("also", [])
    texts = [row.get("text"), row.get("gold"), row.get("output"), row.get("reference", "")]
    return isinstance(also, list) and all(isinstance(text, str) for text in [*texts, *also])


def _is_judged(row: Row) -> bool:
    gold, predicted = row.get("gold"), row.get("predicted")
    if isinstance(gold, list) and isinstance(predicted, list):
        if not isinstance(row.get("entities", False), bool):
            return False
        if has_label_set(row):
            return all(isinstance(x, str) for x in gold + predicted)
        if is_joint(row) and not all(isinstance(row.get(x), str) for x in ("gold_label", "label")):
            return False
        return len(gold) == len(predicted) and all(isinstance(x, str) for x in gold + predicted)
    return isinstance(gold, str) and isinstance(predicted, str)


def _is_scored(row: Row) -> bool:
    numbers = (row.get(key) for key in ("loss", "tokens", "unknown", "characters"))
    return all(isinstance(n, int | float) and n >= 0 and math.isfinite(n) for n in numbers)


def has_label_set(row: Row) -> bool:
    """Whether a row is of a text that may have any number of labels."""
    return isinstance(row.get("label_ranking"), int | float)


def kind_of(row: Row) -> str:
    """The task to which a row of predictions belongs."""
    if "found" in row:
        return "semantic_roles"
    if "output" in row:
        return "sequence_to_sequence"
    if "loss" in row:
        return "language_modelling"
    if has_label_set(row):
        return "classification"
    if is_joint(row):
        return "intents_and_slots"
    return "tagging" if isinstance(row["gold"], list) else "classification"


# --- figures --------------------------------------------------------------------------


def figures(
    rows: Sequence[Row],
    labels: Sequence[str],
    entities: bool | None = None,
    names: Iterable[str] | None = None,
) -> dict[str, Figure]:
    """The metrics of predictions, named as in ``figures/<experiment>.json``.

    Accuracy and F1 of labels and tags (see :func:`nlp_rnn.evaluation.metrics.tagging_metrics`),
    perplexity and bits per character of language models. For the outputs of pairs, those of
    :mod:`nlp_rnn.evaluation.sequences` and the perplexity of the target, if it is known.

    Args:
        labels: the classes of macro-F1; :func:`labels_of` finds those that occur in ``rows``. They
            stay the same in every resample: a class missing from one has an F1 of 0, as in
            ``sklearn.metrics.f1_score(labels=labels, zero_division=0)``.
        entities: whether tags mark entities; None uses :func:`marks_entities`.
        names: which metrics of the outputs of pairs are wanted; None for all.
    """
    kind = kind_of(rows[0])
    if kind == "semantic_roles":
        return role_figures(rows)
    if kind == "sequence_to_sequence":
        return _of_outputs(rows, names)
    if kind == "language_modelling":
        keys = ("loss", "tokens", "characters")
        terms = np.array([[row[key] for key in keys] for row in rows], np.float64)
        return {"perplexity": Figure(terms, _perplexity), "bits_per_character": Figure(terms, _bpc)}
    if has_label_set(rows[0]):
        return _of_label_sets(rows, labels)
    sentences = [_sentence(row) for row in rows]
    right = [sum(g == p for g, p in zip(*pair, strict=True)) for pair in sentences]
    targets = [len(gold) for gold, _ in sentences]
    f1 = (
        Figure(_entity_counts(sentences), _micro_f1)
        if (marks_entities(rows) if entities is None else entities)
        else Figure(_label_counts(sentences, labels), _macro_f1)
    )
    if kind == "intents_and_slots":
        return joint_figures(rows, f1)
    return {"accuracy": Figure(np.array([right, targets], np.float64).T, quotient), "f1": f1}


def _of_label_sets(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Figure]:
    """The metrics of sets of labels; see :mod:`nlp_rnn.evaluation.label_sets`."""
    index = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(rows), len(labels), 2))
    for of_text, row in zip(counts, rows, strict=True):
        gold, predicted = ([index[label] for label in row[key]] for key in ("gold", "predicted"))
        of_text[gold, 1] += 1
        of_text[predicted, 1] += 1
        of_text[list(set(gold) & set(predicted)), 0] = 1
    means = ([row["gold"] == row["predicted"] for row in rows], [r["label_ranking"] for r in rows])
    exact, ranking = (np.array([values, [1] * len(rows)], np.float64).T for values in means)
    return {
        "f1": Figure(counts.sum(axis=1), _micro_f1),
        "exact_match": Figure(exact, quotient),
        "macro_f1": Figure(counts.reshape(len(rows), -1), _macro_f1),
        "label_ranking": Figure(ranking, quotient),
    }


def _of_outputs(rows: Sequence[Row], names: Iterable[str] | None) -> dict[str, Figure]:
    """The metrics of the outputs of pairs: BLEU and chrF against the target as it is in the data,
    the others against the nearest right output."""
    outputs = [row["output"] for row in rows]
    right = [[row["gold"], *row.get("also", ())] for row in rows]
    raw = [[row["reference"] if "reference" in row else row["gold"]] for row in rows]
    lowercase = rows[0].get("lowercase", False)
    names = list(names or (TREES if rows[0].get("trees") else TEXT))
    single = [name for name in names if name in SINGLE_REFERENCE]
    several = [name for name in names if name not in SINGLE_REFERENCE]
    found = {}
    if several:
        found = sequence_figures(outputs, right, several)
    if single:
        found |= sequence_figures(outputs, raw, single, lowercase=lowercase)
    if all("loss" in row for row in rows):
        terms = np.array([[row["loss"], row["tokens"]] for row in rows], np.float64)
        found["perplexity"] = Figure(terms, _perplexity)
    return {name: found[name] for name in (*names, "perplexity") if name in found}


def labels_of(*files: Sequence[Row]) -> list[str]:
    """Every label or tag in files of predictions, sorted; empty for language models."""
    return sorted(
        {
            label
            for rows in files
            if kind_of(rows[0]) in ("classification", *WITH_TAGS)
            for row in rows
            for side in _sentence(row)
            for label in side
        }
    )


def marks_entities(*files: Sequence[Row]) -> bool:
    """Whether files of predictions for one test split contain entity tags.

    The rows of taggers say so. In files of earlier versions, which do not, the names of the tags
    decide.
    """
    if kind_of(files[0][0]) not in WITH_TAGS:
        return False
    known = [rows[0]["entities"] for rows in files if "entities" in rows[0]]
    return known[0] if known else is_entity_scheme(labels_of(*files))


def _sentence(row: Row) -> tuple[list[str], list[str]]:
    """Gold and predicted labels, with a text treated as a single word."""
    if isinstance(row["gold"], list):
        return row["gold"], row["predicted"]
    return [row["gold"]], [row["predicted"]]


def _perplexity(sums: Floats) -> Floats:
    return np.exp(np.minimum(quotient(sums), 700))


def _bpc(sums: Floats) -> Floats:
    return quotient(sums[..., [0, 2]]) / math.log(2)


def _entity_counts(sentences: Sequence[tuple[list[str], list[str]]]) -> Floats:
    """Per sentence, the entities found, and those in gold and predictions ``(sentences, 2)``."""
    spans = [(set(entity_spans(gold)), set(entity_spans(best))) for gold, best in sentences]
    return np.array([[len(g & p), len(g) + len(p)] for g, p in spans], np.float64)


def _micro_f1(sums: Floats) -> Floats:
    return 2 * quotient(sums)


def _label_counts(
    sentences: Sequence[tuple[list[str], list[str]]], labels: Sequence[str]
) -> Floats:
    """For each label, how often it was found, and how often it is in gold and predictions together,
    ``(sentences, 2 * labels)``."""
    index = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(sentences), len(labels), 2))
    for of_sentence, (gold, best) in zip(counts, sentences, strict=True):
        for g, p in zip(gold, best, strict=True):
            of_sentence[index[g], 1] += 1
            of_sentence[index[p], 1] += 1
            of_sentence[index[g], 0] += g == p
    return counts.reshape(len(sentences), -1)


def _macro_f1(sums: Floats) -> Floats:
    """The mean F1 over all labels; 0 for a label that is neither in gold nor in predictions."""
    return _micro_f1(sums.reshape(*sums.shape[:-1], -1, 2)).mean(axis=-1)
