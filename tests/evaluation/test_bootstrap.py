"""Bootstrap intervals: their coverage on simulated data, and scipy's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from nlp_rnn.evaluation.bootstrap import interval, resampled
from nlp_rnn.evaluation.figure import Figure

SIMULATIONS = 400


def quotient(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def independent(rng: np.random.Generator) -> np.ndarray:
    """Examples that are right with probability 0.8."""
    return np.stack([rng.random(150) < 0.8, np.ones(150)], axis=1).astype(float)


def sentences(rng: np.random.Generator) -> np.ndarray:
    """Sentences of 5 to 15 words, some hard: right words are alike within a sentence."""
    words = rng.integers(5, 16, 100)
    return np.stack([rng.binomial(words, rng.beta(4, 1, 100)), words], axis=1).astype(float)


def lines(rng: np.random.Generator) -> np.ndarray:
    """Lines whose loss a token is skewed (log-normal with the mean 0.8)."""
    tokens = rng.integers(3, 10, 100)
    mean = rng.lognormal(np.log(0.8) - 0.32, 0.8, 100)
    return np.stack([mean * tokens, tokens], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("simulate", [independent, sentences, lines])
def test_the_interval_holds_the_true_value_as_often_as_it_says(
    simulate: Callable[[np.random.Generator], np.ndarray],
) -> None:
    held = 0
    for seed in range(SIMULATIONS):
        terms = simulate(np.random.default_rng(seed))
        low, high = interval(Figure(terms, quotient), level=0.9, resamples=800, seed=seed)
        held += low <= 0.8 <= high
    # The standard deviation of this share is 0.015; skewed data cost a little.
    assert 0.85 < held / SIMULATIONS < 0.95


def test_words_of_a_sentence_are_drawn_together() -> None:
    """Sentences that are all right or all wrong are as few facts as there are sentences."""
    terms = np.repeat([[20.0, 20.0], [0.0, 20.0]], [40, 10], axis=0)
    deviation = resampled(Figure(terms, quotient), 4000, seed=1).std()
    assert deviation == pytest.approx(np.sqrt(0.8 * 0.2 / 50), rel=0.05)


@pytest.mark.parametrize("simulate", [independent, sentences, lines])
def test_the_interval_is_scipys(simulate: Callable[[np.random.Generator], np.ndarray]) -> None:
    terms = simulate(np.random.default_rng(7))
    found = interval(Figure(terms, quotient), resamples=20_000)
    expected = stats.bootstrap(
        (terms[:, 0], terms[:, 1]),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(0),
        batch=2000,
    ).confidence_interval
    width = expected.high - expected.low
    assert found == pytest.approx((expected.low, expected.high), abs=0.03 * width)


def test_an_interval_is_seeded_and_shrinks_with_the_level() -> None:
    figure = Figure(sentences(np.random.default_rng(3)), quotient)
    assert interval(figure, seed=5) == interval(figure, seed=5)
    (wide, high), (narrow, low) = interval(figure, 0.99), interval(figure, 0.5)
    assert wide < narrow < figure.value < low < high


def test_without_errors_the_interval_is_a_point() -> None:
    assert interval(Figure(np.ones((30, 2)), quotient)) == (1.0, 1.0)
