"""Input files of prediction, read in chunks: the texts for the predictor, and all that is kept.

This module needs only the standard library and the corpus readers, so that a mistake in a file is
reported before anything heavy is imported.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from nlp_rnn.chunks import chunked
from nlp_rnn.corpora.annotations import brat, label_studio, webanno
from nlp_rnn.corpora.conll import Sentence, conll_sentences, conllu_sentences
from nlp_rnn.corpora.dialects import Dialect, TableFormat
from nlp_rnn.corpora.lines import (
    BadBytes,
    numbered,
    numbered_lines,
    open_binary,
    raw_lines,
    without_bom,
)
from nlp_rnn.corpora.settings import Setting, SettingError, naming_options
from nlp_rnn.corpora.tables import (
    clean,
    jsonl_records,
    member,
    parquet_batches,
    parquet_columns,
    parquet_values,
    text_of,
)
from nlp_rnn.corpora.token_lists import word_of
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.inference.items import CHUNK, Item

if TYPE_CHECKING:
    import pyarrow as pa

STREAM = "-"
"""The name of standard input or output."""

CHUNK_CHARACTERS = 1 << 21
"""The number of characters after which a chunk ends even if it has fewer than
:data:`~nlp_rnn.inference.items.CHUNK` texts. It bounds memory if texts are long."""

TEXT = "text"
"""The default column of the text; input without columns gets this one."""

TABLES: dict[str, TableFormat] = {".csv": "csv", ".tsv": "tsv"}
"""Formats that have a dialect."""

SETTING = "text_column"

Columns = dict[str, set[type]]
"""The columns of a table, in order, each with the types of its values; ``object`` marks a whole
number too large for a column of whole numbers."""

T = TypeVar("T")


# --- chunks -------------------------------------------------------------------------


class Chunk(ABC):
    """Consecutive texts of a file.

    Attributes:
        items: the inputs of the predictor.
    """

    items: Sequence[Item]

    @abstractmethod
    def rows(self) -> Iterable[Mapping[str, Any]]:
        """For each item, its input columns, including the text."""

    @abstractmethod
    def columns(self) -> Columns:
        """The columns of :meth:`rows`."""


@dataclass(frozen=True)
class TextChunk(Chunk):
    """Lines of plain text."""

    items: Sequence[str]
    text_column: str

    def rows(self) -> Iterable[Mapping[str, Any]]:
        return ({self.text_column: text} for text in self.items)

    def columns(self) -> Columns:
        return {self.text_column: {str}}


@dataclass(frozen=True)
class CsvChunk(Chunk):
    """Rows of CSV or TSV.

    Attributes:
        header: the names of the columns.
    """

    items: Sequence[str]
    header: Sequence[str]
    cells: Sequence[Sequence[str]]

    def rows(self) -> Iterable[Mapping[str, Any]]:
        return (dict(zip(self.header, row, strict=True)) for row in self.cells)

    def columns(self) -> Columns:
        return {name: {str} for name in self.header}


@dataclass(frozen=True)
class JsonChunk(Chunk):
    """JSON Lines objects, which need not have the same keys."""

    items: Sequence[Item]
    records: Sequence[Mapping[str, Any]]

    def rows(self) -> Iterable[Mapping[str, Any]]:
        return self.records

    def columns(self) -> Columns:
        found: Columns = {}
        for record in self.records:
            for key, value in record.items():
                is_huge = isinstance(value, int) and not -(1 << 63) <= value < 1 << 63
                found.setdefault(key, set()).add(object if is_huge else type(value))
        return found


@dataclass(frozen=True)
class DocumentChunk(JsonChunk):
    """Files of a folder.

    Attributes:
        names: the path of each below the folder, without its suffix.
    """

    names: Sequence[str]


@dataclass(frozen=True)
class ArrowChunk(Chunk):
    """Rows of Parquet, as Arrow holds them."""

    items: Sequence[Item]
    batch: pa.RecordBatch
    text_column: str
    where: str

    def rows(self) -> Iterable[Mapping[str, Any]]:
        values = {name: self._values(name) for name in self.batch.schema.names}
        names = list(values)
        return (dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True))

    def _values(self, name: str) -> Sequence[Any]:
        if name == self.text_column:
            return self.items
        try:
            return _python_values(self.batch.column(name))
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{self.where}, column '{name}': cannot be written as text ({reason}); "
                "remove the column, or write .parquet"
            ) from None

    def columns(self) -> Columns:
        return {field.name: {_python_type(field.type)} for field in self.batch.schema}


def _python_type(type_: pa.DataType) -> type:
    """The type of the values of an Arrow column that a column of theirs can hold; else text."""
    from pyarrow import types

    if types.is_boolean(type_):
        return bool
    if types.is_floating(type_):
        return float
    return int if types.is_integer(type_) and not types.is_uint64(type_) else str


def _python_values(column: pa.Array) -> list[Any]:
    """A column's values; mappings from strings, which Arrow returns as pairs, become
    dictionaries."""
    import pyarrow as pa

    values: list[Any] = column.to_pylist()
    if not (pa.types.is_map(column.type) and pa.types.is_string(column.type.key_type)):
        return values
    return [None if pairs is None else dict(pairs) for pairs in values]


@dataclass(frozen=True)
class SentenceChunk(Chunk):
    """Sentences split into words, with every line of their file."""

    items: Sequence[tuple[str, ...]]
    sentences: Sequence[Sentence]
    format: str
    text_column: str

    def rows(self) -> Iterable[Mapping[str, Any]]:
        return ({self.text_column: " ".join(words)} for words in self.items)

    def columns(self) -> Columns:
        return {self.text_column: {str}}


def in_chunks(values: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Lists of consecutive values within the bounds of a chunk."""
    return chunked(values, size, CHUNK, CHUNK_CHARACTERS)


