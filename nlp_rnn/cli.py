"""The command ``nlp-rnn``, and the frame in which every pipeline script runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from nlp_rnn.commands import (
    compare,
    embeddings,
    export,
    generate,
    inspect,
    parameters,
    predict,
    score,
    search,
)
from nlp_rnn.errors import UserError
from nlp_rnn.process import print_everything

COMMANDS = (predict, export, generate, score, compare, embeddings, inspect, search, parameters)
"""In the order of the help."""


def run(action: Callable[[], None]) -> int:
    """Run a command; returns its exit status: 0, or 2 after a user's mistake in one line.

    Anything unexpected keeps its traceback and ends the process with status 1.
    """
    try:
        action()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone, as in `nlp-rnn ... | head`
        return 0
    return 0


def stage(function: Callable[..., None], argument: str | None = None) -> int:
    """Run one stage of the pipeline as a script.

    Args:
        function: of :mod:`nlp_rnn.stages`; its docstring is the help.
        argument: what its one argument names in ``params.yaml``, if it has one.
    """
    print_everything()
    parser = argparse.ArgumentParser(
        description=function.__doc__,
        epilog="Run it in the folder that holds params.yaml. `dvc repro` runs every stage.",
    )
    if argument is not None:
        parser.add_argument("name", metavar=argument, help=f"as named in params.yaml: {argument}s")
    options = parser.parse_args()
    return run(lambda: function(options.name) if argument else function())


def parser() -> argparse.ArgumentParser:
    """The parser of ``nlp-rnn``."""
    top = argparse.ArgumentParser(
        prog="nlp-rnn",
        description="Recurrent neural networks for text: use a trained model.",
        epilog="To train models, run `dvc repro` in a folder with params.yaml and dvc.yaml. Exit "
        "status: 0 success, 2 a mistake (one line), 1 an unexpected error, 130 interrupted.",
    )
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``nlp-rnn``; returns the exit status."""
    print_everything()
    options = parser().parse_args(arguments)
    return run(lambda: options.action(options))
