"""``nlp-rnn serve``: models behind HTTP."""

from __future__ import annotations

import argparse
from pathlib import Path

from nlp_rnn.commands.arguments import count, positive


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    serve = commands.add_parser(
        "serve",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Serve models over HTTP until Ctrl-C or SIGTERM. Requests that arrive at the same\n"
            "time are predicted together, and each text gets what it would get alone.\n\n"
            "GET  /models                   what is served\n"
            'POST /models/NAME/predict      {"texts": ["..."]}\n'
            'POST /models/NAME/generate     {"prompt": "..."} (language models)\n'
            "GET  /health, /ready, /metrics, /openapi.json"
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn serve models/sentiment-bilstm --port 8000\n"
            "  nlp-rnn serve models:/sentiment-bilstm@current lm=models/lm-char-gru\n"
            "  nlp-rnn serve models/pos-bilstm --host 0.0.0.0 --api-key-file key.txt\n"
            "  curl http://127.0.0.1:8000/models/sentiment-bilstm/predict \\\n"
            "    -H 'Content-Type: application/json' -d '{\"texts\": [\"not bad at all\"]}'"
        ),
    )
    serve.add_argument(
        "models",
        metavar="MODEL",
        nargs="+",
        help="a bundle folder (models/NAME), runs:/RUN_ID, models:/NAME@current or "
        "models:/NAME/VERSION; NAME=MODEL serves it by another name",
    )
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen at; 0.0.0.0 is for other machines too (default: 127.0.0.1)",
    )
    serve.add_argument(
        "--port",
        type=_port,
        default=8000,
        metavar="P",
        help="0 takes any that is free (default: 8000)",
    )
    serve.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="a file with the key that requests must have (default: the environment variable "
        "NLP_RNN_API_KEY, or else no key)",
    )
    serve.add_argument(
        "--poll",
        type=positive,
        default=30.0,
        metavar="SECONDS",
        help="how often to look whether models:/NAME@ALIAS means another version; 0 never does "
        "(default: 30)",
    )
    _add_limits(serve.add_argument_group("limits"))
    serve.set_defaults(action=_run, saves=True)  # answers, when it is stopped


def _add_limits(group: argparse._ArgumentGroup) -> None:
    from nlp_rnn.serving.limits import DEFAULT

    for option, default, help in (
        ("--max-body", DEFAULT.body, "bytes of a request"),
        ("--max-texts", DEFAULT.texts, "texts of a request"),
        ("--max-characters", DEFAULT.characters, "characters of a text"),
        ("--max-tokens", DEFAULT.tokens, "tokens to generate"),
        ("--queue", DEFAULT.queue, "requests that are answered at a time; others get status 503"),
    ):
        group.add_argument(
            option, type=count, default=default, metavar="N", help=f"{help} (default: {default})"
        )
    group.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT.seconds,
        metavar="SECONDS",
        help=f"time for an answer, then status 504 (default: {DEFAULT.seconds:g})",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port, 0 to 65535, found {text}")
    return int(text)


def _seconds(text: str) -> float:
    seconds = positive(text)
    if not seconds:
        raise argparse.ArgumentTypeError("expected a number above 0, found 0")
    return seconds


def _run(options: argparse.Namespace) -> None:
    from nlp_rnn.extras import require

    for module in ("fastapi", "uvicorn", "prometheus_client"):
        require(module, "serve", "nlp-rnn serve")

    from nlp_rnn.serving.limits import Limits
    from nlp_rnn.serving.models import Source
    from nlp_rnn.serving.server import serve

    limits = Limits(
        options.max_body,
        options.max_texts,
        options.max_characters,
        options.max_tokens,
        options.queue,
        options.timeout,
    )
    sources = [Source.parse(model) for model in options.models]
    serve(sources, options.host, options.port, limits, options.api_key_file, options.poll)
