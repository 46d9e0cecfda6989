"""Running text as parallel streams of tokens, a window at a time, for truncated BPTT.

Inputs are the targets one step earlier. Either the whole corpus is one text, split into as many
contiguous streams as a batch has rows, or each line is a text of its own: a row takes the next line
when its last one ends, and starts it from a zero state.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints
from nlp_rnn.text.batches import Batch, pad
from nlp_rnn.text.bounds import padded_length
from nlp_rnn.text.prepared import Split
from nlp_rnn.text.vocabulary import PAD_INDEX


def stream_steps(tokens: int, batch_size: int) -> int:
    """The length of each of ``batch_size`` parallel streams of a text."""
    return -(-tokens // min(batch_size, tokens))


def fixed_widths(steps: int, window: int) -> list[int]:
    """The lengths of the windows that cover ``steps``: all are ``window``, except the last.

    >>> fixed_widths(10, 4)
    [4, 4, 2]
    """
    return [min(window, steps - start) for start in range(0, steps, window)]


def random_widths(steps: int, window: int, rng: np.random.Generator) -> list[int]:
    """Random lengths of windows that cover ``steps`` (Merity et al. 2017, section 4.1).

    They are normally distributed around ``window``, or once in twenty times around half of it, so
    that windows begin at different tokens in every epoch. They are rounded to an eighth of
    ``window``, because some backends compile for every new length.
    """
    unit = max(1, window // 8)
    widths = []
    while steps > 0:
        mean = window if rng.random() < 0.95 else window / 2
        width = min(max(1, round(rng.normal(mean, unit) / unit)) * unit, steps)
        widths.append(width)
        steps -= width
    return widths


def windows(
    ids: Ints, end_index: int, batch_size: int, widths: Sequence[int], window: int | None = None
) -> Iterator[Batch]:
    """Read one text as ``batch_size`` contiguous streams.

    Before its first token, each stream sees the token that precedes it in the text; the first
    stream sees ``<eos>``. Every token is a target exactly once: steps past a stream's end are
    padding and have weight 0.

    Args:
        ids: ``(tokens,)``.
        end_index: index of the end symbol.
        widths: the lengths of the windows; their sum is :func:`stream_steps`.
        window: if given, the learning rate of a step is scaled in proportion to its width, with
            factor 1 at this width.

    Yields:
        Batches of shape ``(batch_size, width)``; all rows start in the first.
    """
    streams = min(batch_size, len(ids))
    steps = stream_steps(len(ids), streams)
    start = 0
    for width in widths:
        inputs = np.full((streams, width), PAD_INDEX, np.int32)
        targets = np.full((streams, width), end_index, np.int32)
        weights = np.zeros((streams, width), np.float32)
        for row in range(streams):
            first = row * steps + start
            last = min(first + width, (row + 1) * steps, len(ids))
            count = max(last - first, 0)
            if count:
                targets[row, :count] = ids[first:last]
                weights[row, :count] = 1
                before = ids[first - 1] if first else end_index
                inputs[row, 0] = before
                inputs[row, 1:count] = ids[first : last - 1]
        starts = np.full(streams, start == 0, np.float32)
        yield Batch(inputs, targets, weights, starts=starts, rate=width / (window or width))
        start += width


def line_schedule(
    lengths: Ints, order: NDArray[np.intp], batch_size: int, window: int
) -> list[list[tuple[int, int]]]:
    """Plan which line each row of a batch reads, and from which window on.

    Each line goes to the first row that is free.

    Args:
        lengths: ``(lines,)``, each 1 or more.
        order: the order in which lines are taken.

    Returns:
        For each window, the lines that start in it, as pairs (row, line).
    """
    free = [(0, row) for row in range(batch_size)]
    starting: list[list[tuple[int, int]]] = []
    for line in order.tolist():
        start, row = heapq.heappop(free)
        after = start + -(-int(lengths[line]) // window)
        starting += [[] for _ in range(after - len(starting))]
        starting[start].append((row, line))
        heapq.heappush(free, (after, row))
    return starting


def line_windows(
    split: Split,
    starting: Sequence[Sequence[tuple[int, int]]],
    batch_size: int,
    window: int,
    end_index: int,
) -> Iterator[Batch]:
    """Read each line as a text of its own, by the plan of :func:`line_schedule`.

    Yields:
        Batches of shape ``(batch_size, window)``; ``starts`` is 1 where a row begins a line.
        Steps past a line's end and rows without one have weight 0.
    """
    lines: list[Ints] = [np.empty(0, np.int32)] * batch_size
    done = np.zeros(batch_size, np.int64)
    for begun in starting:
        starts = np.zeros(batch_size, np.float32)
        for row, line in begun:
            lines[row], done[row], starts[row] = split.sequence(split.ids, line), 0, 1
        parts = [line[start:] for line, start in zip(lines, done, strict=True)]
        before = [
            line[start - 1] if 0 < start < len(line) else end_index
            for line, start in zip(lines, done, strict=True)
        ]
        yield _batch(parts, before, starts, window)
        done += window


def whole_lines(
    split: Split, batches: Iterable[NDArray[np.intp]], batch_size: int, end_index: int
) -> Iterator[Batch]:
    """Read each line in one window as long as the longest of its batch, for full BPTT.

    Args:
        batches: the lines of each batch, at most ``batch_size``.

    Yields:
        Batches of ``batch_size`` rows; rows without a line have weight 0.
    """
    nothing = np.empty(0, np.int32)
    for rows in batches:
        parts = [split.sequence(split.ids, i) for i in rows]
        parts += [nothing] * (batch_size - len(rows))
        width = padded_length(max(map(len, parts)))
        yield _batch(parts, [end_index] * batch_size, np.ones(batch_size, np.float32), width)


def _batch(
    parts: Sequence[Ints], before: Sequence[int], starts: NDArray[np.float32], width: int
) -> Batch:
    """The first ``width`` tokens of each part as targets, the ones before them as inputs."""
    targets = pad(parts, width)
    weights = (targets != PAD_INDEX).astype(np.float32)
    inputs = np.concatenate([np.array(before, np.int32)[:, None], targets[:, :-1]], axis=1)
    return Batch(np.where(weights > 0, inputs, PAD_INDEX), targets, weights, starts=starts)
