"""Mixtures of a language model with another, against arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nlp_rnn.adaptation.interpolation import best_weight, mixed

RNG = np.random.default_rng(0)


def test_a_mixture_is_the_weighted_mean_of_probabilities() -> None:
    model, other = RNG.uniform(0.01, 1, (2, 50))
    np.testing.assert_allclose(
        mixed(-np.log(model), other, 0.3), -np.log(0.7 * model + 0.3 * other), rtol=1e-12
    )


def test_mixtures_of_distributions_sum_to_one() -> None:
    model, other = RNG.dirichlet(np.ones(30), 2)
    for weight in (0.0, 0.4, 1.0):
        assert np.exp(-mixed(-np.log(model), other, weight)).sum() == pytest.approx(1)


def test_what_the_other_model_finds_impossible_keeps_a_share() -> None:
    losses = mixed(np.array([np.log(2), np.log(4)]), np.array([0.0, 0.0]), 0.5)
    np.testing.assert_allclose(np.exp(-losses), [0.25, 0.125])


def test_tiny_probabilities_do_not_vanish() -> None:
    np.testing.assert_allclose(mixed(np.array([900.0]), np.array([0.0]), 0.5), 900 + np.log(2))


def test_the_weight_is_the_best_on_a_grid() -> None:
    model, other = RNG.beta([[1], [0.5]], [[6], [3]], (2, 3000)).clip(1e-6)
    weight = best_weight(-np.log(model), other)
    best = mixed(-np.log(model), other, weight).mean()
    grid = [mixed(-np.log(model), other, w).mean() for w in np.linspace(0, 1, 101)]
    assert best <= min(grid)
    assert abs(weight - np.argmin(grid) / 100) <= 0.01
    assert 0.05 < weight < 0.95
