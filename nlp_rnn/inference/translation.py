"""The targets that an encoder-decoder writes for sources: search, and text from tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.config import DecodingParameters
from nlp_rnn.inference.decoding import Hypothesis, beam_searches
from nlp_rnn.runtime.network import Network, Rows, Source, States, Tokens
from nlp_rnn.runtime.pairs import Input, encode, in_batches
from nlp_rnn.text.vocabulary import PAD_INDEX, UNK_INDEX


@dataclass(frozen=True)
class _Writing:
    """Where a decoder stands in several targets.

    Attributes:
        source: the sources of all rows.
        origin: the source that each row belongs to ``(rows,)``.
        states: the states of the decoder.
    """

    source: Source
    origin: Rows
    states: States


class _Writer:
    """A decoder as the steps of a search."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def begin(self, inputs: Sequence[Input]) -> _Writing:
        source, states = encode(self._network, inputs)
        return _Writing(source, np.arange(len(inputs)), states)

    def step(self, tokens: Tokens, writing: Any) -> tuple[Floats, Any]:
        decoded = self._network.decode(tokens[:, None], writing.source, writing.states)
        log_p = np.array(decoded.log_probabilities[:, -1])
        log_p[:, [PAD_INDEX, UNK_INDEX]] = -np.inf
        return log_p, _Writing(writing.source, writing.origin, decoded.states)

    def select(self, writing: Any, rows: Rows) -> Any:
        origin, source = writing.origin[rows], writing.source
        # The hypotheses of one source share its states, so most selections leave these as they are.
        if not np.array_equal(origin, writing.origin):
            source = self._network.select_source(source, rows)
        return _Writing(source, origin, self._network.select(writing.states, rows))


def written(
    network: Network,
    inputs: Sequence[Input],
    end_index: int,
    decoding: DecodingParameters,
    batch_size: int,
    n_best: int = 1,
) -> Iterator[list[Hypothesis]]:
    """The best targets of each source, best first.

    Args:
        end_index: the index of the end symbol, which also begins a target.
        n_best: the number of targets to return, at most the width of the beam.
    """
    writer = _Writer(network)

    def run(numbers: Sequence[int]) -> list[list[Hypothesis]]:
        batch = [inputs[i] for i in numbers]
        return beam_searches(
            writer.step,
            writer.select,
            end_index,
            writer.begin(batch),  # type: ignore[arg-type]  # only the writer looks into it
            decoding.beam,
            [decoding.limit(len(source)) for source in batch],
            end_index,
            decoding.length_penalty,
            n_best,
            drop=network.any_rows,
        )

    return in_batches(network, inputs, batch_size, run)
