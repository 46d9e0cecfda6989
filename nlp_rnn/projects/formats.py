"""Which format the user's files have, and which of them belongs to which split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path

from nlp_rnn.corpora.annotations import doccano
from nlp_rnn.corpora.annotations.webanno import is_webanno
from nlp_rnn.corpora.dialects import LIKELY_DELIMITERS
from nlp_rnn.corpora.fasttext import PREFIX
from nlp_rnn.corpora.folders import is_archive
from nlp_rnn.corpora.lines import BadBytes, open_binary, read_lines
from nlp_rnn.errors import UserError
from nlp_rnn.projects.columns import names_columns
from nlp_rnn.task_kinds import TASK_KINDS

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".conllu": "conllu",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
}
"""What the end of a file's name says; any other leaves it to the content."""

REFUSED = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save the sheet as CSV in UTF-8"),
    **dict.fromkeys((".docx", ".doc", ".pdf", ".rtf"), "save it as plain text in UTF-8"),
    **dict.fromkeys((".gz", ".bz2", ".xz"), "decompress it first"),
}
"""What to do with files that are no text."""

HEAD = 200
"""Lines in which a format shows."""

UD_COLUMNS = 10

SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing"),
}
"""Words in the name of a file or folder that say which split it is."""


def path_of(given: str) -> Path:
    """The file or folder that a path names, of ``ARCHIVE!FOLDER`` the archive."""
    archive, bang, _ = given.partition("!")
    return Path(archive) if bang and is_archive(Path(archive)) else Path(given)


def check_present(given: str) -> None:
    """Raise UserError unless a path names a file or folder with something in it."""
    path = path_of(given)
    if path.is_dir():
        if not any(path.iterdir()):
            raise UserError(f"{path}: is an empty folder")
        return
    with open_binary(path) as stream:
        if not stream.read(1):
            raise UserError(f"{path}: is empty")


def expanded(splits: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The paths of every split, where one folder may hold the files of all of them.

    A folder with ``train`` and ``test`` in it, as files or folders, stands for these; any other
    folder of files, without folders in it, stands for all its files.

    Raises:
        UserError: such a folder is given beside other files, or its files are of no split.
    """
    given = {split: list(paths) for split, paths in splits.items() if paths}
    for path in (path for paths in given.values() for path in paths):
        check_present(path)
    if not given.get("train"):
        raise UserError("give the training data with --train, or a built-in example: --example")
    first = Path(given["train"][0])
    if not first.is_dir() or _is_brat(first, "*"):
        return {split: _files_of(paths) for split, paths in given.items()}
    inside = _inside(first)
    named = {split: [each for each in inside if _split_of(each) == split] for split in SPLIT_WORDS}
    if named["train"]:
        if len(given) > 1 or len(given["train"]) > 1:
            raise UserError(
                f"{first}: holds splits of its own ({named['train'][0].name}); give it alone, or "
                "name each of its parts with --train, --validation and --test"
            )
        return {split: [str(each) for each in own] for split, own in named.items() if own}
    return {split: _files_of(paths) for split, paths in given.items()}


def _inside(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if not each.name.startswith("."))


def _files_of(paths: list[str]) -> list[str]:
    """The files of a lone folder without folders in it; other paths as they are."""
    folder = Path(paths[0])
    if len(paths) > 1 or not folder.is_dir() or _is_brat(folder):
        return paths
    inside = _inside(folder)
    return paths if any(each.is_dir() for each in inside) else [str(each) for each in inside]


def _is_brat(folder: Path, pattern: str = "**/*") -> bool:
    """Whether a folder has files of annotations of brat, in itself or below it."""
    return any(folder.glob(f"{pattern}.ann"))


def _split_of(path: Path) -> str | None:
    words = path.name.lower().replace("-", " ").replace("_", " ").replace(".", " ").split()
    return next((split for split, known in SPLIT_WORDS.items() if set(words) & set(known)), None)


def format_of(splits: Mapping[str, Sequence[str]], task: str | None, bad_bytes: BadBytes) -> str:
    """The one format of all files.

    Args:
        splits: the paths of each split.
        task: leaves only the formats of its kind of data; None for any.

    Raises:
        UserError: files differ in format, are of none that is known, or not of the task.
    """
    found = {path: _format(path, task, bad_bytes) for paths in splits.values() for path in paths}
    (first, format), *others = found.items()
    for path, other in others:
        if other != format:
            raise UserError(
                f"{first}: seems to be {format}, but {path} {other}; give files of one format, or "
                "settle it with --format"
            )
    return format


def _format(given: str, task: str | None, bad_bytes: BadBytes) -> str:
    path = path_of(given)
    entities = task is None or TASK_KINDS[task].tagged
    labelled = task is None or TASK_KINDS[task].data == "labelled"
    if path.is_dir() and entities and _is_brat(path):
        return "brat"
    if path.is_dir() or is_archive(path):
        return "folders"
    suffix = path.suffix.lower()
    if suffix in REFUSED:
        raise UserError(f"{path}: is no text file; {REFUSED[suffix]}")
    if suffix == ".parquet":
        return "parquet"
    lines = list(islice(read_lines(path, bad_bytes), HEAD))
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise UserError(f"{path}: begins with {len(lines)} blank lines; remove them")
    if entities and is_webanno(first):
        return "webanno"
    if suffix == ".json" and first.startswith("[") and _is_label_studio(lines):
        return "label-studio"
    if suffix == ".json" and not first.startswith("{"):
        raise UserError(f"{path}: is no JSON Lines; write one JSON object on each line")
    if SUFFIXES.get(suffix) == "conll":
        return "conllu" if _is_conllu(_sentences(lines)) else "conll"
    found = SUFFIXES.get(suffix) or _format_of_content(lines, task) or "text"
    if first.startswith("{"):
        return (entities and _annotated(lines)) or (labelled and _chosen(first)) or found
    return found


def _is_label_studio(lines: Sequence[str]) -> bool:
    """Whether the beginning of a JSON list has a key of Label Studio's tasks."""
    return any('"data"' in line or '"annotations"' in line for line in lines)


def _annotated(lines: Sequence[str]) -> str | None:
    """The annotation tool that wrote lines of JSON objects; None if they have no spans."""
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict):
            return None
        if isinstance(record.get("spans"), list) and "text" in record:
            return "prodigy"
        spans = doccano.labels_in(record)
        if isinstance(spans, list) and any(isinstance(span, list | dict) for span in spans):
            return "doccano"
    return None


