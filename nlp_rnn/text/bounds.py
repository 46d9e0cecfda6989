"""The few lengths to which batches are padded.

Padding costs time, but so does a new length: some backends compile a network for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import le

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints

COMPILATION = 200_000
"""How many padding tokens take about as long as compiling a network for one more length."""

LEVELS = tuple(2 ** (step / 2) for step in range(-1, 8))
"""How the bounds of pairs grow from level to level, as multiples of the mean lengths."""


def padded_length(length: int) -> int:
    """The bound to which ``length`` is padded: multiples of 8 up to 64, then coarser and coarser.

    >>> [padded_length(n) for n in (1, 8, 9, 63, 65, 130, 1000)]
    [8, 8, 16, 64, 80, 160, 1024]
    """
    step = 8
    while length > 8 * step:
        step *= 2
    return -(-length // step) * step


def coarse_length(length: int) -> int:
    """The bound to which ``length`` is padded where many texts are read once: a power of two.

    >>> [coarse_length(n) for n in (1, 9, 65)]
    [8, 16, 128]
    """
    return max(8, 1 << (length - 1).bit_length())


def cheapest_bounds(lengths: Sequence[int], costs: Sequence[float], of_bound: float) -> list[int]:
    """The bounds of least cost, by dynamic programming.

    Each length ``l`` is padded to the smallest bound ``b >= l``, at ``b`` times its cost, and each
    bound costs ``of_bound``. With ``C(j)`` the least cost of the first ``j`` lengths::

        C(j) = min over i < j of  C(i) + of_bound + b_j (cost_{i+1} + ... + cost_j)

    Args:
        lengths: possible bounds, ascending; the last is one in any case.
        costs: what each token of each length costs.
        of_bound: what a bound costs, in the same unit.

    >>> cheapest_bounds([8, 16, 64], [100, 100, 1], 1000)
    [16, 64]
    """
    summed = np.concatenate([[0.0], np.cumsum(costs)])
    least: Floats = np.zeros(len(lengths) + 1)
    previous = np.zeros(len(lengths) + 1, np.int64)
    for j, bound in enumerate(lengths, start=1):
        found = least[:j] + of_bound + bound * (summed[j] - summed[:j])
        previous[j] = np.argmin(found)
        least[j] = found[previous[j]]
    bounds, j = [], len(lengths)
    while j:
        bounds.append(lengths[j - 1])
        j = int(previous[j])
    return bounds[::-1]


@dataclass(frozen=True)
class Bounds:
    """The shapes of the batches of a training.

    Attributes:
        lengths: to which batches are padded, ascending.
        batch_size: the rows of each batch.
        batch_tokens: the number of tokens in a batch, including padding; replaces ``batch_size``.
    """

    lengths: Sequence[int]
    batch_size: int
    batch_tokens: int | None = None

    @classmethod
    def of(
        cls,
        lengths: Ints,
        batches: Sequence[NDArray[np.intp]],
        epochs: int,
        batch_size: int,
        batch_tokens: int | None = None,
    ) -> Bounds:
        """The bounds with which a training is done soonest.

        Args:
            lengths: of all examples.
            batches: the numbers of the examples in each batch of an epoch.
            epochs: how many epochs are trained.
            batch_size: no batch has more rows than this, or than there are examples.
            batch_tokens: the number of tokens in a batch, including padding; replaces
                ``batch_size``.
        """
        rows = np.array([len(numbers) for numbers in batches])
        longest = np.array([lengths[numbers].max() for numbers in batches])
        longest[longest.argmax()] = lengths.max()  # which another epoch may draw
        padded = np.array([padded_length(int(length)) for length in longest])
        bounds = np.unique(padded)
        examples = [float(rows[padded == length].sum() * epochs) for length in bounds]
        found = cheapest_bounds(bounds.tolist(), examples, COMPILATION)
        return cls(found, min(batch_size, len(lengths)), batch_tokens)

    def length(self, longest: int) -> int:
        """The length to which a batch is padded whose longest example has ``longest`` tokens."""
        return self.lengths[int(np.searchsorted(self.lengths, longest))]

    def rows(self, length: int) -> int:
        """The rows of every batch that is padded to ``length``."""
        return self.batch_size if self.batch_tokens is None else max(1, self.batch_tokens // length)


@dataclass(frozen=True)
class PairBounds:
    """The few pairs of lengths to which both sides of pairs are padded.

    Each pair of lengths is a shape of its own for backends that compile, and two sides with bounds
    of their own would have as many shapes as combinations. So both sides have the same *level*: the
    bounds of a level are the mean lengths of the sides times one of :data:`LEVELS`, rounded up as
    by :func:`padded_length`.

    Attributes:
        sources, targets: the bounds of each level, ascending ``(levels,)``.
    """

    sources: Ints
    targets: Ints

    @classmethod
    def of(cls, sources: Ints, targets: Ints) -> PairBounds:
        """The bounds for pairs of these lengths."""
        means = float(sources.mean()), float(targets.mean())
        bounds = [
            tuple(padded_length(math.ceil(mean * level)) for mean in means) for level in LEVELS
        ]
        bounds = list(dict.fromkeys(bounds))
        longest = int(sources.max()), int(targets.max())
        needed = next(
            (i for i, bound in enumerate(bounds) if all(map(le, longest, bound))), len(bounds)
        )
        found = [*bounds[:needed], tuple(map(padded_length, longest))]
        return cls(*np.array(found, np.int64).T)

    def levels(self, sources: Ints, targets: Ints) -> Ints:
        """The lowest level that has room for pairs of these lengths."""
        return np.maximum(
            np.searchsorted(self.sources, sources), np.searchsorted(self.targets, targets)
        )

    def keys(self, sources: Ints, targets: Ints) -> Ints:
        """Keys by which pairs of like lengths come together: by level, then by target."""
        longest = int(targets.max(initial=0)) + 1
        return (self.levels(sources, targets) + 1) * longest + targets
