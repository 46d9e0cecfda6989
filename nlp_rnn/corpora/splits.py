"""Validation and test data taken from the training data if a corpus has none of its own."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nlp_rnn.corpora.corpus import Corpus, DerivedCorpus
from nlp_rnn.corpora.duplicates import Hashes, group_hash, text_hash
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example

if TYPE_CHECKING:
    from nlp_rnn.config import SplitParameters

Integers = npt.NDArray[np.int64]
Assignment = npt.NDArray[np.int8]
"""For each training example, the position in ``SPLITS`` of the split to which it goes."""

TRAIN, VALIDATION, TEST = range(len(SPLITS))


def with_all_splits(corpus: Corpus, ratios: SplitParameters, seed: int) -> Corpus:
    """The corpus with all of train, validation and test.

    Missing splits are taken from its training data; shares refer to all of that data. Labelled
    texts are drawn at random in proportion to their labels (of several, the rarest), tagged
    sentences without a label and independent texts simply at random; the examples of a sentence
    with roles stay together, and so do the sentences of a document. Running text is cut in order
    into training, validation and test, at line ends, or at white space if it has too few lines.

    Args:
        corpus: a corpus with at least ``train``.
        ratios: shares of the training data, in (0, 1).
        seed: the seed of the draw; the same seed draws the same examples.

    Raises:
        UserError: the shares leave nothing to train on; or, while reading, a split is empty.
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
    return _SplitCorpus(corpus, shares, seed, _together(corpus, ratios))


def folds_of(corpus: Corpus, ratios: SplitParameters, seed: int) -> list[Corpus]:
    """The corpus once for each fold of a cross-validation, with all of train, validation and test.

    Every example of the training data is a test example of exactly one fold. Labels are divided in
    proportion (Kohavi 1995). What is not tested in a fold is its training data, of which a share
    becomes its validation data unless the corpus has some.

    Args:
        corpus: a corpus with ``train`` and no ``test``.
        ratios: the number of folds, what stays together, and the share of validation data.
        seed: the seed of the draw.

    Raises:
        UserError: the corpus has a test split, or examples that no fold can test; or, while
            reading, they are too few.
    """
    assert ratios.folds is not None
    if corpus.kind not in ("labelled", "tagged"):
        raise UserError(
            f"data set '{corpus.name}': split.folds is for labelled texts and tagged sentences, "
            f"and these examples are {corpus.kind}; leave it out"
        )
    if "test" in corpus.splits():
        raise UserError(
            f"data set '{corpus.name}': split.folds tests each example of train once, but there "
            "is a test split too; list its file under train, or leave folds out"
        )
    shares = {"test": 1 / ratios.folds}
    if "validation" not in corpus.splits():
        shares["validation"] = ratios.validation
    if sum(shares.values()) >= 1:
        raise UserError(
            f"data set '{corpus.name}': split.validation of {ratios.validation:g} and one of "
            f"{ratios.folds} folds leave nothing of train; lower validation, or raise folds"
        )
    dealt = _Dealt(corpus, _together(corpus, ratios), ratios.folds, seed)
    return [_FoldCorpus(corpus, shares, seed, dealt, fold) for fold in range(ratios.folds)]


Together = Literal["duplicates", "documents", "groups"]
"""Which examples stay in one split: those with the same text, of the same document or of the same
group."""


def _together(corpus: Corpus, ratios: SplitParameters) -> Together | None:
    """Which examples stay in one split; None for single ones.

    Raises:
        UserError: running text has no examples to keep together.
    """
    if ratios.groups is not None:
        return "groups"
    if corpus.documents:
        return "documents"
    if ratios.duplicates == "anywhere" and corpus.kind != "roles":
        return None
    if corpus.continuous:
        raise UserError(
            f"data set '{corpus.name}': split.duplicates: running text is cut in order, so that "
            "lines which are equal stay where they are; omit duplicates"
        )
    return "duplicates"


