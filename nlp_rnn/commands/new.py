"""``nlp-rnn new``: a project for the user's own files, or for a built-in example."""

from __future__ import annotations

import argparse
import itertools
import re
from pathlib import Path
from typing import Any

from nlp_rnn.commands.arguments import delimiter
from nlp_rnn.errors import UserError
from nlp_rnn.task_kinds import TASK_KINDS

EXAMPLES = ("sentiment", "pos", "ner", "lm", "characters", "translation")

BESIDE = {
    "target": "the targets of these texts, such as their translations",
    "tags": "the tags of their words",
    "labels": "their labels",
}
"""What may lie beside a file of sentences, in the lines of another."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    new = commands.add_parser(
        "new",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Look at your files, say what is in them, and write a project into FOLDER: the files\n"
            "themselves (data/raw), a commented params.yaml with a model that suits their size,\n"
            "dvc.yaml, .gitignore and a README. Git and DVC are set up; nothing is committed.\n"
            "Where it is not clear how a file is to be read, an error names the option that\n"
            "settles it."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn new reviews --train reviews.csv\n"
            "  nlp-rnn new entities --train train.conll --validation dev.conll --test test.conll\n"
            "  nlp-rnn new drugs --train export.jsonl --format doccano --spans widen\n"
            "  nlp-rnn new news --train 20news/ --test 20news-test/\n"
            "  nlp-rnn new tickets --train tickets.csv --text-column message --label-column team\n"
            "  nlp-rnn new topics --train topics.csv --label-column topics --label-separator '|'\n"
            "  nlp-rnn new phrases --train train.en --train-target train.de\n"
            "  nlp-rnn new replies --train talk.csv --text-column message --target-column reply\n"
            "  nlp-rnn new requests --train seq.in --train-tags seq.out --train-labels label\n"
            "  nlp-rnn new first --example sentiment"
        ),
    )
    new.add_argument("folder", metavar="FOLDER", type=Path, help="a new folder, named as the model")
    _add_data(new)
    _add_reading(new)
    new.set_defaults(action=_run)


def _add_data(new: argparse.ArgumentParser) -> None:
    data = new.add_argument_group("data")
    data.add_argument(
        "--train",
        nargs="+",
        default=[],
        metavar="PATH",
        help="training data: files, a folder or archive with a folder for each label "
        "(ARCHIVE!FOLDER for one inside it), or a folder with files or folders called train, "
        "validation and test",
    )
    for split in ("validation", "test"):
        data.add_argument(
            f"--{split}",
            nargs="+",
            default=[],
            metavar="PATH",
            help=f"the same for the {split} split (default: a tenth of the training data)",
        )
    for split, side in itertools.product(("train", "validation", "test"), BESIDE):
        data.add_argument(
            f"--{split}-{side}",
            nargs="+",
            default=[],
            metavar="PATH",
            help=f"{BESIDE[side]}, line by line, for each file of --{split}"
            if split == "train"
            else f"the same for --{split}",
        )
    data.add_argument(
        "--example",
        choices=EXAMPLES,
        help="instead of files: a small project on data that a built-in generator writes",
    )


def _add_reading(new: argparse.ArgumentParser) -> None:
    reading = new.add_argument_group("what files cannot say themselves")
    formats = ["csv", "tsv", "jsonl", "parquet", "folders", "fasttext", "conll", "conllu", "text"]
    formats += ["prodigy", "doccano", "label-studio", "brat", "webanno", "propbank", "parallel"]
    formats += ["babi", "sigmorphon", "cmudict", "trees"]
    reading.add_argument("--task", choices=list(TASK_KINDS), help="what is to be learned")
    reading.add_argument("--format", choices=formats, help="how the files are written")
    _add_tables(reading)
    _add_tags(reading)
    _add_annotations(reading)
    reading.add_argument(
        "--suffix", help="how the names of the texts in folders end, such as .md (default: .txt)"
    )
    reading.add_argument(
        "--bad-bytes",
        choices=["error", "replace"],
        help="whether bytes that are not UTF-8 are an error, or read as U+FFFD",
    )


def _add_tables(reading: argparse._ArgumentGroup) -> None:
    """Add the options for csv, tsv, jsonl and parquet."""
    for what in ("text", "label"):
        reading.add_argument(
            f"--{what}-column",
            metavar="NAME",
            help=f"column of the {what}: its name, or without a header its number, from 0",
        )
    reading.add_argument(
        "--target-column",
        metavar="NAME",
        help="for pairs, instead of --label-column: column of the target, such as a translation",
    )
    reading.add_argument(
        "--context-columns",
        nargs="+",
        metavar="NAME",
        help="for pairs: columns of texts that are read before that of --text-column",
    )
    reading.add_argument(
        "--label-separator",
        metavar="S",
        help="what separates the labels in a cell, if a text has any number of them, such as '|'",
    )
    reading.add_argument(
        "--label-columns",
        nargs="+",
        metavar="NAME",
        help="instead of --label-column: the columns of labels, which hold 1 or 0",
    )
    reading.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first row of a csv or tsv names the columns",
    )
    reading.add_argument(
        "--delimiter", type=delimiter, metavar="C", help="separator of the fields of a csv or tsv"
    )
    reading.add_argument(
        "--quoting",
        choices=["double", "none"],
        help="whether fields of a csv or tsv may be in double quotes",
    )


def _add_tags(reading: argparse._ArgumentGroup) -> None:
    """Add the options for conll, conllu and propbank."""
    reading.add_argument(
        "--word-column",
        type=int,
        metavar="N",
        help="column of the word in conll and propbank, from 0",
    )
    reading.add_argument(
        "--frame-column",
        type=int,
        metavar="N",
        help="column of the frames of predicates in propbank, from 0 (default: 2)",
    )
    reading.add_argument(
        "--tag-column",
        type=_tag_column,
        metavar="N",
        help="column of the tag in conll, from 0 or from the end (-1); in conllu upos or xpos; in "
        "jsonl and parquet the name of the column of lists of tags",
    )
    reading.add_argument(
        "--scheme",
        choices=["BIO", "IOB1", "BIOES", "BILOU", "BMES", "BMEWO", "null"],
        help="how tags in conll mark entities; null: they are classes of words",
    )
    reading.add_argument(
        "--empty-words",
        choices=["error", "skip"],
        help="whether lines of conll or conllu without a word are an error",
    )


def _add_annotations(reading: argparse._ArgumentGroup) -> None:
    """Add the options for what annotation tools export."""
    reading.add_argument(
        "--spans",
        choices=["error", "widen", "drop"],
        help="what happens to spans of annotation tools that cut words, overlap or are in several "
        "parts (default: error)",
    )
    reading.add_argument(
        "--offsets",
        choices=["characters", "utf16"],
        help="what the offsets of these spans count (default: utf16 for webanno, characters "
        "otherwise)",
    )
    reading.add_argument(
        "--layer", help="layer of webanno with the types of entities (default: named entities)"
    )
    reading.add_argument(
        "--unit",
        choices=["text", "document"],
        help="whether each of these texts is one example, or a document that is cut into sentences "
        "(default: text)",
    )
    reading.add_argument(
        "--language",
        metavar="CODE",
        help="language of documents, by whose rules they are cut, such as de (default: en)",
    )


def _tag_column(text: str) -> int | str:
    """The number of a column, or its name."""
    return int(text) if re.fullmatch("-?[0-9]+", text) else text


READING = (
    "text_column",
    "label_column",
    "target_column",
    "context_columns",
    "label_separator",
    "label_columns",
    "header",
    "delimiter",
    "quoting",
    "word_column",
    "frame_column",
    "tag_column",
    "scheme",
    "empty_words",
    "spans",
    "offsets",
    "layer",
    "unit",
    "language",
    "suffix",
    "bad_bytes",
)
"""Options that are keys of a data set in ``params.yaml``."""


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    found = {key: getattr(options, key) for key in READING}
    found = {key: value for key, value in found.items() if value is not None}
    if found.get("scheme") == "null":
        found["scheme"] = None
    return found


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.corpora.settings import options_named
    from nlp_rnn.projects.in_words import described
    from nlp_rnn.projects.look import Given, look
    from nlp_rnn.projects.new import check_free, name_of, write_built_in, write_from_files
    from nlp_rnn.projects.versions import set_up

    check_free(options.folder)
    splits = {split: getattr(options, split) for split in ("train", "validation", "test")}
    beside = {
        f"{split}_{side}": getattr(options, f"{split}_{side}")
        for split, side in itertools.product(splits, BESIDE)
    }
    if options.example:
        if any(splits.values()) or any(beside.values()):
            raise UserError("--example has data of its own; leave --train, or --example, out")
        project = write_built_in(options.folder, options.example)
    else:
        with options_named():
            name = name_of(options.folder)
            given = Given(name, splits, beside, options.format, options.task, _reading(options))
            sight = look(given)
        print("\n".join(described(sight)))
        project = write_from_files(options.folder, sight)
    for line in set_up(options.folder):
        print(line)
    print(f"\nwritten: {options.folder}/ (params.yaml, dvc.yaml, README.md); next:\n")
    print(f"cd {options.folder}\ndvc repro\n{project.use}")
