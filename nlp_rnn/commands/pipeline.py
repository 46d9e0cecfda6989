"""``nlp-rnn pipeline``: the ``dvc.yaml`` that a ``params.yaml`` needs."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    pipeline = commands.add_parser(
        "pipeline",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Write dvc.yaml anew, with the stages that params.yaml needs. That is due after\n"
            "params.yaml got its first word vectors, encoder, file of vectors, pseudo-labelled\n"
            "data set or another source of data; another experiment needs no new dvc.yaml."
        ),
    )
    pipeline.add_argument(
        "--print", action="store_true", help="print dvc.yaml and write nothing", dest="print_only"
    )
    pipeline.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.config import load
    from nlp_rnn.projects.pipeline import dvc_yaml, write_pipeline

    if options.print_only:
        print(dvc_yaml(load()), end="")
    else:
        write_pipeline(load(), Path())
