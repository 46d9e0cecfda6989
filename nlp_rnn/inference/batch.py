"""Predict for every text of a file, in order and with memory that does not grow with the file."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from nlp_rnn.config.data import ANNOTATION_FORMATS
from nlp_rnn.corpora.annotations import Unit
from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.corpora.settings import Setting
from nlp_rnn.errors import UserError
from nlp_rnn.inference.annotating import Annotating, check_annotations, open_annotations
from nlp_rnn.inference.inputs import (
    STREAM,
    TABLES,
    Source,
    Survey,
    check_readable,
    format_of,
    input_format,
    no_texts,
    survey,
)
from nlp_rnn.inference.items import Item
from nlp_rnn.inference.outputs import SENTENCES, Writer, check_writable, open_writer
from nlp_rnn.inference.predictor import (
    DEFAULT,
    Options,
    Predictor,
    TaggingPredictor,
    check_items,
)
from nlp_rnn.inference.reading import AS_TRAINED, Reading, Remembered, open_input
from nlp_rnn.process import log, terminable
from nlp_rnn.progress import progress
from nlp_rnn.runtime.bundle import Bundle

T = TypeVar("T")

FORMATS = ("csv", "tsv", "jsonl", "parquet", "conll", "conllu", *ANNOTATION_FORMATS)
"""The formats that may be asked for, whatever the suffix of the output."""


def predict_file(
    bundle_folder: Path,
    input: str,
    output: str,
    reading: Reading = AS_TRAINED,
    options: Options = DEFAULT,
    spreadsheet_safe: bool = False,
    format: str | None = None,
    offsets: Unit | None = None,
) -> None:
    """Predict for every text of ``input`` and write ``output`` completely or not at all.

    All faults of the arguments or a file are found before a network is loaded: a file is read once
    to check it, then a second time to predict.

    Args:
        bundle_folder: a model bundle.
        input: a file (see :data:`~nlp_rnn.inference.inputs.SOURCES`), or ``-`` for lines on
            standard input.
        output: a file of one of the same formats, or ``-`` for JSON lines on standard output.
        reading: how to read ``input``.
        options: the prediction options.
        spreadsheet_safe: see :func:`output_dialect`.
        format: the format of ``output`` (see :data:`FORMATS`); None takes that of its suffix.
        offsets: what offsets in a format of annotations count; None as the format does.

    Raises:
        UserError: the bundle, a file or a suffix is invalid, or there is no text.
    """
    bundle, source, format = open_all(bundle_folder, input, output, reading, format)
    options.check(bundle, lambda name: Setting(name).as_option())
    _check_marks(output, format, options)
    if offsets is not None and format not in ANNOTATION_FORMATS:
        raise UserError("--offsets: is for --format " + " or ".join(ANNOTATION_FORMATS))
    dialect = output_dialect(source, format, spreadsheet_safe)
    whole_rows = format not in (".parquet", ".txt")
    known = read_once(source, whole_rows, output, format, partial(check_items, bundle, options))
    predictor = Predictor.of(bundle, options)
    started = time.perf_counter()
    with (
        terminable(),
        open_annotations(output, format, annotating(predictor, source, offsets))
        if format in ANNOTATION_FORMATS
        else open_writer(output, format, known.columns, predictor.columns, dialect) as writer,
    ):
        texts = predict_all(predictor, source, writer, known.texts)
    seconds = time.perf_counter() - started
    log(
        f"{texts:,} text{'' if texts == 1 else 's'} in {seconds:.1f} s, "
        f"{texts / seconds:,.0f} texts/s"
    )


def annotating(predictor: Predictor, source: Source, offsets: Unit | None) -> Annotating:
    """What pre-annotations need of a tagger or a classifier."""
    if not isinstance(predictor, TaggingPredictor):
        name, labels = predictor.bundle.name, predictor.bundle.labels
        return Annotating(lambda item: (), source.text_column, name, offsets, labels)
    cut = predictor.word_spans
    return Annotating(
        lambda item: [(start, end) for _, start, end in cut(item)],
        source.text_column,
        predictor.bundle.name,
        offsets,
    )


def open_all(
    bundle_folder: Path, input: str, output: str, reading: Reading, format: str | None = None
) -> tuple[Bundle, Source, str]:
    """The bundle, the texts and the format of ``output``; see :func:`predict_file`."""
    input_format(input)
    format = _output_format(output, format)
    check_readable(input)
    check_writable(output, input, folder=format == "brat")
    bundle = Bundle.open(bundle_folder)
    _check_fits(bundle, output, format)
    bad_bytes = bundle.tokenizer.parameters.bad_bytes
    return bundle, open_input(input, reading, Remembered.of(bundle), bad_bytes), format


def _output_format(output: str, given: str | None) -> str:
    """The format of ``output``: a suffix with its dot, or that of an annotation tool."""
    if given is None:
        return format_of(output, "OUTPUT")
    if given in ANNOTATION_FORMATS:
        return given
    if output == STREAM and given != "jsonl":
        raise UserError(f"standard output: cannot hold --format {given}; name a file")
    return STREAM if output == STREAM else format_of(f"OUTPUT.{given}", "OUTPUT")


def output_dialect(source: Source, format: str, spreadsheet_safe: bool = False) -> Dialect | None:
    """The dialect of an output table: that of a source in the same format, or the format's default.

    It always has a header, because predicted columns need names.

    Args:
        spreadsheet_safe: whether cells that a spreadsheet would run are written as text.

    Raises:
        UserError: the output is no table, but is to be safe for spreadsheets.
    """
    if format not in TABLES:
        if spreadsheet_safe:
            raise UserError("--spreadsheet-safe: is for .csv and .tsv outputs; leave it out")
        return None
    same = source.dialect is not None and source.format == format
    dialect = source.dialect if same and source.dialect else Dialect.of(TABLES[format])
    return replace(dialect, header=True, spreadsheet_safe=spreadsheet_safe)


def read_once(
    source: Source,
    whole_rows: bool,
    output: str,
    format: str,
    check_items: Callable[[Sequence[Item]], None] = lambda items: None,
) -> Survey:
    """Read all of ``source`` to find its faults and values that ``output`` cannot hold.

    Args:
        whole_rows: whether all columns will be written as Python values.
        check_items: rejects texts that cannot be predicted.
    """
    dialect = output_dialect(source, format)
    check = partial(dialect.check_cells, output=output) if dialect and whole_rows else None
    with progress(None, "reading", "texts") as bar:
        return survey(source, whole_rows, bar.update, check, check_items)


def _check_fits(bundle: Bundle, output: str, format: str) -> None:
    if format in ANNOTATION_FORMATS:
        check_annotations(bundle, output, format)
    if format in SENTENCES and bundle.task.data not in ("tagged", "joint"):
        raise UserError(
            f"{output}: {format} is for tagged words, but {bundle.folder} is a model for "
            f"{bundle.experiment.task}; write .jsonl, .csv, .tsv, .parquet or .txt"
        )


def _check_marks(output: str, format: str, options: Options) -> None:
    if format not in (".txt", *SENTENCES, *ANNOTATION_FORMATS):
        return
    without_a_place = {
        "--review-below": options.review_below is not None,
        "--n-best": options.n_best > 1,
        "--attention": options.attention,
    }
    for option, is_given in without_a_place.items():
        if is_given:
            raise UserError(
                f"{output}: {format} has no place for {option}; write .jsonl, .csv, .tsv or "
                ".parquet"
            )


def predict_all(
    predictor: Predictor, source: Source, writer: Writer, expected: int | None = None
) -> int:
    """Predict for all of ``source``; returns the number of texts.

    Args:
        expected: the number of texts, if it is known.
    """
    texts = 0
    begun = ((chunk, predictor.predict_chunk(list(chunk.items))) for chunk in source.read())
    with progress(None, "predicting", "texts", expected) as bar:
        for chunk, predictions in _ahead(begun):
            writer.write(chunk, predictions)
            texts += len(chunk.items)
            bar.update(len(chunk.items))
    if not texts:
        raise no_texts(source)
    return texts


def _ahead(values: Iterable[T]) -> Iterator[T]:
    """Yield each value after starting the next: the network works while a chunk is written."""
    values = iter(values)
    for before in itertools.islice(values, 1):
        for value in values:
            yield before
            before = value
        yield before
