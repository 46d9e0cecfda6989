"""Several beam searches at once: each is as alone, and exact with a beam of all prefixes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from nlp_rnn.inference.decoding import beam_searches, length_penalty

TYPES, END, START, LONGEST = 4, 0, 3, 3


def tables(sources: int) -> np.ndarray:
    """``ln P(next | last)`` of a bigram model for each source."""
    scores = np.random.default_rng(7).normal(0, 1.5, (sources, TYPES, TYPES))
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def search(log_p: np.ndarray, width: int, lengths: list[int], alpha: float, **more: Any) -> Any:
    """States are the numbers of sources, so that rows that were mixed up would be noticed."""

    def step(tokens: np.ndarray, states: Any) -> Any:
        [numbers] = states
        return log_p[numbers[:, 0], tokens], states

    def select(states: Any, rows: np.ndarray) -> Any:
        return [state[rows] for state in states]

    states = [np.arange(len(log_p))[:, None]]
    return beam_searches(step, select, START, states, width, lengths, END, alpha, **more)


def exhaustive(log_p: np.ndarray, length: int, alpha: float) -> list[tuple[int, ...]]:
    """All texts of up to ``length`` tokens, best first."""
    found = {}
    for n in range(1, length + 1):
        for text in product(range(TYPES), repeat=n):
            ends = [token == END for token in text]
            if any(ends[:-1]) or not (ends[-1] or n == length):
                continue
            total = sum(log_p[a, b] for a, b in zip((START, *text), text, strict=False))
            found[text] = total / length_penalty(n, alpha)
    return sorted(found, key=found.__getitem__, reverse=True)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_a_beam_of_all_prefixes_finds_the_best_texts(alpha: float) -> None:
    log_p, lengths = tables(3), [1, 2, LONGEST]
    found = search(log_p, TYPES**LONGEST, lengths, alpha, n=5)
    for table, length, hypotheses in zip(log_p, lengths, found, strict=True):
        best = exhaustive(table, length, alpha)[:5]
        assert [hypothesis.tokens for hypothesis in hypotheses] == best


@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_each_search_finds_what_it_finds_alone(width: int, drop: bool) -> None:
    log_p, lengths = tables(6), [1, 6, 2, 6, 4, 3]
    n = min(width, 2)
    together = search(log_p, width, lengths, 0.6, n=n, drop=drop)
    for i, length in enumerate(lengths):
        [alone] = search(log_p[i : i + 1], width, [length], 0.6, n=n)
        assert together[i] == alone


@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_a_beam_of_one_takes_the_likeliest_token_until_the_end(alpha: float, drop: bool) -> None:
    log_p, lengths = tables(30), [1 + i % 7 for i in range(30)]
    found = search(log_p, 1, lengths, alpha, drop=drop)
    for table, length, [text] in zip(log_p, lengths, found, strict=True):
        expected, total = [START], 0.0
        while len(expected) <= length and expected[-1] != END:
            row = table[expected[-1]]
            expected.append(int(row.argmax()))
            total += row.max()
        assert text.tokens == tuple(expected[1:])
        assert text.log_probability == pytest.approx(total)
        assert text.score == pytest.approx(total / length_penalty(len(text.tokens), alpha))


@pytest.mark.parametrize("width", [1, 2])
def test_a_step_without_a_token_ends_a_search_without_a_text(width: int) -> None:
    log_p = tables(2)
    log_p[1] = -np.inf
    found, none = search(log_p, width, [LONGEST, LONGEST], 0.6)
    assert len(found) == 1
    assert none == []


@pytest.mark.parametrize("width", [1, 2])
def test_the_bonus_is_that_of_the_states_of_the_text(width: int) -> None:
    log_p, lengths = tables(6), [1, 6, 2, 6, 4, 3]

    def bonus(states: Any) -> np.ndarray:
        return -100.0 * states[0][:, 0]

    plain = search(log_p, width, lengths, 0.6)
    for i, (one, other) in enumerate(
        zip(plain, search(log_p, width, lengths, 0.6, bonus=bonus), strict=True)
    ):
        assert other[0].score == pytest.approx(one[0].score - 100 * i)


def test_the_length_penalty_is_that_of_wu_et_al() -> None:
    """Equation 14: 1 for one token, and for seven the twofold to the power of alpha."""
    assert [length_penalty(1, alpha) for alpha in (0.0, 0.6, 1.0)] == [1.0, 1.0, 1.0]
    assert length_penalty(7, 0.5) == pytest.approx(2**0.5)
    assert length_penalty(13, 1.0) == pytest.approx(3.0)
