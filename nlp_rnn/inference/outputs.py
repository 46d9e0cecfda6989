"""Files of predictions, written chunk by chunk.

JSON Lines and Parquet hold predictions unchanged, with lists, records and mappings; Parquet has the
types of :mod:`~nlp_rnn.inference.schema`. CSV and TSV tables are flat: the probability of each
label has a column ``probability_<label>``, tags are separated by spaces, and lists are JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nlp_rnn.corpora.conll import DOCUMENT_START, UD_UPOS
from nlp_rnn.corpora.dialects import Dialect, TableWriter
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_file
from nlp_rnn.inference import schema
from nlp_rnn.inference.inputs import STREAM, TABLES, ArrowChunk, Chunk, Columns, SentenceChunk
from nlp_rnn.inference.items import as_text
from nlp_rnn.inference.predictor import Prediction
from nlp_rnn.process import print_everything

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_BYTES = 1 << 25
"""The number of rows in a Parquet row group; many small groups would bloat the file."""

NO_TAG = "_"
"""The tag of a line without a word."""

SENTENCES = (".conll", ".conllu")
"""Formats for tagged sentences only."""


# --- values -------------------------------------------------------------------------


def renamed(columns: Iterable[str], predicted: Collection[str]) -> dict[str, str]:
    """The name of each input column in the output.

    >>> renamed(["text", "label"], ["label", "probability"])
    {'text': 'text', 'label': 'input_label'}
    """
    columns = list(columns)
    names = {}
    for column in columns:
        name = column
        while name in predicted or (name != column and name in columns):
            name = f"input_{name}"
        names[column] = name
    return names


def flat(prediction: Prediction) -> dict[str, Any]:
    """A prediction as the cells of CSV or TSV.

    >>> flat({"label": "a", "probabilities": {"a": 0.75, "b": 0.25}})
    {'label': 'a', 'probability_a': 0.75, 'probability_b': 0.25}
    >>> flat({"tokens": ["New York", "sleeps"], "tags": ["NOUN", "VERB"]})
    {'tokens': '["New York", "sleeps"]', 'tags': 'NOUN VERB'}
    """
    cells: dict[str, Any] = {}
    for key, value in prediction.items():
        if key == "probabilities" and isinstance(value, dict):
            cells.update((f"probability_{name}", number) for name, number in value.items())
        elif key == "tags":
            cells[key] = " ".join(value)
        elif isinstance(value, list | dict):
            cells[key] = to_json(value)
        else:
            cells[key] = value
    return cells


def _plain(value: Any) -> Any:
    """A Parquet value that JSON lacks, as a string."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def to_json(value: Any) -> str:
    """``value`` as strict JSON: NaN and infinity, which it lacks, become null."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(schema.finite(value), ensure_ascii=False, default=_plain)


def cell(value: Any) -> str:
    """``value`` as the text of a cell: empty for null, JSON for lists, mappings and booleans."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (bool, list, dict, tuple)):
        return to_json(value)
    return str(_plain(value))


# --- writers ------------------------------------------------------------------------


class Writer(ABC):
    """Writes predictions in one format."""

    @abstractmethod
    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        """Write one prediction for each item of ``chunk``."""


class LineWriter(Writer):
    """One line per text: the output, the label, labels separated by ``|``, the tags separated by
    spaces (after the label and a tab, if there is one), the predicates with their arguments, or the
    log-probability."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        for prediction in predictions:
            self._stream.write(_summary(prediction) + "\n")


def _summary(prediction: Prediction) -> str:
    if "tags" in prediction:
        tags = " ".join(prediction["tags"])
        return f"{prediction['label']}\t{tags}" if "label" in prediction else tags
    if "labels" in prediction:
        return "|".join(prediction["labels"])
    if "predicates" in prediction:
        return " ".join(map(_proposition, prediction["predicates"]))
    if "output" in prediction:
        return " ".join(str(prediction["output"]).splitlines())
    return str(prediction.get("label", prediction.get("log_probability")))


def _proposition(found: Mapping[str, Any]) -> str:
    """A predicate and its arguments on a line.

    >>> _proposition({"text": "sees", "arguments": [{"role": "ARG0", "text": "The cat"}]})
    'sees(ARG0: The cat)'
    """
    parts = (f"{argument['role']}: {argument['text']}" for argument in found["arguments"])
    return f"{found['text']}({'; '.join(' '.join(part.split()) for part in parts)})"


def json_line(row: Mapping[str, Any], prediction: Prediction) -> str:
    """The columns of the input, then the prediction, as one line of JSON."""
    names = renamed(row, prediction)
    return to_json({names[key]: value for key, value in row.items()} | prediction)


class JsonlWriter(Writer):
    """One JSON object per text: the columns of the input, then the prediction."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        for row, prediction in zip(chunk.rows(), predictions, strict=True):
            self._stream.write(json_line(row, prediction) + "\n")
        self._stream.flush()


