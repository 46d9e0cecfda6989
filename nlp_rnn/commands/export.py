"""``nlp-rnn export``: a model as an ONNX graph, to use anywhere, or as a page for the browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from nlp_rnn.browser.runtime import FETCH
from nlp_rnn.commands.arguments import MODEL_HELP, bundle_folder
from nlp_rnn.errors import UserError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    export = commands.add_parser(
        "export",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Write MODEL into a new folder TARGET that needs no Keras: an ONNX graph,\n"
            "vocabularies, and a README.md that explains how to use them from any language.\n\n"
            "TARGET is also a bundle: `nlp-rnn predict TARGET ...` needs only this package\n"
            "with its extra predict. TARGET is written completely or not at all.\n\n"
            "--int8 rounds the weights to 8 bits. An LSTM becomes a quarter of the size and a\n"
            "third faster; a GRU becomes neither. The predictions differ slightly: compare\n"
            "both on your own texts before you use it.\n\n"
            "--format web writes a web page instead, which predicts in the browser. Any static\n"
            "server can serve it, such as `python -m http.server`; no text leaves the browser.\n"
            "It needs ONNX Runtime Web, whose files --runtime copies into it. Fetch them with\n\n"
            f"  {FETCH.replace(' && ', chr(10) + '  ')}\n\n"
            "which makes the folder `package`. Without --runtime, TARGET/README.md says how to\n"
            "add them."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn export models/pos-bilstm pos\n"
            "  nlp-rnn export models:/ner-bilstm-crf@current ner-small --int8\n"
            "  nlp-rnn export models/ner-bilstm-crf ner-page --format web --runtime package"
        ),
    )
    export.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    export.add_argument("target", metavar="TARGET", help="a folder that does not exist yet")
    export.add_argument(
        "--format",
        choices=["onnx", "web"],
        default="onnx",
        help="onnx: a graph; web: a page that predicts in the browser (default: onnx)",
    )
    export.add_argument("--int8", action="store_true", help="round the weights to 8 bits")
    export.add_argument(
        "--runtime",
        metavar="FOLDER",
        help="with --format web: the files of ONNX Runtime Web, which the page then has",
    )
    export.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.browser.export import export_web
    from nlp_rnn.runtime.export import export_onnx

    if options.format == "onnx" and options.runtime is not None:
        raise UserError("--runtime: is for the page of --format web; add that, or omit --runtime")
    source, target = bundle_folder(options.model), Path(options.target)
    if options.format == "onnx":
        export_onnx(source, target, options.int8)
    else:
        runtime = None if options.runtime is None else Path(options.runtime)
        export_web(source, target, runtime, options.int8)
