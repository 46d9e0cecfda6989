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
        description=(
            "Compare the predictions of two models on the same test split. Each metric has its\n"
            "bootstrap interval. The difference has its own interval and a p-value (paired\n"
            "approximate randomisation; for classifiers also McNemar's exact test).\n\n"
            "A p-value is the probability that two equally good models differ by at least this\n"
            "much on as many examples. It covers only one training of each: compare several\n"
            "seeds before you conclude that a method is better, rather than this one model."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn compare pos-bilstm baselines/grammar-parts-of-speech/linear_crf\n"
            "  nlp-rnn compare imdb-bilstm predictions/baselines/imdb/nb_svm.jsonl"
        ),
    )
    for name in "ab":
        compare.add_argument(
            name,
            metavar=name.upper(),
            help="an evaluated experiment, baselines/DATASET/NAME, or a .jsonl file of predictions",
        )
    compare.add_argument(
        "--resamples",
        type=count,
        default=10_000,
        metavar="N",
        help="number of resamples, for the interval, and of swaps in the randomisation test "
        "(default: 10000)",
    )
    compare.add_argument("--seed", type=seed, default=0, help="seed of the resampling (default: 0)")
    compare.set_defaults(action=_compare)


def _file(name: str) -> Path:
    """The file of predictions that A or B means."""
    return Path(name) if name.endswith(".jsonl") else paths.predictions(name)


def _compare(options: argparse.Namespace) -> None:
    require("scipy", "train", "nlp-rnn compare")

    from nlp_rnn.evaluation.comparison import compare

    print(compare(_file(options.a), _file(options.b), options.resamples, options.seed))