OF_DOCCANO = {"id", "text", "Comments", *doccano.LABELS}
"""The keys of doccano's records in projects for text classification."""


def _chosen(line: str) -> str | None:
    """The annotation tool that wrote labels of whole texts in lines of JSON objects; None if the
    first one does not show it: that Prodigy says what a person answered, or doccano's keys."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    if record.get("answer") in ("accept", "reject", "ignore"):
        return "prodigy"
    labels = doccano.labels_in(record)
    listed = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    return "doccano" if listed and {"id", "text"} <= record.keys() <= OF_DOCCANO else None


def _format_of_content(lines: Sequence[str], task: str | None) -> str | None:
    """What the lines of a file look like; None for nothing in particular."""
    kind = TASK_KINDS[task].data if task else None
    if kind in ("tagged", None):
        sentences = _sentences(lines)
        if _is_conllu(sentences):
            return "conllu"
        if lines[0].startswith("{"):
            return "jsonl"
        if kind == "tagged" or _is_conll(sentences):
            return "conll"
    if kind in ("labelled", "pairs", None):
        filled = [line for line in lines if line.strip()]
        if filled[0].startswith("{") and filled[0].rstrip().endswith("}"):
            return "jsonl"
        if kind != "pairs" and all(line.startswith(PREFIX) for line in filled):
            return "fasttext"
        if delimiter := _delimiter(filled):
            return "tsv" if delimiter == "\t" else "csv"
        if kind == "labelled":
            return "csv"
    return None


def _sentences(lines: Sequence[str]) -> list[list[list[str]]]:
    """The columns of each line, without comments, of every block of lines."""
    return [
        [line.split("\t") if "\t" in line else line.split() for line in block if line[0] != "#"]
        for filled, block in groupby(lines, lambda line: bool(line.strip()))
        if filled
    ]


def _is_conllu(sentences: Sequence[Sequence[Sequence[str]]]) -> bool:
    rows = [row for sentence in sentences for row in sentence]
    return bool(rows) and all(len(row) == UD_COLUMNS for row in rows) and rows[0][0] in ("1", "1-2")


def _is_conll(sentences: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Whether there are several sentences of words in columns, most of them longer than a word."""
    filled = [sentence for sentence in sentences if sentence]
    widths = {len(row) for sentence in filled for row in sentence}
    spaced = any(" " in row[0].strip() for sentence in filled for row in sentence)
    long = sum(len(sentence) > 1 for sentence in filled)
    return (
        len(filled) > 1 and 2 * long > len(filled) and len(widths) == 1 < min(widths) and not spaced
    )


def _delimiter(lines: Sequence[str]) -> str | None:
    """What divides lines into fields, where that is no accident.

    Running text has no tabs, and the other delimiters count if the first line names columns and
    most lines have as many fields.
    """
    tabs = {line.count("\t") for line in lines}
    if len(tabs) == 1 and tabs != {0}:
        return "\t"
    named = (d for d in LIKELY_DELIMITERS if names_columns(lines[0].split(d)))
    return next((d for d in named if _most_have(d, lines)), None)


def _most_have(delimiter: str, lines: Sequence[str]) -> bool:
    """Whether most lines have as many of a delimiter as the first, or more inside quotes."""
    wanted = lines[0].count(delimiter)
    return 2 * sum(line.count(delimiter) >= wanted for line in lines) > len(lines)


def parts(splits: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Each split, or another key of a data set that names files, with each of its paths."""
    return ((split, path) for split, paths in splits.items() for path in paths)
