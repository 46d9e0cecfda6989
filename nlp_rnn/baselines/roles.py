"""Baselines of semantic roles: counts, and a linear-chain CRF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.baselines.counts import most_frequent_tags
from nlp_rnn.evaluation.roles import Row, role_rows
from nlp_rnn.text.prepared import PreparedDataset, Split

FARTHEST = 40
"""The largest distance from the predicate that is counted; farther words are like these."""


def chosen(split: Split, wanted: Sequence[tuple[int, int]]) -> Split:
    """Examples of a split with predicates of one's own; the tags are those of the examples.

    Args:
        wanted: the number of an example, and the place of its predicate, -1 for none.
    """
    assert split.forms is not None and split.labels is not None
    numbers = [number for number, _ in wanted]
    words = [np.arange(split.offsets[i], split.offsets[i + 1]) for i in numbers]
    places = np.concatenate([np.empty(0, np.int64), *words])
    return replace(
        split,
        ids=split.ids[places],
        forms=split.forms[places],
        labels=split.labels[places],
        offsets=np.cumsum([0, *map(len, words)]),
        predicates=np.array([predicate for _, predicate in wanted], np.int32),
    )


def of_kind(split: Split, with_predicate: bool) -> Split:
    """The examples of a split that have a predicate, or those that have none."""
    assert split.predicates is not None
    numbers = np.flatnonzero((split.predicates >= 0) == with_predicate).tolist()
    return chosen(split, [(i, int(split.predicates[i])) for i in numbers])


def distances(split: Split) -> Ints:
    """How far each word is after the predicate of its example ``(words,)``."""
    assert split.predicates is not None
    starts = split.offsets[:-1] + split.predicates
    return np.arange(len(split.ids)) - np.repeat(starts, split.lengths)


@dataclass(frozen=True)
class MajorityRoles:
    """The most frequent pattern: the tag that is most frequent at each distance from the predicate;
    predicates are words that most often are one.

    Attributes:
        labels: names of the tags.
        of_word: the most frequent tag of each type, without a predicate ``(types,)``.
        at: the most frequent tag at each distance from ``-FARTHEST`` on.
    """

    labels: Sequence[str]
    of_word: Ints
    at: Ints

    @classmethod
    def fit(cls, dataset: PreparedDataset) -> MajorityRoles:
        """Count the tags of the training split."""
        train, tags = dataset.split("train"), dataset.labels
        of_roles = of_kind(train, True)
        assert of_roles.labels is not None
        counts = np.zeros((2 * FARTHEST + 1, len(tags)), np.int64)
        np.add.at(counts, (_bucket(of_roles), of_roles.labels), 1)
        of_word = most_frequent_tags(of_kind(train, False), len(dataset.vocabulary), len(tags))
        return cls(tags, of_word, counts.argmax(axis=1))

    def tag(self, split: Split) -> list[Ints]:
        """The tags of each example."""
        assert split.predicates is not None
        has_predicate = np.repeat(split.predicates >= 0, split.lengths)
        best = np.where(has_predicate, self.at[_bucket(split)], self.of_word[split.ids])
        return np.split(best, split.offsets[1:-1])

    def rows(self, split: Split) -> list[Row]:
        """The rows of predictions for a split."""
        return rows_by(self.tag, self.labels, split)


def _bucket(split: Split) -> Ints:
    return np.clip(distances(split), -FARTHEST, FARTHEST) + FARTHEST


Tag = Callable[[Split], Sequence[Ints]]
"""Tags the examples of a split."""


def rows_by(tag: Tag, labels: Sequence[str], split: Split) -> list[Row]:
    """The rows of predictions of a tagger of roles for a split."""
    assert split.predicates is not None and split.labels is not None
    gold = np.split(np.asarray(split.labels), split.offsets[1:-1])
    return role_rows(
        labels,
        split.predicates,
        gold,
        tag(split),
        lambda wanted: tag(chosen(split, wanted)) if wanted else [],
    )
