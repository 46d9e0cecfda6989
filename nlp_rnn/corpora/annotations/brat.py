"""brat's standoff format: a folder with a text ``NAME.txt`` and its annotations ``NAME.ann``.

An entity is a line ``T1 tab TYPE START END tab TEXT``. A part that ends at a line break, or where
an entity is discontinuous, is followed by ``;`` and the next part. Other lines (relations, events,
attributes, notes) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from nlp_rnn.corpora.annotations import AnnotatedText, Offsets, Span, Unit, check_quote, span_of
from nlp_rnn.corpora.lines import BadBytes, decode, numbered_lines, open_binary, whole_text
from nlp_rnn.errors import UserError

TEXT, ANNOTATIONS = ".txt", ".ann"

_PLACE = re.compile(r"(\S+) (-?\d{1,18} -?\d{1,18}(?:;-?\d{1,18} -?\d{1,18})*)")
_LINE = re.compile(r"[^\r\n]+")


def documents(folder: Path) -> list[Path]:
    """The texts of a folder and of the folders in it, in order.

    Raises:
        UserError: there are none.
    """
    found = sorted(path for path in folder.rglob(f"*{TEXT}") if path.is_file())
    if not found:
        raise UserError(
            f"{folder}: is a folder without files {TEXT}; name a file, or a folder of brat with a "
            f"{TEXT} beside each {ANNOTATIONS}"
        )
    return found


def read_text(path: Path, bad_bytes: BadBytes) -> str:
    """The text of a document as it is, with the line breaks that it has."""
    with open_binary(path) as stream:
        return decode(whole_text(stream, path), bad_bytes, path)


def read(
    folder: Path, bad_bytes: BadBytes, text_column: str = "text", unit: Unit = "characters"
) -> Iterator[AnnotatedText]:
    """Stream the documents of a folder.

    Args:
        text_column: is not used.

    Raises:
        UserError: a text has no annotations, or a line of these is ill-formed.
    """
    for path in documents(folder):
        text = read_text(path, bad_bytes)
        annotations = path.with_suffix(ANNOTATIONS)
        if not annotations.is_file():
            raise UserError(
                f"{path}: has no {annotations.name} beside it; add it (empty if there are no "
                "entities) or remove the text"
            )
        offsets = Offsets(text, unit)
        spans = tuple(_spans(annotations, bad_bytes, offsets, unit))
        name = path.relative_to(folder).with_suffix("").as_posix()
        yield AnnotatedText(text, spans, str(annotations), name)


def _spans(path: Path, bad_bytes: BadBytes, offsets: Offsets, unit: Unit) -> Iterator[Span]:
    for number, line in numbered_lines(path, bad_bytes):
        if not line.startswith("T"):
            continue
        where = f"{path}, line {number}"
        _, place, quoted = (*line.removesuffix("\r").split("\t", 2), "", "")[:3]
        if (found := _PLACE.fullmatch(place)) is None:
            raise UserError(
                f"{where}: expected an entity 'T1 tab TYPE START END tab TEXT', found {line!r:.60}"
            )
        pairs = (part.split() for part in found[2].split(";"))
        span = span_of(where, found[1], [(int(start), int(end)) for start, end in pairs], offsets)
        if quoted:
            check_quote(where, span, quoted, offsets.text, unit)
        yield _joined(span, offsets.text)


def _joined(span: Span, text: str) -> Span:
    """A span whose parts have only white space between them as one part."""
    pieces = sorted(span.pieces)
    gaps = pairwise(pieces)
    if all(not text[before:after].strip() for (_, before), (after, _) in gaps):
        return Span(span.type, span.start, span.end)
    return span


def lines(annotated: AnnotatedText, unit: Unit = "characters") -> Iterator[str]:
    """The lines of a file of annotations; the probability of an entity is a note.

    The types of brat have no blanks, so those of other tools get ``_`` instead.
    """
    offsets, notes = Offsets(annotated.text, unit), 0
    for number, span in enumerate(annotated.spans, 1):
        inside = _LINE.finditer(annotated.text, span.start, span.end)
        parts = [(each.start(), each.end()) for each in inside]
        place = ";".join(f"{offsets.unit(a)} {offsets.unit(b)}" for a, b in parts)
        quoted = " ".join(annotated.text[a:b] for a, b in parts)
        type_ = "_".join(span.type.split())
        yield f"T{number}\t{type_} {place}\t{quoted}"
        if span.probability is not None:
            notes += 1
            yield f"#{notes}\tAnnotatorNotes T{number}\tprobability {span.probability:.4f}"
