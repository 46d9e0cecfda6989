"""``nlp-rnn explain``: on which words a prediction rests."""

from __future__ import annotations

import argparse
from pathlib import Path

from nlp_rnn.commands.arguments import MODEL_HELP, add_bad_bytes, bundle_folder, count
from nlp_rnn.extras import require


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    explain = commands.add_parser(
        "explain",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Predict the first lines of TEXT_FILE and write into FOLDER:\n\n"
            "  explanations.html   each text, coloured by how much its words support the label:\n"
            "                      orange words support it, blue words oppose it\n"
            "  explanations.png    the first of them, as an image\n"
            "  explanations.jsonl  the numbers, with the offsets of the words\n\n"
            "Two methods stand side by side: integrated gradients (Sundararajan et al. 2017),\n"
            "whose numbers sum to the difference of ln P from a text without information, and\n"
            "occlusion, the fall of ln P without a word. For classifiers, the page also says how\n"
            "far to trust them: how much the probability falls when the words that they name are\n"
            "deleted, beside random words. For taggers, the tag of the first word of each entity\n"
            "is explained, or the tags of all words where there are no entities. For intents and\n"
            "slots, both are explained; for semantic roles, each predicate and each argument."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn explain models/sentiment-bilstm sentences.txt why\n"
            "  nlp-rnn explain models/sentiment-bilstm sentences.txt why --label negative\n"
            "  nlp-rnn explain models/ner-bilstm-crf articles.txt why"
        ),
    )
    explain.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    explain.add_argument("text_file", metavar="TEXT_FILE", help="plain text, one text a line")
    explain.add_argument("folder", metavar="FOLDER", help="where to write; created if missing")
    explain.add_argument(
        "--label", metavar="LABEL", help="explain this label (default: what is predicted)"
    )
    explain.add_argument(
        "--most", type=count, default=20, metavar="N", help="explain the first N lines (default 20)"
    )
    add_bad_bytes(explain)
    explain.set_defaults(action=_explain)


def _explain(options: argparse.Namespace) -> None:
    for module in ("matplotlib", "scipy"):
        require(module, "train", "nlp-rnn explain")

    from nlp_rnn.explanation.explain import explain

    explain(
        bundle_folder(options.model),
        Path(options.text_file),
        Path(options.folder),
        options.label,
        options.most,
        options.bad_bytes,
    )