class _SplitCorpus(DerivedCorpus):
    """A corpus whose training data also provides the splits that it lacks."""

    def __init__(
        self, corpus: Corpus, shares: dict[str, float], seed: int, together: Together | None
    ) -> None:
        super().__init__(corpus)
        self._shares = shares
        self._seed = seed
        self._together = together

    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def origin(self, split: str) -> str:
        return self._corpus.origin("train" if split in self._shares else split)

    def read(self, split: str) -> Iterator[Example]:
        if split != "train" and split not in self._shares:
            return self._corpus.read(split)
        if self._cuts is not None:
            return self._part(SPLITS.index(split), *self._cuts)
        return self._share(SPLITS.index(split))

    def provenance(self) -> dict[str, Any]:
        manner = {
            "labelled": f"drawn with seed {self._seed}, labels in proportion",
            "tagged": f"sentences drawn with seed {self._seed}",
            "joint": f"sentences drawn with seed {self._seed}, labels in proportion",
            "text": f"texts drawn with seed {self._seed}",
            "pairs": f"pairs drawn with seed {self._seed}",
            "roles": f"sentences drawn with seed {self._seed}",
        }[self.kind]
        if self._together == "documents":
            manner = f"documents drawn with seed {self._seed}"
        elif self._together:
            manner += f", {self._together} together"
        if self._corpus.continuous:
            where = "line ends" if self._cuts is None else "white space"
            manner = f"cut in order at {where}: train, validation, test"
        taken = {split: f"{share:g} of train, {manner}" for split, share in self._shares.items()}
        return {**self._corpus.provenance(), "taken_from_train": taken}

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
    def _lengths(self) -> Integers:
        """The characters in each line of running text, including its end, so that none has zero."""
        examples = self._corpus.read("train")
        return np.array(array("q", (len(each.text) + 1 for each in examples)), np.int64)

    @cached_property
    def _assignment(self) -> Assignment:
        """Which split each example goes to, by one pass over the training data."""
        validation = self._shares.get("validation", 0.0)
        test = self._shares.get("test", 0.0)
        texts = 0
        if self._corpus.continuous:
            assignment = cut_in_order(self._lengths, validation, test)
        else:
            labels, units = surveyed(self._corpus, self._together)
            assignment = draw_units(labels.strata, units, validation, test, self._seed)
            labels.keep_in_training(assignment, units)
            texts = len(np.unique(units))
        for position, split in enumerate(SPLITS):
            wanted = split == "train" or split in self._shares
            if wanted and position not in assignment and self._cuts is None:
                found = texts if self._together else len(assignment)
                raise self._too_few(split, counted(found, self._together))
        return assignment

    @cached_property
    def _cuts(self) -> tuple[int, int] | None:
        """Where validation and test begin in running text, in characters from its start; None if it
        is cut between lines or is not running text."""
        if not self._corpus.continuous:
            return None
        validation = self._shares.get("validation", 0.0)
        test = self._shares.get("test", 0.0)
        found = set(cut_in_order(self._lengths, validation, test).tolist())
        if {0, *(SPLITS.index(split) for split in self._shares)} <= found:
            return None
        end = total = int(self._lengths.sum())
        starts = {}
        for split, share in (("test", test), ("validation", validation + test)):
            if split in self._shares:
                end = self._word_start(min(round(total * (1 - share)), end - 1), end)
                if not end:
                    raise self._too_few(split, f"{total} characters are")
            starts[split] = end
        return starts["validation"], starts["test"]

    def _word_start(self, wanted: int, below: int) -> int:
        """Where the word at ``wanted`` begins, in characters from the start of the text; 0 if
        nowhere."""
        first = 0
        for example in self._corpus.read("train"):
            if wanted <= first + len(example.text):
                start = first + word_start(example.text, wanted - first, at_begin=first == 0)
                return start if start < below else 0
            first += len(example.text) + 1
        return 0

    def _too_few(self, split: str, found: str) -> UserError:
        if split == "train":
            remedy = "lower the shares under split, or provide more data"
        else:
            remedy = f"raise split.{split}, give {split} a file of its own, or provide more data"
        return UserError(
            f"{self.origin(split)}: {found} too few to take a {split} split of data set "
            f"'{self.name}' from; {remedy}"
        )

    def _part(self, wanted: int, validation: int, test: int) -> Iterator[Example]:
        """The lines of a part of running text; a line that was cut counts as two or three."""
        total = int(self._lengths.sum())
        begin, end = ((0, validation), (validation, test), (test, total))[wanted]
        first = 0
        for example in self._corpus.read("train"):
            last = first + len(example.text) + 1
            if first < end and last > begin:
                yield Example(text=example.text[max(begin - first, 0) : end - first])
            first = last


