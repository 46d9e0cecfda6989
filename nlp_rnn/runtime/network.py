"""The interface to a trained network for predictions and evaluations, and its Keras version."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.linear_chain import Transitions
from nlp_rnn.text.bounds import coarse_length

if TYPE_CHECKING:
    import keras

Tokens = NDArray[np.int32]
Rows = NDArray[np.integer[Any]]

States = Sequence[Any]
"""A language model's states, each ``(batch, width)``: arrays, or tensors on the network's device.
Only the network itself looks into them."""

NO_STATES = ("ids", "characters", "predicates", "target_ids", "features")
"""The inputs of networks that are no states."""

SEED = 0
"""The default seed of the dropout masks."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Source:
    """What the decoder of an encoder-decoder reads of a batch of sources.

    Attributes:
        memory: their states ``(rows, timesteps, width)``, on the network's device; None without
            attention.
        lengths: the real tokens of each, int32 ``(rows,)``.
        copied: the types of targets that their tokens become ``(rows, timesteps)``, on the device;
            None for a decoder that does not copy.
    """

    memory: Any
    lengths: Tokens
    copied: Any = None


@dataclass(frozen=True)
class Decoded:
    """What a decoder says of some steps of the target.

    Attributes:
        log_probabilities: ``ln P`` of each next token ``(rows, steps, types)``.
        states: the states after the steps.
        weights: those of attention ``(rows, steps, timesteps)``; None without attention.
    """

    log_probabilities: Floats
    states: States
    weights: Floats | None


class Network(ABC):
    """A network that computes forward passes over padded batches.

    Attributes:
        transitions: the transition scores of a tagger's CRF; None if it has a softmax.
        widths: the widths of a language model's states.
    """

    transitions: Transitions | None
    widths: Sequence[int]

    @abstractmethod
    def all_logits(
        self,
        ids: Tokens,
        lengths: Tokens,
        characters: Tokens | None = None,
        predicates: Tokens | None = None,
    ) -> Sequence[Floats]:
        """The logits of a classifier ``(batch, labels)`` or a tagger ``(batch, timesteps, tags)``;
        of a model of intents and slots those of tags, then those of labels.

        Args:
            ids: token indices ``(batch, timesteps)``, padded on the right with 0.
            lengths: the number of tokens in each row ``(batch,)``, 1 or more.
            characters: the spelling of each token ``(batch, timesteps, characters)``, for
                networks that read it.
            predicates: 1 at the predicate of each row, 0 elsewhere ``(batch, timesteps)``, for
                networks that read it.
        """

    def logits(
        self,
        ids: Tokens,
        lengths: Tokens,
        characters: Tokens | None = None,
        predicates: Tokens | None = None,
    ) -> Floats:
        """The first of :meth:`all_logits`, for most networks the only one."""
        return self.all_logits(ids, lengths, characters, predicates)[0]

    @abstractmethod
    def log_probabilities(self, ids: Tokens, states: States) -> tuple[Floats, States]:
        """A language model's ``ln P`` of each next token ``(batch, timesteps, vocabulary)``.

        Args:
            states: the states before ``ids``, each ``(batch, width)``.

        Returns:
            The log-probabilities, and the states after ``ids``.
        """

    @abstractmethod
    def losses(
        self, ids: Tokens, targets: Tokens, states: Sequence[Floats]
    ) -> tuple[Floats, Sequence[Floats]]:
        """Like :meth:`log_probabilities`, but only ``-ln P`` of ``targets``, in their shape."""

    @abstractmethod
    def encode(
        self, ids: Tokens, lengths: Tokens, features: Floats | None = None
    ) -> tuple[Source, States]:
        """What an encoder-decoder's decoder reads of sources, and its first states.

        Args:
            ids: token indices ``(rows, timesteps)``, padded on the right with 0.
            lengths: the number of tokens in each row ``(rows,)``, 1 or more.
            features: vectors beside the sources ``(rows, width)``, if the network reads any.
        """

    @abstractmethod
    def decode(self, ids: Tokens, source: Source, states: States) -> Decoded:
        """Read some steps of the target.

        Args:
            ids: token indices ``(rows, steps)``, padded on the right with 0; the end symbol begins
                a target.
            source: of :meth:`encode`, the same rows.
            states: the states before.
        """

    def select_source(self, source: Source, rows: Rows) -> Source:
        """The sources of ``rows``, in this order; a row may occur more than once."""
        memory, copied = (
            None if part is None else self.select([part], rows)[0]
            for part in (source.memory, source.copied)
        )
        return Source(memory, source.lengths[rows], copied)

    @property
    def any_rows(self) -> bool:
        """Whether batches of any number of rows are equally cheap, as nothing is compiled."""
        return True

    @abstractmethod
    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        """Apply ``function`` to each batch, in order; to several at once if that is faster."""

    def padded_length(self, length: int) -> int:
        """The length to which a batch of rows up to ``length`` is padded."""
        return length

    def zero_states(self, rows: int) -> list[Floats]:
        """The states that start a text, each ``(rows, width)``."""
        return [np.zeros((rows, width), np.float32) for width in self.widths]

    def first_states(self, rows: int, start: Sequence[Floats] | None) -> list[Floats]:
        """The states ``start``, each ``(width,)``, repeated for every row; zeros if it is None."""
        if start is None:
            return self.zero_states(rows)
        return [np.tile(state, (rows, 1)) for state in start]

    def select(self, states: States, rows: Rows) -> States:
        """The states of ``rows``, in this order; a row may occur more than once."""
        return [state[rows] for state in states]


