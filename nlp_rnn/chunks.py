"""Chunks of what is read, so that memory is bounded by bytes as well as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def chunked(
    values: Iterable[T], size: Callable[[T], int], length: int, room: int
) -> Iterator[list[T]]:
    """Lists of consecutive values, each of bounded length and, without its last value, bounded
    size.

    Args:
        size: of a value.
        length: the most values of a list.
        room: the size from which a list ends.
    """
    chunk: list[T] = []
    left = room
    for value in values:
        chunk.append(value)
        left -= size(value)
        if len(chunk) == length or left <= 0:
            yield chunk
            chunk, left = [], room
    if chunk:
        yield chunk
