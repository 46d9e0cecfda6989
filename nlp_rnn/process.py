"""How a command runs: its log, its processors, and what it does when it is asked to stop."""

from __future__ import annotations

import codecs
import gc
import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that command a terminal: control characters but tabs and line ends, and those that
turn round the order of what follows."""


def harmless(text: str) -> str:
    r"""``text`` with what commands a terminal written as JSON writes it.

    >>> print(harmless("\x1b[2J"))
    \u001b[2J
    """
    return _COMMANDS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


_hushed: list[bool] = []


def hush() -> None:
    """Log nothing from now on: this process does the same as another, which logs it."""
    _hushed.append(True)


def log(message: str) -> None:
    """A line of the log, on standard error so that standard output stays data.

    It stays one line, whatever a message quotes from a file.
    """
    if _hushed:
        return
    print(harmless(message).replace("\n", "\\n"), file=sys.stderr, flush=True)


class _Terminal(io.TextIOWrapper):
    """Standard output on a terminal, which no text can command."""

    def write(self, text: str) -> int:
        return super().write(harmless(text))


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What an encoding lacks, as JSON writes it, so that JSON stays JSON: ``\\u00e9``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return json.dumps(missing)[1:-1], error.end


def print_everything() -> None:
    r"""Let standard output and the log take any character, whatever the locale.

    Files and pipes get UTF-8. A terminal keeps its encoding, and characters that it lacks or that
    command it are escaped as in JSON, ``\u00e9``, so that lines of JSON stay valid.
    """
    codecs.register_error("nlp_rnn.escape", _escaped)
    if type(sys.stdout) is io.TextIOWrapper and sys.stdout.isatty():
        encoding = sys.stdout.encoding
        sys.stdout = _Terminal(sys.stdout.detach(), encoding=encoding, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="nlp_rnn.escape")


def processors() -> int:
    """The processors that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_SAYS_MEMORY = re.compile(
    r"out of memory|cannot allocate memory|unable to allocate|failed to map segment|bad_?alloc",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what it came from, says that the machine's memory is used up.

    Libraries say it in their own ways: SQLite as an operational error, the loader of shared
    libraries as a failed import.
    """
    cause = error.__cause__ or error.__context__
    return (
        isinstance(error, MemoryError)
        or _SAYS_MEMORY.search(str(error)) is not None
        or (cause is not None and is_out_of_memory(cause))
    )


def collect_rarely() -> None:
    """Let Python look for unreachable objects after 50,000 new ones instead of 700.

    Imports and tracing make objects by the million, nearly all of which live on.
    """
    gc.set_threshold(50_000)


SECONDS_TO_END = 1.5
"""The time that a command has to clean up after a signal, before it is ended."""


def end_in_time() -> None:
    """From now on, let Ctrl-C and SIGTERM end the process even if a library does not return.

    A graph that computes for hours keeps its thread, and Python waits for threads. So another
    thread, which signals wake, ends the process after :data:`SECONDS_TO_END`. It is for commands
    that have nothing to save: outputs are whole or absent anyway.
    """
    import socket  # slow, and the help of a command ends by itself

    awake, asleep = socket.socketpair()
    awake.setblocking(False)  # as Python asks of a file that signals write to
    threading.Thread(target=_end_after_signal, args=(asleep,), daemon=True).start()
    signal.set_wakeup_fd(awake.detach(), warn_on_full_buffer=False)


def _end_after_signal(signals: socket.socket) -> None:
    while number := signals.recv(1):
        if number[0] in (signal.SIGINT, signal.SIGTERM):
            time.sleep(SECONDS_TO_END)
            os._exit(128 + number[0])


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
