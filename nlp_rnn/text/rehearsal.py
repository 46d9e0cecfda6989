"""Old examples that are read again beside new ones, so that a model does not forget them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints
from nlp_rnn.config import RehearsalParameters
from nlp_rnn.text.prepared import PreparedDataset, Split
from nlp_rnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class RehearsedSplit(Split):
    """A training split, followed by examples of another one.

    Attributes:
        old: the split that they are from.
        numbers: their numbers there, which rise ``(examples,)``.
    """

    old: Split | None = None
    numbers: Ints | None = None

    def records(self) -> Iterator[dict[str, Any]]:
        assert self.old is not None and self.numbers is not None
        wanted = {*self.numbers.tolist()}
        olds = (record for i, record in enumerate(self.old.records()) if i in wanted)
        return chain(super().records(), olds)


class RehearsedDataset(PreparedDataset):
    """A prepared data set whose training split goes on with examples of another one.

    Args:
        new: the data set.
        old: the other one, with the same vocabulary, labels and characters.
        rehearse: how many of its examples are read.
        rng: draws them.
    """

    def __init__(
        self,
        new: PreparedDataset,
        old: PreparedDataset,
        rehearse: RehearsalParameters,
        rng: np.random.Generator,
    ) -> None:
        tagged = new.kind == "tagged"
        super().__init__(new.folder, new.vocabulary, new.labels, new.characters if tagged else None)
        self._new = new
        self._old = old
        self.numbers = drawn(new.split("train"), old.split("train"), rehearse, rng)

    @property
    def forms(self) -> list[str]:
        return [*self._new.forms, *self._old.forms]

    def split(self, name: str) -> Split:
        return self._training if name == "train" else self._new.split(name)

    @cached_property
    def _training(self) -> RehearsedSplit:
        new, old, numbers = self._new.split("train"), self._old.split("train"), self.numbers
        rows = np.concatenate([np.arange(*old.offsets[i : i + 2]) for i in numbers])
        lengths = np.concatenate([new.lengths, old.lengths[numbers]])
        labels = forms = None
        if new.labels is not None and old.labels is not None:
            taken = old.labels[rows if new.kind == "tagged" else numbers]
            labels = np.concatenate([new.labels, taken])
        if new.forms is not None and old.forms is not None:
            forms = np.concatenate([new.forms, old.forms[rows] + len(self._new.forms)])
        return RehearsedSplit(
            new.kind,
            np.concatenate([new.ids, old.ids[rows]]),
            np.concatenate([[0], np.cumsum(lengths)]),
            labels,
            forms,
            new.records_file,
            old=old,
            numbers=numbers,
        )


def drawn(
    new: Split, old: Split, rehearse: RehearsalParameters, rng: np.random.Generator
) -> NDArray[np.intp]:
    """The numbers of the old examples that are read, which rise; lines of running text follow each
    other, so that the text goes on from line to line."""
    if new.kind == "text":
        first = int(rng.integers(len(old)))
        lines = np.roll(np.arange(len(old)), -first)
        if rehearse.examples is not None:
            count = min(rehearse.examples, len(old))
        else:
            wanted = len(new.ids) * _odds(rehearse)
            count = 1 + int(np.searchsorted(np.cumsum(old.lengths[lines]), wanted))
        return np.sort(lines[:count])
    wanted = rehearse.examples or max(1, round(len(new) * _odds(rehearse)))
    return np.sort(rng.permutation(len(old))[:wanted])


def _odds(rehearse: RehearsalParameters) -> float:
    """How many old examples there are to each new one."""
    assert rehearse.share is not None
    return rehearse.share / (1 - rehearse.share)


def joined(
    known: tuple[Vocabulary, list[str], Vocabulary | None], dataset: PreparedDataset
) -> tuple[Vocabulary, list[str], Vocabulary | None]:
    """The vocabulary, labels and characters of a model, at their places, and those that a data set
    adds."""
    vocabulary, labels, characters = known
    return (
        vocabulary.joined(dataset.vocabulary),
        list(dict.fromkeys([*labels, *dataset.labels])),
        characters and characters.joined(dataset.characters),
    )
