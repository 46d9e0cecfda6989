"""``nlp-rnn labelled``: texts that a person has labelled, for a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from nlp_rnn.commands.arguments import FORMATS, delimiter


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    labelled = commands.add_parser(
        "labelled",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Read FILE, which nlp-rnn label wrote and a person has corrected, or which an\n"
            "annotation tool exported, and write OUTPUT in the format and columns of DATASET of\n"
            "params.yaml: csv, tsv, jsonl or conll. If DATASET has another format, FILE must have\n"
            "it too, and is checked and copied. Then list OUTPUT under train of DATASET, as the\n"
            "command says. With start_from, a model goes on from what it knows."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn labelled done.csv my-reviews data/raw/round-1.csv\n"
            "  nlp-rnn labelled export.json my-articles data/raw/round-1.conll\n"
            "  nlp-rnn labelled export.jsonl my-articles data/raw/round-1.conll --format doccano"
        ),
    )
    labelled.add_argument("file", metavar="FILE", help="the labelled texts")
    labelled.add_argument("dataset", metavar="DATASET", help="a data set of files of params.yaml")
    labelled.add_argument("output", metavar="OUTPUT", help="a new file, or a folder for brat")
    labelled.add_argument(
        "--format",
        choices=FORMATS,
        help="the format of FILE (default: what its name and content say)",
    )
    labelled.add_argument(
        "--text-column",
        metavar="NAME",
        help="column of the text (default: that of DATASET, if FILE has it, else text)",
    )
    labelled.add_argument(
        "--label-column",
        metavar="NAME",
        help="column of the label (default: label, or labels for any number of them)",
    )
    labelled.add_argument(
        "--delimiter",
        type=delimiter,
        metavar="C",
        help="separator of the fields of a .csv or .tsv: one character, or tab",
    )
    labelled.add_argument(
        "--spans",
        choices=["error", "widen", "drop"],
        default="error",
        help="what happens to a span that cuts a word, is in several parts or overlaps another: an "
        "error (default), whole words, or it is left out",
    )
    labelled.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.config import load_part
    from nlp_rnn.labelling.read_back import Columns, read_back

    dataset = load_part("datasets", options.dataset).dataset(options.dataset)
    read_back(
        Path(options.file),
        options.dataset,
        dataset,
        Path(options.output),
        options.format,
        Columns(options.text_column, options.label_column, options.delimiter),
        options.spans,
    )
