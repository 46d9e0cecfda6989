"""Predicted entities as pre-annotations, in the formats that annotation tools import.

Offsets count as each tool's export does, unless the user says otherwise: UTF-16 code units for
WebAnno TSV, characters for the others.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from nlp_rnn.config.data import CHOICE_FORMATS
from nlp_rnn.corpora.annotations import (
    AnnotatedText,
    Span,
    Unit,
    brat,
    choices,
    doccano,
    label_studio,
    prodigy,
    webanno,
)
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_folder
from nlp_rnn.inference.inputs import STREAM, Chunk, DocumentChunk, SentenceChunk
from nlp_rnn.inference.items import Item, as_text
from nlp_rnn.inference.outputs import Writer, opened_text, to_json
from nlp_rnn.inference.predictor import Prediction
from nlp_rnn.runtime.bundle import Bundle

LINES = ("prodigy", "doccano")
"""Formats of one JSON object per line, which standard output takes too."""


@dataclass(frozen=True)
class Annotating:
    """What pre-annotations need besides the predictions.

    Attributes:
        words: returns the start and end of each token of an input.
        text_column: the column of the input that holds the text.
        model: the name of the model.
        unit: what offsets count; None for the format's default.
        labels: of a classifier, what a person may choose from.
    """

    words: Callable[[Item], Sequence[tuple[int, int]]]
    text_column: str
    model: str
    unit: Unit | None = None
    labels: Sequence[str] = ()

    def unit_of(self, format: str) -> Unit:
        """What the offsets of a format count."""
        return self.unit or ("utf16" if format == "webanno" else "characters")


class AnnotationWriter(Writer):
    """Writes texts with their predicted entities."""

    def __init__(self, annotating: Annotating) -> None:
        self._annotating = annotating

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        names = chunk.names if isinstance(chunk, DocumentChunk) else [""] * len(chunk.items)
        inputs = zip(chunk.items, chunk.rows(), names, predictions, strict=True)
        for item, row, name, prediction in inputs:
            spans = tuple(
                Span(each["type"], each["start"], each["end"], each["probability"])
                for each in prediction["entities"]
            )
            sentences = tuple(
                (each["start"], each["end"]) for each in prediction.get("sentences", ())
            )
            kept = {} if isinstance(chunk, SentenceChunk) else self._kept(row)
            text = AnnotatedText(as_text(item), spans, name=name, sentences=sentences)
            self._write(text, item, kept)

    def _kept(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of the input besides the text."""
        return {key: row[key] for key in row if key != self._annotating.text_column}

    @abstractmethod
    def _write(self, annotated: AnnotatedText, item: Item, kept: Mapping[str, Any]) -> None:
        """Write one text, whose other columns are ``kept``."""

    def close(self) -> None:
        """Write the end."""


class LinesWriter(AnnotationWriter):
    """A JSON object per line, for Prodigy or doccano."""

    def __init__(self, stream: TextIO, format: str, annotating: Annotating) -> None:
        super().__init__(annotating)
        self._stream = stream
        self._format = format

    def _write(self, annotated: AnnotatedText, item: Item, kept: Mapping[str, Any]) -> None:
        unit = self._annotating.unit_of(self._format)
        if self._format == "doccano":
            record = doccano.record(annotated, kept, unit)
        else:
            record = prodigy.record(annotated, self._annotating.words(item), kept, unit)
        self._stream.write(to_json(record) + "\n")


