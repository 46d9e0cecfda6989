"""``nlp-rnn search``: better parameters for an experiment."""

from __future__ import annotations

import argparse

from nlp_rnn.extras import require


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    search = commands.add_parser(
        "search",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Train an experiment with different parameters, as the section `search` of\n"
            "params.yaml defines, and compare the trainings on the validation split, never on\n"
            "the test split.\n\n"
            "After an interruption, the same command resumes the search. Started several times,\n"
            "also on machines that share the folder, it shares the trials. At the end it prints\n"
            "the best trials, and the best parameters as an entry of params.yaml. search/NAME\n"
            "has a table of all trials, plots and the best model. MLflow has a run for each\n"
            "trial."
        ),
        epilog=(
            "examples:\n"
            "  dvc repro embed@sentiment-bilstm   # data and vectors that trials start from\n"
            "  nlp-rnn search sentiment"
        ),
    )
    search.add_argument("name", metavar="NAME", help="a search of params.yaml")
    search.set_defaults(action=_search, saves=True)


def _search(options: argparse.Namespace) -> None:
    require("optuna", "search", "nlp-rnn search")

    from nlp_rnn.stages import search

    search(options.name)
