"""How a command runs: its log, its processors, and what it does when it is asked to stop."""

from __future__ import annotations

import codecs
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def log(message: str) -> None:
    """A line of the log, on standard error so that standard output stays data."""
    print(message, file=sys.stderr, flush=True)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What an encoding lacks, as JSON writes it, so that JSON stays JSON: ``\\u00e9``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return json.dumps(missing)[1:-1], error.end


def print_everything() -> None:
    r"""Let standard output and the log take any character, whatever the locale.

    Files and pipes get UTF-8. A terminal keeps its encoding, and characters that it lacks are
    escaped as in JSON, ``\u00e9``, so that lines of JSON stay valid.
    """
    codecs.register_error("nlp_rnn.escape", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="nlp_rnn.escape")


def processors() -> int:
    """The processors that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Terminated(SystemExit):
    """The process was asked to end by SIGTERM."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, as sent by ``timeout``, Docker or Slurm, unwind the block as Ctrl-C does.

    So what is half-written is removed. A handler that somebody else has set stays.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        raise Terminated(128 + number)

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if ours:
        signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
