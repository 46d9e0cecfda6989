"""Batches: examples bucketed by length and padded on the right; token streams.

Padding costs a recurrent network as much as real tokens, so examples of like length share
a batch (bucketing). Padded lengths are rounded up to a few bounds, because each new shape
costs a compilation on some backends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.text.prepared import Ints, Split
from nlp_rnn.text.vocabulary import PAD_INDEX

SORTED_BATCHES = 50
"""Batches' worth of shuffled examples that are sorted by length together: enough for little
padding, few enough that the composition of a batch stays random."""


TOKENS_AT_ONCE = 1 << 15
"""Most tokens in one forward pass outside training, each row as long as its longest: bounds
memory."""


def padded_length(length: int) -> int:
    """The bound that ``length`` is padded up to: multiples of 8 to 64, then ever coarser.

    >>> [padded_length(n) for n in (1, 8, 9, 63, 65, 130, 1000)]
    [8, 8, 16, 64, 80, 160, 1024]
    """
    step = 8
    while length > 8 * step:
        step *= 2
    return -(-length // step) * step


def pad(sequences: Sequence[Ints], length: int) -> NDArray[np.int32]:
    """Sequences padded on the right, or cut, to ``(len(sequences), length)``."""
    batch = np.full((len(sequences), length), PAD_INDEX, np.int32)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = sequence[:length]
    return batch


def bucketed(
    lengths: Ints, batch_size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Indices of shuffled examples, batch by batch, each batch of like lengths.

    Args:
        lengths: ``(examples,)``; examples of length 0 are left out, for no all-padding row may
            reach a layer.
        rng: shuffles examples and batches.
    """
    order = np.flatnonzero(lengths)
    rng.shuffle(order)
    chunk = batch_size * SORTED_BATCHES
    for start in range(0, len(order), chunk):
        part = order[start : start + chunk]
        part = part[np.argsort(lengths[part], kind="stable")]
        starts = np.arange(0, len(part), batch_size)
        rng.shuffle(starts)
        for i in starts:
            yield part[i : i + batch_size]


def by_length(lengths: Ints, batch_size: int) -> Iterator[NDArray[np.intp]]:
    """Indices of all examples from the shortest to the longest, batch by batch.

    Batches of long examples have fewer rows: none has more than :data:`TOKENS_AT_ONCE` tokens
    before lengths are rounded up, unless a single example has. Examples of length 0 are left out.
    """
    order = np.flatnonzero(lengths)
    order = order[np.argsort(lengths[order], kind="stable")]
    start = 0
    while start < len(order):
        rows = order[start : start + batch_size]
        while len(rows) > 1 and len(rows) * lengths[rows[-1]] > TOKENS_AT_ONCE:
            rows = rows[: len(rows) // 2]
        yield rows
        start += len(rows)


@dataclass(frozen=True)
class Batch:
    """What one training step sees.

    Attributes:
        ids: int32 ``(batch, length)``, padded on the right with 0.
        targets: int32 ``(batch,)`` for labels, ``(batch, length)`` for tags or next tokens.
        weights: float32, the shape of ``targets``: 1 where a target counts, else 0.
    """

    ids: NDArray[np.int32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]

    @property
    def tokens(self) -> int:
        """Real tokens in the batch."""
        return int(np.count_nonzero(self.ids))


def example_batches(
    split: Split,
    batch_size: int,
    max_length: int | None = None,
    rng: np.random.Generator | None = None,
) -> Iterator[Batch]:
    """Labelled or tagged examples, bucketed by length.

    Args:
        max_length: longer examples are cut to their first tokens.
        rng: shuffles, see :func:`bucketed`; None goes by length.
    """
    if split.labels is None:
        raise ValueError("running text has no labels: use windows")
    lengths = np.minimum(split.lengths, max_length) if max_length else split.lengths
    batches = bucketed(lengths, batch_size, rng) if rng else by_length(lengths, batch_size)
    for rows in batches:
        length = padded_length(int(lengths[rows].max()))
        ids = pad([split.sequence(split.ids, i)[: lengths[i]] for i in rows], length)
        if split.kind == "tagged":
            targets = pad([split.sequence(split.labels, i)[: lengths[i]] for i in rows], length)
            weights = (ids != PAD_INDEX).astype(np.float32)
        else:
            targets = np.asarray(split.labels[rows], np.int32)
            weights = np.ones(len(rows), np.float32)
        yield Batch(ids, targets, weights)


def windows(ids: Ints, end_index: int, batch_size: int, window: int) -> Iterator[Batch]:
    """Running text as parallel streams, a window of each at a time, for truncated BPTT.

    The text is cut into ``batch_size`` contiguous streams. Inputs are the targets one step
    earlier; before its first token each stream sees the token that precedes it in the text,
    the first stream ``<eos>``. Every token is a target exactly once: the last window is
    shorter, and steps past a stream's end have weight 0.

    Args:
        ids: ``(tokens,)``.
        end_index: index of the end symbol.

    Yields:
        Batches of shape ``(batch_size, window)``.
    """
    streams = min(batch_size, len(ids))
    steps = -(-len(ids) // streams)
    for start in range(0, steps, window):
        width = min(window, steps - start)
        inputs = np.full((streams, width), end_index, np.int32)
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
        yield Batch(inputs, targets, weights)


def count_windows(tokens: int, batch_size: int, window: int) -> int:
    """How many batches :func:`windows` yields."""
    steps = -(-tokens // min(batch_size, tokens))
    return -(-steps // window)


def restore_order(rows: Sequence[NDArray[np.intp]], values: Sequence[Sequence[Any]]) -> list[Any]:
    """Values computed batch by batch, back in the order of the examples."""
    ordered: list[Any] = [None] * sum(map(len, rows))
    for indices, batch in zip(rows, values, strict=True):
        for i, value in zip(indices, batch, strict=True):
            ordered[i] = value
    return ordered
