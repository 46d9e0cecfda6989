"""``nlp-rnn check``: everything that is wrong with a project's parameters, or with its data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nlp_rnn import paths
from nlp_rnn.commands.arguments import add_reading, fraction, reading
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    check = commands.add_parser(
        "check",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "List everything that is wrong with params.yaml, one line for each section, and say\n"
            "whether dvc.yaml has the stages that it needs. A stage checks only the sections that\n"
            "it reads, so one broken experiment does not stop the others.\n\n"
            "With --data, check prepared data sets instead: texts that occur more than once,\n"
            "contradictory and probably wrong labels, differences between splits, and strange\n"
            "characters. The texts are listed in checks/DATASET/findings.jsonl."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn check\n"
            "  nlp-rnn check --data grammar-reviews\n"
            "  nlp-rnn check --data grammar-reviews --against reviews.csv"
        ),
    )
    check.add_argument(
        "--data",
        nargs="*",
        metavar="DATASET",
        help="check the data of these data sets, which must be prepared (default: of all that are)",
    )
    check.add_argument(
        "--against",
        metavar="FILE",
        help="with --data and one data set: also compare a file to predict for with its training "
        "data",
    )
    check.add_argument(
        "--similarity",
        type=fraction,
        metavar="S",
        help="with --data: the share of their sequences of three words that near duplicates have "
        "in common, at least (default: 0.7)",
    )
    add_reading(check)
    check.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    if options.data is not None:
        _check_data(options)
        return
    if options.against is not None or options.similarity is not None:
        raise UserError("--against and --similarity are for --data; add --data DATASET")
    _check_parameters()


def _check_parameters() -> None:
    from nlp_rnn.config import faults, load
    from nlp_rnn.projects.pipeline import knows_starts, missing_keys, missing_stages

    if found := faults():
        *others, last = found
        for fault in others:
            print(f"error: {fault}", file=sys.stderr)
        raise last
    for key, default in missing_keys(load(), Path()).items():
        raise UserError(
            f"params.yaml: lacks {key}, which dvc.yaml names and DVC asks for; add {key}: {default}"
        )
    if missing := missing_stages(load(), Path()):
        raise UserError(
            f"dvc.yaml: lacks the stages {', '.join(missing)}; write it anew: nlp-rnn pipeline"
        )
    if not knows_starts(load(), Path()):
        raise UserError(
            "dvc.yaml: start_from or embeddings.contextual of an experiment is another one in "
            "params.yaml; write dvc.yaml anew: nlp-rnn pipeline"
        )
    print("params.yaml and dvc.yaml fit together.")


def _check_data(options: argparse.Namespace) -> None:
    names = _prepared(options.data)
    if options.against is not None and len(names) != 1:
        raise UserError(
            f"--against is for one data set, and these are {len(names)}; name one after --data"
        )
    require("sklearn", "train", "nlp-rnn check --data")

    from nlp_rnn.quality.check import SIMILARITY, Against, check_data
    from nlp_rnn.quality.summary import in_words
    from nlp_rnn.text.prepared import PreparedDataset

    against = Against(options.against, reading(options)) if options.against is not None else None
    similarity = SIMILARITY if options.similarity is None else options.similarity
    for name in names:
        summary = check_data(PreparedDataset(paths.prepared(name)), similarity, against)
        print("\n".join(in_words(summary)))
        print(f"  the texts: {paths.checks(name) / 'findings.jsonl'}")


def _prepared(names: list[str]) -> list[str]:
    """The data sets to check: those named, or all that are prepared."""
    from nlp_rnn.config import load, load_part
    from nlp_rnn.hints import Remedy

    if names:
        for name in names:
            load_part("datasets", name)
        return list(dict.fromkeys(names))
    known = [*load().kinds]
    ready = [name for name in known if (paths.prepared(name) / "card.json").is_file()]
    for name in sorted({*known} - {*ready}):
        remedy = Remedy("prepare the data set", name, ("prepare", "pseudo_label"))
        print(f"{name}: not checked, because it is not prepared; {remedy}", file=sys.stderr)
    if not ready:
        raise UserError("data/prepared: no data set is prepared; prepare all: dvc repro prepare")
    return ready
