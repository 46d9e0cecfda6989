"""Read texts that a person has labelled, and write them in the format of a data set."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from nlp_rnn import paths
from nlp_rnn.config import AnyDataset, FilesDataset
from nlp_rnn.config.data import ANNOTATION_FORMATS, CHOICE_FORMATS, RECORD_FORMATS
from nlp_rnn.corpora import data_folder, open_corpus
from nlp_rnn.corpora.annotations import choices, doccano, label_studio
from nlp_rnn.corpora.dialects import Dialect, TableFormat, TableWriter
from nlp_rnn.corpora.settings import options_named
from nlp_rnn.corpora.tables import jsonl_records
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.files import whole_file, whole_folder
from nlp_rnn.inference.inputs import TEXT, input_format, open_source
from nlp_rnn.process import log
from nlp_rnn.text.annotated import with_tags
from nlp_rnn.text.prepared import PreparedDataset

WRITTEN = {"labelled": ("csv", "tsv", "jsonl"), "tagged": ("conll",)}
"""The formats of data sets that can be written, by the kind of their examples. Files in others are
copied."""

SHOWN = 10
"""The labels whose counts are shown."""

TABLES = ("csv", "tsv", "jsonl")

PEEKED = 20
"""The records of a file that decide which tool wrote it."""

Policy = Literal["error", "widen", "drop"]


@dataclass(frozen=True)
class Columns:
    """Where a table has texts and labels; None for what ``nlp-rnn label`` writes.

    Attributes:
        text: the column of the text.
        label: that of the label.
        delimiter: what separates the fields of CSV and TSV.
    """

    text: str | None = None
    label: str | None = None
    delimiter: str | None = None


def read_back(
    file: Path,
    name: str,
    dataset: AnyDataset,
    output: Path,
    format: str | None = None,
    columns: Columns = Columns(),
    spans: Policy = "error",
) -> None:
    """Read ``file``, which a person has labelled, and write ``output`` like the files of a data
    set.

    Tables and CoNLL are written in the columns of the data set; a file in another format that the
    data set has too is checked and copied.

    Args:
        name: the data set.
        format: what wrote the file; None is what its name and content say.
        spans: what happens to spans that tags of words cannot express.

    Raises:
        UserError: the data set has no files of its own or another format, or ``file`` is
            ill-formed.
    """
    if not isinstance(dataset, FilesDataset) or dataset.kind not in WRITTEN:
        raise UserError(
            f"{name}: is no data set of labelled or tagged files (source: files), so nothing can "
            "be added to it; name another one"
        )
    dataset, several = _as_prepared(name, dataset)
    if output.exists():
        raise UserError(f"{output}: exists; name a new file, and list both under train")
    written_by = format or _format_of(file, dataset)
    with options_named():
        column = columns.text or _text_column(file, written_by, dataset)
        if dataset.kind == "labelled" and written_by in CHOICE_FORMATS:
            bad_bytes = dataset.tokenizer.bad_bytes
            question = columns.label or dataset.question
            found = choices.read(written_by, file, bad_bytes, column, question)
            examples = [choices.example(each, several) for each in found]
        else:
            columns = replace(columns, text=column)
            section = _section(file, written_by, dataset, several, columns, spans)
            examples = _examples(file, dataset, section)
    if not examples:
        raise UserError(f"{file}: holds no labelled text; label some, and accept or submit them")
    if dataset.format in WRITTEN[dataset.kind]:
        _write(examples, dataset, output)
    elif written_by == dataset.format:
        _check_key(file, column, dataset)
        _copy(file, output)
    else:
        raise UserError(
            f"{name}: has the format {dataset.format}, into which {file} ({written_by}) cannot be "
            f"written; formats for it are {', '.join(WRITTEN[dataset.kind])}"
        )
    _say(examples, dataset, name, output)


def _as_prepared(name: str, dataset: FilesDataset) -> tuple[FilesDataset, bool]:
    """A data set with the unit of its tokenizer that ``prepare`` chose, if it is prepared, and
    whether its texts have any number of labels."""
    if not (paths.prepared(name) / "card.json").is_file():
        if dataset.kind != "labelled" or dataset.format not in (*RECORD_FORMATS, *CHOICE_FORMATS):
            return dataset, dataset.multi_label
        return dataset, next(open_corpus(name, dataset).read("train")).labels is not None
    prepared = PreparedDataset(paths.prepared(name))
    settled = dataset.model_copy(update={"tokenizer": prepared.tokenizer_parameters})
    return settled, prepared.multi_label


def _text_column(file: Path, format: str, dataset: FilesDataset) -> str:
    """The column of the texts of a file: that of the data set if the file has it."""
    there: Container[Any] = ()
    if format == "label-studio":
        there = next((task["data"] for _, task in label_studio.tasks(file, "replace")), ())
    elif format in CHOICE_FORMATS:
        there = next((record for _, record in jsonl_records(file, "replace")), ())
    elif format in TABLES:
        there = open_source(str(file), TEXT, "replace").first_columns()
    return str(dataset.text_column) if dataset.text_column in there else TEXT


def _format_of(file: Path, dataset: FilesDataset) -> str:
    """What wrote a file for a data set, by its name and its first records."""
    found = input_format(str(file)).removeprefix(".")
    if found != "jsonl":
        return found
    for _, record in islice(jsonl_records(file, "replace"), PEEKED):
        given = doccano.labels_in(record)
        if "accept" in record or "spans" in record or "answer" in record:
            return "prodigy"
        if isinstance(given, list) and "tags" not in record and "probabilities" not in record:
            own = "labels" in record and dataset.kind == "labelled" and dataset.format != "doccano"
            return found if own else "doccano"
    return found


def _section(
    file: Path,
    format: str,
    dataset: FilesDataset,
    several: bool,
    columns: Columns,
    spans: Policy,
) -> FilesDataset:
    """The file as a data set of its own.

    Args:
        several: whether its texts have any number of labels.
    """
    given: dict[str, Any] = {}
    if format in TABLES:
        given = {
            "text_column": columns.text,
            "label_column": columns.label or ("labels" if several else "label"),
            **({"delimiter": columns.delimiter} if columns.delimiter else {}),
        }
    elif format == dataset.format:
        same = {"train": str(file.absolute()), "validation": None, "test": None}
        return dataset.model_copy(update=same)
    elif format in ANNOTATION_FORMATS:
        given = {"spans": spans}
        if format in CHOICE_FORMATS:
            given["text_column"] = columns.text
    section = {"source": "files", "format": format, "train": str(file.absolute()), **given}
    return FilesDataset.model_validate({**section, "tokenizer": dataset.tokenizer})


def _examples(file: Path, dataset: FilesDataset, section: FilesDataset) -> list[Example]:
    """The examples of a file, which must be of the kind of the data set."""
    if section.kind != dataset.kind:
        raise UserError(
            f"{file}: holds {section.kind} examples, and the data set {dataset.kind} ones; name "
            "another data set, or the right --format"
        )
    return list(with_tags(open_corpus(str(file), section), section).read("train"))


def _check_key(file: Path, column: str, dataset: FilesDataset) -> None:
    """Raise UserError where a copy of a file would have its texts where the data set has none."""
    if dataset.format in CHOICE_FORMATS and column != dataset.text_column:
        raise UserError(
            f"{file}: has its texts under {column!r}, and the data set under "
            f"{dataset.text_column!r}; rename the key"
        )


def _copy(file: Path, output: Path) -> None:
    """Copy a file, or a folder of brat."""
    if file.is_dir():
        with whole_folder(output) as folder:
            shutil.copytree(file, folder, dirs_exist_ok=True)
        return
    with whole_file(output) as partial:
        shutil.copyfile(file, partial)


def _write(examples: Sequence[Example], dataset: FilesDataset, output: Path) -> None:
    """Write examples in the format and the columns of a data set."""
    with (
        whole_file(output) as partial,
        partial.open("w", encoding="utf-8", newline="") as stream,
    ):
        if dataset.format == "conll":
            stream.writelines(_sentence(example, dataset) for example in examples)
        elif dataset.format == "jsonl":
            stream.writelines(
                json.dumps(row, ensure_ascii=False) + "\n"
                for row in (
                    {
                        str(dataset.text_column): example.text,
                        **_label_columns(example, dataset, list),
                    }
                    for example in examples
                )
            )
        else:
            format: TableFormat = "tsv" if dataset.format == "tsv" else "csv"
            dialect = Dialect.of(format, dataset.delimiter, dataset.quoting, dataset.header)
            table = TableWriter(stream, dialect, str(output))
            for row in _rows(examples, dataset):
                table.write(row)


def _label_columns(
    example: Example, dataset: FilesDataset, several: Callable[[tuple[str, ...]], Any]
) -> dict[str, Any]:
    """The columns of the labels of a text.

    Args:
        several: how several labels stand in one column.
    """
    if dataset.label_columns is not None:
        return {label: int(label in example.label_set) for label in dataset.label_columns}
    if dataset.label_separator is not None:
        return {str(dataset.label_column): dataset.label_separator.join(example.label_set)}
    given = example.label if example.labels is None else several(example.labels)
    return {str(dataset.label_column): given}


def _rows(examples: Sequence[Example], dataset: FilesDataset) -> Iterator[list[str]]:
    """The rows of a table: with a header if the data set has one, else with empty cells where it
    has other columns."""
    if dataset.header:
        yield [str(dataset.text_column), *_label_columns(examples[0], dataset, str)]
        for example in examples:
            labels = _label_columns(example, dataset, str).values()
            yield [example.text, *map(str, labels)]
        return
    text, label = int(dataset.text_column), int(dataset.label_column)
    width = _width(text, label)
    for example in examples:
        row = [""] * width
        row[text] = example.text
        (row[label],) = map(str, _label_columns(example, dataset, str).values())
        yield row


def _sentence(example: Example, dataset: FilesDataset) -> str:
    """A tagged sentence in CoNLL, with ``_`` where the data set has other columns."""
    word_column = dataset.word_column
    tag_column = dataset.tag_column if isinstance(dataset.tag_column, int) else -1
    width = _width(word_column, tag_column)
    lines = []
    for word, tag in zip(example.tokens, example.tags, strict=True):
        row = ["_"] * width
        row[word_column], row[tag_column] = word, tag
        lines.append("\t".join(row) + "\n")
    return "".join([*lines, "\n"])


def _width(one: int, other: int) -> int:
    """The fewest columns in which two numbers, from 0 or from the end when negative, are two."""
    widths = range(max(one + 1, other + 1, -one, -other), 2 + abs(one) + abs(other))
    return next(width for width in widths if one % width != other % width)


def _say(examples: Sequence[Example], dataset: FilesDataset, name: str, output: Path) -> None:
    """Log what was read, and what to do with it."""
    counts: Counter[str] = Counter()
    for example in examples:
        counts.update(example.tags if dataset.kind == "tagged" else example.label_set)
    labels = ", ".join(f"{label} {count:,}" for label, count in counts.most_common(SHOWN))
    given = [dataset.train] if isinstance(dataset.train, str) else list(dataset.train)
    listed = ", ".join([*given, _as_listed(output)])
    log(f"{len(examples):,} texts are in {output}: {labels}")
    log(f"to learn from them, set datasets.{name}.train: [{listed}]")


def _as_listed(output: Path) -> str:
    """How ``params.yaml`` names a file: relative to the raw data, else to the project."""
    absolute, raw = output.absolute(), data_folder().absolute()
    if absolute.is_relative_to(raw):
        return str(absolute.relative_to(raw))
    inside = absolute.is_relative_to(Path.cwd())
    return f"./{absolute.relative_to(Path.cwd())}" if inside else str(absolute)
