"""``nlp-rnn search``: better parameters for an experiment."""

from __future__ import annotations

import argparse

from nlp_rnn.extras import require


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    search = commands.add_parser(
        "search",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="look for better parameters of an experiment",
        description=(
            "Train an experiment with other parameters, as the section `search` of params.yaml\n"
            "says, and compare the trainings on the validation split, never on the test split.\n\n"
            "Interrupted, the same command goes on where it was. At the end it prints the best\n"
            "trials and the best parameters, ready for params.yaml; search/NAME has a table of\n"
            "all trials, pictures and the best model. MLflow has a run for each trial."
        ),
        epilog=(
            "examples:\n"
            "  dvc repro embed@sentiment-bilstm   # data and vectors that trials start from\n"
            "  nlp-rnn search sentiment"
        ),
    )
    search.add_argument("name", metavar="NAME", help="as named in params.yaml: search")
    search.set_defaults(action=_search)


def _search(options: argparse.Namespace) -> None:
    require("optuna", "search", "nlp-rnn search")

    from nlp_rnn.stages import search

    search(options.name)
