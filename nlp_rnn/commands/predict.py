"""``nlp-rnn predict``: predictions for every text of a file."""

from __future__ import annotations

import argparse

from nlp_rnn.commands.arguments import (
    MODEL_HELP,
    add_reading,
    add_spreadsheet_safe,
    bundle_folder,
    count,
    fraction,
    reading,
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    predict = commands.add_parser(
        "predict",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help="predict for every text of a file",
        description=(
            "Predict for every text of INPUT and write the predictions to OUTPUT, in the same\n"
            "order.\n\n"
            "Classifiers write a label and probabilities. Taggers write tags, and entities\n"
            "with character offsets. Language models write the log-probability (nats) and the\n"
            "perplexity. Memory does not grow with the input. OUTPUT is written completely or\n"
            "not at all."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn predict models/sentiment-bilstm reviews.csv predictions.csv\n"
            "  nlp-rnn predict models/ner-bilstm-crf articles.txt entities.jsonl\n"
            "  nlp-rnn predict models/pos-bilstm sentences.conllu tagged.conllu\n"
            "  echo 'not bad at all' | nlp-rnn predict models:/sentiment-bilstm@current - -"
        ),
    )
    predict.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    predict.add_argument(
        "input",
        metavar="INPUT",
        help=".txt (one text per line), .csv, .tsv, .jsonl, .parquet, .conll, .conllu, "
        "or - for lines on standard input",
    )
    predict.add_argument(
        "output", metavar="OUTPUT", help="the same formats, or - for JSON lines on standard output"
    )
    add_reading(predict)
    predict.add_argument(
        "--n-best",
        type=count,
        default=1,
        metavar="N",
        help="also give the N most likely tag sequences of each sentence (taggers with a CRF)",
    )
    predict.add_argument(
        "--review-below",
        type=fraction,
        metavar="P",
        help="add a column review, true where a person should look: where the probability of the "
        "label, or the lowest one of the tags, is below P (evaluation reports show what P costs)",
    )
    add_spreadsheet_safe(predict)
    predict.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.batch import predict_file
    from nlp_rnn.inference.predictor import Options

    predict_file(
        bundle_folder(options.model),
        options.input,
        options.output,
        reading(options),
        Options(options.n_best, options.review_below),
        options.spreadsheet_safe,
    )
