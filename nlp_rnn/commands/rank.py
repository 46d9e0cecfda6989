"""``nlp-rnn rank``: texts from likely to unlikely for a language model."""

from __future__ import annotations

import argparse

from nlp_rnn.commands.arguments import bundle_folder, reading
from nlp_rnn.commands.score import FORMATS, TREATMENT, add_files


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    rank = commands.add_parser(
        "rank",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Sort the texts of INPUT from the most to the least likely for a language model.\n"
            "Each row has the rank, log_probability (nats, of the whole text), tokens,\n"
            "perplexity, and the unknown words, which are scored as <unk>. Blank texts come\n"
            "last.\n\n"
            "--by total favours short texts, because every token lowers the probability: use\n"
            "it for texts of equal length. --by mean uses the mean over the tokens (the\n"
            "perplexity): use it for texts of different lengths.\n\n" + TREATMENT
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn rank models/lm-lstm candidates.txt ranked.csv\n"
            "  printf 'like I cats\\nI like cats\\n' | nlp-rnn rank models/lm-lstm - -"
        ),
    )
    add_files(rank, f"{FORMATS} (.txt: the texts only), or - for JSON lines on standard output")
    rank.add_argument(
        "--by",
        choices=["total", "mean"],
        default="total",
        help="log-probability of the whole text, or its mean over the tokens (default: total)",
    )
    rank.set_defaults(action=_rank)


def _rank(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.scoring import rank_file

    rank_file(
        bundle_folder(options.model),
        options.input,
        options.output,
        reading(options),
        options.by,
        options.spreadsheet_safe,
    )