class JsonList:
    """A JSON list, written value by value."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._separator = "[\n"

    def add(self, value: str) -> None:
        """Write a value, given as JSON."""
        self._stream.write(self._separator + value)
        self._separator = ",\n"

    def close(self) -> None:
        """Write the end."""
        self._stream.write("[]\n" if self._separator == "[\n" else "\n]\n")


class LabelStudioWriter(AnnotationWriter):
    """A JSON list of tasks with predictions, for Label Studio."""

    def __init__(self, stream: TextIO, annotating: Annotating) -> None:
        super().__init__(annotating)
        self._list = JsonList(stream)

    def _write(self, annotated: AnnotatedText, item: Item, kept: Mapping[str, Any]) -> None:
        unit = self._annotating.unit_of("label-studio")
        self._list.add(to_json(label_studio.record(annotated, kept, self._annotating.model, unit)))

    def close(self) -> None:
        self._list.close()


class WebannoWriter(AnnotationWriter):
    """One document whose sentences are the texts, for INCEpTION."""

    def __init__(self, stream: TextIO, annotating: Annotating) -> None:
        super().__init__(annotating)
        self._stream = stream
        self._document = webanno.Document(annotating.unit_of("webanno"))
        self._lines(webanno.HEADER)

    def _write(self, annotated: AnnotatedText, item: Item, kept: Mapping[str, Any]) -> None:
        self._lines(self._document.lines(annotated, self._annotating.words(item)))

    def _lines(self, lines: Iterable[str]) -> None:
        self._stream.writelines(line + "\n" for line in lines)


class BratWriter(AnnotationWriter):
    """A folder with a text and its annotations for each input, for brat."""

    def __init__(self, folder: Path, annotating: Annotating) -> None:
        super().__init__(annotating)
        self._folder = folder
        self._number = 0

    def _write(self, annotated: AnnotatedText, item: Item, kept: Mapping[str, Any]) -> None:
        self._number += 1
        target = self._folder / (annotated.name or f"{self._number:06}")
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = brat.lines(annotated, self._annotating.unit_of("brat"))
        notes = "".join(line + "\n" for line in lines)
        for ending, content in ((brat.TEXT, annotated.text), (brat.ANNOTATIONS, notes)):
            raw = content.encode("utf-8", "backslashreplace")
            target.with_name(target.name + ending).write_bytes(raw)


class ChoiceWriter(Writer):
    """Writes texts with their predicted labels, for Prodigy, doccano or Label Studio."""

    def __init__(self, stream: TextIO, format: str, annotating: Annotating) -> None:
        self._stream = stream
        self._format = format
        self._annotating = annotating
        self._list = JsonList(stream)

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        column, model = self._annotating.text_column, self._annotating.model
        for item, row, prediction in zip(chunk.items, chunk.rows(), predictions, strict=True):
            labels = prediction.get("labels", [prediction.get("label")])
            given = choices.LabelledText(
                as_text(item), tuple(labels), probability=prediction.get("probability")
            )
            kept = {key: value for key, value in row.items() if key != column}
            record = choices.record(self._format, given, self._annotating.labels, kept, model)
            self._add(to_json(record))

    def _add(self, record: str) -> None:
        if self._format == "label-studio":
            self._list.add(record)
        else:
            self._stream.write(record + "\n")

    def close(self) -> None:
        """Write the end."""
        if self._format == "label-studio":
            self._list.close()


def _writer_of(
    stream: TextIO, format: str, annotating: Annotating
) -> AnnotationWriter | ChoiceWriter:
    """The writer of a format that is one file."""
    if annotating.labels:
        return ChoiceWriter(stream, format, annotating)
    if format in LINES:
        return LinesWriter(stream, format, annotating)
    if format == "label-studio":
        return LabelStudioWriter(stream, annotating)
    return WebannoWriter(stream, annotating)


@contextmanager
def open_annotations(output: str, format: str, annotating: Annotating) -> Iterator[Writer]:
    """A writer of ``output``, which appears, complete, only if the block succeeds.

    Args:
        output: a file, a folder for brat, or ``-`` for a format of lines.
        format: one of :data:`~nlp_rnn.config.data.ANNOTATION_FORMATS`.
    """
    if format == "brat":
        with whole_folder(Path(output)) as folder:
            yield BratWriter(folder, annotating)
        return
    with opened_text(output) as stream:
        writer = _writer_of(stream, format, annotating)
        yield writer
        writer.close()


def check_annotations(bundle: Bundle, output: str, format: str) -> None:
    """Raise UserError unless a model's predictions can be written in a format of annotations."""
    is_classifier = bundle.experiment.task == "classification"
    if not bundle.predicts_entities and not (is_classifier and format in CHOICE_FORMATS):
        raise UserError(
            f"{output}: --format {format} is for entities, which {bundle.folder} does not predict; "
            + (f"write {', '.join(CHOICE_FORMATS)}" if is_classifier else "write another format")
        )
    if output == STREAM and format not in LINES:
        place = "folder" if format == "brat" else "file"
        raise UserError(f"standard output: cannot hold --format {format}; name a {place}")
    if is_classifier:
        return
    types = {label[2:] for label in bundle.labels if label != "O"}
    spaced = sorted(type_ for type_ in types if " " in type_)
    if format == "brat" and spaced:
        raise UserError(
            f"{output}: the entity type '{spaced[0]}' has a space, which brat cannot read; write "
            "another format"
        )
