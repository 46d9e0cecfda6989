"""Problems that require a network to remember, as text determined by the seed.

The tokens determine every answer, so the optimum is an accuracy of 1. ``T`` is the distance in
steps.

=============  ==========================================  =========================  =======
problem        tokens                                      label                      chance
=============  ==========================================  =========================  =======
``store_bit``  a bit, then ``T`` distractors               the bit                    1/2
``adding``     ``T + 1`` digits, two of them marked        the sum of the marked      1/10
``copy``       5 symbols, ``T`` blanks, 5 times ``?``      the symbols, in order,     1/8
                                                           at the ``?``
``columns``    ``T`` pairs of digits                       whose sum is larger        1/2
=============  ==========================================  =========================  =======

Chance is the accuracy of the best constant answer: either bit; 9, the sum of 10 of the 100 pairs of
digits; any of the 8 symbols; either column (sums are never equal). The accuracy of ``copy`` covers
only the symbols; if the blank tags counted too, the most frequent tag would reach
``(T + 5) / (T + 10)``.

Sources: ``store_bit`` is the latching problem of Bengio, Simard & Frasconi (1994), section 3;
``adding`` is experiment 4 of Hochreiter & Schmidhuber (1997), with digits instead of real numbers;
``copy`` is from section 4.1 of Arjovsky, Shah & Bengio (2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints
from nlp_rnn.config import MemoryDataset, nearest
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example, Kind

Draw = Callable[[np.random.Generator, int, int], tuple[Ints, Ints]]

DIGITS = tuple("0123456789")
LETTERS = tuple("abcdefgh")
BLANK = "-"
"""The tag of ``copy`` for tokens that require no answer."""

SYMBOLS = 5
"""The number of symbols to copy."""

OPTIMUM = {"accuracy": 1.0, "loss": 0.0}
"""The optimum of every problem, which no model can beat."""

BLOCK = 1024
"""The number of sequences drawn at a time."""


@dataclass(frozen=True)
class Problem:
    """A task that depends on what was seen ``steps`` tokens ago.

    Attributes:
        types: its tokens; the arrays returned by ``draw`` hold indices of them.
        labels: its labels or tags, indexed in the same way.
        chance: the accuracy of the best constant answer.
        kind: a label for each sequence, or a tag for each token.
        draw: maps a generator, the number of sequences and ``steps`` to tokens, int32
            ``(count, length)``, and labels, int32 ``(count,)``, or tags ``(count, length)``.
    """

    types: tuple[str, ...]
    labels: tuple[str, ...]
    chance: float
    kind: Kind
    draw: Draw

    def asked(self, labels: Ints) -> NDArray[np.float32]:
        """Which labels count: 1 for an answer, 0 for the tag of a token that requires none."""
        return np.array([label != BLANK for label in self.labels], np.float32)[labels]


def _int32(*arrays: NDArray[Any]) -> tuple[Ints, ...]:
    return tuple(array.astype(np.int32) for array in arrays)


def _store_bit(rng: np.random.Generator, count: int, steps: int) -> tuple[Ints, Ints]:
    bits = rng.integers(0, 2, count)
    distractors = rng.integers(2, 2 + len(LETTERS), (count, steps))
    tokens, labels = _int32(np.column_stack([bits, distractors]), bits)
    return tokens, labels


def _adding(rng: np.random.Generator, count: int, steps: int) -> tuple[Ints, Ints]:
    """The first mark is in the first tenth, the second is after it in the first half."""
    digits = rng.integers(0, 10, (count, steps + 1))
    first = rng.integers(0, steps // 10 + 1, count)
    second = rng.integers(first + 1, np.maximum(first + 1, steps // 2) + 1)
    marked = np.stack([first, second], axis=1)
    addends = np.take_along_axis(digits, marked, axis=1)
    np.put_along_axis(digits, marked, addends + len(DIGITS), axis=1)
    tokens, labels = _int32(digits, addends.sum(axis=1))
    return tokens, labels


def _copy(rng: np.random.Generator, count: int, steps: int) -> tuple[Ints, Ints]:
    symbols = rng.integers(0, len(LETTERS), (count, SYMBOLS))
    blank, recall = len(LETTERS), len(LETTERS) + 1
    blanks = np.full((count, steps), blank)
    tokens, tags = _int32(
        np.hstack([symbols, blanks, np.full_like(symbols, recall)]),
        np.hstack([np.zeros((count, SYMBOLS + steps)), symbols + 1]),
    )
    return tokens, tags


def _columns(rng: np.random.Generator, count: int, steps: int) -> tuple[Ints, Ints]:
    pairs = rng.integers(0, 10, (count, steps, 2))
    while (tied := np.equal(*pairs.sum(axis=1).T)).any():
        pairs[tied] = rng.integers(0, 10, (tied.sum(), steps, 2))
    tokens, labels = _int32(pairs @ [10, 1], pairs.sum(axis=1).argmax(axis=1))
    return tokens, labels


PROBLEMS = {
    "store_bit": Problem(("0", "1", *LETTERS), ("0", "1"), 1 / 2, "labelled", _store_bit),
    "adding": Problem(
        (*DIGITS, *(f"{digit}*" for digit in DIGITS)),
        tuple(map(str, range(19))),
        1 / 10,
        "labelled",
        _adding,
    ),
    "copy": Problem((*LETTERS, ".", "?"), (BLANK, *LETTERS), 1 / 8, "tagged", _copy),
    "columns": Problem(
        tuple(f"{left}|{right}" for left in DIGITS for right in DIGITS),
        ("left", "right"),
        1 / 2,
        "labelled",
        _columns,
    ),
}


def problem(name: str) -> Problem:
    """The problem called ``name``.

    Raises:
        UserError: there is no such problem; the message suggests the nearest name.
    """
    if name not in PROBLEMS:
        raise UserError(f"no memory problem '{name}'; {nearest(name, PROBLEMS)}")
    return PROBLEMS[name]


class MemoryCorpus(Corpus):
    """The splits of a data set of ``source: memory``, generated anew each time they are read."""

    def __init__(self, name: str, dataset: MemoryDataset) -> None:
        self.name = name
        self.kind = dataset.kind
        self._dataset = dataset
        self._problem = problem(dataset.problem)

    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def origin(self, split: str) -> str:
        return (
            f"memory problem '{self._dataset.problem}' over {self._dataset.steps} steps, "
            f"seed {self._dataset.seed}"
        )

    def read(self, split: str) -> Iterator[Example]:
        rng = np.random.default_rng([self._dataset.seed, SPLITS.index(split)])
        size: int = getattr(self._dataset.sizes, split)
        for start in range(0, size, BLOCK):
            drawn = self._problem.draw(rng, min(BLOCK, size - start), self._dataset.steps)
            for tokens, labels in zip(*drawn, strict=True):
                yield self._example([self._problem.types[token] for token in tokens], labels)

    def _example(self, tokens: list[str], labels: Ints) -> Example:
        if self.kind == "tagged":
            tags = (self._problem.labels[label] for label in labels)
            spaced = (True,) * len(tokens)
            return Example(tokens=tuple(tokens), tags=tuple(tags), space_after=spaced)
        return Example(text=" ".join(tokens), label=self._problem.labels[int(labels)])

    def provenance(self) -> dict[str, Any]:
        return {
            "source": f"memory ({self._dataset.problem}, {self._dataset.steps} steps)",
            "seed": self._dataset.seed,
            "sizes": self._dataset.sizes.model_dump(),
            "files": {},
            "licence": self._dataset.licence,
            "citation": self._dataset.citation,
        }

    def findings(self) -> dict[str, Any]:
        return {"entities": False, "scheme": None} if self.kind == "tagged" else {}
