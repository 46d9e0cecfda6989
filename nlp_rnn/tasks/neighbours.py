"""The words after and before each word of a text: what ELMo's language models predict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints
from nlp_rnn.config import ElmoVectors, ScheduleParameters, TrainingParameters
from nlp_rnn.errors import UserError
from nlp_rnn.text.batches import Batch, by_length, mini_batches, pad
from nlp_rnn.text.bounds import Bounds, coarse_length
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import PAD_INDEX

if TYPE_CHECKING:
    import keras

LOGITS_AT_ONCE = 1 << 25
"""The maximum number of logits held at once in validation: 128 MiB in float32."""


def neighbours(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """The next words of rows, then the words before.

    Beyond both ends stands index 0, that of padding, which is no word.

    Args:
        ids: int32 ``(rows, length)``, padded on the right with 0.

    Returns:
        int32 ``(rows, 2 * length)``; what belongs to padding means nothing.

    >>> neighbours(np.array([[5, 6, 7, 0]], np.int32)).tolist()
    [[6, 7, 0, 0, 0, 5, 6, 7]]
    """
    edge = np.full_like(ids[:, :1], PAD_INDEX)
    return np.concatenate([ids[:, 1:], edge, edge, ids[:, :-1]], axis=1)


def _parts(dataset: PreparedDataset, split: str, longest: int) -> list[Ints]:
    """The lines of a split without end symbols, in parts of at most ``longest`` words."""
    examples = dataset.split(split)
    ended = 1 if examples.kind == "text" else 0
    lines = (examples.sequence(examples.ids, i) for i in range(len(examples)))
    return [
        line[start : min(start + longest, len(line) - ended)]
        for line in lines
        for start in range(0, len(line) - ended, longest)
    ]


class Neighbours:
    """The batches and the validation of a forward and a backward language model.

    Args:
        dataset: any prepared data set; its labels are ignored.
        section: of ``params.yaml``.
        seed: shuffles the batches.

    Attributes:
        training: the parameters of the training.

    Raises:
        UserError: a split has no words.
    """

    def __init__(self, dataset: PreparedDataset, section: ElmoVectors, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.training = TrainingParameters(
            learning_rate=section.learning_rate,
            clip_norm=section.clip_norm,
            schedule=ScheduleParameters(kind="cosine"),
            epochs=section.epochs,
            batch_size=section.batch_size,
        )
        self.train, self.validation = (
            _parts(dataset, split, section.longest) for split in ("train", "validation")
        )
        for split, parts in (("train", self.train), ("validation", self.validation)):
            if not parts:
                raise UserError(
                    f"data set {section.dataset}: its {split} split has no words to learn a "
                    "language model from"
                )

    @cached_property
    def _lengths(self) -> Ints:
        return np.array([len(part) for part in self.train])

    def _rows(self, epoch: int) -> list[NDArray[np.intp]]:
        rng = np.random.default_rng([self.seed, epoch])
        return mini_batches(self._lengths, self.training.batch_size, rng)

    @cached_property
    def _bounds(self) -> Bounds:
        """The shapes of the batches."""
        training = self.training
        return Bounds.of(self._lengths, self._rows(0), training.epochs, training.batch_size)

    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        """The training batches of an epoch and their number."""
        rows = self._rows(epoch)
        return self._batches(rows), len(rows)

    def _batches(self, rows: Iterable[NDArray[np.intp]]) -> Iterator[Batch]:
        for numbers in rows:
            parts = [self.train[i] for i in numbers]
            length = self._bounds.length(max(map(len, parts)))
            yield batch_of(parts, self._bounds.rows(length), length)

    def loss(self, losses: keras.Model) -> float:
        """The mean of ``-ln P`` of all neighbours in the validation split, by the whole softmax.

        Args:
            losses: those of a network, by :func:`~nlp_rnn.models.contextual.neighbour_losses`.
        """
        total = targets = 0.0
        longest = coarse_length(max(map(len, self.validation)))
        most = max(1, LOGITS_AT_ONCE // (2 * longest * len(self.dataset.vocabulary)))
        for rows in by_length(np.array([len(part) for part in self.validation]), most):
            parts = [self.validation[i] for i in rows]
            batch = batch_of(parts, most, coarse_length(max(map(len, parts))))
            found = losses.predict_on_batch([batch.ids, batch.targets])
            total += float((np.asarray(found, np.float64) * batch.weights).sum())
            targets += float(batch.weights.sum())
        return total / targets


def batch_of(parts: list[Ints], rows: int, length: int) -> Batch:
    """Parts of lines with their neighbours, filled up with the first part, which does not count."""
    ids = pad([*parts, *parts[:1] * (rows - len(parts))], length)
    weights = np.tile(ids != PAD_INDEX, 2).astype(np.float32)
    weights[len(parts) :] = 0
    return Batch(ids, neighbours(ids), weights)