class CsvWriter(Writer):
    """A table with a header: the columns of the input, then the prediction, flat."""

    def __init__(self, table: TableWriter, columns: Columns) -> None:
        self._table = table
        self._columns = list(columns)
        self._has_header = False

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        for row, prediction in zip(chunk.rows(), predictions, strict=True):
            predicted = flat(prediction)
            if not self._has_header:
                self._table.write([*renamed(self._columns, predicted).values(), *predicted])
                self._has_header = True
            kept = [cell(row.get(column)) for column in self._columns]
            self._table.write([*kept, *map(cell, predicted.values())])


def record_batch(
    kept: Mapping[str, pa.Array], predictions: Iterable[Prediction], predicted: schema.Columns
) -> pa.RecordBatch:
    """The columns of the input, ``kept``, then those of the predictions, nested."""
    import pyarrow as pa

    names = renamed(kept, predicted)
    arrays = {names[column]: array for column, array in kept.items()}
    rows = list(predictions)
    for name, type_ in predicted.items():
        values = [row[name] for row in rows]
        if schema.holds_floats(type_):
            values = schema.finite(values)
        arrays[name] = pa.array(values, schema.arrow_type(type_))
    return pa.RecordBatch.from_pydict(arrays)


class ParquetWriter(Writer):
    """A table: the columns of the input with their types, then the prediction, nested."""

    def __init__(self, file: Path, columns: Columns, predicted: schema.Columns) -> None:
        self._file = file
        self._columns = columns
        self._predicted = predicted
        self._pending: list[pa.RecordBatch] = []
        self._writer: Any = None

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        self._add(self._kept(chunk), predictions)
        if sum(batch.nbytes for batch in self._pending) >= ROW_GROUP_BYTES:
            self._flush()

    def _add(self, kept: Mapping[str, pa.Array], predictions: Iterable[Prediction]) -> None:
        self._pending.append(record_batch(kept, predictions, self._predicted))

    def _kept(self, chunk: Chunk) -> dict[str, pa.Array]:
        import pyarrow as pa

        if isinstance(chunk, ArrowChunk):
            kept = dict(zip(chunk.batch.schema.names, chunk.batch.columns, strict=True))
            of_words = isinstance(chunk.items[0], list)
            text_type = pa.list_(pa.string()) if of_words else pa.string()
            kept[chunk.text_column] = pa.array(chunk.items, text_type)
            return kept
        rows = list(chunk.rows())
        return {
            column: _array([row.get(column) for row in rows], types)
            for column, types in self._columns.items()
        }

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_batches(self._pending)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)
        self._pending.clear()

    def close(self) -> None:
        """Write pending rows and the end of the file, which has its columns even without rows."""
        if self._writer is None and not self._pending:
            self._add({column: _array([], types) for column, types in self._columns.items()}, [])
        if self._pending:
            self._flush()
        self.abandon()

    def abandon(self) -> None:
        """Release the file without finishing it."""
        if self._writer is not None:
            self._writer.close()


def _array(values: Sequence[Any], types: set[type]) -> pa.Array:
    """An Arrow column of JSON values of the given ``types``; a mixture becomes text."""
    import pyarrow as pa

    types = types - {type(None)}
    if types == {bool}:
        return pa.array(values, pa.bool_())
    if types == {int}:
        return pa.array(values, pa.int64())
    if types and types <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    # Half a surrogate pair, which JSON can write as an escape, is kept.
    texts = [
        None if value is None else cell(value).encode("utf-8", "backslashreplace").decode()
        for value in values
    ]
    return pa.array(texts, pa.string())


class SentenceWriter(Writer):
    """Tagged sentences, one word per line.

    If the input has the same format, every line is kept: CoNLL gets the tag as an additional last
    column (``_`` on lines without a word), CoNLL-U gets it as UPOS. Otherwise the words are the
    tokens of the prediction.
    """

    def __init__(self, stream: TextIO, format: str) -> None:
        self._stream = stream
        self._format = format
        self._number = 0

    def write(self, chunk: Chunk, predictions: Iterable[Prediction]) -> None:
        if isinstance(chunk, SentenceChunk) and chunk.format == self._format:
            self._stream.writelines(line + "\n" for line in self._kept(chunk, predictions))
            return
        texts = map(as_text, chunk.items)
        for text, prediction in zip(texts, predictions, strict=True):
            for sentence, words, tags in _sentences(text, prediction):
                self._number += 1
                lines = self._new(sentence, words, tags, prediction.get("label"))
                self._stream.writelines(line + "\n" for line in lines)

    def _kept(self, chunk: SentenceChunk, predictions: Iterable[Prediction]) -> Iterator[str]:
        predicted = iter(predictions)
        for sentence in chunk.sentences:
            lines = list(sentence.block.lines)
            if self._format == ".conll":
                for index, line in enumerate(lines):
                    if line.startswith(DOCUMENT_START):
                        lines[index] = _with_column(line, "O")
            tags = next(predicted)["tags"] if sentence.words else []
            for word, tag in zip(sentence.words, tags, strict=True):
                if self._format == ".conll":
                    lines[word.index] = _with_column(lines[word.index], tag)
                else:
                    columns = lines[word.index].split("\t")
                    columns[UD_UPOS] = tag
                    lines[word.index] = "\t".join(columns)
            if self._format == ".conll":
                for word in sentence.empty:
                    lines[word.index] = _with_column(lines[word.index], NO_TAG)
            yield from lines

    def _new(
        self, text: str, tokens: Sequence[str], tags: Sequence[str], intent: str | None
    ) -> Iterator[str]:
        words = [_one_column(token) for token in tokens]
        tagged = zip(words, tags, strict=True)
        label = [f"# label = {intent}"] if intent is not None and words else []
        if self._format == ".conll":
            yield from label
            for word, tag in tagged:
                yield f"{word}\t{tag}"
            yield ""
        elif words:  # a sentence of CoNLL-U has a word
            yield f"# sent_id = {self._number}"
            yield f"# text = {' '.join(text.split())}"
            yield from label
            for i, (word, tag) in enumerate(tagged, 1):
                yield "\t".join([str(i), word, "_", tag, *["_"] * 6])
            yield ""


