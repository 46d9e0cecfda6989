"""``nlp-rnn check``: everything that is wrong with a project's parameters, at once."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nlp_rnn.errors import UserError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    check = commands.add_parser(
        "check",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="check params.yaml and dvc.yaml",
        description=(
            "List everything that is wrong with params.yaml, one line for each section, and say\n"
            "whether dvc.yaml has the stages that it needs. A stage checks only the sections that\n"
            "it reads, so one broken experiment does not stop the others."
        ),
    )
    check.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.config import faults, load
    from nlp_rnn.projects.pipeline import missing_keys, missing_stages

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
    print("params.yaml and dvc.yaml fit together.")
