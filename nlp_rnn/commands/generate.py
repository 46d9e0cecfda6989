"""``nlp-rnn generate``: text that a language model writes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nlp_rnn.commands.arguments import (
    MODEL_HELP,
    bundle_folder,
    count,
    fraction,
    positive,
    seed,
    words,
)
from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    from nlp_rnn.inference.generation import BeamSearch, Sampling


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    generate = commands.add_parser(
        "generate",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Continue a prompt token by token. Tokens are words, characters or subwords,\n"
            "depending on the model. A single sample is printed while it is generated.\n\n"
            "Plain sampling draws from the whole distribution and sometimes picks a token that\n"
            "hardly fits. --top-p 0.9 draws only from the most likely tokens: many where the\n"
            "model is uncertain, few where it is confident. --top-k 40 always draws from the\n"
            "same number. A low --temperature is safer but repeats itself. --beam searches for\n"
            "the most likely text as a whole, which suits the end of a sentence but makes long\n"
            "texts dull."
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
        "--length", type=count, default=100, metavar="N", help="maximum tokens (default: 100)"
    )
    generate.add_argument(
        "--stop-at-end", action="store_true", help="stop where the model ends a line"
    )
    _add_sampling(generate)
    _add_beam_search(generate)
    generate.set_defaults(action=_run)


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    sampling = parser.add_argument_group("sampling (the default)")
    sampling.add_argument(
        "--temperature",
        type=positive,
        metavar="T",
        help="divide the logits by T: below 1 is safer, above 1 is bolder, 0 always takes the most "
        "likely token (default: 1)",
    )
    sampling.add_argument(
        "--top-k", type=count, metavar="K", help="draw from the K most likely tokens"
    )
    sampling.add_argument(
        "--top-p",
        type=fraction,
        metavar="P",
        help="draw from the smallest set of tokens with total probability P (nucleus sampling); "
        "applied after --top-k",
    )
    sampling.add_argument("--samples", type=count, metavar="N", help="number of texts (default: 1)")
    sampling.add_argument("--seed", type=seed, help="get the same text every time")


def _add_beam_search(parser: argparse.ArgumentParser) -> None:
    beam = parser.add_argument_group("beam search")
    beam.add_argument(
        "--beam",
        type=count,
        metavar="WIDTH",
        help="search for the most likely text, keeping the WIDTH best beginnings at each step",
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
        help="score texts by ln P / ((5 + tokens) / 6)^ALPHA: 0 favours short texts, 1 is close to "
        "the mean over the tokens (default: 0.6)",
    )


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


def _run(options: argparse.Namespace) -> None:
    decoding = _sampling(options) if options.beam is None else _beam_search(options)

    from nlp_rnn.inference.generation import generate

    generate(
        bundle_folder(options.model),
        prompt=options.prompt,
        length=options.length,
        decoding=decoding,
        stop_at_end=options.stop_at_end,
    )
