"""Worker processes that find tokens, while one process reads the corpus and writes the results.

Python runs one thread at a time, so a long text is divided among processes. The results come in
the order of the examples, and do not depend on the number of processes.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_all_start_methods, get_context, parent_process
from multiprocessing.context import BaseContext
from threading import Thread
from typing import Any, TypeVar

from nlp_rnn.chunks import chunked
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.process import processors

T = TypeVar("T")
Chunk = list[Example]

CHUNK, CHUNK_CHARACTERS = 4096, 1 << 20
"""A chunk ends after so many examples, or characters."""

ALONE = 5_000_000
"""The characters that one process reads alone, in about a second: others take as long to start."""

AHEAD = 2
"""The chunks that are read ahead for each worker, which bounds memory."""


def mapped(
    function: Callable[[Chunk], T], examples: Iterable[Example]
) -> Iterator[tuple[Chunk, T]]:
    """Each chunk of the examples, in order, with what a function makes of it.

    Args:
        function: depends on nothing but the chunk, and can be pickled, as its results can. Worker
            processes get it once.

    Raises:
        UserError: a worker was ended from outside.
    """
    chunks, read = chunked(examples, _size, CHUNK, CHUNK_CHARACTERS), 0
    for chunk in chunks:
        yield chunk, function(chunk)
        read += sum(map(_size, chunk))
        if read > ALONE and processors() > 1:
            break
    try:
        yield from _by_workers(function, chunks)
    except BrokenProcessPool:
        raise UserError(
            "a worker process was ended from outside, perhaps because memory was short; run the "
            "command again, with fewer processors (taskset) if memory is short"
        ) from None


def _size(example: Example) -> int:
    """The characters of an example, roughly."""
    texts = (example.text, example.target, *example.context, *example.tokens)
    return sum(map(len, texts))


def _by_workers(
    function: Callable[[Chunk], T], chunks: Iterator[Chunk]
) -> Iterator[tuple[Chunk, T]]:
    first = next(chunks, None)
    if first is None:
        return
    workers = processors()
    pool = ProcessPoolExecutor(workers, _context(), _begin, (function,))
    waiting: deque[tuple[Chunk, Future[T]]] = deque([(first, pool.submit(_run, first))])
    try:
        for chunk in chunks:
            waiting.append((chunk, pool.submit(_run, chunk)))
            if len(waiting) > AHEAD * workers:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _context() -> BaseContext:
    """How workers start: where it is possible, from a process that has imported what they need."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["nlp_rnn.text.encoding"])
    return context


_function: Callable[[Chunk], Any]
"""What this worker does."""


def _begin(function: Callable[[Chunk], Any]) -> None:
    """Prepare a worker, which leaves Ctrl-C to its parent and ends when that ends."""
    global _function
    _function = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _run(chunk: Chunk) -> Any:
    return _function(chunk)
