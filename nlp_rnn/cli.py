"""The command ``nlp-rnn``, and the frame in which every pipeline script runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nlp_rnn.backend import import_keras_alone
from nlp_rnn.commands import (
    check,
    compare,
    embeddings,
    explain,
    export,
    generate,
    inspect,
    label,
    labelled,
    new,
    parameters,
    pipeline,
    predict,
    score,
    search,
    serve,
    stage,
    translate,
)
from nlp_rnn.errors import UserError
from nlp_rnn.process import end_in_time, harmless, is_out_of_memory, print_everything, terminable

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

COMMANDS = (
    new,
    check,
    pipeline,
    stage,
    search,
    parameters,
    predict,
    generate,
    translate,
    score,
    serve,
    export,
    label,
    labelled,
    compare,
    explain,
    inspect,
    embeddings,
)
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
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print("error: out of memory; give the machine more, or the command less", file=sys.stderr)
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose messages cannot command a terminal, whatever arguments they repeat."""

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        super()._print_message(harmless(message), file)


def parser() -> argparse.ArgumentParser:
    """The parser of ``nlp-rnn``."""
    top = _Parser(
        prog="nlp-rnn",
        description="Recurrent neural networks for text: start a project, use a trained model.",
        epilog="To train models, run `dvc repro` in a project's folder, which `nlp-rnn new` "
        "writes. Exit status: 0 success, 2 a mistake (one line), 1 an unexpected error, "
        "130 interrupted.",
    )
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``nlp-rnn``; returns the exit status."""
    print_everything()
    import_keras_alone()
    options = parser().parse_args(arguments)
    if arguments is None and not getattr(options, "saves", False):
        # The process is this command's own, and the command has nothing to save when it is stopped.
        end_in_time()
        with terminable():
            return run(lambda: options.action(options))
    return run(lambda: options.action(options))
