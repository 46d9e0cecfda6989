"""Predicting for every text of a file, in order, in memory that does not grow with it."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from nlp_rnn.errors import UserError
from nlp_rnn.inference.bundle import Bundle
from nlp_rnn.inference.inputs import (
    Source,
    Survey,
    check_readable,
    format_of,
    no_texts,
    open_source,
    survey,
)
from nlp_rnn.inference.outputs import SENTENCES, Writer, check_writable, open_writer
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.process import log, terminable

T = TypeVar("T")


def predict_file(
    bundle_folder: Path,
    input: str,
    output: str,
    text_column: str,
    n_best: int = 1,
    review_below: float | None = None,
    word_column: int | None = None,
) -> None:
    """Predict with a bundle for every text of ``input`` and write ``output``, whole or not at all.

    Everything that can be wrong with the arguments or a file is found before a network is loaded:
    a file is read once for its faults, then a second time to predict.

    Args:
        bundle_folder: a model bundle.
        input: a file (see :data:`~nlp_rnn.inference.inputs.SOURCES`), or ``-`` for lines on
            standard input.
        output: a file of one of the same formats, or ``-`` for JSON lines on standard output.
        text_column: the column of the text in tables.
        n_best: tag sequences to give of each sentence, of a tagger with a CRF.
        review_below: mark predictions of a lower confidence for review.
        word_column: the column of the word in CoNLL; None is that of the training data.

    Raises:
        UserError: the bundle, a file or a suffix is at fault, or there is no text.
    """
    bundle, source, format = open_all(bundle_folder, input, output, text_column, word_column)
    _check_n_best(bundle, n_best)
    if review_below is not None:
        _check_review(bundle, output, format)
    known = read_once(source, format not in (".parquet", ".txt"))
    predictor = Predictor.of(bundle)
    predictor.n_best = n_best
    predictor.review_below = review_below
    started = time.perf_counter()
    with terminable(), open_writer(output, format, known.columns) as writer:
        texts = predict_all(predictor, source, writer, known.texts)
    seconds = time.perf_counter() - started
    log(
        f"{texts:,} text{'' if texts == 1 else 's'} in {seconds:.1f} s, "
        f"{texts / seconds:,.0f} texts/s"
    )


def open_all(
    bundle_folder: Path,
    input: str,
    output: str,
    text_column: str,
    word_column: int | None = None,
) -> tuple[Bundle, Source, str]:
    """The bundle, the texts, and the format of ``output``; arguments as :func:`predict_file`."""
    if format_of(input, "INPUT") != ".conll" and word_column is not None:
        raise UserError(
            f"{input}: --word-column is for .conll, whose columns have no names; leave it out"
        )
    format = format_of(output, "OUTPUT")
    check_readable(input)
    check_writable(output, input)
    bundle = Bundle.open(bundle_folder)
    _check_fits(bundle, output, format)
    bad_bytes = bundle.tokenizer.parameters.bad_bytes
    column = bundle.word_column if word_column is None else word_column
    return bundle, open_source(input, text_column, bad_bytes, column), format


def read_once(source: Source, whole_rows: bool) -> Survey:
    """:func:`~nlp_rnn.inference.inputs.survey` with a progress bar."""
    with _progress("reading", None) as bar:
        return survey(source, whole_rows, bar.update)


def _check_fits(bundle: Bundle, output: str, format: str) -> None:
    if format in SENTENCES and bundle.experiment.task != "tagging":
        raise UserError(
            f"{output}: {format} holds tagged words, but {bundle.folder} is a model for "
            f"{bundle.experiment.task}; write .jsonl, .csv, .tsv, .parquet or .txt"
        )


def _check_n_best(bundle: Bundle, n_best: int) -> None:
    if n_best > 1 and getattr(bundle.experiment.model, "output", None) != "crf":
        raise UserError(
            f"--n-best {n_best}: {bundle.folder} has no CRF, which alone knows the likeliest tag "
            "sequences; train a tagger with model.output: crf"
        )


def _check_review(bundle: Bundle, output: str, format: str) -> None:
    if bundle.experiment.task == "language_modelling":
        raise UserError(
            f"--review-below: {bundle.folder} is a language model, which is not right or wrong; "
            "leave it out"
        )
    if format in (".txt", *SENTENCES):
        raise UserError(
            f"{output}: {format} has no place for --review-below; write .jsonl, .csv, .tsv or "
            ".parquet"
        )


def predict_all(
    predictor: Predictor, source: Source, writer: Writer, expected: int | None = None
) -> int:
    """Predict for all of ``source``; returns the number of texts.

    Args:
        expected: how many they are, where it is known.
    """
    texts = 0
    begun = ((chunk, predictor.predict_chunk(list(chunk.items))) for chunk in source.chunks())
    with _progress("predicting", expected) as bar:
        for chunk, predictions in _ahead(begun):
            writer.write(chunk, predictions)
            texts += len(chunk.items)
            bar.update(len(chunk.items))
    if not texts:
        raise no_texts(source)
    return texts


def _ahead(values: Iterable[T]) -> Iterator[T]:
    """Each value once the next has begun: the network works while the last chunk is written."""
    values = iter(values)
    for before in itertools.islice(values, 1):
        for value in values:
            yield before
            before = value
        yield before


def _progress(description: str, total: int | None) -> tqdm[Any]:
    return tqdm(
        desc=description,
        total=total,
        unit=" texts",
        disable=not sys.stderr.isatty(),
        leave=False,
    )