# --- sources ------------------------------------------------------------------------


@dataclass(frozen=True)
class Source(ABC):
    """Texts to predict for.

    Attributes:
        name: the file, or ``-``.
        format: its suffix, including the dot.
        text_column: the column of the text; input without columns gets one with this name.
        bad_bytes: how to treat undecodable UTF-8.
        dialect: the dialect of CSV and TSV, otherwise None.
        word_column: the column of the word in CoNLL, counted from 0 (from the end when negative).
    """

    name: str
    format: str
    text_column: str
    bad_bytes: BadBytes
    dialect: Dialect | None = None
    word_column: int = 0

    @property
    def path(self) -> Path:
        return Path(self.name)

    @property
    def rereadable(self) -> bool:
        """Whether it can be read twice."""
        return True

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """All chunks, in order.

        Raises:
            UserError: the file cannot be read or is ill-formed; the message names file and line or
                row.
        """

    def read(self) -> Iterator[Chunk]:
        """:meth:`chunks`, with errors that name command-line options."""
        return naming_options(self.chunks())

    def first_columns(self) -> Sequence[str]:
        """The columns of the first row; empty if the format has no columns."""
        return ()


class LinesSource(Source):
    """One text per line; blank lines are texts too."""

    def chunks(self) -> Iterator[Chunk]:
        lines = numbered_lines(self.path, self.bad_bytes)
        return _line_chunks(lines, self.text_column)


class StreamSource(Source):
    """One text per line of standard input."""

    @property
    def rereadable(self) -> bool:
        return False

    def chunks(self) -> Iterator[Chunk]:
        return _line_chunks(standard_lines(self.bad_bytes), self.text_column)


def standard_lines(bad_bytes: BadBytes) -> Iterator[tuple[int, str]]:
    """The lines of standard input, each as soon as it is there, with its number from 1.

    Raises:
        UserError: standard input is closed; or, while reading, a line is no UTF-8 text.
    """
    if sys.stdin is None:
        raise UserError("standard input: is closed; give a file, or pipe texts in")
    return numbered(_standard_input(sys.stdin.buffer), bad_bytes, "standard input")


def _standard_input(stream: BinaryIO) -> Iterator[bytes]:
    try:
        yield from raw_lines(stream)
    except OSError as error:
        raise UserError(f"standard input: cannot be read: {error.strerror or error}") from None


