"""``nlp-rnn export``: a model as an ONNX graph, to use anywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from nlp_rnn.commands.arguments import MODEL_HELP, bundle_folder


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    export = commands.add_parser(
        "export",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="write a model as an ONNX graph, for use in any language",
        description=(
            "Write MODEL into a new folder TARGET that needs no Keras: an ONNX graph,\n"
            "vocabularies, and a README.md that explains how to use them from any language.\n\n"
            "TARGET is also a bundle: `nlp-rnn predict TARGET ...` needs only this package\n"
            "with its extra predict. TARGET is written completely or not at all.\n\n"
            "--int8 rounds the weights to 8 bits. An LSTM becomes a quarter of the size and a\n"
            "third faster; a GRU becomes neither. The predictions differ slightly: compare\n"
            "both on your own texts before you use it."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn export models/pos-bilstm pos\n"
            "  nlp-rnn export models:/ner-bilstm-crf@current ner-small --int8"
        ),
    )
    export.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    export.add_argument("target", metavar="TARGET", help="a folder that does not exist yet")
    export.add_argument(
        "--format", choices=["onnx"], default="onnx", help="format of the network (default: onnx)"
    )
    export.add_argument("--int8", action="store_true", help="round the weights to 8 bits")
    export.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.runtime.export import export_onnx

    export_onnx(bundle_folder(options.model), Path(options.target), options.int8)
