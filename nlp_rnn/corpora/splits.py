"""Validation and test data taken from the training data where a corpus has none of its own."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.duplicates import Hashes, text_hash
from nlp_rnn.corpora.example import SPLITS, Example
from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    from nlp_rnn.config import SplitParameters

Integers = npt.NDArray[np.int64]
Assignment = npt.NDArray[np.int8]
"""For each example of the training data the position in ``SPLITS`` of the split it goes to."""

TRAIN, VALIDATION, TEST = range(len(SPLITS))


def with_all_splits(corpus: Corpus, ratios: SplitParameters, seed: int) -> Corpus:
    """The corpus with all of train, validation and test.

    What it lacks is taken from its training data; a share is one of all that data. Labelled
    texts are drawn at random with every label in proportion, tagged sentences at random, as are
    texts that stand alone, and running text is cut in order, at line ends: training, validation,
    test.

    Args:
        corpus: has at least ``train``.
        ratios: shares of the training data, in (0, 1).
        seed: draws the examples; the same seed draws the same ones.

    Raises:
        UserError: the shares leave nothing to train on; while reading, a split comes out empty.
    """
    missing = tuple(split for split in SPLITS if split not in corpus.splits())
    if not missing:
        return corpus
    shares = {split: float(getattr(ratios, split)) for split in missing}
    if sum(shares.values()) >= 1:
        raise UserError(
            f"data set '{corpus.name}': split.validation + split.test = "
            f"{sum(shares.values()):g} leaves nothing of train; lower them below 1"
        )
    together = ratios.duplicates == "together"
    if together and corpus.continuous:
        raise UserError(
            f"data set '{corpus.name}': split.duplicates: running text is cut in order, so that "
            "lines which are alike stay where they are; leave duplicates out"
        )
    return _SplitCorpus(corpus, shares, seed, together)


class _SplitCorpus(Corpus):
    """A corpus whose training data also serve the splits that it lacks."""

    def __init__(self, corpus: Corpus, shares: dict[str, float], seed: int, together: bool) -> None:
        self.name = corpus.name
        self.kind = corpus.kind
        self._corpus = corpus
        self._shares = shares
        self._seed = seed
        self._together = together

    @property
    def continuous(self) -> bool:
        return self._corpus.continuous

    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def origin(self, split: str) -> str:
        return self._corpus.origin("train" if split in self._shares else split)

    def read(self, split: str) -> Iterator[Example]:
        if split != "train" and split not in self._shares:
            return self._corpus.read(split)
        return self._share(SPLITS.index(split))

    def provenance(self) -> dict[str, Any]:
        manner = {
            "labelled": f"drawn with seed {self._seed}, labels in proportion",
            "tagged": f"sentences drawn with seed {self._seed}",
            "text": f"texts drawn with seed {self._seed}",
        }[self.kind]
        if self._together:
            manner += ", duplicates together"
        if self._corpus.continuous:
            manner = "cut in order at line ends: train, validation, test"
        taken = {split: f"{share:g} of train, {manner}" for split, share in self._shares.items()}
        return {**self._corpus.provenance(), "taken_from_train": taken}

    def findings(self) -> dict[str, Any]:
        return self._corpus.findings()

    def _share(self, wanted: int) -> Iterator[Example]:
        assignment = self._assignment
        read = 0
        for example in self._corpus.read("train"):
            if read < len(assignment) and assignment[read] == wanted:
                yield example
            read += 1
        if read != len(assignment):
            raise UserError(
                f"{self._corpus.origin('train')}: had {len(assignment)} examples when it was "
                f"split and now has {read}; it changed while it was read: run again"
            )

    @cached_property
    def _assignment(self) -> Assignment:
        """Which example goes where: one pass over the training data."""
        validation = self._shares.get("validation", 0.0)
        test = self._shares.get("test", 0.0)
        examples = self._corpus.read("train")
        if self._corpus.continuous:
            # Lengths count the line end, so that a blank line has one.
            lengths = np.array(array("q", (len(each.text) + 1 for each in examples)), np.int64)
            assignment = cut_in_order(lengths, validation, test)
        else:
            # What has no label is of one stratum.
            numbers: dict[str, int] = {}
            labels, texts = array("q"), array("Q")
            for each in examples:
                labels.append(numbers.setdefault(each.label, len(numbers)))
                if self._together:
                    texts.append(text_hash(each))
            strata = np.array(labels, np.int64)
            if self._together:
                assignment = draw_texts(
                    strata, np.array(texts, np.uint64), validation, test, self._seed
                )
            else:
                assignment = draw(strata, validation, test, self._seed)
        for position, split in enumerate(SPLITS):
            if (split == "train" or split in self._shares) and position not in assignment:
                raise UserError(
                    f"{self.origin(split)}: {len(assignment)} examples are too few to take a "
                    f"{split} split of data set '{self.name}' from; raise its share under split, "
                    "or give more data"
                )
        return assignment


def draw(labels: Integers, validation: float, test: float, seed: int) -> Assignment:
    """Draw validation and test examples at random, each label in proportion.

    Every label keeps at least one example to train on.

    Args:
        labels: ``[examples]``, each label as a number counted from 0.
        validation: share of all examples, in [0, 1).
        test: likewise.
        seed: of the drawing.

    Returns:
        ``[examples]``, positions in ``SPLITS``.
    """
    counts = np.bincount(labels)
    tests = apportion(counts, test, counts - 1)
    validations = apportion(counts, validation, counts - 1 - tests)
    # RandomState, as NumPy promises that its stream never changes (NEP 19): a split drawn
    # today is drawn again after an upgrade.
    generator = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    order = generator.permutation(len(labels))
    by_label = order[np.argsort(labels[order], kind="stable")]
    ends = np.cumsum(counts)
    assignment = np.full(len(labels), TRAIN, np.int8)
    for label, end in enumerate(ends):
        own = by_label[end - counts[label] : end]
        assignment[own[: tests[label]]] = TEST
        assignment[own[tests[label] : tests[label] + validations[label]]] = VALIDATION
    return assignment


def draw_texts(
    labels: Integers, texts: Hashes, validation: float, test: float, seed: int
) -> Assignment:
    """Draw as :func:`draw`, but each text as a whole, so that its duplicates go where it goes.

    Args:
        labels: ``[examples]``; a text has the label of its first example.
        texts: ``[examples]``, equal for duplicates.
        validation: share of all different texts, in [0, 1).
        test: likewise.
    """
    _, first, text = np.unique(texts, return_index=True, return_inverse=True)
    _, strata = np.unique(labels[first], return_inverse=True)
    return draw(strata, validation, test, seed)[text]


def apportion(counts: Integers, share: float, room: Integers) -> Integers:
    """How many of each label a share of all examples has, by the largest remainder.

    Args:
        counts: ``[labels]``, examples of each.
        share: in [0, 1).
        room: ``[labels]``, most that may be taken of each.

    Returns:
        ``[labels]``, summing to the share of all counts, rounded, where there is room.
    """
    quotas = counts * share
    taken: Integers = np.minimum(np.floor(quotas).astype(np.int64), room)
    rest = round(float(counts.sum()) * share) - int(taken.sum())
    for label in np.argsort(taken - quotas, kind="stable"):
        if rest <= 0:
            break
        if taken[label] < room[label]:
            taken[label] += 1
            rest -= 1
    return taken


def cut_in_order(lengths: Integers, validation: float, test: float) -> Assignment:
    """Cut running text into training, validation and test, at the nearest line ends.

    Args:
        lengths: ``[lines]``, characters with the line end.
        validation: share of all characters, in [0, 1).
        test: likewise.

    Returns:
        ``[lines]``, positions in ``SPLITS``.
    """
    ends = np.concatenate([[0], np.cumsum(lengths)])
    total = float(ends[-1])
    validation_starts = int(np.abs(ends - total * (1 - validation - test)).argmin())
    test_starts = int(np.abs(ends - total * (1 - test)).argmin())
    assignment = np.full(len(lengths), TRAIN, np.int8)
    assignment[validation_starts:] = VALIDATION
    assignment[test_starts:] = TEST
    return assignment
