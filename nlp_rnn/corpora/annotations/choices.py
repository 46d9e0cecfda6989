"""Labels of whole texts, in formats of tools that also mark spans.

Prodigy's interface ``choice`` has ``options`` and the ``accept``ed ones, doccano a list of labels,
and Label Studio a region of type ``choices``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from nlp_rnn.corpora.annotations import doccano, label_studio, prodigy
from nlp_rnn.corpora.labelling import label_of
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.corpora.tables import clean, jsonl_records, member, text_of
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

FROM_NAME, TO_NAME = "sentiment", "text"
"""The names in Label Studio's template for the classification of texts."""

LOOKED_AT = 1000
"""Texts of a file in which shows what it marks."""


@dataclass(frozen=True)
class LabelledText:
    """A text with its labels.

    Attributes:
        text: the raw text.
        labels: its labels; a suggestion if a model gave them.
        where: its file and line, for messages.
        probability: that of the labels, if a model gave them.
    """

    text: str
    labels: tuple[str, ...]
    where: str = ""
    probability: float | None = None


# --- writing --------------------------------------------------------------------------


def record(
    format: str,
    labelled: LabelledText,
    all_labels: Sequence[str],
    kept: Mapping[str, Any],
    model: str,
) -> dict[str, Any]:
    """A text as one of :data:`~nlp_rnn.config.data.CHOICE_FORMATS` imports it.

    Args:
        all_labels: what a person may choose from.
        kept: other keys of the text.
        model: the name of the model that suggests the labels.
    """
    if format == "doccano":
        rest = {key: value for key, value in kept.items() if key not in doccano.WRITTEN}
        return {"text": labelled.text, **rest, "label": [*labelled.labels]}
    if format == "prodigy":
        written = (*prodigy.WRITTEN, "options", "accept", "label")
        rest = {key: value for key, value in kept.items() if key not in written}
        options = [{"id": label, "text": label} for label in all_labels]
        return {"text": labelled.text, **rest, "options": options, "accept": [*labelled.labels]}
    score = {} if labelled.probability is None else {"score": labelled.probability}
    region = {
        "id": "choice-1",
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "choices",
        **score,
        "value": {"choices": [*labelled.labels]},
    }
    prediction = {"model_version": model, **score, "result": [region]}
    return {"data": {**kept, TO_NAME: labelled.text}, "predictions": [prediction]}


# --- reading --------------------------------------------------------------------------


def read(
    format: str,
    path: Path,
    bad_bytes: BadBytes,
    text_column: str = "text",
    question: str | None = None,
) -> Iterator[LabelledText]:
    """Stream the texts of a file with the labels that a person gave them.

    Texts that were rejected, ignored or skipped are left out.

    Args:
        question: for Label Studio, the name of the choices that are read; None for the only ones.

    Raises:
        UserError: a record has no text or no labels, or it is not clear which choices are meant.
    """
    if format == "label-studio":
        yield from _label_studio(path, bad_bytes, text_column, question)
        return
    labels_of = _LABELS[format]
    for where, found in jsonl_records(path, bad_bytes):
        if found.get("answer", "accept") != "accept":
            continue
        text = text_of(member(found, text_column, where, "text_column"), where, text_column)
        text = clean(text, bad_bytes, where, text_column)
        yield LabelledText(text, _checked(labels_of(found), where), where)


def _of_prodigy(found: Mapping[str, Any]) -> Any:
    """The chosen options; of the interface for a single label, that label."""
    return found.get("accept", [found["label"]] if "label" in found else None)


_LABELS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "doccano": doccano.labels_in,
    "prodigy": _of_prodigy,
}


def _label_studio(
    path: Path, bad_bytes: BadBytes, text_column: str, question: str | None
) -> Iterator[LabelledText]:
    only: Any = question
    for where, task in label_studio.tasks(path, bad_bytes):
        result = label_studio.result_of(where, task)
        if result is None:
            continue
        text = label_studio.text_of_task(where, task, text_column, bad_bytes)
        labels: Any = []
        for region in filter(_is_of_the_text, result):
            name = region.get("from_name")
            only = name if only is None else only
            if name == only:
                labels = region["value"]["choices"]
            elif question is None:
                raise SettingError(
                    f"{where}: has choices called {only!r} and {name!r}; say which are meant: set ",
                    Setting("label_column", str(name)),
                )
        yield LabelledText(text, _checked(labels, where), where)


def _is_of_the_text(region: Any) -> bool:
    """Whether a region of Label Studio holds choices for the whole text, not for a part of it."""
    if not isinstance(region, dict) or region.get("type") != "choices":
        return False
    value = region.get("value")
    return isinstance(value, dict) and "choices" in value and "start" not in value


def example(found: LabelledText, several: bool) -> Example:
    """A labelled text as an example.

    Args:
        several: whether the texts of its data set have any number of labels.

    Raises:
        UserError: it has not one label, where each text has one.
    """
    if several:
        return Example(text=found.text, labels=found.labels)
    if len(found.labels) != 1:
        raise UserError(
            f"{found.where}: has {len(found.labels)} labels, and each text of the data set has "
            "one; give it one label or remove it"
        )
    return Example(text=found.text, label=found.labels[0])


def are_marked(format: str, path: Path, bad_bytes: BadBytes) -> set[str]:
    """What a file marks in its first texts: ``texts``, ``spans`` in them, both or nothing."""
    marked: set[str] = set()
    for found in islice(_MARKS[format](path, bad_bytes), LOOKED_AT):
        marked.update(found)
    return marked


def _marks_of_label_studio(path: Path, bad_bytes: BadBytes) -> Iterator[Iterator[str]]:
    for where, task in label_studio.tasks(path, bad_bytes):
        result = label_studio.result_of(where, task) or []
        texts = ("texts" for region in result if _is_of_the_text(region))
        spans = ("spans" for region in result if label_studio.is_span(where, region))
        yield chain(texts, spans)


def _marks_of_prodigy(path: Path, bad_bytes: BadBytes) -> Iterator[list[str]]:
    keys = {"accept": "texts", "label": "texts", "spans": "spans"}
    for _, found in jsonl_records(path, bad_bytes):
        if found.get("answer", "accept") == "accept":
            yield [mark for key, mark in keys.items() if found.get(key)]


def _marks_of_doccano(path: Path, bad_bytes: BadBytes) -> Iterator[list[str]]:
    for _, found in jsonl_records(path, bad_bytes):
        given = doccano.labels_in(found)
        each = given if isinstance(given, list) else []
        yield ["texts" if isinstance(label, str) else "spans" for label in each]


_MARKS: dict[str, Callable[[Path, BadBytes], Iterator[Iterable[str]]]] = {
    "prodigy": _marks_of_prodigy,
    "doccano": _marks_of_doccano,
    "label-studio": _marks_of_label_studio,
}


def _checked(labels: Any, where: str) -> tuple[str, ...]:
    """A list of labels, each once; raises UserError if it is none."""
    if not isinstance(labels, list) or not all(isinstance(each, str | int) for each in labels):
        raise UserError(
            f"{where}: expected a list of labels (text) of the whole text, found {labels!r:.60}; "
            "label it or remove it"
        )
    return tuple(dict.fromkeys(label_of(label, where, "label") for label in labels))
