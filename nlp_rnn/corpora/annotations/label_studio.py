"""Label Studio's JSON: a list of tasks with ``data``, ``annotations`` and ``predictions``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nlp_rnn.corpora.annotations import AnnotatedText, Offsets, Span, Unit, check_quote, span_of
from nlp_rnn.corpora.lines import BadBytes, decode, open_binary, without_bom
from nlp_rnn.corpora.tables import clean, member, text_of
from nlp_rnn.errors import UserError

FROM_NAME, TO_NAME = "label", "text"
"""The names in the labelling interface that pre-annotations refer to, those of its template for
named entities."""


def tasks(path: Path, bad_bytes: BadBytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tasks of a file, each with its file and number.

    Raises:
        UserError: the file is no JSON list of objects.
    """
    with open_binary(path) as stream:
        raw = without_bom(stream.read())
    text = decode(raw, bad_bytes, path)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(found, list):
        raise UserError(
            f"{path}: expected a list of tasks, found {type(found).__name__}; export the project "
            "as JSON"
        )
    for number, task in enumerate(found, 1):
        where = f"{path}, task {number}"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise UserError(f"{where}: expected an object with a key 'data'; export it as JSON")
        yield where, task


def text_of_task(where: str, task: Mapping[str, Any], text_column: str, bad_bytes: BadBytes) -> str:
    """The text of a task; raises UserError if it has none."""
    text = text_of(member(task["data"], text_column, where, "text_column"), where, text_column)
    return clean(text, bad_bytes, where, text_column)


def read(
    path: Path, bad_bytes: BadBytes, text_column: str = "text", unit: Unit = "characters"
) -> Iterator[AnnotatedText]:
    """The texts of a file with the spans of their first annotation; cancelled ones do not count.

    An annotation that is marked as the ground truth comes first. Tasks that were only skipped are
    left out.

    Raises:
        UserError: a task has no text or no annotation, or a span is ill-formed.
    """
    for where, task in tasks(path, bad_bytes):
        text = text_of_task(where, task, text_column, bad_bytes)
        result = result_of(where, task)
        if result is None:
            continue
        offsets = Offsets(text, unit)
        spans = [_span(where, region, offsets, unit) for region in result if is_span(where, region)]
        yield AnnotatedText(text, tuple(spans), where)


def result_of(where: str, task: Mapping[str, Any]) -> list[Any] | None:
    """The regions of the annotation of a task that counts; None if it was only skipped.

    Raises:
        UserError: the task has no annotation.
    """
    given = task.get("annotations", task.get("completions"))
    if not isinstance(given, list) or not given:
        raise UserError(f"{where}: has no annotation; label the task or remove it")
    if not all(isinstance(each, dict) for each in given):
        raise UserError(f"{where}: expected objects in 'annotations'; export it as JSON")
    valid = [each for each in given if not each.get("was_cancelled")]
    if not valid:
        return None
    best = min(valid, key=lambda each: not each.get("ground_truth"))
    result = best.get("result")
    if not isinstance(result, list):
        raise UserError(f"{where}: expected a list 'result' in its annotation; export it again")
    return result


def is_span(where: str, region: Any) -> bool:
    """Whether a region is a labelled span; relations, choices and ratings are none."""
    kind = region.get("type") if isinstance(region, dict) else None
    if kind == "hypertextlabels":
        raise UserError(f"{where}: labels of HTML have no offsets into a text; label plain text")
    return kind == "labels"


def _span(where: str, region: Mapping[str, Any], offsets: Offsets, unit: Unit) -> Span:
    value = region.get("value")
    if not isinstance(value, dict):
        raise UserError(f"{where}: a region has no 'value'; export the project again")
    labels = value.get("labels")
    first = labels[0] if isinstance(labels, list) and labels else None
    span = span_of(where, first, [(value.get("start"), value.get("end"))], offsets)
    if isinstance(quoted := value.get("text"), str):
        check_quote(where, span, quoted, offsets.text, unit)
    return span


def record(
    annotated: AnnotatedText, kept: Mapping[str, Any], model: str, unit: Unit = "characters"
) -> dict[str, Any]:
    """A task with a prediction, as Label Studio imports it.

    The score of the prediction is the lowest probability of its spans.

    Args:
        kept: other keys of the task's data.
        model: the name of the model.
    """
    offsets = Offsets(annotated.text, unit)
    result = [_region(number, span, offsets) for number, span in enumerate(annotated.spans, 1)]
    probabilities = [span.probability for span in annotated.spans if span.probability is not None]
    score = {"score": min(probabilities)} if probabilities else {}
    return {
        "data": {**kept, TO_NAME: annotated.text},
        "predictions": [{"model_version": model, **score, "result": result}],
    }


def _region(number: int, span: Span, offsets: Offsets) -> dict[str, Any]:
    score = {} if span.probability is None else {"score": span.probability}
    return {
        "id": f"entity-{number}",
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "labels",
        **score,
        "value": {
            "start": offsets.unit(span.start),
            "end": offsets.unit(span.end),
            "text": offsets.text[span.start : span.end],
            "labels": [span.type],
        },
    }
