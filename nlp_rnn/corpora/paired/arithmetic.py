"""Sums and differences of numbers, digit by digit.

``addition`` is the task of Zaremba & Sutskever (2014) for two numbers: ``1 2 + 9 9`` asks for
``1 1 1``. ``arithmetic`` is that of Jozefowicz et al. (2015): the operation is + or -, and letters
that mean nothing stand between the digits, as in ``3 e 3 6 d - h 1 3 f``.

The pairs of numbers are divided among the splits, so that no problem of the test split is in
training, not with other letters nor with its numbers in the other order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.corpora.paired.problem import Best, Problem
from nlp_rnn.example import Example

LETTERS = "abcdefghijk"

SHARES = {"train": (0, 16), "validation": (16, 18), "test": (18, 20)}
"""Which twentieths of all pairs of numbers belong to a split."""

_PARTS = 20


class Arithmetic(Problem):
    """Two numbers, each of one to ``digits`` digits.

    The number of digits is drawn first, so that short numbers are as frequent as long ones.

    Args:
        digits: the largest number of digits.
        differences: whether half of the problems are differences.
        letters: the mean number of letters after each digit.
    """

    def __init__(self, digits: int, *, differences: bool, letters: float) -> None:
        self._digits, self._differences, self._letters = digits, differences, letters

    def draw(self, rng: np.random.Generator, count: int, split: str) -> list[Example]:
        numbers = self._numbers(rng, count)
        first, last = SHARES[split]
        while (other := ~_among(numbers, first, last)).any():
            numbers[other] = self._numbers(rng, int(other.sum()))
        minus = rng.random(count) < (0.5 if self._differences else 0.0)
        return [
            self._example(rng, int(a), int(b), subtract)
            for (a, b), subtract in zip(numbers, minus.tolist(), strict=True)
        ]

    def _numbers(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Pairs of numbers ``(count, 2)``, without leading zeros."""
        digits = rng.integers(1, self._digits + 1, (count, 2))
        lowest = np.where(digits > 1, 10 ** (digits - 1), 0)
        return rng.integers(lowest, 10**digits)

    def _example(self, rng: np.random.Generator, a: int, b: int, subtract: bool) -> Example:
        sign, result = ("-", a - b) if subtract else ("+", a + b)
        source = [*self._amid_letters(rng, a), sign, *self._amid_letters(rng, b)]
        return Example(text=" ".join(source), target=" ".join(str(result)))

    def _amid_letters(self, rng: np.random.Generator, number: int) -> list[str]:
        """The digits of a number, each followed by a geometric number of letters."""
        tokens = []
        for digit in str(number):
            tokens.append(digit)
            if self._letters:
                many = rng.geometric(1 / (1 + self._letters)) - 1
                tokens += [LETTERS[i] for i in rng.integers(0, len(LETTERS), many)]
        return tokens

    def best(self, examples: Sequence[Example]) -> Best:
        targets = [_result(example.text) for example in examples]
        return Best(targets, np.ones(len(examples)), np.zeros(len(examples)))


def _result(source: str) -> str:
    """The target of a source.

    >>> _result("3 e 3 - h 1 0 0 f")
    '- 6 7'
    """
    symbols = "".join(symbol for symbol in source if symbol not in LETTERS + " ")
    sign = "-" if "-" in symbols else "+"
    a, b = map(int, symbols.split(sign))
    return " ".join(str(a - b if sign == "-" else a + b))


def _among(numbers: NDArray[np.int64], first: int, last: int) -> NDArray[np.bool_]:
    """Whether each pair of numbers, in either order, belongs to these parts of all pairs
    ``(count,)``.

    A multiplicative hash (Knuth) scatters the pairs, so that no digit tells the part.
    """
    with np.errstate(over="ignore"):
        mixed = np.sort(numbers, axis=1).astype(np.uint64) @ np.array(
            [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64
        )
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    part = (mixed >> np.uint64(33)) % np.uint64(_PARTS)
    return (part >= first) & (part < last)
