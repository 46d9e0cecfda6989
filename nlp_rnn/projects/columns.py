"""Which columns of the user's files hold the text and its label, or the words and their tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from nlp_rnn.config.data import RECORD_FORMATS
from nlp_rnn.corpora.conll import DOCUMENT_START, UD_UPOS, conll_sentences, conllu_sentences
from nlp_rnn.corpora.dialects import Dialect, TableFormat
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.corpora.tables import (
    jsonl_records,
    likely_parquet_columns,
    parquet_batches,
    parquet_values,
)
from nlp_rnn.errors import UserError

HEAD = 5000
"""Rows in which columns show what they hold."""

# fmt: off
WORDS_NAMES = frozenset({"tokens", "words", "token", "word", "text", "sentence"})
TEXT_NAMES = frozenset({
    "text", "review", "sentence", "comment", "message", "content", "body", "document", "tweet",
    "utterance", "question", "description", "review_text", "reviewtext", "comment_text", "sms",
    "post", "query",
})
LABEL_NAMES = frozenset({
    "label", "class", "category", "sentiment", "rating", "target", "intent", "topic", "stars",
    "score", "polarity", "emotion", "labels", "spam",
})
SOURCE_NAMES = TEXT_NAMES | {"source", "src", "input", "lemma", "prompt", "original"}
TARGET_NAMES = frozenset({
    "target", "tgt", "output", "translation", "answer", "response", "reply", "summary", "form",
})
# fmt: on

MOST_LABELS = 50
"""Different values of a column that is taken for the label by its content alone."""

MOST_NUMBERS = 20
"""Different numbers as labels, above which they seem to be amounts."""

LONGEST_NAME = 40
"""Characters of a column's name; a longer cell in the first row is data."""


class _NoColumnError(UserError):
    """No column, or no single one, holds what is wanted."""


@dataclass(frozen=True)
class Column:
    """A column of a table's head.

    Attributes:
        name: in the header, or its number.
        values: in the head, as they are in the file.
    """

    name: str | int
    values: Sequence[Any]

    @cached_property
    def distinct(self) -> list[str]:
        """The different values as text, in the order of their first occurrence."""
        return list(dict.fromkeys(map(str, self.values)))

    def is_named(self, names: Iterable[str]) -> bool:
        """Whether the name is one of those, in whatever case."""
        return isinstance(self.name, str) and self.name.strip().lower() in names

    def seems_text(self) -> bool:
        """Whether it holds words of which most rows have others."""
        texts = [value for value in self.values if isinstance(value, str)]
        spaced = sum(" " in text.strip() for text in texts)
        return 2 * spaced > len(self.values) and 2 * len(self.distinct) > len(self.values)

    def seems_label(self) -> bool:
        """Whether it holds a few short values again and again."""
        return (
            2 <= len(self.distinct) <= min(MOST_LABELS, len(self.values) / 2)
            and max(map(len, self.distinct)) <= LONGEST_NAME
            and not any(isinstance(value, dict | list | type(None)) for value in self.values)
        )

    def holds_lists(self) -> bool:
        """Whether it holds lists, each of any number of labels."""
        return bool(self.values) and all(isinstance(value, list) for value in self.values)

    def holds_words(self) -> bool:
        """Whether it holds lists of texts, as sentences that are cut into words do."""
        words = [word for value in self.values if isinstance(value, list) for word in value]
        return self.holds_lists() and bool(words) and all(isinstance(word, str) for word in words)

    def goes_with(self, other: Column) -> bool:
        """Whether both hold lists that are equally long in each row."""
        both = zip(self.values, other.values, strict=True)
        return other.holds_lists() and all(len(one) == len(two) for one, two in both)

    def holds_flags(self) -> bool:
        """Whether it says of each row if something applies, by 1 or 0."""
        return {value.lower() for value in self.distinct} <= {"0", "1", "true", "false"}

    def __str__(self) -> str:
        shown = ", ".join(_short(value) for value in self.distinct[:3])
        return f"{self.name!r} ({shown}{', …' if len(self.distinct) > 3 else ''})"


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23].rstrip() + "…"


def names_columns(cells: Sequence[str]) -> bool:
    """Whether the cells of a first row hold the name of a column of texts, labels or targets."""
    return len(cells) > 1 and any(map(_is_usual_name, cells))


def _is_usual_name(cell: str) -> bool:
    known = SOURCE_NAMES | LABEL_NAMES | TARGET_NAMES
    return cell.strip().strip('"').lower() in known


# --- tables ---------------------------------------------------------------------------


