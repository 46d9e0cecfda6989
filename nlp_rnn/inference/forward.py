"""Running a network over many sequences: sorted by length, in batches, back in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn import linear_chain
from nlp_rnn.inference.network import Floats, Network
from nlp_rnn.linear_chain import Transitions
from nlp_rnn.text.batches import (
    TOKENS_AT_ONCE,
    Batch,
    Encoded,
    by_length,
    pad,
    padded,
    restore_order,
)
from nlp_rnn.text.prepared import Ints

IMPOSSIBLE = -5e3
"""Tag sequences of a lower ``log P`` break a CRF's constraints."""


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _by_length(
    network: Network,
    lengths: Sequence[int],
    batch_size: int,
    run: Callable[[NDArray[np.intp]], Sequence[Any]],
) -> Iterator[Any]:
    """What ``run`` makes of each sequence, from batches of like lengths, in order.

    The work begins at once where the network computes in threads.
    """
    # The longest first, so that no thread begins a long batch when the others have ended.
    batches = list(by_length(np.array(lengths, np.int64), batch_size))[::-1]
    results = network.map(run, batches)

    def ordered() -> Iterator[Any]:
        yield from restore_order(batches, list(results))

    return ordered()


def _logits(
    network: Network,
    sequences: Sequence[Encoded],
    batch_size: int,
    run: Callable[[Callable[[], Floats], NDArray[np.int32]], Sequence[Any]],
) -> Iterator[Any]:
    """What ``run`` makes of each sequence: of a pass over its batch, and of the lengths there."""

    def run_rows(rows: NDArray[np.intp]) -> Sequence[Any]:
        batch = [sequences[i] for i in rows]
        lengths = np.array([len(sequence) for sequence in batch], np.int32)
        ids, characters = padded(batch, network.padded_length(int(lengths.max())))
        return run(lambda: network.logits(ids, lengths, characters), lengths)

    return _by_length(network, [len(s) for s in sequences], batch_size, run_rows)


def probabilities(
    network: Network, sequences: Sequence[Encoded], batch_size: int
) -> Iterator[Floats]:
    """The softmax output of a classifier or tagger for each sequence.

    Args:
        sequences: each of length 1 or more.

    Returns:
        For each sequence, in order: ``(labels,)``, or ``(timesteps, tags)`` for taggers.
    """

    def run(logits: Callable[[], Floats], lengths: NDArray[np.int32]) -> Sequence[Floats]:
        mean = np.mean([softmax(logits()) for _ in range(network.passes)], axis=0)
        if mean.ndim == 2:
            return mean
        return [row[:length] for row, length in zip(mean, lengths, strict=True)]

    return _logits(network, sequences, batch_size, run)


@dataclass(frozen=True)
class Tagged:
    """What a tagger says of a sentence.

    Attributes:
        best: the tag of each word ``(words,)``: of a softmax the likeliest of each word, of a
            CRF the likeliest sequence.
        probabilities: of every tag ``(words, tags)``; a CRF's are marginals.
        paths: the likeliest tag sequences with their ``log P``, best first (only of a CRF).
        log_likelihood: ``log P`` of a tag sequence ``(words,)``, in nats.
    """

    best: Ints
    probabilities: Floats
    log_likelihood: Callable[[Ints], float]
    paths: Sequence[tuple[Ints, float]] = ()


def tag(
    network: Network, sentences: Sequence[Encoded], batch_size: int, n_best: int = 1
) -> Iterator[Tagged]:
    """Tag sentences; arguments as :func:`probabilities`.

    Args:
        n_best: tag sequences of a CRF to find; fewer where its constraints allow no more.
    """
    transitions = network.transitions
    if transitions is None:
        return map(_tagged, probabilities(network, sentences, batch_size))

    def run(logits: Callable[[], Floats], lengths: NDArray[np.int32]) -> Sequence[Tagged]:
        return _decoded(logits(), lengths, transitions, n_best)

    return _logits(network, sentences, batch_size, run)


def _tagged(probabilities: Floats) -> Tagged:
    """A sentence whose tags are independent of one another."""

    def log_likelihood(tags: Ints) -> float:
        right = probabilities[np.arange(len(tags)), tags]
        return float(np.log(np.maximum(right, 1e-300)).sum())

    return Tagged(probabilities.argmax(axis=1), probabilities, log_likelihood)


def _decoded(
    emissions: Floats, lengths: NDArray[np.int32], transitions: Transitions, n_best: int
) -> list[Tagged]:
    """Sentences whose tags a CRF joins."""
    alphas = linear_chain.forward(emissions, lengths, transitions)
    betas = linear_chain.backward(emissions, lengths, transitions)
    marginals = linear_chain.marginals(alphas, betas)
    log_z = linear_chain.log_partition(alphas, transitions)
    paths, scores = linear_chain.viterbi(emissions, lengths, transitions, n_best)

    def tagged(i: int, words: int) -> Tagged:
        return Tagged(
            paths[i, 0, :words],
            marginals[i, :words],
            lambda tags: linear_chain.path_score(emissions[i], tags, transitions) - log_z[i],
            [
                (path[:words], log_p)
                for path, log_p in zip(paths[i], (scores[i] - log_z[i]).tolist(), strict=True)
                if log_p > IMPOSSIBLE
            ],
        )

    return [tagged(i, words) for i, words in enumerate(lengths.tolist())]


def losses_of_windows(
    network: Network,
    batches: Iterable[Batch],
    visit: Callable[[Batch, Floats], None],
) -> None:
    """Run a language model over windows of a text, from its start.

    The state is carried from one window to the next, in each of the network's passes one of its
    own; their probabilities are averaged.

    Args:
        batches: windows, all of as many rows.
        visit: told each window and its losses in nats, ``(streams, window)``.
    """
    carried: list[Any] = [None] * network.passes
    for batch in batches:
        passes = []
        for i, states in enumerate(carried):
            states = network.zero_states(len(batch.ids)) if states is None else states
            losses, carried[i] = network.losses(batch.ids, batch.targets, states)
            passes.append(-losses.astype(np.float64))
        visit(batch, math.log(len(passes)) - np.logaddexp.reduce(passes, axis=0))


LOGITS_AT_ONCE = 1 << 22
"""Most logits of a language model held at once, 16 MiB in float32."""


def losses_of_lines(
    network: Network,
    lines: Sequence[NDArray[np.integer[Any]]],
    end_index: int,
    vocabulary_size: int,
    batch_size: int,
) -> Iterator[float]:
    """``-ln P`` of each line of a language model, each from a fresh state, in nats.

    Args:
        lines: token indices with the end symbol, each of length 1 or more.
    """

    def run(rows: NDArray[np.intp]) -> Sequence[float]:
        batch = [lines[i] for i in rows]
        length = network.padded_length(max(map(len, batch)))
        targets = pad(batch, length)
        ids = np.concatenate([np.full((len(batch), 1), end_index), targets[:, :-1]], axis=1)
        real = np.arange(length) < np.array([len(line) for line in batch])[:, None]
        weights = real.astype(np.float32)
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

        def visit(window: Batch, losses: Floats) -> None:
            np.add(total, (losses * window.weights).sum(axis=1), out=total)

        losses_of_windows(network, windows, visit)
        return total.tolist()

    return _by_length(network, [len(line) for line in lines], batch_size, run)
