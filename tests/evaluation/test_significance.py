"""Tests of significance: against all swappings, the binomial sum, and their own promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from nlp_rnn.evaluation.bootstrap import interval
from nlp_rnn.evaluation.predictions import Figure
from nlp_rnn.evaluation.significance import difference, mcnemar_test, randomisation_test


def f1(sums: np.ndarray) -> np.ndarray:
    return 2 * sums[..., 0] / np.maximum(sums[..., 1], 1)


def counts(seed: int, sentences: int, share: float) -> Figure:
    """Entities found, and entities in gold and predictions, of random sentences."""
    rng = np.random.default_rng(seed)
    gold, predicted = rng.integers(0, 4, (2, sentences))
    found = rng.binomial(np.minimum(gold, predicted), share)
    return Figure(np.stack([found, gold + predicted], axis=1).astype(float), f1)


def test_the_p_value_is_that_of_all_swappings() -> None:
    a, b = counts(1, 9, 0.9), counts(2, 9, 0.5)
    observed = abs(a.value - b.value)
    differences = []
    for swapped in itertools.product([False, True], repeat=9):
        mask = np.array(swapped)[:, None]
        one, other = np.where(mask, b.terms, a.terms), np.where(mask, a.terms, b.terms)
        differences.append(abs(f1(one.sum(axis=0)) - f1(other.sum(axis=0))))
    exact = np.mean(np.array(differences) >= observed - 1e-12)
    assert 0.01 < exact < 0.99
    assert randomisation_test(a, b, 40_000) == pytest.approx(exact, abs=0.01)


def test_equal_models_differ_significantly_as_often_as_the_level_says() -> None:
    p = [
        randomisation_test(counts(2 * i, 60, 0.7), counts(2 * i + 1, 60, 0.7), 500, seed=i)
        for i in range(400)
    ]
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.045)  # three deviations
    assert min(p) >= 1 / 501


def test_a_clear_difference_is_found_and_none_is_not() -> None:
    a, b = counts(1, 400, 0.9), counts(2, 400, 0.5)
    assert randomisation_test(a, b) < 0.001
    assert randomisation_test(a, a) == 1
    low, high = interval(difference(a, b))
    assert 0 < low < a.value - b.value < high


def test_the_difference_is_of_pairs() -> None:
    """Hard examples are hard for both models, so that the difference is surer than its parts."""
    rng = np.random.default_rng(0)
    easy = rng.random(500) < 0.6
    right = [easy | (rng.random(500) < p) for p in (0.12, 0.02)]
    a, b = (Figure(np.stack([r, np.full(500, 2)], axis=1).astype(float), f1) for r in right)
    low, high = interval(difference(a, b))
    of_a, of_b = interval(a), interval(b)
    assert high - low < min(of_a[1] - of_a[0], of_b[1] - of_b[0])


def test_mcnemar_is_the_binomial_sum() -> None:
    a = [True] * 20 + [True] * 9 + [False] * 2 + [False] * 5
    b = [True] * 20 + [False] * 9 + [True] * 2 + [False] * 5
    expected = 2 * sum(math.comb(11, k) for k in range(3)) / 2**11
    assert mcnemar_test(a, b) == (9, 2, pytest.approx(expected))
    assert mcnemar_test(a, a) == (0, 0, 1.0)
