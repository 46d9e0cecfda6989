"""The base of tasks on separate examples: classification and tagging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.config import AnyExperiment, BatchTrainingParameters, LongTexts
from nlp_rnn.errors import UserError
from nlp_rnn.tasks.cached_states import CachedStates
from nlp_rnn.tasks.task import EXAMPLES_SHOWN, LONGEST_SHOWN, Task
from nlp_rnn.text.batches import Batch, Encoded, encoded, example_batches, mini_batches
from nlp_rnn.text.bounds import Bounds, padded_length
from nlp_rnn.text.prepared import PreparedDataset, Split
from nlp_rnn.text.word_dropout import drop_words, unknown_rates

if TYPE_CHECKING:
    from nlp_rnn.training.objective import Objective

EVALUATION_BATCH = 64
"""The number of examples predicted at once: large enough for speed, small enough for little
padding."""


class ExamplesTask(Task):
    """A task on independent labelled or tagged examples.

    Raises:
        UserError: ``singleton_dropout`` is set, but no word of the vocabulary occurs only once.
    """

    def __init__(self, experiment: AnyExperiment, dataset: PreparedDataset, seed: int) -> None:
        super().__init__(experiment, dataset, seed)
        if self._examples.singleton_dropout and 1 not in dataset.vocabulary.counts[2:]:
            raise UserError(
                f"training.singleton_dropout: no word of the vocabulary of {experiment.dataset} "
                "occurs only once; set the data set's vocabulary.min_count: 1, or omit it"
            )
        self._states: CachedStates | None = None

    def begin(self, objective: Objective, folder: Path) -> None:
        """Compute the states of frozen language models at each word of the training split."""
        contextual = self.experiment.embeddings.contextual
        if contextual is None or contextual.trainable:
            return
        numbers = np.flatnonzero(self.dataset.split("train").lengths).tolist()
        texts = [example.ids for example in self.encoded("train", numbers, self.max_length)]
        self._states = CachedStates.of(objective.network, texts, contextual.states_width, folder)
        if self._states is not None:
            from nlp_rnn.models.contextual import cached

            objective.called = cached(objective.network)

    @property
    def max_length(self) -> int | None:
        return self._examples.max_length

    @property
    def long_texts(self) -> LongTexts:
        """The part to keep of examples that are longer than ``max_length``."""
        return "head"

    @property
    def _examples(self) -> BatchTrainingParameters:
        assert isinstance(self.training, BatchTrainingParameters)
        return self.training

    @cached_property
    def spelling(self) -> Ints | None:
        """The characters of every form, for models that read them."""
        return None

    def _lengths(self, split: str, max_length: int | None) -> Ints:
        lengths = self.dataset.split(split).lengths
        return np.minimum(lengths, max_length) if max_length else lengths

    def split(self, name: str) -> Split:
        """A split as the network learns it."""
        return self.dataset.split(name)

    @property
    def example_weights(self) -> Floats | None:
        """How much an example of each class counts in a batch ``(classes,)``; None for 1."""
        return None

    def _drawn(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """The examples that an epoch reads."""
        return np.arange(len(self.dataset.split("train")))

    def _rows(
        self, rng: np.random.Generator, padded_to: Callable[[int], int]
    ) -> list[NDArray[np.intp]]:
        """The examples of each batch of an epoch."""
        training, drawn = self._examples, self._drawn(rng)
        batches = mini_batches(
            self._lengths("train", self.max_length)[drawn],
            training.batch_size,
            rng,
            training.batching,
            training.batch_tokens,
            padded_to,
        )
        return [drawn[rows] for rows in batches]

    @cached_property
    def bounds(self) -> Bounds:
        """The shapes of the batches."""
        training = self._examples
        return Bounds.of(
            self._lengths("train", self.max_length),
            self._rows(self.rng(0), padded_length),
            training.epochs,
            training.batch_size,
            training.batch_tokens,
        )

    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        training, rng = self._examples, self.rng(epoch)
        rows = self._rows(rng, self.bounds.length)
        batches = example_batches(
            self.split("train"),
            rows,
            self.max_length,
            self.spelling,
            self.long_texts,
            self.bounds,
            self.example_weights,
        )
        if self._states is not None:
            batches = self._states.beside(batches)
        if training.word_dropout or training.singleton_dropout:
            counts = self.dataset.vocabulary.counts
            rates = unknown_rates(counts, training.word_dropout, training.singleton_dropout)
            batches = drop_words(batches, rates, rng)
        return batches, len(rows)

    def encoded(self, split: str, numbers: Sequence[int], max_length: int | None) -> list[Encoded]:
        """Examples of a split as the network reads them."""
        examples = self.dataset.split(split)
        return [encoded(examples, i, max_length, self.spelling, self.long_texts) for i in numbers]

    def example_inputs(self) -> list[Sequence[Ints]]:
        lengths = self._lengths("validation", LONGEST_SHOWN)
        longest = np.argsort(-lengths, kind="stable")[:EXAMPLES_SHOWN].tolist()
        return [
            [value for value in (x.ids, x.spelling, x.predicates) if value is not None]
            for x in self.encoded("validation", longest, LONGEST_SHOWN)
        ]
