"""Running a network over many sequences: sorted by length, in batches, back in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.text.batches import (
    TOKENS_AT_ONCE,
    Batch,
    by_length,
    pad,
    padded_length,
    restore_order,
)

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.floating[Any]]


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def probabilities(
    network: keras.Model, sequences: Sequence[NDArray[np.integer[Any]]], batch_size: int
) -> list[Floats]:
    """The softmax output of a classifier or tagger for each sequence.

    Args:
        sequences: token indices, each of length 1 or more.

    Returns:
        For each sequence, in order: ``(labels,)``, or ``(timesteps, tags)`` for taggers.
    """
    rows, outputs = [], []
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    for batch in by_length(lengths, batch_size):
        ids = pad([sequences[i] for i in batch], padded_length(int(lengths[batch].max())))
        output = softmax(np.asarray(network.predict_on_batch(ids)))
        if output.ndim == 3:
            outputs.append([row[: lengths[i]] for i, row in zip(batch, output, strict=True)])
        else:
            outputs.append(list(output))
        rows.append(batch)
    return restore_order(rows, outputs)


def losses_of_windows(
    scorer: keras.Model,
    batches: Iterable[Batch],
    states: Sequence[Floats],
    visit: Callable[[Batch, Floats], None],
) -> None:
    """Run a language model's :func:`~nlp_rnn.models.language_model.scorer` over windows.

    The state is carried from one window to the next.

    Args:
        states: initial states, each ``(streams, units)``.
        visit: told each window and its losses in nats, ``(streams, window)``.
    """
    carried: Sequence[Any] = states
    for batch in batches:
        losses, *carried = scorer.predict_on_batch([batch.ids, batch.targets, *carried])
        visit(batch, np.asarray(losses, np.float64))


def zero_states(network: keras.Model, streams: int) -> list[Floats]:
    """The states that start a text, each ``(streams, units)``."""
    return [
        np.zeros((streams, state.shape[-1]), np.float32)
        for state in network.inputs
        if state.name not in ("ids", "targets")
    ]


LOGITS_AT_ONCE = 1 << 24
"""Most logits of a language model held at once, 64 MiB in float32."""


def losses_of_lines(
    scorer: keras.Model,
    lines: Sequence[NDArray[np.integer[Any]]],
    end_index: int,
    vocabulary_size: int,
    batch_size: int,
) -> list[float]:
    """``-ln P`` of each line of a language model, each from a fresh state, in nats.

    Args:
        lines: token indices with the end symbol, each of length 1 or more.
    """
    rows, sums = [], []
    lengths = np.array([len(line) for line in lines], np.int64)
    for batch in by_length(lengths, batch_size):
        length = padded_length(int(lengths[batch].max()))
        targets = pad([lines[i] for i in batch], length)
        ids = np.concatenate([np.full((len(batch), 1), end_index), targets[:, :-1]], axis=1)
        weights = (np.arange(length) < lengths[batch][:, None]).astype(np.float32)
        steps = min(LOGITS_AT_ONCE // vocabulary_size, TOKENS_AT_ONCE) // len(batch)
        width = max(8, steps // 8 * 8)
        windows = (
            Batch(
                ids[:, start : start + width].astype(np.int32),
                targets[:, start : start + width],
                weights[:, start : start + width],
            )
            for start in range(0, length, width)
        )
        total = np.zeros(len(batch))

        def visit(window: Batch, losses: Floats, total: Floats = total) -> None:
            total += (losses * window.weights).sum(axis=1)

        losses_of_windows(scorer, windows, zero_states(scorer, len(batch)), visit)
        rows.append(batch)
        sums.append(total.tolist())
    return restore_order(rows, sums)
