"""``nlp-rnn predict``: predictions for every text of a file."""

from __future__ import annotations

import argparse

from nlp_rnn.commands.arguments import (
    FORMATS,
    MODEL_HELP,
    add_reading,
    add_search,
    add_spreadsheet_safe,
    allowed,
    bundle_folder,
    count,
    fraction,
    reading,
)
from nlp_rnn.errors import UserError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    predict = commands.add_parser(
        "predict",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Predict for every text of INPUT and write the predictions to OUTPUT, in the same\n"
            "order.\n\n"
            "Classifiers write a label and probabilities. Taggers write tags, and entities\n"
            "with character offsets. Language models write the log-probability (nats) and the\n"
            "perplexity. Models for sequence_to_sequence write an output, its log-probability and\n"
            "its score. Memory does not grow with the input. OUTPUT is written completely or\n"
            "not at all."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn predict models/sentiment-bilstm reviews.csv predictions.csv\n"
            "  nlp-rnn predict models/ner-bilstm-crf articles.txt entities.jsonl\n"
            "  nlp-rnn predict models/ner-bilstm-crf articles.txt tasks.jsonl --format prodigy\n"
            "  nlp-rnn predict models/ner-bilstm-crf articles.txt out.jsonl --unit document\n"
            "  nlp-rnn predict models/pos-bilstm sentences.conllu tagged.conllu\n"
            "  nlp-rnn predict models/sentiment-bilstm 'part-*.parquet' predicted --engine spark\n"
            "  echo 'not bad at all' | nlp-rnn predict models:/sentiment-bilstm@current - -"
        ),
    )
    predict.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    predict.add_argument(
        "input",
        metavar="INPUT",
        help=".txt (one text per line), .csv, .tsv, .jsonl, .parquet, .conll, .conllu, an export "
        "of Label Studio (.json) or WebAnno TSV, a folder of brat, or - for lines on standard "
        "input",
    )
    predict.add_argument(
        "output",
        metavar="OUTPUT",
        help=".txt, .csv, .tsv, .jsonl, .parquet, .conll or .conllu, a file or folder for "
        "--format, or - for JSON lines on standard output",
    )
    add_reading(predict)
    _add_writing(predict.add_argument_group("how OUTPUT is written"))
    predict.add_argument(
        "--n-best",
        type=count,
        default=1,
        metavar="N",
        help="also give the N most likely tag sequences of each sentence (taggers with a CRF), or "
        "the N best outputs (models for sequence_to_sequence)",
    )
    _add_review(predict)
    _add_documents(predict)
    _add_search(predict.add_argument_group("models for sequence_to_sequence"))
    add_spreadsheet_safe(predict)
    _add_engine(predict.add_argument_group("many files, or many machines"))
    predict.set_defaults(action=_run)


def _add_review(predict: argparse.ArgumentParser) -> None:
    """Add the options for what a person should look at."""
    predict.add_argument(
        "--review-below",
        type=fraction,
        metavar="P",
        help="add a column review, true where a person should look: where the probability of the "
        "label, or the lowest one of the tags, is below P (evaluation reports show what P costs)",
    )
    predict.add_argument(
        "--review-by",
        choices=["token", "entity"],
        default="token",
        help="for taggers: whether --review-below looks at the tags (token) or at the predicted "
        "entities (entity; a sentence without entities is then not marked)",
    )


def _add_documents(predict: argparse.ArgumentParser) -> None:
    """Add the options for texts that are whole documents."""
    predict.add_argument(
        "--unit",
        choices=["text", "document"],
        help="for taggers: whether each text of INPUT is read as one sentence (text) or is a "
        "document, which is cut into sentences; its record has all of them (default: as in "
        "training)",
    )
    predict.add_argument(
        "--language",
        metavar="CODE",
        help="the language of documents, by whose rules they are cut, such as de (default: as in "
        "training, or else en)",
    )


def _add_writing(group: argparse._ArgumentGroup) -> None:
    """Add the options for the format of OUTPUT."""
    group.add_argument(
        "--format",
        choices=FORMATS,
        help="the format of OUTPUT (default: that of its suffix); the last five are "
        "pre-annotations with the predicted entities, which these tools import (brat: a folder); "
        "prodigy, doccano and label-studio also take the labels of a classifier",
    )
    group.add_argument(
        "--offsets",
        choices=["characters", "utf16"],
        help="what the offsets of pre-annotations count: characters, or UTF-16 code units, in "
        "which most emoji are two (default: utf16 for webanno, characters otherwise)",
    )


def _add_search(group: argparse._ArgumentGroup) -> None:
    """Add the options of encoder-decoders."""
    add_search(group)
    group.add_argument(
        "--attention",
        action="store_true",
        help="add a column attention: the tokens of source and output, and the weights of each "
        "output token over the source",
    )
    group.add_argument(
        "--allowed",
        metavar="FILE",
        help="write only outputs that are lines of this file, such as the possible answers",
    )


def _add_engine(group: argparse._ArgumentGroup) -> None:
    """Add the options of prediction by many workers."""
    group.add_argument(
        "--engine",
        choices=["local", "spark", "ray"],
        default="local",
        help="what runs the workers: this process (local, the default), Spark or Ray. With the "
        "last two, INPUT may be a pattern such as 'part-*.parquet', in quotes, of .parquet, "
        ".jsonl, .csv or .tsv, and OUTPUT is a new folder of .parquet or .jsonl; rows that the "
        "model cannot read go to OUTPUT/_rejected",
    )
    group.add_argument(
        "--id-column",
        metavar="NAME",
        help="the column that names a row, for --engine spark or ray; it is null in no row "
        "(default: a new column row_id with a number)",
    )


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.predictor import Options

    predicting = Options(
        options.n_best,
        options.review_below,
        beam=options.beam,
        length_penalty=options.length_penalty,
        attention=options.attention,
        allowed=allowed(options.allowed),
        review_by=options.review_by,
        unit=options.unit,
        language=options.language,
    )
    files = options.input, options.output, reading(options), predicting
    if options.engine == "local":
        from nlp_rnn.inference.batch import predict_file

        if options.id_column is not None:
            raise UserError("--id-column: is for --engine spark or ray; omit it")
        predict_file(
            bundle_folder(options.model),
            *files,
            options.spreadsheet_safe,
            options.format,
            options.offsets,
        )
        return

    from nlp_rnn.engines import predict_files

    given = {"--offsets": options.offsets, "--spreadsheet-safe": options.spreadsheet_safe}
    for option, value in given.items():
        if value:
            raise UserError(f"{option}: is not for --engine {options.engine}; omit it")
    predict_files(
        options.engine,
        bundle_folder(options.model),
        *files,
        options.format,
        options.id_column,
    )