class _FoldCorpus(_SplitCorpus):
    """A corpus of which one fold is the test split.

    Args:
        dealt: the folds, which the corpora of all folds share.
        fold: the number of the fold, from 0.
    """

    def __init__(
        self, corpus: Corpus, shares: dict[str, float], seed: int, dealt: _Dealt, fold: int
    ) -> None:
        super().__init__(corpus, shares, seed, dealt.together)
        self._dealt = dealt
        self._fold = fold

    def provenance(self) -> dict[str, Any]:
        return {**super().provenance(), "fold": self._fold + 1, "folds": self._dealt.number}

    @cached_property
    def _assignment(self) -> Assignment:
        labels, units = self._dealt.examples
        tested = self._dealt.folds == self._fold
        assignment = np.where(tested, TEST, TRAIN).astype(np.int8)
        if "validation" in self._shares:
            share = self._shares["validation"] / (1 - self._shares["test"])
            rest = ~tested
            _, strata = np.unique(labels.strata[rest], return_inverse=True)
            assignment[rest] = draw_units(strata, units[rest], share, 0.0, self._seed)
            if VALIDATION not in assignment:
                found = counted(len(np.unique(units[rest])), self._together)
                raise self._too_few("validation", found)
        trained = set(labels.of_examples[assignment == TRAIN].tolist())
        known = {label for number in trained for label in labels.distinct[number]}
        for label in sorted({label for some in labels.distinct for label in some} - known):
            what = "groups with" if self._together == "groups" else "examples of"
            raise UserError(
                f"{self.origin('test')}: {what} the label '{label}' are too few for split.folds: "
                f"fold {self._fold + 1} has none to train on; add more of them, or take them out"
            )
        return assignment


class _Dealt:
    """The fold of each training example, found when it is first asked for."""

    def __init__(self, corpus: Corpus, together: Together | None, number: int, seed: int) -> None:
        self.together = together
        self.number = number
        self._corpus = corpus
        self._seed = seed

    @cached_property
    def examples(self) -> tuple[LabelSets, Hashes]:
        """The labels of the examples, and which of them stay together."""
        return surveyed(self._corpus, self.together)

    @cached_property
    def folds(self) -> Integers:
        """``[examples]``, the fold of each, from 0."""
        labels, units = self.examples
        if (found := len(np.unique(units))) < self.number:
            raise UserError(
                f"{self._corpus.origin('train')}: {counted(found, self.together)} too few for "
                f"{self.number} folds of data set '{self._corpus.name}'; lower split.folds, or "
                "provide more data"
            )
        return deal(labels.strata, units, self.number, self._seed)


def _document(example: Example) -> int:
    """Equal for the sentences of a document; a text that is none is one alone."""
    return text_hash(example) if example.document is None else example.document


UNITS: dict[Together, Callable[[Example], int]] = {
    "duplicates": text_hash,
    "documents": _document,
    "groups": group_hash,
}
"""By what examples stay together: equal for those that do."""


def surveyed(corpus: Corpus, together: Together | None) -> tuple[LabelSets, Hashes]:
    """The labels of all training examples, and ``[examples]``, equal for those that stay together.

    Examples without labels form a single stratum.
    """
    numbers: dict[tuple[str, ...], int] = {}
    sets, hashes = array("q"), array("Q")
    for each in corpus.read("train"):
        sets.append(numbers.setdefault(each.label_set, len(numbers)))
        if together:
            hashes.append(UNITS[together](each))
    labels = LabelSets(list(numbers), np.array(sets, np.int64))
    units = np.array(hashes, np.uint64) if together else np.arange(len(sets), dtype=np.uint64)
    return labels, units


@dataclass(frozen=True)
class LabelSets:
    """The labels of all examples.

    Attributes:
        distinct: every set of labels that some example has; of examples with one label each, a
            set of one.
        of_examples: ``[examples]``, the place in ``distinct`` of each example's labels.
    """

    distinct: Sequence[Sequence[str]]
    of_examples: Integers

    @property
    def strata(self) -> Integers:
        """``[examples]``, the rarest label of each example, as a number from 0; examples without a
        label have a number of their own.

        So a rare label is divided in proportion, as it would be if the examples had no other, and
        frequent labels are so by their number.
        """
        sizes = np.bincount(self.of_examples, minlength=len(self.distinct)).tolist()
        counts: Counter[str] = Counter()
        for labels, size in zip(self.distinct, sizes, strict=True):
            counts.update(dict.fromkeys(labels, size))
        numbers: dict[str | None, int] = {}
        rarest = (
            min(labels, key=lambda x: (counts[x], x), default=None) for labels in self.distinct
        )
        of_sets = [numbers.setdefault(label, len(numbers)) for label in rarest]
        return np.array(of_sets, np.int64)[self.of_examples]

    def keep_in_training(self, assignment: Assignment, texts: Hashes) -> None:
        """Move to training, for each label that it lacks, one text that has it.

        Args:
            assignment: ``[examples]``, changed in place.
            texts: ``[examples]``, equal for examples that stay together.
        """
        trained = set(self.of_examples[assignment == TRAIN].tolist())
        known = {label for number in trained for label in self.distinct[number]}
        for number, labels in enumerate(self.distinct):
            if not known.issuperset(labels):
                first = int((self.of_examples == number).argmax())
                assignment[texts == texts[first]] = TRAIN
                known.update(labels)


