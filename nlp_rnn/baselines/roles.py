"""Baselines of semantic roles: counts, and a linear-chain CRF."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.baselines.counts import most_frequent_tags
from nlp_rnn.baselines.linear_crf import (
    Features,
    LinearCRF,
    Problem,
    WordFeatures,
    allowed_in,
    train_crfs,
)
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


# --- the linear CRF ---------------------------------------------------------------------

MOST_WORDS = 250_000
"""The number of words of propositions that the CRF of roles learns from: whole propositions, spread
evenly over the training split. More would take hours with a hundred tags."""

LEAST = 5
"""The number of words that must have a feature for the CRF of roles to know it, because each
feature has a weight for each of many tags."""

PENALTY = 0.3
"""``l2``."""

EDGES = (1, 2, 3, 5, 8, 13)
"""The lower limits of the buckets of distances, on either side of the predicate."""


class RoleFeatures(Features):
    """The features of a word in a sentence with a predicate: also the predicate, the words beside
    it, and the distance, alone and with either (after Gildea & Jurafsky 2002, as far as no tree is
    needed).

    Args:
        forms: every word type, the empty one first.
        train: the split that defines the known features.
    """

    def __init__(self, forms: Sequence[str], train: Split) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        super().__init__(forms, train, LEAST)
        self._lower = [form.lower() for form in forms]
        self._of_predicates = CountVectorizer(
            analyzer=lambda names: names, binary=True, dtype=np.float64, min_df=LEAST
        ).fit(self._names(train))

    def matrix(self, split: Split) -> WordFeatures:
        """The features of the words of a split."""
        from scipy.sparse import block_diag, hstack, identity

        read, features = super().matrix(split)
        beside = self._of_predicates.transform(self._names(split))
        return WordFeatures(
            hstack([read, beside], format="csr"),
            block_diag([features, identity(beside.shape[1])], format="csr"),
        )

    def _names(self, split: Split) -> Iterator[tuple[str, ...]]:
        """The names of the features of the predicate, for each word."""
        assert split.forms is not None and split.predicates is not None
        for i, predicate in enumerate(split.predicates.tolist()):
            words = [self._lower[form] for form in split.sequence(split.forms, i)]
            around = ["", *words, ""]
            before, verb, after = around[predicate : predicate + 3]
            for place, word in enumerate(words):
                where = _side(place - predicate)
                yield (
                    f"predicate={verb}",
                    f"predicate ends in {verb[-3:]}",
                    f"before predicate={before}",
                    f"after predicate={after}",
                    f"distance={where}",
                    f"distance={where} predicate={verb}",
                    f"distance={where} word={word}",
                    f"distance={where} before={before}",
                    f"predicate={verb} word={word}",
                )


def _side(distance: int) -> str:
    """The bucket of a distance, with its sign."""
    return f"{'-' if distance < 0 else '+'}{bisect_right(EDGES, abs(distance))}"


@dataclass(frozen=True)
class LinearRoles:
    """Two linear CRFs: one tags predicates, the other their arguments."""

    predicates: LinearCRF
    roles: LinearCRF

    @classmethod
    def fit(cls, dataset: PreparedDataset) -> LinearRoles:
        """Find the weights on the training split."""
        train = dataset.split("train")
        without, with_one = of_kind(train, False), _some(of_kind(train, True), MOST_WORDS)
        return cls(
            _trained(Features(dataset.forms, without), without, dataset.labels),
            _trained(RoleFeatures(dataset.forms, with_one), with_one, dataset.labels),
        )

    def tag(self, split: Split) -> list[Ints]:
        """The tags of each example."""
        assert split.predicates is not None
        tags: list[Ints] = [np.empty(0, np.int32)] * len(split)
        for crf, with_predicate in ((self.predicates, False), (self.roles, True)):
            numbers = np.flatnonzero((split.predicates >= 0) == with_predicate).tolist()
            part = chosen(split, [(i, int(split.predicates[i])) for i in numbers])
            for number, found in zip(numbers, crf.tag(part) if numbers else (), strict=True):
                tags[number] = found
        return tags


def _trained(features: Features, train: Split, labels: Sequence[str]) -> LinearCRF:
    problem = Problem(features.matrix(train), train, allowed_in(train, labels))
    [crf] = train_crfs(features, problem, [PENALTY])
    return crf


def _some(split: Split, words: int) -> Split:
    """Every n-th example of a split, so that they have about this number of words."""
    assert split.predicates is not None
    step = max(1, -(-len(split.ids) // words))
    return chosen(split, [(i, int(split.predicates[i])) for i in range(0, len(split), step)])
