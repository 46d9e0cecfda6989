"""``nlp-rnn inspect``: what the cells of a language model follow in a text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_rnn.commands.arguments import MODEL_HELP, add_bad_bytes, bundle_folder, count
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.inspection.features import FEATURES

if TYPE_CHECKING:
    from nlp_rnn.runtime.bundle import Bundle


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    features = "\n".join(
        f"  {name:19}{description}" for name, (description, *_) in FEATURES.items()
    )
    inspect = commands.add_parser(
        "inspect",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Read TEXT_FILE with a language model and write into FOLDER:\n\n"
            "  cells.html  the text, coloured by the state of single cells: orange above 0, blue\n"
            "              below; point at a token to see its value\n"
            "  cells.png   the beginning of each coloured text, as an image\n"
            "  cells.csv   all cells, ranked by how well they track each feature of the text\n\n"
            "Look for a cell whose colour changes exactly where something in the text changes:\n"
            "where a quote opens and closes, or as a line grows longer. Without --cells and\n"
            "--track, the best cell for each feature is shown. Use a text that the model was not\n"
            "trained on, of the same kind, with enough of what you look for: a few thousand\n"
            "characters.\n\n"
            "For a model for sequence_to_sequence, it shows where attention looked while the\n"
            "model answered the first lines, in attention.png and attention.csv.\n\n"
            "features that cells are ranked by:\n" + features
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn inspect models/lm-char-gru chapter.txt looking\n"
            "  nlp-rnn inspect models/lm-char-gru chapter.txt looking --track quotes\n"
            "  nlp-rnn inspect models/lm-lstm story.txt looking --layer 0 --cells 3,17\n"
            "  nlp-rnn inspect models/lm-lstm story.txt looking --saliency 25 140"
        ),
    )
    inspect.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    inspect.add_argument(
        "text_file", metavar="TEXT_FILE", help="plain text; the first 20,000 tokens are read"
    )
    inspect.add_argument("folder", metavar="FOLDER", help="where to write; created if missing")
    inspect.add_argument(
        "--layer", type=int, metavar="N", help="only recurrent layer N, from 0 (default: all)"
    )
    which = inspect.add_mutually_exclusive_group()
    which.add_argument(
        "--cells", type=_numbers, metavar="N,N", help="show these cells, numbered from 0 in a layer"
    )
    which.add_argument("--track", metavar="FEATURE", help="show the five best cells for a feature")
    inspect.add_argument(
        "--saliency",
        type=count,
        nargs="+",
        default=[],
        metavar="POSITION",
        help="show which of the 200 preceding tokens the prediction of this token rests on; tokens "
        "are numbered from 1, as on the page",
    )
    add_bad_bytes(inspect)
    inspect.set_defaults(action=_inspect)


def _numbers(text: str) -> list[int]:
    numbers = text.split(",")
    if not all(number.strip().isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(
            f"expected whole numbers of 0 or more, joined by commas, found {text}"
        )
    return [int(number) for number in numbers]


def _inspect(options: argparse.Namespace) -> None:
    for module in ("matplotlib", "scipy"):
        require(module, "train", "nlp-rnn inspect")

    from nlp_rnn.runtime.bundle import Bundle

    folder = bundle_folder(options.model)
    bundle = Bundle.open(folder)
    if bundle.task.data == "pairs":
        _inspect_attention(bundle, options)
        return

    from nlp_rnn.inspection.inspect import inspect

    inspect(
        folder,
        Path(options.text_file),
        Path(options.folder),
        options.layer,
        options.cells,
        options.track,
        options.saliency,
        options.bad_bytes,
    )


def _inspect_attention(bundle: Bundle, options: argparse.Namespace) -> None:
    """What is shown of an encoder-decoder."""
    for name in ("layer", "cells", "track", "saliency"):
        if getattr(options, name) not in (None, []):
            raise UserError(f"--{name} is for language models; leave it out")

    from nlp_rnn.inference.looking import inspect_attention

    inspect_attention(bundle, Path(options.text_file), Path(options.folder), options.bad_bytes)
