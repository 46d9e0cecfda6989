"""``nlp-rnn translate``: an encoder-decoder answers lines, one by one."""

from __future__ import annotations

import argparse

from nlp_rnn.commands.arguments import MODEL_HELP, add_search, bundle_folder, count


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    translate = commands.add_parser(
        "translate",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Read lines from standard input and print the output of each at once: a translation,\n"
            "an inflected form, an answer. Several texts, such as a story and a question, stand\n"
            "in one line with <sep> between them. End with Ctrl-D. For files, predict is faster."
        ),
        epilog=(
            "examples:\n"
            "  echo 'the clerk likes this mole .' | nlp-rnn translate "
            "models/translation-gru-attention\n"
            "  echo 'the clerk likes this mole .' | nlp-rnn translate "
            "models/translation-gru-attention --beam 10 --n-best 3 --score"
        ),
    )
    translate.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    add_search(translate)
    translate.add_argument(
        "--n-best", type=count, default=1, metavar="N", help="print the N best outputs"
    )
    translate.add_argument(
        "--score", action="store_true", help="print ln P (nats) and a tab before each output"
    )
    translate.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.answers import answer_lines
    from nlp_rnn.inference.predictor import Options

    search = Options(options.n_best, beam=options.beam, length_penalty=options.length_penalty)
    answer_lines(bundle_folder(options.model), search, options.score)