def _line_chunks(lines: Iterable[tuple[int, str]], text_column: str) -> Iterator[Chunk]:
    texts = (line.removesuffix("\r") for _, line in lines)
    for chunk in in_chunks(texts, len):
        yield TextChunk(chunk, text_column)


class CsvSource(Source):
    """A CSV or TSV table; columns without a header are named by their numbers."""

    def _rows(self) -> Iterator[tuple[str, list[str]]]:
        assert self.dialect is not None
        return self.dialect.rows(self.path, self.bad_bytes)

    def chunks(self) -> Iterator[Chunk]:
        assert self.dialect is not None
        rows = self._rows()
        for where, first in rows:
            text = self.dialect.column(self.text_column, first, where, SETTING)
            header = first if self.dialect.header else _numbered(len(first), text)
            _check_distinct(header, where)
            begun = [] if self.dialect.header else [first]
            cells = chain(begun, (row for _, row in rows))
            for chunk in in_chunks(cells, lambda row: sum(map(len, row))):
                yield CsvChunk([row[text] for row in chunk], header, chunk)

    def first_columns(self) -> Sequence[str]:
        return next((row for _, row in self._rows()), [])


def _numbered(columns: int, text: int) -> list[str]:
    """Names for columns without a header.

    >>> _numbered(3, 1)
    ['0', 'text', '2']
    """
    return [TEXT if number == text else str(number) for number in range(columns)]


class RecordSource(Source):
    """JSON objects, in which the text is one value."""

    @abstractmethod
    def _records(self) -> Iterator[dict[str, Any]]:
        """Each object, its text as the model sees it."""

    def chunks(self) -> Iterator[Chunk]:
        for chunk in in_chunks(self._records(), _characters):
            yield JsonChunk([record[self.text_column] for record in chunk], chunk)


class JsonlSource(RecordSource):
    """One JSON object per line."""

    def _records(self) -> Iterator[dict[str, Any]]:
        name = self.text_column
        for where, record in jsonl_records(self.path, self.bad_bytes):
            record[name] = item_of_record(record, name, where, self.bad_bytes)
            yield record

    def first_columns(self) -> Sequence[str]:
        return next((list(record) for _, record in jsonl_records(self.path, self.bad_bytes)), [])


def item_of_record(record: Mapping[str, Any], name: str, where: str, bad_bytes: BadBytes) -> Item:
    """The text of a record of JSON Lines as the model sees it, to which entity offsets refer.

    Raises:
        UserError: there is none, or it is no text.
    """
    item = item_of(member(record, name, where, SETTING), where, name)
    if isinstance(item, str):
        return clean(item, bad_bytes, where, name)
    return [clean(word, bad_bytes, where, name) for word in item]


def item_of(value: object, where: str, column: str) -> Item:
    """A text, or the list of words of a sentence.

    Raises:
        UserError: it is neither, or a word is empty.
    """
    if isinstance(value, list):
        return [word_of(word, where, column) for word in value]
    return text_of(value, where, column)


def _characters_of_item(item: Item) -> int:
    return len(item) if isinstance(item, str) else sum(map(len, item))


def _characters(record: Mapping[str, Any]) -> int:
    return sum(len(value) for value in record.values() if isinstance(value, (str, list, dict)))


class ParquetSource(Source):
    """A Parquet table."""

    def chunks(self) -> Iterator[Chunk]:
        name = self.text_column
        for row, batch in parquet_batches(self.path, {name: SETTING}):
            _check_distinct(batch.schema.names, self.name)
            values = parquet_values(self.path, row, batch, name, self.bad_bytes)
            items = (item_of(value, where, name) for where, value in values)
            start = 0
            for chunk in in_chunks(items, _characters_of_item):
                where = f"{self.name}, rows {row + start} to {row + start + len(chunk) - 1}"
                yield ArrowChunk(chunk, batch.slice(start, len(chunk)), name, where)
                start += len(chunk)

    def first_columns(self) -> Sequence[str]:
        return parquet_columns(self.path)


