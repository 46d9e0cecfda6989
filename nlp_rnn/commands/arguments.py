"""What commands share: the model they use, and types of arguments that say what they expect."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from nlp_rnn.inference.reading import Reading

N = TypeVar("N", int, float)

FORMATS = (
    *("csv", "tsv", "jsonl", "parquet", "conll", "conllu"),
    *("prodigy", "doccano", "label-studio", "brat", "webanno"),
)
"""The formats of predictions and of labelled texts; the last five are those of annotation tools."""

MODEL_HELP = "a bundle folder (models/NAME), runs:/RUN_ID or models:/NAME@current"


def bundle_folder(model: str) -> Path:
    """The bundle folder that MODEL names; see :func:`nlp_rnn.loading.bundle_folder`."""
    from nlp_rnn.loading import bundle_folder

    return bundle_folder(model)


def words(argument: str) -> str:
    """A text of the command line, in UTF-8 where the locale's encoding could not read it."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def positive(text: str) -> float:
    """A number of 0 or more."""
    return _number(text, float, lambda x: math.isfinite(x) and x >= 0, "a number of 0 or more")


def count(text: str) -> int:
    """A whole number of 1 or more."""
    return _number(text, int, lambda x: x >= 1, "a whole number of 1 or more")


def fraction(text: str) -> float:
    """A number above 0, at most 1."""
    return _number(text, float, lambda x: 0 < x <= 1, "a number above 0, at most 1")


def seed(text: str) -> int:
    """A whole number of 0 or more."""
    return _number(text, int, lambda x: x >= 0, "a whole number of 0 or more")


def _number(text: str, kind: Callable[[str], N], fits: Callable[[N], bool], expected: str) -> N:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text}")
    return value


def add_search(parser: argparse._ActionsContainer) -> None:
    """Add the options of the search of an encoder-decoder."""
    parser.add_argument(
        "--beam",
        type=count,
        metavar="WIDTH",
        help="keep the WIDTH best beginnings of an output at each step; 1 is greedy (default: as "
        "the experiment says)",
    )
    parser.add_argument(
        "--length-penalty",
        type=positive,
        metavar="ALPHA",
        help="score outputs by ln P / ((5 + tokens) / 6)^ALPHA (default: as the experiment says)",
    )


def allowed(file: str | None) -> tuple[str, ...] | None:
    """The lines of the file of outputs that an encoder-decoder may give; None without a file."""
    if file is None:
        return None

    from nlp_rnn.corpora.lines import read_lines

    return tuple(line for line in read_lines(Path(file), "error") if line.strip())


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how INPUT is read."""
    group = parser.add_argument_group(
        "how INPUT is read",
        "By default, the text comes from the column that the model was trained with, or\n"
        "else from 'text'. A .csv or .tsv file is read like the model's training data if\n"
        "that had the same format, or else with a header and commas (.csv) or tabs (.tsv).\n"
        "In .conllu, the word is FORM. A line of .conll or .conllu without a word is kept;\n"
        "in .conll output its tag is _.",
    )
    group.add_argument(
        "--text-column",
        metavar="NAME",
        help="column of the text; for .csv and .tsv also its number, counted from 0",
    )
    group.add_argument(
        "--word-column",
        type=int,
        metavar="N",
        help="column of the word in .conll, counted from 0, or from the end when negative "
        "(default: as in the .conll files that the model was trained on, or else 0)",
    )
    group.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first row of a .csv or .tsv names the columns",
    )
    group.add_argument(
        "--delimiter",
        type=delimiter,
        metavar="C",
        help="separator of the fields of a .csv or .tsv: one character, or tab",
    )
    group.add_argument(
        "--quoting",
        choices=["double", "none"],
        help="double: fields of a .csv or .tsv may be in double quotes (default for .csv); "
        "none: a quotation mark is an ordinary character (default for .tsv)",
    )
    add_bad_bytes(group)


def add_bad_bytes(parser: argparse._ActionsContainer) -> None:
    """Add the option for bytes that are no UTF-8."""
    parser.add_argument(
        "--bad-bytes",
        choices=["error", "replace"],
        help="treat bytes that are not UTF-8 as an error, or as U+FFFD (default: as in training)",
    )


def add_spreadsheet_safe(parser: argparse.ArgumentParser) -> None:
    """Add the option for tables that are opened in a spreadsheet."""
    parser.add_argument(
        "--spreadsheet-safe",
        action="store_true",
        help="in .csv and .tsv, write an apostrophe before cells that begin with = + - or @, which "
        "spreadsheets would run as formulas",
    )


def reading(options: argparse.Namespace) -> Reading:
    """What the options of :func:`add_reading` say."""
    from nlp_rnn.inference.reading import Reading

    return Reading(
        options.text_column,
        options.header,
        options.delimiter,
        options.quoting,
        options.bad_bytes,
        options.word_column,
    )


def delimiter(text: str) -> str:
    """One character that divides fields."""
    from nlp_rnn.config import check_delimiter

    try:
        return check_delimiter(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
