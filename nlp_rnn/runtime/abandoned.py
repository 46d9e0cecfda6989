"""Work that nobody waits for any more, given up between two passes of a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_of_thread = threading.local()


class Abandoned(Exception):
    """Nobody waits for the result any more."""


@contextmanager
def until(abandoned: threading.Event) -> Iterator[None]:
    """Let what this thread computes within the block raise Abandoned soon after the event."""
    _of_thread.event = abandoned
    try:
        yield
    finally:
        _of_thread.event = None


def check_of_this_thread() -> Callable[[], None]:
    """A function that raises Abandoned once nobody waits for this thread, for threads that help it
    too."""
    event: threading.Event | None = getattr(_of_thread, "event", None)

    def check() -> None:
        if event is not None and event.is_set():
            raise Abandoned

    return check
