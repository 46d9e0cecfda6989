"""Run an encoder-decoder over many sources: batches of similar lengths, their order restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.runtime.forward import by_length_in_order
from nlp_rnn.runtime.network import Decoded, Network, Source, States
from nlp_rnn.text.batches import pad, shifted
from nlp_rnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Input:
    """A source as an encoder reads it.

    Attributes:
        ids: token indices ``(tokens,)``, in the order in which they are read.
        features: the vector beside them ``(width,)``, if the network reads any.
        words: the tokens themselves, also those outside the vocabulary, if outputs may copy them.
    """

    ids: Ints
    features: Floats | None = None
    words: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.ids)


def encode(network: Network, inputs: Sequence[Input]) -> tuple[Source, States]:
    """What the decoder reads of some sources, and its first states."""
    lengths = np.array([len(source) for source in inputs], np.int32)
    ids = pad([source.ids for source in inputs], network.padded_length(int(lengths.max())))
    vectors = [source.features for source in inputs if source.features is not None]
    return network.encode(ids, lengths, np.array(vectors, np.float32) if vectors else None)


def in_batches(
    network: Network,
    inputs: Sequence[Input],
    batch_size: int,
    run: Callable[[Sequence[int]], Sequence[Any]],
    lengths: Sequence[int] | None = None,
) -> Iterator[Any]:
    """The results of ``run`` for each source, in order, from batches of similar lengths.

    Args:
        run: maps the numbers of the sources of a batch to a result for each. Where the network
            compiles for each number of rows, the batch is filled up with its last source.
        lengths: what is similar in a batch; the lengths of the sources by default.
    """

    def filled(rows: NDArray[np.intp]) -> Sequence[Any]:
        numbers = rows.tolist()
        if not network.any_rows:
            numbers += numbers[-1:] * (batch_size - len(numbers))
        return run(numbers)[: len(rows)]

    return by_length_in_order(network, lengths or [len(x) for x in inputs], batch_size, filled)


def target_losses(
    network: Network,
    inputs: Sequence[Input],
    targets: Sequence[Ints],
    end_index: int,
    batch_size: int,
) -> Iterator[Floats]:
    """``-ln P`` of each token of each target, in nats, float64 ``(tokens,)`` per target.

    Args:
        targets: token indices with the end symbol.
        end_index: the index of the end symbol.
    """

    def losses(decoded: Decoded, wanted: NDArray[np.int32]) -> Sequence[Floats]:
        right = np.take_along_axis(decoded.log_probabilities, wanted[..., None], axis=-1)
        return list(-right[..., 0].astype(np.float64))

    found = _forced_in_batches(network, inputs, targets, end_index, batch_size, losses)
    return (row[: len(target)] for row, target in zip(found, targets, strict=True))


def _forced_in_batches(
    network: Network,
    inputs: Sequence[Input],
    targets: Sequence[Ints],
    end_index: int,
    batch_size: int,
    read: Callable[[Decoded, NDArray[np.int32]], Sequence[Any]],
) -> Iterator[Any]:
    """What ``read`` takes from the results of :func:`forced` for each pair, in order.

    Args:
        read: maps what the decoder says, and the padded targets, to a value for each row.
    """

    def run(numbers: Sequence[int]) -> Sequence[Any]:
        rows = [inputs[i] for i in numbers], [targets[i] for i in numbers]
        wanted, decoded = forced(network, *rows, end_index)
        return read(decoded, wanted)

    lengths = [max(len(x), len(y)) for x, y in zip(inputs, targets, strict=True)]
    return in_batches(network, inputs, batch_size, run, lengths)


def forced(
    network: Network, inputs: Sequence[Input], targets: Sequence[Ints], end_index: int
) -> tuple[NDArray[np.int32], Decoded]:
    """What the decoder says while it reads the given targets (teacher forcing).

    Returns:
        The targets padded, int32 ``(rows, steps)``, and what is said of each of their steps.
    """
    source, states = encode(network, inputs)
    longest = max(map(len, targets))
    wanted = pad(targets, network.padded_length(longest))
    return wanted, network.decode(shifted(wanted, end_index), source, states)


def attention_of(
    network: Network,
    inputs: Sequence[Input],
    targets: Sequence[Ints],
    end_index: int,
    batch_size: int,
) -> Iterator[Floats | None]:
    """The weights of attention of each target ``(target tokens, source tokens)``; None without
    attention. See :func:`target_losses`."""

    def weights(decoded: Decoded, wanted: NDArray[np.int32]) -> Sequence[Floats | None]:
        return [None] * len(wanted) if decoded.weights is None else list(decoded.weights)

    found = _forced_in_batches(network, inputs, targets, end_index, batch_size, weights)
    return (
        None if row is None else row[: len(target), : len(source)]
        for row, target, source in zip(found, targets, inputs, strict=True)
    )


def alignment(
    source: Input,
    target: Sequence[int],
    weights: Floats,
    vocabularies: tuple[Vocabulary, Vocabulary],
    backwards: bool,
) -> dict[str, Any]:
    """The weights of attention beside the tokens of source and target.

    Args:
        vocabularies: of sources and of targets.
        backwards: whether the source was read from its end; here it has the order of the text.
    """
    step = -1 if backwards else 1
    return {
        "source": vocabularies[0].decode(source.ids[::step].tolist()),
        "output": vocabularies[1].decode(target),
        "weights": weights[:, ::step].tolist(),
    }
