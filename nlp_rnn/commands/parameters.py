"""``nlp-rnn parameters``: what the keys of ``params.yaml`` mean."""

from __future__ import annotations

import argparse
import json


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parameters = commands.add_parser(
        "parameters",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Explain KEY: where it may stand, what it may be, its default and its meaning. KEY is\n"
            "a key of params.yaml or the end of its place, so that model.dropout is every dropout\n"
            "of a model. Without KEY, print the reference of all keys as Markdown."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn parameters dropout\n"
            "  nlp-rnn parameters training.schedule.kind\n"
            "  nlp-rnn parameters experiments.pos-bilstm.model.cell\n"
            "  nlp-rnn parameters --schema > params.schema.json   # for an editor"
        ),
    )
    what = parameters.add_mutually_exclusive_group()
    what.add_argument("key", metavar="KEY", nargs="?", help="as model.dropout (default: all)")
    what.add_argument(
        "--schema", action="store_true", help="print a JSON Schema by which editors check the file"
    )
    parameters.set_defaults(action=_parameters)


def _parameters(options: argparse.Namespace) -> None:
    from nlp_rnn.config.reference import explanation, page
    from nlp_rnn.config.schema import json_schema

    if options.schema:
        print(json.dumps(json_schema(), indent=1))
    elif options.key:
        print(explanation(options.key))
    else:
        print(page(), end="")
