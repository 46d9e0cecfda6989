"""JSON Lines of Prodigy and spaCy: ``text``, and ``spans`` of ``start``, ``end`` and ``label``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nlp_rnn.corpora.annotations import AnnotatedText, Offsets, Span, Unit, span_of, touched
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.tables import clean, jsonl_records, member, text_of
from nlp_rnn.errors import UserError

WRITTEN = ("text", "tokens", "spans", "answer", "_input_hash", "_task_hash")
"""The keys that a pre-annotation writes anew, or that are no longer right."""


def read(
    path: Path, bad_bytes: BadBytes, text_column: str = "text", unit: Unit = "characters"
) -> Iterator[AnnotatedText]:
    """Stream the texts that were accepted; rejected and ignored ones are left out.

    Raises:
        UserError: a line has no text or no spans, or a span is ill-formed.
    """
    for where, record in jsonl_records(path, bad_bytes):
        if record.get("answer", "accept") != "accept":
            continue
        text = text_of(member(record, text_column, where, "text_column"), where, text_column)
        text = clean(text, bad_bytes, where, text_column)
        # Prodigy leaves out the spans of a text in which nothing was marked.
        spans = record.get("spans", [] if "answer" in record else None)
        if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
            raise UserError(
                f"{where}: expected a key 'spans' with a list of objects with start, end and "
                "label (empty if there are none); add it or remove the line"
            )
        offsets = Offsets(text, unit)
        found = tuple(
            span_of(where, span.get("label"), [(span.get("start"), span.get("end"))], offsets)
            for span in spans
        )
        yield AnnotatedText(text, found, where)


def record(
    annotated: AnnotatedText,
    words: Sequence[tuple[int, int]],
    kept: Mapping[str, Any],
    unit: Unit = "characters",
) -> dict[str, Any]:
    """A text as Prodigy imports it, with tokens, which its interface of spans needs.

    Args:
        words: the start and end of each token.
        kept: other keys of the text.
    """
    text, offsets = annotated.text, Offsets(annotated.text, unit)
    tokens = [
        {
            "text": text[start:end],
            "start": offsets.unit(start),
            "end": offsets.unit(end),
            "id": number,
            "ws": text[end : end + 1] == " ",
        }
        for number, (start, end) in enumerate(words)
    ]
    return {
        "text": text,
        **{key: value for key, value in kept.items() if key not in WRITTEN},
        "tokens": tokens,
        "spans": [_span(span, words, offsets) for span in annotated.spans],
    }


def _span(span: Span, words: Sequence[tuple[int, int]], offsets: Offsets) -> dict[str, Any]:
    first, last = touched(words, span.start, span.end)
    place = {"start": offsets.unit(span.start), "end": offsets.unit(span.end)}
    tokens = {"token_start": first, "token_end": last - 1} if first < last else {}
    score = {} if span.probability is None else {"score": span.probability}
    return {**place, **tokens, "label": span.type, **score}
