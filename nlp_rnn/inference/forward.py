"""Running a network over many sequences: sorted by length, in batches, back in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.text.batches import (
    TOKENS_AT_ONCE,
    Batch,
    Encoded,
    by_length,
    pad,
    padded,
    padded_length,
    restore_order,
)
from nlp_rnn.text.prepared import Ints

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.floating[Any]]

IMPOSSIBLE = -5e3
"""Tag sequences of a lower ``log P`` break a CRF's constraints."""


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@lru_cache(maxsize=1)  # so that a network is compiled once for all its predictions
def _monte_carlo(network: keras.Model) -> keras.Model:
    from nlp_rnn.models.monte_carlo import MonteCarlo

    return MonteCarlo(network)


@lru_cache(maxsize=2)
def _decoder(network: keras.Model, n: int) -> keras.Model | None:
    """The Viterbi decoder of a tagger with a CRF, else None."""
    from nlp_rnn.models.tagger import Decoder, crf_of

    crf = crf_of(network)
    return None if crf is None else Decoder(network, crf, n)


def _by_batch(
    sequences: Sequence[Encoded],
    batch_size: int,
    run: Callable[[Any], Sequence[Any] | NDArray[Any]],
) -> list[Any]:
    """What ``run`` makes of each sequence, from batches of like lengths, in order."""
    rows: list[NDArray[np.intp]] = []
    results: list[Any] = []
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    for batch in by_length(lengths, batch_size):
        ids, characters = padded([sequences[i] for i in batch])
        results.append(run(ids if characters is None else [ids, characters]))
        rows.append(batch)
    return restore_order(rows, results)


def probabilities(
    network: keras.Model, sequences: Sequence[Encoded], batch_size: int, samples: int = 0
) -> list[Floats]:
    """The softmax output of a classifier or tagger for each sequence.

    Args:
        sequences: each of length 1 or more.
        samples: passes with dropout to average (Monte-Carlo dropout); 0 is one without.

    Returns:
        For each sequence, in order: ``(labels,)``, or ``(timesteps, tags)`` for taggers.
    """
    model = _monte_carlo(network) if samples else network

    def run(inputs: Any) -> Floats:
        passes = [softmax(np.asarray(model.predict_on_batch(inputs))) for _ in range(samples or 1)]
        return np.mean(passes, axis=0)

    outputs = _by_batch(sequences, batch_size, run)
    if len(network.output.shape) == 2:
        return outputs
    return [output[: len(s)] for output, s in zip(outputs, sequences, strict=True)]


@dataclass(frozen=True)
class Tagged:
    """What a tagger says of a sentence.

    Attributes:
        best: the tag of each word ``(words,)``: of a softmax the likeliest of each word, of a
            CRF the likeliest sequence.
        probabilities: of every tag ``(words, tags)``; a CRF's are marginals.
        paths: the likeliest tag sequences with their ``log P``, best first (only of a CRF).
    """

    best: Ints
    probabilities: Floats
    paths: Sequence[tuple[Ints, float]] = ()


def tag(
    network: keras.Model,
    sentences: Sequence[Encoded],
    batch_size: int,
    samples: int = 0,
    n_best: int = 1,
) -> list[Tagged]:
    """Tag sentences; arguments as :func:`probabilities`.

    Args:
        n_best: tag sequences of a CRF to find; fewer where its constraints allow no more.
    """
    decoder = _decoder(network, n_best)
    if decoder is None:
        found = probabilities(network, sentences, batch_size, samples)
        return [Tagged(p.argmax(axis=1), p) for p in found]

    def run(inputs: Any) -> list[tuple[Ints, Floats, Floats]]:
        outputs = (np.asarray(output) for output in decoder.predict_on_batch(inputs))
        return list(zip(*outputs, strict=True))

    return [
        Tagged(
            paths[0, : len(sentence)],
            marginals[: len(sentence)].astype(np.float64),
            [
                (path[: len(sentence)], float(log_p))
                for path, log_p in zip(paths, log_probabilities, strict=True)
                if log_p > IMPOSSIBLE
            ],
        )
        for sentence, (paths, log_probabilities, marginals) in zip(
            sentences, _by_batch(sentences, batch_size, run), strict=True
        )
    ]


def losses_of_windows(
    scorer: keras.Model,
    batches: Iterable[Batch],
    states: Sequence[Floats],
    visit: Callable[[Batch, Floats], None],
    samples: int = 0,
) -> None:
    """Run a language model's :func:`~nlp_rnn.models.language_model.scorer` over windows.

    The state is carried from one window to the next.

    Args:
        states: initial states, each ``(streams, units)``.
        visit: told each window and its losses in nats, ``(streams, window)``.
        samples: passes with dropout whose probabilities are averaged, each with a state of its
            own; 0 is one pass without.
    """
    model = _monte_carlo(scorer) if samples else scorer
    carried: list[Sequence[Any]] = [states] * (samples or 1)
    for batch in batches:
        passes = []
        for i, before in enumerate(carried):
            losses, *carried[i] = model.predict_on_batch([batch.ids, batch.targets, *before])
            passes.append(-np.asarray(losses, np.float64))
        visit(batch, math.log(len(passes)) - np.logaddexp.reduce(passes, axis=0))


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
    samples: int = 0,
) -> list[float]:
    """``-ln P`` of each line of a language model, each from a fresh state, in nats.

    Args:
        lines: token indices with the end symbol, each of length 1 or more.
        samples: as in :func:`losses_of_windows`.
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

        losses_of_windows(scorer, windows, zero_states(scorer, len(batch)), visit, samples)
        rows.append(batch)
        sums.append(total.tolist())
    return restore_order(rows, sums)
