"""``nlp-rnn compare``: whether one model is better than another."""

from __future__ import annotations

import argparse
from pathlib import Path

from nlp_rnn import paths
from nlp_rnn.commands.arguments import count, seed
from nlp_rnn.extras import require


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    compare = commands.add_parser(
        "compare",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="test whether one model is better than another",
        description=(
            "Compare the predictions of two models on the same test split. Each figure comes with\n"
            "its bootstrap interval, the difference with its own and with a p-value (paired\n"
            "approximate randomisation; McNemar's exact test too for classifiers).\n\n"
            "A p-value is the probability that two equally good models differ so much on so many\n"
            "examples. It knows one training of each: compare several seeds before you believe\n"
            "that a method is better, rather than this one model of it."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn compare pos-bilstm pos-bilstm-crf\n"
            "  nlp-rnn compare imdb-bilstm predictions/baselines/imdb/nb_svm.jsonl"
        ),
    )
    for name in "ab":
        compare.add_argument(
            name,
            metavar=name.upper(),
            help="an evaluated experiment, or a file of its predictions (predictions/NAME.jsonl)",
        )
    compare.add_argument(
        "--resamples",
        type=count,
        default=10_000,
        metavar="N",
        help="swappings of the randomisation test (default: 10000)",
    )
    compare.add_argument("--seed", type=seed, default=0, help="of the resampling (default: 0)")
    compare.set_defaults(action=_compare)


def _file(name: str) -> Path:
    """The file of predictions that A or B means."""
    return Path(name) if name.endswith(".jsonl") else paths.predictions(name)


def _compare(options: argparse.Namespace) -> None:
    require("scipy", "train", "nlp-rnn compare")

    from nlp_rnn.evaluation.comparison import compare

    print(compare(_file(options.a), _file(options.b), options.resamples, options.seed))
