"""The targets that an encoder-decoder writes for sources: search, and text from tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.config import DecodingParameters
from nlp_rnn.inference.constraints import Bracketing, Constraint
from nlp_rnn.inference.decoding import Hypothesis, beam_searches
from nlp_rnn.runtime.abandoned import check_of_this_thread
from nlp_rnn.runtime.network import Network, Rows, Source, States, Tokens
from nlp_rnn.runtime.pairs import Input, attention_of, encode, in_batches
from nlp_rnn.text.vocabulary import PAD_INDEX, UNK_INDEX, Vocabulary
from nlp_rnn.text.writing import joined


@dataclass(frozen=True)
class Output:
    """A target that was written.

    Attributes:
        text: what it says.
        tokens: its token indices, the end symbol included if it was reached.
        log_probability: ``ln P`` of the tokens, in nats.
        score: by which outputs are compared.
    """

    text: str
    tokens: tuple[int, ...]
    log_probability: float
    score: float


@dataclass(frozen=True)
class _Writing:
    """Where a decoder stands in several targets.

    Attributes:
        source: the sources of all rows.
        origin: the source that each row belongs to ``(rows,)``.
        states: the states of the decoder.
        covered: the sum of the weights of attention so far ``(rows, timesteps)``; None without
            attention.
        permitted: the state of the constraint of each row; empty without a constraint.
        begun: whether the symbol has been read that begins every target, which is none of its
            tokens.
    """

    source: Source
    origin: Rows
    states: States
    covered: Floats | None
    permitted: Sequence[Any]
    begun: bool = False


class _Writer:
    """A decoder as the steps of a search."""

    def __init__(
        self, network: Network, forbidden: Sequence[int], constraint: Constraint | None
    ) -> None:
        self._network = network
        self._forbidden = list(forbidden)
        self._constraint = constraint

    def begin(self, inputs: Sequence[Input]) -> _Writing:
        source, states = encode(self._network, inputs)
        permitted: list[Any] = []
        if self._constraint:
            permitted = [self._constraint.start(len(each)) for each in inputs]
        covered = None
        if source.memory is not None:
            covered = np.zeros(source.memory.shape[:2], np.float32)
        return _Writing(source, np.arange(len(inputs)), states, covered, permitted)

    def step(self, tokens: Tokens, writing: Any) -> tuple[Floats, Any]:
        permitted = writing.permitted
        if self._constraint and writing.begun:
            pairs = zip(permitted, tokens.tolist(), strict=True)
            permitted = [self._constraint.after(state, token) for state, token in pairs]
        decoded = self._network.decode(tokens[:, None], writing.source, writing.states)
        log_p = np.array(decoded.log_probabilities[:, -1])
        log_p[:, self._forbidden] = -np.inf
        if self._constraint:
            for row, state in zip(log_p, permitted, strict=True):
                _keep_only(row, self._constraint.allowed(state))
        covered = writing.covered
        if decoded.weights is not None:
            covered = covered + decoded.weights[:, -1]
        source, origin = writing.source, writing.origin
        return log_p, _Writing(source, origin, decoded.states, covered, permitted, True)

    def select(self, writing: Any, rows: Rows) -> Any:
        origin, source = writing.origin[rows], writing.source
        # The hypotheses of one source share its states, so most selections leave these as they are.
        if not np.array_equal(origin, writing.origin):
            source = self._network.select_source(source, rows)
        return _Writing(
            source,
            origin,
            self._network.select(writing.states, rows),
            None if writing.covered is None else writing.covered[rows],
            [writing.permitted[row] for row in rows] if writing.permitted else [],
            writing.begun,
        )


def _keep_only(log_p: Floats, tokens: Ints) -> None:
    """Forbid all but some ``tokens`` in one row, in place."""
    kept = log_p[tokens]
    log_p[:] = -np.inf
    log_p[tokens] = kept


def coverage(writing: Any, weight: float) -> Floats:
    """The coverage penalty of each row (Wu et al. 2016, equation 14), 0 or less:
    ``weight sum_i ln min(sum_t a_ti, 1)`` over the real tokens of the source."""
    steps = np.arange(writing.covered.shape[1])
    real = steps < writing.source.lengths[:, None]
    covered = np.minimum(np.maximum(writing.covered, 1e-6), 1.0)
    return weight * np.where(real, np.log(covered), 0.0).sum(axis=1)


class Translator:
    """An encoder-decoder that writes the best targets of sources.

    Args:
        network: the network.
        vocabulary: of targets.
        unit: of the tokenizer of targets.
        decoding: how to search.
        batch_size: the number of sources read at once.
        constraint: what may be written; None allows everything that ``decoding`` allows.
    """

    def __init__(
        self,
        network: Network,
        vocabulary: Vocabulary,
        unit: str,
        decoding: DecodingParameters,
        batch_size: int,
        constraint: Constraint | None = None,
    ) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._unit = unit
        self._decoding = decoding
        self._batch_size = batch_size
        if constraint is None and decoding.well_formed:
            constraint = Bracketing(vocabulary)
        forbidden = [PAD_INDEX] if decoding.unknown == "copy" else [PAD_INDEX, UNK_INDEX]
        self._writer = _Writer(network, forbidden, constraint)
        self._longest = constraint.longest if constraint else 0

    def outputs(self, inputs: Sequence[Input], n_best: int = 1) -> Iterator[list[Output]]:
        """The best targets of each source, best first.

        Args:
            n_best: the number of targets, at most the width of the beam.
        """
        found = in_batches(self._network, inputs, self._batch_size, self._search_of(inputs, n_best))
        if self._decoding.unknown != "copy":
            return ([self._output(h, self._words(h)) for h in each] for each in found)
        return iter(self._with_copies(inputs, list(found)))

    def _search_of(
        self, inputs: Sequence[Input], n_best: int
    ) -> Callable[[Sequence[int]], list[list[Hypothesis]]]:
        """The function from the numbers of some sources to their best hypotheses."""
        writer, decoding, end = self._writer, self._decoding, self._vocabulary.end_index
        weight = decoding.coverage_penalty
        check = check_of_this_thread()

        def step(tokens: Tokens, writing: Any) -> tuple[Floats, Any]:
            check()
            return writer.step(tokens, writing)

        def search(numbers: Sequence[int]) -> list[list[Hypothesis]]:
            batch = [inputs[i] for i in numbers]
            return beam_searches(
                step,
                writer.select,
                end,
                writer.begin(batch),  # type: ignore[arg-type]  # only the writer looks into it
                decoding.beam,
                [max(decoding.limit(len(source)), self._longest) for source in batch],
                end,
                decoding.length_penalty,
                n_best,
                drop=self._network.any_rows,
                bonus=(lambda writing: coverage(writing, weight)) if weight else None,
            )

        return search

    def _words(self, hypothesis: Hypothesis) -> list[str]:
        end = self._vocabulary.end_index
        return [self._vocabulary.types[i] for i in hypothesis.tokens if i != end]

    def _output(self, hypothesis: Hypothesis, words: Sequence[str]) -> Output:
        text = joined(words, self._unit)
        return Output(text, hypothesis.tokens, hypothesis.log_probability, hypothesis.score)

    def _with_copies(
        self, inputs: Sequence[Input], found: Sequence[Sequence[Hypothesis]]
    ) -> list[list[Output]]:
        """Outputs in which each ``<unk>`` is the token of the source that its step looked at most
        (Luong et al. 2015, section 4)."""
        several = [(i, h) for i, each in enumerate(found) for h in each if UNK_INDEX in h.tokens]
        weights = attention_of(
            self._network,
            [inputs[i] for i, _ in several],
            [np.array(hypothesis.tokens) for _, hypothesis in several],
            self._vocabulary.end_index,
            self._batch_size,
        )
        looked = {
            (i, hypothesis.tokens): of_pair.argmax(axis=1)
            for (i, hypothesis), of_pair in zip(several, weights, strict=True)
            if of_pair is not None
        }

        def output(i: int, hypothesis: Hypothesis) -> Output:
            words = self._words(hypothesis)
            places = looked.get((i, hypothesis.tokens))
            if places is not None:
                words = [
                    inputs[i].words[places[step]] if token == UNK_INDEX else word
                    for step, (token, word) in enumerate(
                        zip(hypothesis.tokens, words, strict=False)
                    )
                ]
            return self._output(hypothesis, words)

        return [[output(i, h) for h in each] for i, each in enumerate(found)]
