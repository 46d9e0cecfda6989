"""``nlp-rnn label``: which texts a person should label next."""

from __future__ import annotations

import argparse

from nlp_rnn.commands.arguments import (
    FORMATS,
    MODEL_HELP,
    add_reading,
    bundle_folder,
    count,
    reading,
    seed,
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    label = commands.add_parser(
        "label",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Choose those of TEXTS from which a classifier or tagger would learn most, and write\n"
            "them to OUTPUT with its predictions, for a person to correct. Texts without words\n"
            "and copies are left out. The column score says why a text was chosen; the first\n"
            "ones are the most useful.\n\n"
            "  least-confidence  the best answer is improbable\n"
            "  margin            the two best answers are nearly as probable as each other\n"
            "  entropy           the probability is spread over many answers; for a tagger with a\n"
            "                    CRF, over whole sequences of tags\n"
            "  vote-entropy, kl  several models disagree: in answers, or in probabilities\n"
            "  k-means           the centres of clusters of texts\n"
            "  k-center          texts that are far from those chosen or labelled before\n"
            "  random            any texts, to compare with and for an honest test split\n\n"
            "When the texts are labelled, nlp-rnn labelled reads them back into the data set."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn label models/sentiment-bilstm reviews.csv todo.csv --number 50\n"
            "  nlp-rnn label models/ner-bilstm-crf articles.txt todo.jsonl --format doccano\n"
            "  nlp-rnn label models/mine models/other reviews.csv todo.csv --by vote-entropy\n"
            "  nlp-rnn label models/sentiment-bilstm reviews.csv todo.csv --by k-means --among 1000"
        ),
    )
    label.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help=f"{MODEL_HELP}; the first one suggests labels, and several may disagree",
    )
    label.add_argument("texts", metavar="TEXTS", help="a file as predict reads it")
    label.add_argument(
        "output", metavar="OUTPUT", help="a file as predict writes it, or a file for --format"
    )
    _add_choice(label)
    _add_diversity(label)
    label.add_argument(
        "--labelled",
        action="append",
        default=[],
        metavar="FILE",
        help="texts that are labelled already, which are not chosen; k-center covers what they "
        "leave uncovered (may be given several times)",
    )
    label.add_argument(
        "--format",
        choices=FORMATS,
        help="the format of OUTPUT (default: that of its suffix); the last five are imported by "
        "these tools, of which brat and webanno are for entities only",
    )
    add_reading(label)
    label.set_defaults(action=_run)


def _add_choice(label: argparse.ArgumentParser) -> None:
    """Add the options of how texts are chosen, and how many."""
    label.add_argument(
        "--by",
        choices=[
            *("least-confidence", "margin", "entropy", "vote-entropy", "kl"),
            *("k-means", "k-center", "random"),
        ],
        help="how to choose (default: entropy; kl for several models)",
    )
    label.add_argument(
        "--number", type=count, default=100, metavar="N", help="how many texts (default 100)"
    )
    label.add_argument(
        "--per-word",
        action="store_true",
        help="for taggers: divide the score by the number of words, so that long sentences do not "
        "win by their length",
    )


def _add_diversity(label: argparse.ArgumentParser) -> None:
    """Add the options of k-means, k-center and random."""
    group = label.add_argument_group("k-means, k-center and random")
    group.add_argument(
        "--among",
        type=count,
        metavar="M",
        help="choose among the M texts with the highest entropy (default: among all)",
    )
    group.add_argument(
        "--vectors",
        choices=["encoder", "tf-idf"],
        default="encoder",
        help="what is compared: what the model's last layer sees (default), or TF-IDF of the words",
    )
    group.add_argument(
        "--seed", type=seed, default=1, metavar="S", help="of k-means and random (default 1)"
    )


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.labelling.choose import Choice, choose_texts

    choose_texts(
        [bundle_folder(model) for model in options.models],
        options.texts,
        options.output,
        Choice(
            options.by,
            options.number,
            options.per_word,
            options.among,
            options.vectors,
            options.seed,
        ),
        options.labelled,
        reading(options),
        options.format,
    )