class ConllSource(Source):
    """Sentences in columns; the word is in ``word_column`` of CoNLL, FORM of CoNLL-U.

    A line without a word is not part of its sentence: nothing is predicted for it.
    """

    def _sentences(self) -> Iterator[Sentence]:
        if self.format == ".conllu":
            return conllu_sentences(self.path, self.bad_bytes)
        return conll_sentences(self.path, self.bad_bytes, self.word_column)

    def _with_words(self) -> Iterator[Sentence]:
        """All sentences; raises UserError at the end of a file whose words are all empty."""
        no_word, has_words = "", False
        for sentence in self._sentences():
            has_words = has_words or bool(sentence.words)
            if sentence.empty and not no_word:
                no_word = sentence.block.where(sentence.empty[0].index)
            yield sentence
        if no_word and not has_words:
            if self.format == ".conllu":
                raise UserError(f"{no_word}: expected a word in FORM, but no line has one")
            raise SettingError(
                f"{no_word}: expected a word in column {self.word_column} (counted from 0), but no "
                "line has one; choose another column with ",
                Setting("word_column"),
            )

    def chunks(self) -> Iterator[Chunk]:
        for chunk in in_chunks(self._with_words(), _characters_of_lines):
            items = [
                tuple(word.form for word in sentence.words) for sentence in chunk if sentence.words
            ]
            yield SentenceChunk(items, chunk, self.format, self.text_column)


class LabelStudioSource(RecordSource):
    """Tasks of Label Studio; the columns are the keys of their data. Memory holds the file."""

    def _records(self) -> Iterator[dict[str, Any]]:
        name = self.text_column
        for where, task in label_studio.tasks(self.path, self.bad_bytes):
            text = label_studio.text_of_task(where, task, name, self.bad_bytes)
            yield {**task["data"], name: text}

    def first_columns(self) -> Sequence[str]:
        tasks = label_studio.tasks(self.path, self.bad_bytes)
        return next((list(task["data"]) for _, task in tasks), [])


class BratSource(Source):
    """The texts of a folder of brat; its annotations are not read."""

    def _documents(self) -> Iterator[tuple[str, str]]:
        for path in brat.documents(self.path):
            name = path.relative_to(self.path).with_suffix("").as_posix()
            yield name, brat.read_text(path, self.bad_bytes)

    def chunks(self) -> Iterator[Chunk]:
        for chunk in in_chunks(self._documents(), lambda document: len(document[1])):
            records = [{"document": name, self.text_column: text} for name, text in chunk]
            yield DocumentChunk([text for _, text in chunk], records, [name for name, _ in chunk])


class WebannoSource(Source):
    """The sentences of WebAnno TSV 3; their annotations are not read."""

    def chunks(self) -> Iterator[Chunk]:
        return (
            TextChunk(chunk, self.text_column)
            for chunk in in_chunks(webanno.texts(self.path, self.bad_bytes), len)
        )


def _characters_of_lines(sentence: Sentence) -> int:
    return sum(map(len, sentence.block.lines))


def _check_distinct(header: Sequence[str], where: str) -> None:
    for name in header:
        if header.count(name) > 1:
            raise UserError(f"{where}: {header.count(name)} columns '{name}'; rename or remove one")


SOURCES: dict[str, type[Source]] = {
    ".txt": LinesSource,
    ".csv": CsvSource,
    ".tsv": CsvSource,
    ".jsonl": JsonlSource,
    ".parquet": ParquetSource,
    ".conll": ConllSource,
    ".conllu": ConllSource,
}
"""Files by their suffix."""

ANNOTATED: dict[str, type[Source]] = {
    "label-studio": LabelStudioSource,
    "brat": BratSource,
    "webanno": WebannoSource,
}
"""What annotation tools export and have no suffix of their own."""

LABEL_STUDIO_SUFFIX = ".json"


