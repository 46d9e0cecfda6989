"""How a command runs: its log, its processors, and what it does when it is asked to stop."""

from __future__ import annotations

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
