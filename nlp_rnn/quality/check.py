"""All checks of a prepared data set: a summary, and a record for each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp_rnn import paths
from nlp_rnn.arrays import Ints
from nlp_rnn.errors import UserError
from nlp_rnn.files import write_json, write_json_lines
from nlp_rnn.inference.inputs import check_readable, no_texts
from nlp_rnn.inference.items import Item, as_text
from nlp_rnn.inference.reading import Reading, Remembered, open_input
from nlp_rnn.quality.characters import Known
from nlp_rnn.quality.copies import Copies, Finding, copies
from nlp_rnn.quality.drift import label_drift, length_drift
from nlp_rnn.quality.examples import Located, all_examples, by_split
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import UNK_INDEX

SIMILARITY = 0.7
"""The default least similarity of near duplicates."""

Summary = dict[str, Any]


@dataclass(frozen=True)
class Against:
    """A file to predict for.

    Attributes:
        name: of the file.
        reading: how the user says that it is read.
    """

    name: str
    reading: Reading


def check_data(
    dataset: PreparedDataset, similarity: float = SIMILARITY, against: Against | None = None
) -> Summary:
    """Check a data set and write ``summary.json`` and ``findings.jsonl`` into its folder of checks.

    Args:
        similarity: the least similarity of near duplicates, in (0, 1].
        against: a file whose texts are compared with training.

    Returns:
        The summary.

    Raises:
        UserError: the file cannot be read or has no texts.
    """
    texts = _texts(dataset, against) if against else []
    examples = all_examples(dataset)
    summary: Summary = {
        "dataset": dataset.folder.name,
        "data_sha256": dataset.card.get("data_sha256"),
        "examples": by_split(examples),
    }
    findings: list[Finding] = []
    if dataset.kind != "text":  # short lines of a running text naturally recur
        found = copies(examples, similarity)
        summary |= _counted(found, similarity)
        findings += found.findings()
    if dataset.kind == "labelled" and not dataset.multi_label:
        summary["label_errors"], wrong = _label_errors(dataset, examples)
        findings += wrong
    summary["drift"] = _drift(dataset)
    if against:
        summary["drift"][against.name] = _drift_of(dataset, texts)
    summary["characters"], strange = _characters(examples, texts, against)
    findings += strange
    folder = paths.checks(dataset.folder.name)
    write_json_lines(folder / "findings.jsonl", findings)
    write_json(folder / "summary.json", summary)
    return summary


def _texts(dataset: PreparedDataset, against: Against) -> list[Item]:
    """The texts of a file to predict for."""
    if dataset.kind == "pairs" and dataset.card["features"]:
        raise UserError(
            f"data set '{dataset.folder.name}': reads vectors, which no file of texts has; leave "
            "out --against"
        )
    check_readable(against.name)
    remembered = Remembered.of_card(
        dataset.card, dataset.folder / "card.json", "prepare the data set again"
    )
    bad_bytes = dataset.tokenizer_parameters.bad_bytes
    source = open_input(against.name, against.reading, remembered, bad_bytes)
    texts = [item for chunk in source.read() for item in chunk.items]
    if not texts:
        raise no_texts(source)
    return texts


def _counted(found: Copies, similarity: float) -> Summary:
    """How many texts occur more than once."""
    near = [group for group, _ in found.near]
    across = [group for group in near if len({example.split for example in group}) > 1]
    return {
        "duplicates": by_split(example for example, _ in found.duplicates),
        "leakage": by_split(example for example, _ in found.leaked),
        "contradictions": {
            "texts": len(found.contradictions),
            "examples": sum(map(len, found.contradictions)),
        },
        "near_duplicates": {
            "similarity": similarity,
            "groups": len(near),
            "examples": sum(map(len, near)),
            "groups_across_splits": len(across),
        },
    }


def _label_errors(
    dataset: PreparedDataset, examples: Sequence[Located]
) -> tuple[Summary, list[Finding]]:
    """Probable label errors of every split, the most probable first."""
    from nlp_rnn.quality.label_errors import FEWEST, judge

    texts = Counter(label for label, _ in {(e.example.label, e.words) for e in examples})
    labels = [label for label in dataset.labels if texts[label] >= FEWEST]
    rare = [label for label in dataset.labels if texts[label] < FEWEST]
    if len(labels) < 2:
        return {"labels_with_too_few_texts": rare}, []
    index = {label: i for i, label in enumerate(labels)}
    judged = [example for example in examples if example.example.label in index]
    given = np.array([index[example.example.label] for example in judged])
    words = [example.words for example in judged]
    numbers: dict[tuple[str, ...], int] = {}
    groups = np.array([numbers.setdefault(each, len(numbers)) for each in words])
    found = judge(words, given, groups)
    own = found.probabilities[np.arange(len(given)), given]
    wrong = np.flatnonzero((found.suggested >= 0) & (found.suggested != given))
    other = found.probabilities[wrong, found.suggested[wrong]]
    order = np.argsort(own[wrong] - other, kind="stable")
    findings = [
        {
            "finding": "label_error",
            **judged[i].place(text=True),
            "suggested": labels[found.suggested[i]],
            "probability": round(float(found.probabilities[i, found.suggested[i]]), 4),
            "probability_of_label": round(float(own[i]), 4),
        }
        for i in wrong[order]
    ]
    counts = by_split(judged[i] for i in wrong)
    summary = {"found": counts, "accuracy": found.accuracy, "labels_with_too_few_texts": rare}
    return summary, findings


def _drift(dataset: PreparedDataset) -> Summary:
    """How far validation and test are from training."""
    splits, training = dataset.card["splits"], dataset.split("train").lengths
    independent = dataset.kind == "labelled" and not dataset.multi_label
    found: Summary = {}
    for name in ("validation", "test"):
        found[name] = {"lengths": length_drift(training, dataset.split(name).lengths)}
        found[name]["unknown_rate"] = splits[name]["unknown_rate"]
        if labels := splits["train"].get("labels"):
            found[name]["labels"] = label_drift(labels, splits[name]["labels"], independent)
    return found


def _drift_of(dataset: PreparedDataset, texts: Sequence[Item]) -> Summary:
    """How far the texts of a file are from training."""
    tokenizer, unknown = dataset.tokenizer, 0
    lengths: Ints = np.zeros(len(texts), np.int64)
    for i, item in enumerate(texts):
        words = tokenizer.tokens(item) if isinstance(item, str) else tokenizer.words(item)
        unknown += dataset.vocabulary.encode(words).count(UNK_INDEX)
        lengths[i] = len(words)
    ends = int(dataset.kind == "text")  # lines of training have an end symbol
    return {
        "examples": len(texts),
        "lengths": length_drift(dataset.split("train").lengths - ends, lengths),
        "unknown_rate": unknown / max(int(lengths.sum()), 1),
    }


def _characters(
    examples: Sequence[Located], texts: Sequence[Item], against: Against | None
) -> tuple[Summary, list[Finding]]:
    """Texts with strange characters, in the splits and in the file."""
    known = Known(example.text for example in examples if example.split == "train")
    counts: dict[str, Counter[str]] = {}
    findings: list[Finding] = []

    def places() -> Iterator[tuple[str, int, str]]:
        yield from ((each.split, each.number, each.text) for each in examples)
        if against:
            yield from ((against.name, i, as_text(item)) for i, item in enumerate(texts, 1))

    for place, number, text in places():
        if strange := known.strange(text):
            counts.setdefault(place, Counter()).update(strange.keys())
            where = {"split": place, "number": number, "text": text}
            findings.append({"finding": "characters", **where, **strange})
    scripts = {name: round(share, 4) for name, share in known.scripts.items()}
    of_places = {place: dict(count) for place, count in counts.items()}
    return {"scripts_of_training": scripts, "texts": of_places}, findings