def draw(labels: Integers, validation: float, test: float, seed: int) -> Assignment:
    """Draw validation and test examples at random, in proportion to their labels.

    Every label keeps at least one example to train on.

    Args:
        labels: ``[examples]``, each label as a number from 0.
        validation: share of all examples, in [0, 1).
        test: the same for the test split.
        seed: the seed of the draw.

    Returns:
        ``[examples]``, positions in ``SPLITS``.
    """
    counts = np.bincount(labels)
    tests = apportion(counts, test, counts - 1)
    validations = apportion(counts, validation, counts - 1 - tests)
    # RandomState, because NumPy guarantees that its stream never changes (NEP 19): an upgrade does
    # not change the split.
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


def draw_units(
    labels: Integers, units: Hashes, validation: float, test: float, seed: int
) -> Assignment:
    """Like :func:`draw`, but keep the examples of a unit, such as duplicates, in the same split.

    Args:
        labels: ``[examples]``; the label of a unit is that of its first example.
        units: ``[examples]``, equal for examples that stay together.
        validation: share of all units, in [0, 1).
        test: the same for the test split.
    """
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    _, strata = np.unique(labels[first], return_inverse=True)
    return draw(strata, validation, test, seed)[unit]


def deal(labels: Integers, units: Hashes, folds: int, seed: int) -> Integers:
    """Deal examples into folds, each label in proportion.

    The units are taken in random order, large ones first. Each goes to the fold that has least of
    its labels so far, relative to how many there are of each in all; then to the smallest fold.

    Args:
        labels: ``[examples]``, each label as a number from 0.
        units: ``[examples]``, equal for examples that stay together.
        folds: their number.
        seed: the seed of the order.

    Returns:
        ``[examples]``, folds from 0.
    """
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    generator = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    order = generator.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    by_unit = np.split(labels[np.argsort(unit, kind="stable")], np.cumsum(sizes)[:-1])
    totals = np.bincount(labels)
    dealt = np.zeros((folds, len(totals)), np.int64)
    fold_of = np.empty(len(sizes), np.int64)
    for each in order.tolist():
        own, counts = np.unique(by_unit[each], return_counts=True)
        cost = dealt[:, own] @ (counts / totals[own])
        fold = int(np.lexsort((dealt.sum(axis=1), cost))[0])
        dealt[fold, own] += counts
        fold_of[each] = fold
    return fold_of[unit]


def apportion(counts: Integers, share: float, room: Integers) -> Integers:
    """Apportion a share of all examples among the labels, by the largest remainder.

    Args:
        counts: ``[labels]``, the examples of each label.
        share: in [0, 1).
        room: ``[labels]``, the most that may be taken of each label.

    Returns:
        ``[labels]``, which sum to the rounded share of all counts if there is room.
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
        test: the same for the test split.

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


def word_start(text: str, position: int, at_begin: bool) -> int:
    """Where the word at ``position`` in ``text`` begins, or the next word if it is the first.

    Args:
        at_begin: whether the start of ``text`` itself does not count.

    Returns:
        ``position`` if the text has no white space to cut at.
    """
    starts = (i for i in range(min(position, len(text) - 1), 0, -1) if _begins(text, i))
    following = (i for i in range(position + 1, len(text)) if _begins(text, i))
    if (found := next(starts, 0)) or not at_begin:
        return found
    return next(following, position)


def _begins(text: str, i: int) -> bool:
    return text[i - 1].isspace() and not text[i].isspace()


def counted(examples: int, together: Together | None) -> str:
    """So many examples, or others of which a split gets all or none, with their verb."""
    what = {
        None: "example",
        "duplicates": "different example",
        "documents": "different document",
        "groups": "group",
    }[together]
    return f"1 {what} is" if examples == 1 else f"{examples} {what}s are"
