"""The command ``nlp-rnn``, and the frame in which every pipeline script runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_rnn.commands import compare, embeddings, inspect, parameters, score, search
from nlp_rnn.commands.arguments import (
    MODEL_HELP,
    add_reading,
    bundle_folder,
    count,
    fraction,
    positive,
    reading,
    seed,
    words,
)
from nlp_rnn.errors import UserError
from nlp_rnn.process import print_everything

if TYPE_CHECKING:
    from nlp_rnn.inference.generation import BeamSearch, Sampling


def run(action: Callable[[], None]) -> int:
    """Run a command; returns its exit status: 0, or 2 after a user's mistake in one line.

    Anything unexpected keeps its traceback and ends the process with status 1.
    """
    try:
        action()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run the same command to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone, as in `nlp-rnn ... | head`
        return 0
    return 0


def stage(function: Callable[..., None], argument: str | None = None) -> int:
    """Run one stage of the pipeline as a script.

    Args:
        function: of :mod:`nlp_rnn.stages`; its docstring is the help.
        argument: what its one argument names in ``params.yaml``, if it has one.
    """
    print_everything()
    parser = argparse.ArgumentParser(
        description=function.__doc__,
        epilog="Run from the folder that holds params.yaml; `dvc repro` runs every stage.",
    )
    if argument is not None:
        parser.add_argument("name", metavar=argument, help=f"as named in params.yaml: {argument}s")
    options = parser.parse_args()
    return run(lambda: function(options.name) if argument else function())


def _predict(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.batch import predict_file
    from nlp_rnn.inference.predictor import Options

    predict_file(
        bundle_folder(options.model),
        options.input,
        options.output,
        reading(options),
        Options(options.n_best, options.review_below),
    )


def _export(options: argparse.Namespace) -> None:
    from nlp_rnn.inference.export import export_onnx

    export_onnx(bundle_folder(options.model), Path(options.target), options.int8)


def _given(options: argparse.Namespace, *names: str) -> list[str]:
    """Which of the options were given, as they are written."""
    return [f"--{name.replace('_', '-')}" for name in names if getattr(options, name) is not None]


def _sampling(options: argparse.Namespace) -> Sampling:
    from nlp_rnn.inference.generation import Sampling

    if of_beams := _given(options, "n_best", "length_penalty"):
        raise UserError(f"{of_beams[0]} is for beam search; add --beam WIDTH, or leave it out")
    if options.temperature == 0 and (random := _given(options, "top_k", "top_p", "samples")):
        raise UserError(
            f"{random[0]} is for random draws, and --temperature 0 always takes the likeliest "
            "token; leave one of them out"
        )
    return Sampling(
        temperature=1.0 if options.temperature is None else options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        samples=options.samples or 1,
        seed=options.seed,
    )


def _beam_search(options: argparse.Namespace) -> BeamSearch:
    from nlp_rnn.inference.generation import BeamSearch

    if random := _given(options, "temperature", "top_k", "top_p", "samples", "seed"):
        raise UserError(
            f"{random[0]} is for random draws, and --beam makes none; leave one of them out"
        )
    if (options.n_best or 1) > options.beam:
        raise UserError(
            f"--n-best {options.n_best} is more than --beam {options.beam} can find; "
            f"expected --beam {options.n_best} or more"
        )
    if options.length_penalty is None:
        return BeamSearch(options.beam, options.n_best)
    if not options.stop_at_end:
        raise UserError(
            "--length-penalty compares texts of different lengths; add --stop-at-end, "
            "or leave it out"
        )
    return BeamSearch(options.beam, options.n_best, options.length_penalty)


def _generate(options: argparse.Namespace) -> None:
    decoding = _sampling(options) if options.beam is None else _beam_search(options)

    from nlp_rnn.inference.generation import generate

    generate(
        bundle_folder(options.model),
        prompt=options.prompt,
        length=options.length,
        decoding=decoding,
        stop_at_end=options.stop_at_end,
    )


def parser() -> argparse.ArgumentParser:
    """The parser of ``nlp-rnn``."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="nlp-rnn",
        description="Recurrent neural networks for text: use a trained model.",
        epilog="Train models with `dvc repro` in a folder with params.yaml and dvc.yaml.",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser(
        "predict",
        formatter_class=raw,
        help="predict for every text of a file",
        description=(
            "Predict for every text of INPUT and write OUTPUT, in the same order.\n\n"
            "Classifiers write label and probabilities; taggers tags, and entity spans with\n"
            "character offsets; language models log-probability (nats) and perplexity.\n"
            "Memory does not grow with the input. OUTPUT is written whole or not at all."
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
        help=".txt (a text a line), .csv, .tsv, .jsonl, .parquet, .conll, .conllu, "
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
        help="give the N likeliest tag sequences of each sentence too (taggers with a CRF)",
    )
    predict.add_argument(
        "--review-below",
        type=fraction,
        metavar="P",
        help="add a column review: true where the probability of the label, or the lowest of the "
        "tags, is below P, so that a person looks at it (reports of evaluations say what P costs)",
    )
    predict.set_defaults(action=_predict)

    export = commands.add_parser(
        "export",
        formatter_class=raw,
        help="write a model as an ONNX graph, to use anywhere",
        description=(
            "Write MODEL as a new folder TARGET that needs no Keras: an ONNX graph, vocabularies\n"
            "and a README.md that says how to use them from any language.\n\n"
            "TARGET is a bundle too: `nlp-rnn predict TARGET ...` needs this package with its\n"
            "extra predict, and no more. It is written completely or not at all.\n\n"
            "--int8 rounds the weights to 8 bits: an LSTM is a quarter of the size and a third\n"
            "faster (a GRU is neither), for predictions that differ a little. Compare the two on\n"
            "your own texts before you use it."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn export models/pos-bilstm pos\n"
            "  nlp-rnn export models:/ner-bilstm-crf@current ner-small --int8"
        ),
    )
    export.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    export.add_argument("target", metavar="TARGET", help="a folder that does not exist yet")
    export.add_argument(
        "--format", choices=["onnx"], default="onnx", help="of the network (default: onnx)"
    )
    export.add_argument("--int8", action="store_true", help="round the weights to 8 bits")
    export.set_defaults(action=_export)

    generate = commands.add_parser(
        "generate",
        formatter_class=raw,
        help="write text with a language model",
        description=(
            "Continue a prompt, token by token: words, characters or subwords, as the model\n"
            "reads them. A single sample appears as it is written.\n\n"
            "Plain sampling draws from the whole distribution, and now and then picks a token\n"
            "that hardly fits. --top-p 0.9 draws only from the likeliest tokens, many where the\n"
            "model is unsure, few where it is sure; --top-k 40 always from the same number.\n"
            "A low --temperature is safer, but repeats itself. --beam looks for the likeliest\n"
            "text as a whole: good for the end of a sentence, dull for long texts."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn generate models/lm-lstm --prompt 'the old' --samples 3 --top-p 0.9\n"
            "  nlp-rnn generate models/lm-char-gru --length 500 --temperature 0.7 --seed 1\n"
            "  nlp-rnn generate models/lm-lstm --prompt 'the old' --temperature 0 --stop-at-end\n"
            "  nlp-rnn generate models/lm-lstm --prompt 'the' --beam 10 --n-best 5 --stop-at-end"
        ),
    )
    generate.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    generate.add_argument(
        "--prompt", type=words, default="", help="text to continue (default: none)"
    )
    generate.add_argument(
        "--length", type=count, default=100, metavar="N", help="most tokens (default: 100)"
    )
    generate.add_argument(
        "--stop-at-end", action="store_true", help="stop where the model ends a line"
    )
    sampling = generate.add_argument_group("sampling (the default)")
    sampling.add_argument(
        "--temperature",
        type=positive,
        metavar="T",
        help="divides the logits: below 1 safer, above 1 bolder, 0 always the likeliest token "
        "(default: 1)",
    )
    sampling.add_argument(
        "--top-k", type=count, metavar="K", help="draw from the K likeliest tokens"
    )
    sampling.add_argument(
        "--top-p",
        type=fraction,
        metavar="P",
        help="draw from the fewest tokens that have probability P together (nucleus sampling); "
        "with --top-k, after it",
    )
    sampling.add_argument("--samples", type=count, metavar="N", help="texts (default: 1)")
    sampling.add_argument("--seed", type=seed, help="for the same text every time")
    beam = generate.add_argument_group("beam search")
    beam.add_argument(
        "--beam",
        type=count,
        metavar="WIDTH",
        help="search for the likeliest text and keep the WIDTH best beginnings at each step",
    )
    beam.add_argument(
        "--n-best",
        type=count,
        metavar="N",
        help="list the N best texts as JSON lines, with ln P (nats) and score",
    )
    beam.add_argument(
        "--length-penalty",
        type=positive,
        metavar="ALPHA",
        help="score texts by ln P / ((5 + tokens) / 6)^ALPHA: 0 favours short ones, 1 is nearly "
        "the mean of the tokens (default: 0.6)",
    )
    generate.set_defaults(action=_generate)
    score.add(commands)
    compare.add(commands)
    embeddings.add(commands)
    inspect.add(commands)
    search.add(commands)
    parameters.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``nlp-rnn``; returns the exit status."""
    print_everything()
    options = parser().parse_args(arguments)
    return run(lambda: options.action(options))
