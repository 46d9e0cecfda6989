"""Tests of significance: against all swappings, the binomial sum, and their own promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from nlp_rnn.evaluation.bootstrap import interval, resampled
from nlp_rnn.evaluation.figure import Figure
from nlp_rnn.evaluation.significance import (
    Comparison,
    compared,
    difference,
    mcnemar_test,
    randomisation_test,
)


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


@pytest.mark.slow
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


def accuracies(both: int, only_a: int, only_b: int) -> tuple[Figure, Figure]:
    """Accuracies of two classifiers that are right together on ``both`` examples."""
    right = [np.repeat([1, 1, 0], [both, only_a, only_b])]
    right.append(np.repeat([1, 0, 1], [both, only_a, only_b]))
    a, b = (
        Figure(np.stack([r, np.full(len(r), 1)], axis=1).astype(float), lambda s: f1(s) / 2)
        for r in right
    )
    return a, b


def coverage(examples: int, share_a: float, share_b: float) -> float:
    """How often the interval holds the true difference of two accuracies, summed exactly over
    the numbers of examples that only one model has right."""
    found: dict[tuple[int, int], Comparison] = {}
    held = total = 0.0
    for pair in itertools.product(range(13), repeat=2):
        rest = examples - sum(pair)
        shares = [*pair, rest], [share_a, share_b, 1 - share_a - share_b]
        weight = float(stats.multinomial.pmf(shares[0], examples, shares[1]))
        if weight > 1e-3:
            found[pair] = compared(*accuracies(rest, *pair), resamples=1000)
            total += weight
            true = share_a - share_b
            held += weight * (found[pair].low - 1e-9 <= true <= found[pair].high + 1e-9)
    return held / total


@pytest.mark.parametrize(
    ("examples", "shares", "least"),
    [(150, (0.01, 0.01), 0.97), (150, (0.02, 0.005), 0.91), (60, (0.05, 0.05), 0.97)],
)
def test_the_interval_of_a_difference_is_wide_enough_for_few_discordant_examples(
    examples: int, shares: tuple[float, float], least: float
) -> None:
    assert coverage(examples, *shares) >= least


def test_the_interval_and_the_p_value_agree() -> None:
    for seed in range(60):
        a = counts(2 * seed, 50, 0.5 + seed / 150)
        found = compared(a, counts(2 * seed + 1, 50, 0.5), 400, seed)
        assert (found.p <= 0.05) == (not found.low <= 0 <= found.high)
        assert found.low <= found.difference <= found.high
    for only_a, only_b in itertools.product(range(9), repeat=2):
        found = compared(*accuracies(140, only_a, only_b), resamples=400)
        assert (found.p <= 0.05) == (not found.low <= 0 <= found.high)
    assert found == compared(*accuracies(140, only_a, only_b), resamples=400)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("resamples", [1, 30, 100])
def test_equal_models_and_few_resamples_show_no_difference(resamples: int) -> None:
    a, b = accuracies(9, 0, 0)
    assert compared(a, b, resamples) == Comparison(0.0, 0.0, 0.0, 1.0)
    few = compared(*accuracies(0, 1, 0), resamples)
    assert few.p > 0.05 and few.low <= 0 < few.high == 1


def test_the_interval_of_a_clear_difference_is_the_percentiles() -> None:
    a, b = counts(1, 400, 0.9), counts(2, 400, 0.5)
    found = compared(a, b)
    drawn = resampled(difference(a, b), 10_000, 0)
    expected = np.quantile(drawn, [0.025, 0.975])
    assert [found.low, found.high] == pytest.approx(expected, abs=1e-3)