@lru_cache(maxsize=1)  # so that a network is compiled only once for all its predictions
def _monte_carlo(model: keras.Model) -> keras.Model:
    from nlp_rnn.models.monte_carlo import MonteCarlo

    return MonteCarlo(model)


@lru_cache(maxsize=2)  # likewise; an encoder-decoder is two
def _on_device(model: keras.Model) -> Callable[[Sequence[Any]], list[Any]]:
    from nlp_rnn.backend import on_device

    return on_device(model)


def _log_softmax(logits: Floats) -> Floats:
    """``ln softmax`` along the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class KerasNetwork(Network):
    """A Keras model, for a network that is being trained or that has no ONNX graph.

    With Monte Carlo dropout, all probabilities are means over passes with dropout, each of which
    carries its own states. The masks of a pass depend only on ``seed``, the number of the pass and
    the shape of the inputs: the same inputs give the same probabilities.

    Args:
        model: as built by :func:`nlp_rnn.models.network.build_network`.
        samples: the number of passes with dropout to average (Monte Carlo dropout); 0 means one
            pass without dropout.
        seed: the seed of the masks.

    Attributes:
        passes: the number of passes that are averaged.
    """

    def __init__(self, model: keras.Model, samples: int = 0, seed: int = SEED) -> None:
        self.passes = samples or 1
        self.widths = [
            state.shape[-1] for state in model.inputs if state.name not in NO_STATES
        ] * self.passes
        self._model = model
        self._drops = samples > 0
        self._seed = seed

    @property
    def transitions(self) -> Transitions | None:  # type: ignore[override]  # training changes them
        from keras import ops

        from nlp_rnn.models.tagger import crf_of

        crf = crf_of(self._model)
        return crf and Transitions(*map(ops.convert_to_numpy, crf.scores))

    def _called(self, model: keras.Model) -> keras.Model:
        return _monte_carlo(model) if self._drops else model

    def _run(self, model: keras.Model, inputs: Any) -> Any:
        return self._called(model).predict_on_batch(inputs)

    def _masks(self, number: int) -> AbstractContextManager[None]:
        """Use the masks of a pass, without changing the random masks of training."""
        from nlp_rnn.backend import drawing

        generators = [v for v in self._model.variables if v.name == "seed_generator_state"]
        return drawing(generators, [self._seed, number])

    def _averaged(
        self, log_p: Callable[[States], tuple[Floats, States]], states: States = ()
    ) -> tuple[Floats, States]:
        """``ln`` of the mean probabilities over passes of ``log_p``, and all states after.

        Args:
            log_p: maps the states of a pass to log-probabilities and the states after.
            states: the states of all passes, one after the other.
        """
        if not self._drops:
            return log_p(states)
        each = len(states) // self.passes
        total: Floats = np.array(-np.inf)
        after: list[Any] = []
        for number in range(self.passes):
            with self._masks(number):
                found, final = log_p(states[number * each : (number + 1) * each])
            total = np.logaddexp(total, found, dtype=np.float64)
            after += final
        return total - math.log(self.passes), after

    def all_logits(
        self,
        ids: Tokens,
        lengths: Tokens,
        characters: Tokens | None = None,
        predicates: Tokens | None = None,
    ) -> Sequence[Floats]:
        more = [values for values in (characters, predicates) if values is not None]
        inputs = [ids, *more] if more else ids

        def log_p(_: States) -> tuple[Floats, States]:
            return _log_softmax(np.asarray(self._run(self._model, inputs))), ()

        if self._drops:
            return [self._averaged(log_p)[0]]
        found = self._run(self._model, inputs)
        return [np.asarray(each) for each in (found if isinstance(found, list) else [found])]

    def log_probabilities(self, ids: Tokens, states: States) -> tuple[Floats, States]:
        """The states stay on the device, because text is generated in many small steps.

        Passes with dropout read each row separately, so that all rows have the same masks: a search
        then compares texts by a single distribution, whatever their positions in the beam.
        """
        if not self._drops:
            return self._log_probabilities(ids, states)

        from keras import ops

        rows = [
            self._averaged(partial(self._log_probabilities, ids[i]), self.select(states, i))
            for i in np.arange(len(ids))[:, None]
        ]
        found, after = zip(*rows, strict=True)
        return np.concatenate(found), [ops.concatenate(state) for state in zip(*after, strict=True)]

    def _log_probabilities(self, ids: Tokens, states: States) -> tuple[Floats, States]:
        """The log-probabilities and states of one pass."""
        from keras import ops

        logits, *after = _on_device(self._called(self._model))([ids, *states])
        return ops.convert_to_numpy(ops.log_softmax(logits, axis=-1)), after

    def select(self, states: States, rows: Rows) -> States:
        from keras import ops

        return [ops.take(state, rows, axis=0) for state in states]

    def losses(
        self, ids: Tokens, targets: Tokens, states: Sequence[Floats]
    ) -> tuple[Floats, Sequence[Floats]]:
        from nlp_rnn.models.language_model import scorer

        def log_p(states: States) -> tuple[Floats, States]:
            losses, *after = self._run(scorer(self._model), [ids, targets, *states])
            return -np.asarray(losses), after

        found, after = self._averaged(log_p, states)
        return -found, after

    def encode(
        self, ids: Tokens, lengths: Tokens, features: Floats | None = None
    ) -> tuple[Source, States]:
        encoder = self._model.get_layer("encoder")
        found = _on_device(encoder)([ids] if features is None else [ids, features])
        found = list(found) if isinstance(found, list | tuple) else [found]
        memory = found.pop(0) if self._decoder_reads("memory") else None
        copied = found.pop(0) if self._decoder_reads("copied") else None
        return Source(memory, lengths, copied), found

    def _decoder_reads(self, name: str) -> bool:
        """Whether the network is an encoder-decoder whose decoder has an input of this name."""
        return any(tensor.name == name for tensor in self._model.get_layer("decoder").inputs)

    def decode(self, ids: Tokens, source: Source, states: States) -> Decoded:
        from keras import ops

        read: list[Any] = []
        if source.memory is not None:
            mask = np.arange(source.memory.shape[1]) < source.lengths[:, None]
            read = [source.memory, mask]
        if source.copied is not None:
            read.append(source.copied)
        inputs = [ops.convert_to_tensor(value) for value in (ids, *read, *states)]
        logits, *after = _on_device(self._model.get_layer("decoder"))(inputs)
        weights = None if source.memory is None else ops.convert_to_numpy(after.pop())
        log_p = ops.convert_to_numpy(ops.log_softmax(logits, axis=-1))
        return Decoded(log_p, after, weights)

    @property
    def any_rows(self) -> bool:
        return False

    def map(self, function: Callable[[T], R], batches: Iterable[T]) -> Iterator[R]:
        return map(function, batches)

    def padded_length(self, length: int) -> int:
        """One of a few bounds, because some backends compile for each shape."""
        return coarse_length(length)