def table_settings(
    path: Path, format: str, given: Mapping[str, Any], bad_bytes: BadBytes, pairs: bool = False
) -> dict[str, Any]:
    """The keys of a data set that say how a table is read: dialect and columns.

    Args:
        given: those keys that the user has settled.
        pairs: whether rows have a source and a target, rather than a text and its label.

    Raises:
        UserError: what holds the text or the label is not clear; names the option.
    """
    found = dict(given)
    if format not in ("csv", "tsv"):
        columns = _columns_of_records(path, format)
        return _settings_of(path, format, columns, found, pairs)
    rows = _settled_rows(path, format, found, bad_bytes)
    if not found.setdefault("header", has_header(rows)):
        columns = _transposed(range(len(rows[0])), rows)
    else:
        columns = _transposed(rows[0], rows[1:])
    try:
        return _settings_of(path, format, columns, found, pairs)
    except _NoColumnError as error:
        if "header" in given:
            raise
        other = "--no-header, if it is data" if found["header"] else "--header, if it names columns"
        raise UserError(f"{error} (or settle what the first row is: {other})") from None


def _settings_of(
    path: Path, format: str, columns: Sequence[Column], found: dict[str, Any], pairs: bool
) -> dict[str, Any]:
    """What :func:`table_settings` finds in the columns of a file."""
    if not any(column.values for column in columns):
        raise UserError(f"{path}: has no rows")
    if pairs:
        return found | _pair_columns(path, columns, found)
    if format in RECORD_FORMATS and (lists := _columns_of_lists(path, columns, found)):
        return {**found, **lists}
    found["text_column"] = text = _text_column(path, columns, found)
    if "label_columns" in found:
        _check_label_columns(path, columns, found["label_columns"])
        return found
    chosen = "label_column" in found  # by the user, who knows what is in it
    found["label_column"] = _label_column(path, columns, text, found)
    labels = next(c for c in columns if c.name == found["label_column"])
    if "label_separator" not in found and not labels.holds_lists():
        _check_labels(path, labels, chosen)
    return found


def _transposed(names: Sequence[str | int], rows: Sequence[Sequence[str]]) -> list[Column]:
    return [Column(name, [row[i] for row in rows]) for i, name in enumerate(names)]


def _settled_rows(
    path: Path, format: str, found: dict[str, Any], bad_bytes: BadBytes
) -> list[list[str]]:
    """The first rows; ``found`` gets what :class:`Dialect` names as their remedy."""
    while True:
        table: TableFormat = "csv" if format == "csv" else "tsv"
        dialect = Dialect.of(table, found.get("delimiter"), found.get("quoting"))
        try:
            rows = [row for _, row in islice(dialect.rows(path, bad_bytes), HEAD)]
        except SettingError as error:
            remedy = _remedy(error, found)
            if remedy is None:
                raise
            found[remedy.name] = remedy.value
            continue
        if not rows:
            raise UserError(f"{path}: has no rows")
        quoted = all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in rows[0])
        if quoted and dialect.quoting == "none" and "quoting" not in found:
            found["quoting"] = "double"
            continue
        return rows


def _remedy(error: SettingError, found: Mapping[str, Any]) -> Setting | None:
    """The first remedy of a table's error that has not been tried, unless it needs a decision."""
    settings = (part for part in error.parts if isinstance(part, Setting))
    wanted = (s for s in settings if s.name == "delimiter" or s == Setting("quoting", "double"))
    setting = next(wanted, None)
    return None if setting is None or setting.name in found else setting


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row of a table names its columns.

    It does so if a name in it is a usual one that does not stand again in its own column, as a
    label would. It does not if a cell of it is a number, empty, long or twice there, or stands
    again in its own column. The first cell may be empty, as pandas writes an index.
    """
    first = rows[0]
    rest = [row for row in rows[1:] if row != first]  # files that were joined have several headers
    again = {i for row in rest for i, cell in enumerate(first) if row[i] == cell}
    usual = {i for i, cell in enumerate(first) if _is_usual_name(cell)}
    if len(first) > 1 and usual and not usual & again:
        return True
    named = first if first[0].strip() else first[1:]
    return len(set(first)) == len(first) and not again and not any(map(_is_data, named))


def _is_data(cell: str) -> bool:
    return not cell.strip() or len(cell) > LONGEST_NAME or _number(cell) is not None


def _columns_of_records(path: Path, format: str) -> list[Column]:
    """The columns of JSON Lines or Parquet."""
    if format == "jsonl":
        records = [record for _, record in islice(jsonl_records(path, "replace"), HEAD)]
        names = dict.fromkeys(name for record in records for name in record)
        return [Column(name, [record.get(name) for record in records]) for name in names]
    likely = likely_parquet_columns(path)
    for row, batch in parquet_batches(path, {}):
        return [
            Column(name, [v for _, v in parquet_values(path, row, batch, name, "replace")])
            for name in likely
        ]
    return [Column(name, []) for name in likely]


def _columns_of_lists(
    path: Path, columns: Sequence[Column], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns of words and tags, where rows hold a list of each; else nothing.

    Raises:
        UserError: several columns may hold them; names the option.
    """
    wanted = given.get("text_column")
    tagged = [
        words
        for words in columns
        if words.holds_words()
        and (words.name == wanted if wanted else words.is_named(WORDS_NAMES))
        and any(words.goes_with(tags) for tags in columns if tags is not words)
    ]
    if given.keys() & {"label_column", "label_columns", "label_separator"} or not tagged:
        return {}
    name = _one(path, tagged, wanted, ("words", "--text-column"), tagged, lambda column: True)
    words = next(column for column in tagged if column.name == name)
    free = [column for column in columns if column is not words and words.goes_with(column)]
    tags = _one(path, free, given.get("tag_column"), ("tags", "--tag-column"), free, bool)
    return {"text_column": name, "tag_column": tags}


