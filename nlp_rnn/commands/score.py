"""``nlp-rnn score``: how likely each token is to a language model."""

from __future__ import annotations

import argparse

from nlp_rnn.commands.arguments import (
    MODEL_HELP,
    add_reading,
    add_spreadsheet_safe,
    bundle_folder,
    reading,
)

FORMATS = ".txt, .csv, .tsv, .jsonl, .parquet"

TREATMENT = (
    "Each text is scored by itself, independently of the other texts. The model starts\n"
    "as in training: from a zero state with streams: lines, from its state at the end\n"
    "of a line with streams: text. It reads the end symbol (<eos>, or the newline for\n"
    "characters), then predicts every token and finally the end symbol. A text of n\n"
    "tokens thus has n + 1 probabilities, and P of the text is their product. A token\n"
    "outside the vocabulary is read and scored as <unk>: this is the probability of\n"
    "any unknown word, not of this one. Compare results only between models with the\n"
    "same vocabulary: a smaller one has more <unk>, which is easy to predict."
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    score = commands.add_parser(
        "score",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Write the probability of each token in INPUT, given the tokens before it in its\n"
            "text: a table with one row per token.\n\n"
            "  text             number of the text in INPUT, from 1\n"
            "  position         position of the token in the text, from 1\n"
            "  token            the token; the last one of a text is the end symbol\n"
            "  log_probability  ln P, nats\n"
            "  bits             -log2 P, the surprisal\n"
            "  rank             1 for the token that the model considered the most likely\n"
            "  unknown          whether it is scored as <unk>\n\n" + TREATMENT
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn score models/lm-lstm sentences.txt tokens.csv\n"
            "  echo 'the old dog sleeps .' | nlp-rnn score models/lm-lstm - -"
        ),
    )
    add_files(score, f"{FORMATS} (.txt: ln P per line), or - for JSON lines on standard output")
    score.set_defaults(action=_score)


def add_files(parser: argparse.ArgumentParser, output: str) -> None:
    """Add the model, the texts and what is written; ``output`` is the help of the last."""
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument(
        "input",
        metavar="INPUT",
        help=f"{FORMATS}, .conll, .conllu, or - for lines on standard input",
    )
    parser.add_argument("output", metavar="OUTPUT", help=output)
    add_reading(parser)
    add_spreadsheet_safe(parser)


def _score(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.scoring import score_file

    score_file(
        bundle_folder(options.model),
        options.input,
        options.output,
        reading(options),
        options.spreadsheet_safe,
    )