def _sentences(
    text: str, prediction: Prediction
) -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """A text with its tokens and tags, or the same of each sentence of a document."""
    tokens, tags = prediction["tokens"], prediction["tags"]
    if "sentences" not in prediction:
        yield text, tokens, tags
        return
    first = 0
    for sentence in prediction["sentences"]:
        last = first + sentence["tokens"]
        yield text[sentence["start"] : sentence["end"]], tokens[first:last], tags[first:last]
        first = last


def _one_column(word: str) -> str:
    """A word in a form that can be read back: without column and line separators, and never
    empty."""
    return re.sub(r"[ \t\r\n]+", " ", word).strip(" ") or "_"


def _with_column(line: str, tag: str) -> str:
    """A CoNLL line with an additional column, separated like the others."""
    by_spaces = " " in line and "\t" not in line
    return line + (" " if by_spaces else "\t") + tag


# --- files --------------------------------------------------------------------------


def check_writable(output: str, input: str, folder: bool = False) -> None:
    """Fail early if an output file, or a folder of files, cannot be written.

    Raises:
        UserError: it is a folder or the input, or its folder is not writable.
    """
    if output == STREAM:
        return
    path = Path(output)
    if folder and path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path}: exists; name a new folder, which will hold the files")
    if path.is_dir() and not folder:
        raise UserError(f"{path}: is a folder, expected a file to write")
    if input != STREAM and path.exists() and path.samefile(input):
        raise UserError(f"{path}: is also INPUT; write to another file")
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UserError(f"{path}: cannot be written, {parent} is not a folder; choose another")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(
            f"{path}: cannot be written (no permission in {parent}); choose a folder you may "
            "write to"
        )


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    """Standard output, which takes any character."""
    print_everything()
    stream = sys.stdout
    if stream is None:
        raise UserError("standard output: is closed; give a file")
    try:
        yield stream
        stream.flush()
    except OSError as error:
        # Buffered output would fail again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        reason = error.strerror or str(error)
        raise UserError(f"standard output: cannot be written: {reason}") from None


@contextmanager
def opened_text(output: str) -> Iterator[TextIO]:
    """A file as a stream of text, which appears, complete, only if the block succeeds; or ``-``."""
    if output == STREAM:
        with _standard_output() as stream:
            yield stream
        return
    with whole_file(Path(output)) as partial, _text_file(partial) as stream:
        yield stream


def _text_file(file: Path) -> TextIO:
    # newline="": line ends within cells are kept.
    return file.open("w", encoding="utf-8", errors="backslashreplace", newline="")


@contextmanager
def _writing(
    file: Path,
    format: str,
    columns: Columns,
    predicted: schema.Columns,
    dialect: Dialect | None,
    name: str,
) -> Iterator[Writer]:
    if format == ".parquet":
        table = ParquetWriter(file, columns, predicted)
        try:
            yield table
            table.close()
        except BaseException:
            table.abandon()
            raise
        return
    with _text_file(file) as stream:
        if format == ".txt":
            yield LineWriter(stream)
        elif format == ".jsonl":
            yield JsonlWriter(stream)
        elif format in SENTENCES:
            yield SentenceWriter(stream, format)
        else:
            dialect = dialect or Dialect.of(TABLES[format])
            yield CsvWriter(TableWriter(stream, dialect, name), columns)


@contextmanager
def open_writer(
    output: str,
    format: str,
    columns: Columns,
    predicted: schema.Columns,
    dialect: Dialect | None = None,
) -> Iterator[Writer]:
    """A writer of ``output``; a file appears, complete, only if the block succeeds.

    Args:
        output: a file, or ``-``.
        format: the format, from :func:`~nlp_rnn.inference.inputs.format_of`.
        columns: the columns of the input.
        predicted: the columns of a prediction.
        dialect: the dialect of CSV and TSV; None for the format's default.

    Raises:
        UserError: the output cannot be written or hold a value, or the disk is full.
    """
    if output == STREAM:
        with _standard_output() as stream:
            yield JsonlWriter(stream)
        return
    with (
        whole_file(Path(output)) as partial,
        _writing(partial, format, columns, predicted, dialect, output) as writer,
    ):
        yield writer
