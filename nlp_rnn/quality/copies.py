"""Texts that occur more than once: duplicates, leakage, contradictions and near duplicates.

Near duplicates are texts whose sets of *shingles* (three adjacent words) have a Jaccard similarity
of at least a threshold. MinHash (Broder 1997) estimates which pairs may: the probability that two
sets have the same minimum under a random hash is their similarity. Signatures of 128 minima are
cut into 32 bands of 4; texts with an equal band are compared exactly. A pair of similarity 0.7 is
missed with probability (1 - 0.7^4)^32 = 2e-4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.quality.examples import Located

Finding = dict[str, Any]
Shingles = NDArray[np.uint64]

SHINGLE = 3
"""Words of a shingle. A shorter text is a single shingle."""

BANDS, ROWS = 32, 4

MOST_COMPARED = 50
"""Texts before it in the same band with which a text is compared, the nearest ones."""

MARGIN = 0.2
"""How far the estimate of a similarity may be below it: five standard deviations."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Copies:
    """Texts that occur more than once.

    Attributes:
        duplicates: each example whose text and answer stood before it in its split, with the first.
        leaked: each example of validation and test whose text is in training, with the first there.
        contradictions: the examples of each text that has several answers.
        near: groups of near duplicates with the least similarity that joined them.
    """

    duplicates: list[tuple[Located, Located]]
    leaked: list[tuple[Located, Located]]
    contradictions: list[list[Located]]
    near: list[tuple[list[Located], float]]

    def findings(self) -> Iterator[Finding]:
        """Each as a record."""
        for example, first in self.duplicates:
            yield {"finding": "duplicate", **example.place(text=True), "first": first.number}
        for example, first in self.leaked:
            yield {"finding": "leakage", **example.place(text=True), "training": first.place()}
        for group in self.contradictions:
            places = [example.place() for example in group]
            yield {"finding": "contradiction", "text": group[0].text, "examples": places}
        for group, similarity in self.near:
            places = [example.place(text=True) for example in group]
            yield {
                "finding": "near_duplicates",
                "similarity": round(similarity, 4),
                "across_splits": len({example.split for example in group}) > 1,
                "examples": places,
            }


def copies(examples: Sequence[Located], similarity: float) -> Copies:
    """Find the texts that occur more than once.

    Args:
        similarity: the least Jaccard similarity of near duplicates, in (0, 1].
    """
    first: dict[tuple[str, object, object], Located] = {}
    training: dict[int, Located] = {}
    by_text: defaultdict[int, list[Located]] = defaultdict(list)
    by_question: defaultdict[object, list[Located]] = defaultdict(list)
    duplicates, leaked = [], []
    for example in examples:
        earlier = first.setdefault((example.split, example.question, example.answer), example)
        if earlier is not example:
            duplicates.append((example, earlier))
        if example.split == "train":
            training.setdefault(example.hash, example)
        elif example.hash in training:
            leaked.append((example, training[example.hash]))
        by_text[example.hash].append(example)
        by_question[example.question].append(example)
    texts = list(by_text.values())
    contradictions = [
        group for group in by_question.values() if len({each.answer for each in group}) > 1
    ]
    words = [group[0].words for group in texts]
    near = [
        ([example for i in group for example in texts[i]], least)
        for group, least in near_duplicates(words, similarity)
    ]
    return Copies(duplicates, leaked, contradictions, near)


def near_duplicates(
    texts: Sequence[Sequence[str]], similarity: float
) -> list[tuple[list[int], float]]:
    """Groups of texts, given as words, that are joined by pairs of at least this similarity.

    Texts without a word are in no group.

    Returns:
        The indices of each group of two or more in order, and its least similarity of a joined
        pair.
    """
    known: dict[str, int] = {}
    # Texts of equal words are joined at once, so that a band holds each only once.
    by_words: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, words in enumerate(texts):
        if words:
            by_words[tuple(words)].append(i)
    sets = [_shingles([known.setdefault(w, len(known)) for w in words]) for words in by_words]
    groups = _Groups(len(sets))
    for i, j in _candidates(_signatures(sets), similarity):
        if groups.root(i) != groups.root(j) and (found := jaccard(sets[i], sets[j])) >= similarity:
            groups.join(i, j, found)
    members = list(by_words.values())
    joined = (
        (sorted(i for unit in units for i in members[unit]), least) for units, least in groups.all()
    )
    return sorted((group, least) for group, least in joined if len(group) > 1)


def _shingles(words: Sequence[int]) -> Shingles:
    """The set of a text's shingles as sorted 64-bit hashes ``(shingles,)``."""
    numbers = np.asarray(words, np.uint64) + np.uint64(1)
    length = min(SHINGLE, len(numbers))
    count = len(numbers) - length + 1
    hashes = np.zeros(count, np.uint64)
    for offset in range(length):
        hashes = (hashes + numbers[offset : offset + count]) * _FACTOR
        hashes ^= hashes >> np.uint64(29)
    return np.unique(hashes)


def jaccard(a: Shingles, b: Shingles) -> float:
    """The size of the intersection of two sets by that of their union."""
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def _signatures(sets: Sequence[Shingles]) -> Shingles:
    """The minimum of each set under each random hash ``(sets, BANDS * ROWS)``."""
    generator = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(1)))
    odd = generator.randint(0, 1 << 62, BANDS * ROWS, np.uint64) * np.uint64(2) + np.uint64(1)
    signatures = np.empty((len(sets), BANDS * ROWS), np.uint64)
    for i, hashes in enumerate(sets):
        mixed = hashes[:, None] * odd
        mixed ^= mixed >> np.uint64(32)
        signatures[i] = (mixed * _FACTOR).min(axis=0)
    return signatures


def _candidates(signatures: Shingles, similarity: float) -> Iterator[tuple[int, int]]:
    """Pairs of sets that agree in a band, and about as often as similar ones must."""
    for begin in range(0, BANDS * ROWS, ROWS):
        buckets: defaultdict[bytes, list[int]] = defaultdict(list)
        for i, signature in enumerate(signatures):
            bucket = buckets[signature[begin : begin + ROWS].tobytes()]
            if bucket:
                others = np.array(bucket[-MOST_COMPARED:])
                agreement = (signatures[others] == signature).mean(axis=1)
                yield from ((i, int(j)) for j in others[agreement >= similarity - MARGIN])
            bucket.append(i)


class _Groups:
    """Sets that grow together (union-find), each with its least similarity."""

    def __init__(self, size: int) -> None:
        self._parents = list(range(size))
        self._least = [1.0] * size

    def root(self, i: int) -> int:
        while self._parents[i] != i:
            self._parents[i] = i = self._parents[self._parents[i]]
        return i

    def join(self, i: int, j: int, similarity: float) -> None:
        kept, gone = sorted((self.root(i), self.root(j)))
        self._parents[gone] = kept
        self._least[kept] = min(self._least[kept], self._least[gone], similarity)

    def all(self) -> Iterable[tuple[list[int], float]]:
        members: defaultdict[int, list[int]] = defaultdict(list)
        for i in range(len(self._parents)):
            members[self.root(i)].append(i)
        return ((group, self._least[root]) for root, group in members.items())
