"""``nlp-rnn score`` and ``nlp-rnn rank``: how likely texts are to a language model."""

from __future__ import annotations

import argparse

from nlp_rnn.commands.arguments import MODEL_HELP, add_reading, bundle_folder, reading

FORMATS = ".txt, .csv, .tsv, .jsonl, .parquet"

TREATMENT = (
    "Each text is scored by itself, whatever other texts INPUT has. The model starts as it was\n"
    "trained to: with streams: lines from a zero state, with streams: text from its state at the\n"
    "end of a line. It reads the end symbol (<eos>, for characters the newline), then predicts\n"
    "every token and, last, the end symbol. So a text of n tokens has n + 1 probabilities, and P\n"
    "of a text is their product. A token outside the vocabulary is read and scored as <unk>: that\n"
    "is the probability of any unknown word here, not of this one. Compare figures only between\n"
    "models of the same vocabulary: a smaller one makes more words <unk>, which is easy to predict."
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    _add_score(commands)
    _add_rank(commands)


def _add_score(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    score = commands.add_parser(
        "score",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="give the probability of every token of texts",
        description=(
            "Write the probability that a language model gives each token of each text of INPUT,\n"
            "after the tokens before it: a table with a row a token.\n\n"
            "  text             number of the text in INPUT, from 1\n"
            "  position         of the token in it, from 1\n"
            "  token            as the model's tokenizer gives it; the end symbol is the last\n"
            "  log_probability  ln P, nats\n"
            "  bits             -log2 P, the surprisal\n"
            "  rank             1 for the token that the model held for the likeliest\n"
            "  unknown          whether it is scored as <unk>\n\n" + TREATMENT
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn score models/lm-lstm sentences.txt tokens.csv\n"
            "  echo 'the old dog sleeps .' | nlp-rnn score models/lm-lstm - -"
        ),
    )
    _add_files(score, f"{FORMATS} (.txt: ln P a line), or - for JSON lines on standard output")
    score.set_defaults(action=_score)


def _add_rank(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    rank = commands.add_parser(
        "rank",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="sort texts from likely to unlikely",
        description=(
            "Sort the texts of INPUT from the likeliest to the least likely to a language model,\n"
            "with their rank, log_probability (nats, of the whole text), tokens, perplexity, and\n"
            "the unknown words, which are scored as <unk>. Blank texts come last.\n\n"
            "The total favours short texts, since every token costs probability: it compares\n"
            "wordings of the same length. The mean over the tokens (the perplexity) compares\n"
            "texts of different lengths.\n\n" + TREATMENT
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn rank models/lm-lstm candidates.txt ranked.csv\n"
            "  printf 'like I cats\\nI like cats\\n' | nlp-rnn rank models/lm-lstm - -"
        ),
    )
    _add_files(rank, f"{FORMATS} (.txt: only the texts), or - for JSON lines on standard output")
    rank.add_argument(
        "--by",
        choices=["total", "mean"],
        default="total",
        help="log-probability of the whole text, or its mean over the tokens (default: total)",
    )
    rank.set_defaults(action=_rank)


def _add_files(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument(
        "input",
        metavar="INPUT",
        help=f"{FORMATS}, .conll, .conllu, or - for lines on standard input",
    )
    parser.add_argument("output", metavar="OUTPUT", help=output)
    add_reading(parser)


def _score(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.scoring import score_file

    score_file(bundle_folder(options.model), options.input, options.output, reading(options))


def _rank(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.scoring import rank_file

    rank_file(
        bundle_folder(options.model),
        options.input,
        options.output,
        reading(options),
        options.by,
    )
