"""JSON Lines of doccano: ``text``, and ``label`` with a list of ``[start, end, type]``.

The list may also be called ``labels`` or ``entities``; the last may hold objects with
``start_offset``, ``end_offset`` and ``label``, as in projects with relations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nlp_rnn.corpora.annotations import AnnotatedText, Offsets, Span, Unit, span_of
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.tables import clean, jsonl_records, member, text_of
from nlp_rnn.errors import UserError

LABELS = ("label", "labels", "entities")
"""The keys that a list of spans, or of the labels of a text, may have."""

WRITTEN = ("text", "relations", "Comments", *LABELS)
"""The keys that a pre-annotation writes anew, or that are no longer right."""


def labels_in(record: Mapping[str, Any]) -> Any:
    """The value of the first of these keys that is there; None if none is."""
    return next((record[key] for key in LABELS if key in record), None)


def read(
    path: Path, bad_bytes: BadBytes, text_column: str = "text", unit: Unit = "characters"
) -> Iterator[AnnotatedText]:
    """Stream the texts of a file.

    Raises:
        UserError: a line has no text or no list of spans, or a span is ill-formed.
    """
    for where, record in jsonl_records(path, bad_bytes):
        text = text_of(member(record, text_column, where, "text_column"), where, text_column)
        text = clean(text, bad_bytes, where, text_column)
        spans = labels_in(record)
        if not isinstance(spans, list):
            raise UserError(
                f"{where}: expected a key 'label', 'labels' or 'entities' with a list of [start, "
                "end, type] (empty if there are none); add it or remove the line"
            )
        offsets = Offsets(text, unit)
        yield AnnotatedText(text, tuple(_span(where, span, offsets) for span in spans), where)


def _span(where: str, span: Any, offsets: Offsets) -> Span:
    if isinstance(span, dict):
        place = span.get("start_offset"), span.get("end_offset")
        return span_of(where, span.get("label"), [place], offsets)
    if isinstance(span, list) and len(span) == 3:
        return span_of(where, span[2], [(span[0], span[1])], offsets)
    raise UserError(f"{where}: expected a span [start, end, type], found {span!r:.60}; correct it")


def record(
    annotated: AnnotatedText, kept: Mapping[str, Any], unit: Unit = "characters"
) -> dict[str, Any]:
    """A text as doccano imports it; it has no place for probabilities.

    Args:
        kept: other keys of the text, which doccano keeps as its metadata.
    """
    offsets = Offsets(annotated.text, unit)
    return {
        "text": annotated.text,
        **{key: value for key, value in kept.items() if key not in WRITTEN},
        "label": [
            [offsets.unit(span.start), offsets.unit(span.end), span.type]
            for span in annotated.spans
        ],
    }
