"""The command ``nlp-rnn``, and the frame in which every pipeline script runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from nlp_rnn.backend import import_keras_alone
from nlp_rnn.errors import UserError
from nlp_rnn.process import (
    collect_rarely,
    end_in_time,
    harmless,
    is_out_of_memory,
    print_everything,
    terminable,
)

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

COMMANDS = {
    "new": "start a project from your own files",
    "check": "check params.yaml and dvc.yaml, or the data",
    "pipeline": "write the dvc.yaml that params.yaml needs",
    "stage": "run one stage of the pipeline",
    "search": "search for better parameters of an experiment",
    "parameters": "explain the keys of params.yaml",
    "predict": "predict for every text of a file",
    "generate": "generate text with a language model",
    "translate": "answer lines with a model for sequence_to_sequence",
    "score": "give the probability of every token",
    "rank": "sort texts from likely to unlikely",
    "serve": "serve models over HTTP",
    "export": "write a model as an ONNX graph for any language, or as a page for the browser",
    "label": "choose the texts that a person should label next",
    "labelled": "read texts that a person has labelled into a data set",
    "compare": "test whether one model is better than another",
    "explain": "see which words a classifier's or a tagger's prediction rests on",
    "inspect": "see what the cells of a language model track in a text",
    "embeddings": "inspect word and sentence vectors: neighbours, analogies, plots, tests",
}
"""What each command is for, in the order of the help. Its module in ``commands`` has the same name,
and is imported only where its arguments are asked for."""


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


def parser(*commands: str) -> argparse.ArgumentParser:
    """The parser of ``nlp-rnn``.

    Args:
        commands: those whose arguments it knows; the others are only listed.
    """
    top = _Parser(
        prog="nlp-rnn",
        description="Recurrent neural networks for text: start a project, use a trained model.",
        epilog="To train models, run `dvc repro` in a project's folder, which `nlp-rnn new` "
        "writes. Exit status: 0 success, 2 a mistake (one line), 1 an unexpected error, "
        "130 interrupted.",
    )
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        if name in commands:
            import_module(f"nlp_rnn.commands.{name}").add(subparsers)
        else:
            subparsers.add_parser(name, help=purpose)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``nlp-rnn``; returns the exit status."""
    print_everything()
    import_keras_alone()
    collect_rarely()
    given = sys.argv[1:] if arguments is None else arguments
    options = parser(*given[:1]).parse_args(given)
    if arguments is None and not getattr(options, "saves", False):
        # The process is this command's own, and the command has nothing to save when it is stopped.
        end_in_time()
        with terminable():
            return run(lambda: options.action(options))
    return run(lambda: options.action(options))
