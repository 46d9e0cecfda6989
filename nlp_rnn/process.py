"""How a command speaks and ends: its log, and what it does when it is asked to stop."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def log(message: str) -> None:
    """A line of the log, on standard error so that standard output stays data."""
    print(message, file=sys.stderr, flush=True)


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
