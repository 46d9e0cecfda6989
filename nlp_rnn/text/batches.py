"""Batches of examples of similar length, padded on the right.

Padding costs a recurrent network as much as real tokens, so examples of similar length share a
batch (bucketing). See :mod:`nlp_rnn.text.bounds` for the lengths to which they are padded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.config import LongTexts
from nlp_rnn.example import TAGGED_KINDS
from nlp_rnn.text.bounds import Bounds, PairBounds, padded_length
from nlp_rnn.text.prepared import Split
from nlp_rnn.text.spelling import BOUNDARY_INDEX
from nlp_rnn.text.vocabulary import PAD_INDEX

SORTED_BATCHES = 50
"""The number of batches whose shuffled examples are sorted by length together: enough to need
little padding, few enough to keep the composition of a batch random."""

TOKENS_AT_ONCE = 1 << 15
"""The maximum number of tokens, including padding, in one forward pass outside training. It bounds
memory."""


def pad(sequences: Sequence[Ints], length: int) -> NDArray[np.int32]:
    """Sequences padded on the right with 0, or truncated, to ``(len(sequences), length)``."""
    batch = np.full((len(sequences), length), PAD_INDEX, np.int32)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = sequence[:length]
    return batch


def shortened(sequence: Ints, longest: int | None, part: LongTexts = "head") -> Ints:
    """At most ``longest`` items of a sequence: its first, its last, or half of each.

    >>> shortened(np.arange(9), 5, "both").tolist()
    [0, 1, 2, 7, 8]
    """
    if longest is None or len(sequence) <= longest:
        return sequence
    if part == "head":
        return sequence[:longest]
    if part == "tail":
        return sequence[-longest:]
    last = longest // 2
    return np.concatenate([sequence[: longest - last], sequence[len(sequence) - last :]])


@dataclass(frozen=True)
class Encoded:
    """A text or sentence as a model reads it.

    Attributes:
        ids: token indices ``(tokens,)``.
        spelling: the characters of each token ``(tokens, characters)``, for models that read
            them.
        predicates: 1 at the predicate whose roles are tagged, 0 at other tokens ``(tokens,)``, for
            models that read it.
    """

    ids: Ints
    spelling: Ints | None = None
    predicates: Ints | None = None

    def __len__(self) -> int:
        return len(self.ids)


def pad_spelling(sentences: Sequence[Ints], length: int) -> NDArray[np.int32]:
    """The spelling of sentences, each ``(words, characters)``, padded with empty words.

    Returns:
        int32 ``(len(sentences), length, characters)``.
    """
    batch = np.zeros((len(sentences), length, sentences[0].shape[1]), np.int32)
    batch[:, :, :2] = BOUNDARY_INDEX
    for row, sentence in zip(batch, sentences, strict=True):
        row[: len(sentence)] = sentence
    return batch


class Padded(NamedTuple):
    """A batch of :class:`Encoded`, padded on the right.

    Attributes:
        ids: int32 ``(rows, length)``.
        characters: int32 ``(rows, length, characters)``, if models read them.
        predicates: int32 ``(rows, length)``, if models read them.
    """

    ids: NDArray[np.int32]
    characters: NDArray[np.int32] | None
    predicates: NDArray[np.int32] | None


def padded(sequences: Sequence[Encoded], length: int) -> Padded:
    """A batch, padded to ``length``."""
    spelling = [sequence.spelling for sequence in sequences if sequence.spelling is not None]
    flags = [sequence.predicates for sequence in sequences if sequence.predicates is not None]
    return Padded(
        pad([sequence.ids for sequence in sequences], length),
        pad_spelling(spelling, length) if spelling else None,
        pad(flags, length) if flags else None,
    )


def flagged(words: int, predicate: int | None) -> NDArray[np.int32]:
    """1 at the predicate, 0 at the other words of a sentence ``(words,)``."""
    flags = np.zeros(words, np.int32)
    if predicate is not None:
        flags[predicate] = 1
    return flags


def _cut(
    order: NDArray[np.intp],
    lengths: Ints,
    batch_size: int,
    batch_tokens: int | None,
    padded_to: Callable[[int], int],
) -> Iterator[NDArray[np.intp]]:
    """Split ``order`` into batches of a number of examples, or of a number of tokens with
    padding."""
    if batch_tokens is None:
        for start in range(0, len(order), batch_size):
            yield order[start : start + batch_size]
        return
    start = longest = 0
    for end, i in enumerate(order):
        length = padded_to(int(lengths[i]))
        longest = max(longest, length)
        if start < end and longest * (end + 1 - start) > batch_tokens:
            yield order[start:end]
            start, longest = end, length
    if start < len(order):
        yield order[start:]


def mini_batches(
    lengths: Ints,
    batch_size: int,
    rng: np.random.Generator,
    batching: Literal["bucketed", "shuffled", "sorted"] = "bucketed",
    batch_tokens: int | None = None,
    padded_to: Callable[[int], int] = padded_length,
) -> list[NDArray[np.intp]]:
    """The examples of each batch of an epoch, by the methods that Morishita et al. (2017) compare.

    - ``shuffled``: random examples;
    - ``sorted``: the whole split sorted by length, then cut;
    - ``bucketed``: sorted within :data:`SORTED_BATCHES` batches of random examples, then cut.

    The batches come in random order.

    Args:
        lengths: ``(examples,)``; examples of length 0 are skipped, because no layer may receive a
            row that is all padding.
        rng: shuffles examples and batches.
        batch_tokens: the number of tokens in a batch, including padding; replaces ``batch_size``
            examples.
        padded_to: maps the longest length of a batch to that to which it is padded.
    """
    order = np.flatnonzero(lengths)
    rng.shuffle(order)
    usual = max(1, int(batch_tokens / lengths[order].mean())) if batch_tokens else batch_size
    part = usual * SORTED_BATCHES if batching == "bucketed" else max(len(order), 1)
    batches: list[NDArray[np.intp]] = []
    for start in range(0, len(order), part):
        rows = order[start : start + part]
        if batching != "shuffled":
            rows = rows[np.argsort(lengths[rows], kind="stable")]
        cut = list(_cut(rows, lengths, batch_size, batch_tokens, padded_to))
        batches += [cut[i] for i in rng.permutation(len(cut))]
    return batches


def by_length(lengths: Ints, batch_size: int) -> Iterator[NDArray[np.intp]]:
    """Indices of all examples from the shortest to the longest, batch by batch.

    Batches of long examples have fewer rows: before lengths are rounded up, none has more than
    :data:`TOKENS_AT_ONCE` tokens unless a single example has. Examples of length 0 are left out.
    """
    order = np.flatnonzero(lengths)
    order = order[np.argsort(lengths[order], kind="stable")]
    start = 0
    while start < len(order):
        rows = order[start : start + batch_size]
        while len(rows) > 1 and len(rows) * lengths[rows[-1]] > TOKENS_AT_ONCE:
            rows = rows[: len(rows) // 2]
        yield rows
        start += len(rows)


@dataclass(frozen=True)
class Batch:
    """The data of one training step.

    Attributes:
        ids: int32 ``(batch, length)``, padded on the right with 0.
        targets: int32 ``(batch,)`` for labels, ``(batch, length)`` for tags or next tokens, and
            ``(batch, labels)`` for texts with any number of labels: 1 for each that applies.
        weights: float32, how much each target counts, and 0 for padding: the shape of ``targets``,
            or ``(batch,)`` for any number of labels.
        characters: the spelling of the words, int32 ``(batch, length, characters)``, for models
            that read it.
        predicates: 1 at the predicate of each sentence, 0 elsewhere, int32 ``(batch, length)``, for
            models that read it.
        target_ids: for pairs, the target tokens that the decoder reads, int32
            ``(batch, target steps)``: the end symbol, then the target without it.
        features: for pairs, the vectors beside their sources, float32 ``(batch, width)``.
        starts: for language models, float32 ``(batch,)``: 1 where a row begins a new text, whose
            state is zero, else 0.
        intents: the labels of the texts of a joint data set, int32 ``(batch,)``, beside their tags.
        states: the states of frozen language models at each word, float32
            ``(batch, length, width)``, where they are computed before the training.
        rate: the factor of the learning rate in this step.
    """

    ids: NDArray[np.int32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    characters: NDArray[np.int32] | None = None
    predicates: NDArray[np.int32] | None = None
    starts: NDArray[np.float32] | None = None
    target_ids: NDArray[np.int32] | None = None
    features: NDArray[np.float32] | None = None
    intents: NDArray[np.int32] | None = None
    states: NDArray[np.float32] | None = None
    rate: float = 1.0

    @property
    def inputs(self) -> Any:
        """The inputs of the objective."""
        optional = (
            *(self.characters, self.predicates, self.starts),
            *(self.target_ids, self.features, self.states),
        )
        more = [x for x in optional if x is not None]
        return [self.ids, *more] if more else self.ids

    @property
    def answers(self) -> Any:
        """The targets of the objective."""
        return self.targets if self.intents is None else [self.targets, self.intents]

    @property
    def tokens(self) -> int:
        """The number of real tokens in the batch, those of targets included."""
        of_targets = 0 if self.target_ids is None else np.count_nonzero(self.target_ids)
        return int(np.count_nonzero(self.ids) + of_targets)


def encoded(
    split: Split,
    i: int,
    max_length: int | None = None,
    spelling: Ints | None = None,
    long_texts: LongTexts = "head",
) -> Encoded:
    """Example ``i`` of a split as a model reads it; for the arguments see
    :func:`example_batches`."""
    ids = shortened(split.sequence(split.ids, i), max_length, long_texts)
    of_words = flags = None
    if spelling is not None and split.forms is not None:
        forms = shortened(split.sequence(split.forms, i), max_length, long_texts)
        of_words = spelling[forms]
    if split.predicates is not None:
        predicate = int(split.predicates[i])
        flags = flagged(len(ids), None if predicate < 0 else predicate)
    return Encoded(ids, of_words, flags)


def example_batches(
    split: Split,
    batches: Iterable[NDArray[np.intp]],
    max_length: int | None = None,
    spelling: Ints | None = None,
    long_texts: LongTexts = "head",
    bounds: Bounds | None = None,
    class_weights: Floats | None = None,
) -> Iterator[Batch]:
    """Labelled or tagged examples, padded.

    Args:
        batches: the examples of each batch, see :func:`mini_batches` and :func:`by_length`.
        max_length: longer examples are cut to this number of tokens.
        spelling: the characters of every form, ``(forms, characters)``, for models that read
            them.
        long_texts: which tokens of longer examples are kept, see :func:`shortened`.
        bounds: the shapes of the batches: smaller ones are filled up with their first example,
            which then does not count. Without it, any number of rows is a batch.
        class_weights: how much an example of each class counts ``(classes,)``; None for 1.
    """
    if split.labels is None:
        raise ValueError("running text has no labels: use streams")
    padded_to = bounds.length if bounds else padded_length
    lengths = split.lengths
    for numbers in batches:
        longest = int(lengths[numbers].max())
        length = padded_to(min(longest, max_length or longest))
        rows = _filled(numbers, bounds.rows(length) if bounds else len(numbers))
        examples = [encoded(split, i, max_length, spelling, long_texts) for i in rows]
        ids, characters, predicates = padded(examples, length)
        if split.kind in TAGGED_KINDS:
            tags = [
                shortened(split.sequence(split.labels, i), max_length, long_texts) for i in rows
            ]
            targets, weights = pad(tags, length), (ids != PAD_INDEX).astype(np.float32)
        else:
            targets = np.asarray(split.labels[rows], np.int32)
            weights = np.ones(len(rows), np.float32)
            if class_weights is not None:
                weights = class_weights[targets].astype(np.float32)
        weights[len(numbers) :] = 0
        intents = None if split.intents is None else np.asarray(split.intents[rows], np.int32)
        yield Batch(ids, targets, weights, characters, predicates, intents=intents)


def _filled(numbers: NDArray[np.intp], rows: int) -> list[int]:
    """The examples of a batch, filled up to a number of rows with the first."""
    return [*numbers.tolist(), *numbers[:1].tolist() * (rows - len(numbers))]


def source_of(ids: Ints, reversed_source: bool = False) -> NDArray[np.int32]:
    """The tokens of a source in the order in which an encoder reads them."""
    read = np.asarray(ids, np.int32)
    return read[::-1] if reversed_source else read


def pair_batches(
    split: Split,
    batches: Iterable[NDArray[np.intp]],
    end_index: int,
    rows: int,
    bounds: PairBounds,
    reversed_source: bool = False,
) -> Iterator[Batch]:
    """Pairs, both sides padded.

    Args:
        batches: the pairs of each batch.
        end_index: the index of the end symbol of targets.
        rows: the rows of each batch: smaller ones are filled up with their first pair, which then
            does not count, because a new number of rows would be a new shape.
        bounds: the lengths to which both sides are padded.
        reversed_source: whether sources are read from their end.
    """
    for numbers in batches:
        filled = _filled(numbers, rows)
        sources = [source_of(split.sequence(split.ids, i), reversed_source) for i in filled]
        targets = [split.target(i) for i in filled]
        lengths = (np.array([*map(len, side)]) for side in (sources, targets))
        level = int(bounds.levels(*lengths).max())
        wanted = pad(targets, int(bounds.targets[level]))
        weights = (wanted != PAD_INDEX).astype(np.float32)
        weights[len(numbers) :] = 0
        yield Batch(
            pad(sources, int(bounds.sources[level])),
            wanted,
            weights,
            target_ids=shifted(wanted, end_index),
            features=None if split.features is None else np.asarray(split.features[filled]),
        )


def shifted(targets: NDArray[np.int32], end_index: int) -> NDArray[np.int32]:
    """What a decoder reads to predict ``targets`` ``(rows, steps)``: the end symbol, then the
    targets but the last; padding stays padding."""
    begin = np.full((len(targets), 1), end_index, np.int32)
    read = np.concatenate([begin, targets[:, :-1]], axis=1)
    return np.where(targets == PAD_INDEX, PAD_INDEX, read).astype(np.int32)


def restore_order(rows: Sequence[NDArray[np.intp]], values: Sequence[Sequence[Any]]) -> list[Any]:
    """Put values computed batch by batch back in the order of the examples."""
    ordered: list[Any] = [None] * sum(map(len, rows))
    for indices, batch in zip(rows, values, strict=True):
        for i, value in zip(indices, batch, strict=True):
            ordered[i] = value
    return ordered