def _pair_columns(
    path: Path, columns: Sequence[Column], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns of sources and targets, and of what is read before the sources."""
    context = [
        _named(path, columns, name, "--context-columns")
        for name in given.get("context_columns", ())
    ]
    if len(columns) - len(context) < 2:
        only = "only" if not context else "beside those of contexts"
        raise UserError(f"{path}: has one column {only}, so no target; add one")
    wanted = {
        "text_column": ("source", "--text-column", SOURCE_NAMES),
        "target_column": ("target", "--target-column", TARGET_NAMES),
    }
    chosen = {
        key: _named(path, columns, given[key], option)
        for key, (_, option, _) in wanted.items()
        if key in given
    }
    for key, (what, option, names) in wanted.items():
        if key not in chosen:
            free = [c for c in columns if c.name not in (*context, *chosen.values())]
            likely = free if len(free) == 1 else [c for c in free if c.is_named(names)]
            chosen[key] = _one(path, free, None, (what, option), likely, lambda column: False)
    return chosen | ({"context_columns": context} if context else {})


def _text_column(path: Path, columns: Sequence[Column], given: Mapping[str, Any]) -> str | int:
    labels = [given.get("label_column"), *given.get("label_columns", ())]
    free = [column for column in columns if column.name not in labels]
    return _one(
        path,
        free,
        given.get("text_column"),
        ("text", "--text-column"),
        [column for column in free if column.is_named(TEXT_NAMES)],
        Column.seems_text,
    )


def _label_column(
    path: Path, columns: Sequence[Column], text: str | int, given: Mapping[str, Any]
) -> str | int:
    free = [column for column in columns if column.name != text]
    if not free:
        raise UserError(
            f"{path}: has one column only that may hold text, so no label; add one, or give plain "
            "text for --task language_modelling"
        )
    named = [column for column in free if column.is_named(LABEL_NAMES)]
    flags = [str(column.name) for column in free if column.holds_flags()]
    if len(flags) > 1 and not named and given.get("label_column") is None:
        raise UserError(
            f"{path}: {len(flags)} columns hold 0 and 1; if each is a label, give them all: "
            f"--label-columns {' '.join(flags)}; if one of them is the label, choose it with "
            "--label-column"
        )
    return _one(
        path,
        free,
        given.get("label_column"),
        ("label", "--label-column"),
        named,
        lambda column: column.seems_label() or column.holds_lists(),
    )


def _check_label_columns(path: Path, columns: Sequence[Column], wanted: Sequence[str]) -> None:
    """Raise UserError unless a table has the columns of labels."""
    names = [str(column.name) for column in columns]
    for name in wanted:
        if name not in names:
            raise UserError(
                f"{path}: no column {name!r} (--label-columns); there are {_listed(columns)}"
            )


def _one(
    path: Path,
    columns: Sequence[Column],
    given: str | int | None,
    wanted: tuple[str, str],
    named: Sequence[Column],
    seems: Callable[[Column], bool],
) -> str | int:
    """The one column that is wanted: as given, or by its name, or by its content."""
    what, option = wanted
    if given is not None:
        return _named(path, columns, given, option)
    candidates = named or list(filter(seems, columns))
    if len(candidates) == 1:
        return candidates[0].name
    found = f"{len(candidates)} columns" if candidates else "no column"
    raise _NoColumnError(
        f"{path}: {found} may hold the {what}; choose one with {option}: "
        f"{_listed(candidates or columns)}"
    )


def _named(path: Path, columns: Sequence[Column], given: str | int, option: str) -> str | int:
    """The column of that name or number."""
    names = [column.name for column in columns]
    if given in names:
        return given
    if isinstance(given, str) and re.fullmatch("[0-9]+", given) and int(given) in names:
        return int(given)
    raise _NoColumnError(f"{path}: no column {given!r} ({option}); there are {_listed(columns)}")


def _listed(columns: Sequence[Column]) -> str:
    return ", ".join(map(str, columns))


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _check_labels(path: Path, column: Column, chosen: bool) -> None:
    """Raise UserError where a column holds amounts, several labels a cell, or no classes at all.

    Args:
        chosen: whether the user named the column, and so takes its cells as they are.
    """
    distinct, where = column.distinct, f"{path}: column {column.name!r}"
    if len(distinct) > MOST_NUMBERS and _are_amounts(distinct, len(column.values)):
        raise UserError(
            f"{where}: has {len(distinct):,} different numbers, so it seems to hold an amount; a "
            "classifier needs classes: write a few ranges instead, or choose another column with "
            "--label-column"
        )
    for separator in "" if chosen else ",;|":
        pieces = {piece.strip() for value in distinct for piece in value.split(separator)}
        if any(separator in value for value in distinct) and len(pieces) < len(distinct):
            example = next(value for value in distinct if separator in value)
            raise UserError(
                f"{where}: seems to hold several labels in a cell ({_short(example)!r}); read them "
                f"with --label-separator '{separator}', or take them as they are with "
                f"--label-column {column.name}, or choose another column"
            )
    if len(column.values) > 2 and 2 * len(distinct) > len(column.values):
        raise UserError(
            f"{where}: has {len(distinct):,} different labels in {len(column.values):,} rows, too "
            "many to learn; choose another column with --label-column"
        )


def _are_amounts(distinct: Sequence[str], rows: int) -> bool:
    """Whether all values are numbers, and not the ordinal numbers of classes: 0, 1, 2, ..."""
    numbers = [_number(value) for value in distinct]
    known = sorted(number for number in numbers if number is not None)
    if len(known) < len(numbers):
        return False
    ordinal = known == [known[0] + i for i in range(len(known))] and known[0] in (0, 1)
    return not ordinal or rows < 5 * len(known)


# --- tags -----------------------------------------------------------------------------


def conll_settings(path: Path, given: Mapping[str, Any], bad_bytes: BadBytes) -> dict[str, Any]:
    """The keys of a data set that say where a CoNLL file has words and tags.

    The words are in the first column, or in the second where the first numbers them. The tags are
    in the last one unless that is always the same.

    Raises:
        UserError: the last column is always the same, and several others are not.
    """
    sentences = islice(conll_sentences(path, bad_bytes, 0), HEAD)
    rows = [[word.columns for word in sentence.words] for sentence in sentences if sentence.words]
    if not rows:
        raise UserError(
            f"{path}: no sentence in it; a line has a word and its tag, parted by a tab"
        )
    found = dict(given)
    numbered = all(row[0] == str(i) for each in rows for i, row in enumerate(each, 1))
    if numbered and "word_column" not in found:
        found["word_column"] = 1
    if "tag_column" in found:
        return found
    words = [row for each in rows for row in each if row[0] != DOCUMENT_START]
    width = min(map(len, words))
    columns = [Column(i, [row[i] for row in words]) for i in range(width)]
    free = columns[found.get("word_column", 0) + 1 :]
    if not free or len(free[-1].distinct) > 1:
        return found
    candidates = [column for column in free if len(column.distinct) > 1]
    if not candidates:
        return found
    if len(candidates) > 1:
        raise UserError(
            f"{path}: the last column is always {free[-1].distinct[0]!r}; choose that of the tags "
            f"with --tag-column: {_listed(candidates)}"
        )
    found["tag_column"] = int(candidates[0].name)
    return found


def conllu_settings(path: Path, given: Mapping[str, Any], bad_bytes: BadBytes) -> dict[str, Any]:
    """``tag_column: xpos`` where a CoNLL-U file has no universal parts of speech."""
    sentences = islice(conllu_sentences(path, bad_bytes), HEAD)
    tags = {word.columns[UD_UPOS] for sentence in sentences for word in sentence.words}
    return {**({"tag_column": "xpos"} if tags == {"_"} else {}), **given}