def input_format(name: str) -> str:
    """The format of an input: a key of :data:`SOURCES` or :data:`ANNOTATED`, or ``-``.

    Raises:
        UserError: see :func:`format_of`.
    """
    path = Path(name)
    if name != STREAM and path.is_dir():
        return "brat"
    if path.suffix.lower() == LABEL_STUDIO_SUFFIX:
        return "label-studio"
    if path.suffix.lower() == ".tsv" and path.is_file():
        with open_binary(path) as stream:
            if webanno.is_webanno(without_bom(stream.readline(80)).decode("utf-8", "replace")):
                return "webanno"
    return format_of(name, "INPUT")


def format_of(name: str, role: str) -> str:
    """The format given by a file's suffix: a key of :data:`SOURCES`, or ``-``.

    Args:
        name: the file, or ``-``.
        role: ``INPUT`` or ``OUTPUT``, for the message.

    Raises:
        UserError: the suffix is unknown, or the library that reads it is not installed.
    """
    if name == STREAM:
        return STREAM
    suffix = Path(name).suffix.lower()
    if suffix not in SOURCES:
        found = f"suffix '{suffix}'" if suffix else "no suffix"
        raise UserError(
            f"{name}: {found}; {role} ends with one of {', '.join(SOURCES)}, or is - for "
            f"{'lines on standard input' if role == 'INPUT' else 'JSON lines on standard output'}"
        )
    if suffix == ".parquet":
        require("pyarrow", "parquet", name)
    return suffix


def check_readable(name: str) -> None:
    """Fail early if an input file cannot be read.

    Raises:
        UserError: it is missing, empty, not a regular file or not readable.
    """
    if name == STREAM:
        return
    path = Path(name)
    if path.is_dir():
        brat.documents(path)
        return
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is not a regular file; pipe its lines into - instead")
    with open_binary(path) as stream:
        if not stream.read(1):
            raise UserError(f"{path}: is empty; expected one text or more")


def open_source(
    name: str,
    text_column: str,
    bad_bytes: BadBytes,
    dialect: Dialect | None = None,
    word_column: int = 0,
) -> Source:
    """The source for a file, by its suffix, or for ``-``.

    Args:
        dialect: the dialect of CSV and TSV; None for the format's default.
        word_column: the column of the word in CoNLL.
    """
    format = input_format(name)
    if format in TABLES and dialect is None:
        dialect = Dialect.of(TABLES[format])
    source = StreamSource if format == STREAM else (SOURCES | ANNOTATED)[format]
    return source(name, format, text_column, bad_bytes, dialect, word_column)


@dataclass(frozen=True)
class Survey:
    """The result of reading a source once.

    Attributes:
        texts: the number of texts; None if the source can be read only once.
        columns: the columns of all rows.
    """

    texts: int | None
    columns: Columns


def survey(
    source: Source,
    whole_rows: bool,
    advance: Callable[[int], object],
    check: Callable[[Sequence[str]], None] | None = None,
    check_items: Callable[[Sequence[Item]], None] = lambda items: None,
) -> Survey:
    """Check all of ``source`` before hours are spent on predictions for it.

    Args:
        source: the source; nothing is read if it can be read only once.
        whole_rows: whether all columns are needed as Python values.
        advance: called with the number of texts in each chunk.
        check: rejects cell texts that the output cannot hold; used only with whole rows.
        check_items: rejects texts that cannot be predicted.

    Raises:
        UserError: it is ill-formed, has no texts, or a cell or text is rejected.
    """
    if not source.rereadable:
        return Survey(None, {source.text_column: {str}})
    texts = 0
    columns: Columns = {}
    for chunk in source.read():
        if check is not None:
            check(list(chunk.columns()))
        if whole_rows:
            for row in chunk.rows():
                if check is not None:
                    check([value for value in row.values() if isinstance(value, str)])
        check_items(chunk.items)
        for name, types in chunk.columns().items():
            columns.setdefault(name, set()).update(types)
        texts += len(chunk.items)
        advance(len(chunk.items))
    if not texts:
        raise no_texts(source)
    return Survey(texts, columns)


def no_texts(source: Source) -> UserError:
    """The error for a source without texts."""
    name = "standard input" if source.name == STREAM else source.name
    return UserError(f"{name}: holds no texts; expected one or more")
