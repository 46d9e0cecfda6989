"""Weights of a mixture against a search of the likelihood's maximum."""

from __future__ import annotations

import numpy as np
import pytest

from nlp_rnn.ngrams import mixture_weights, perplexity

RNG = np.random.default_rng(0)


def three_models(tokens: int) -> np.ndarray:
    """Probabilities of three models, of which each is the best for some of the tokens."""
    return np.clip(RNG.beta([[0.5], [1], [2]], [[3], [6], [30]], (3, tokens)), 1e-6, 1)


def test_weights_have_the_highest_likelihood() -> None:
    probabilities = three_models(2000)
    weights = mixture_weights(probabilities)
    assert abs(weights.sum() - 1) < 1e-12
    assert weights.min() > 0.01
    best = perplexity(weights @ probabilities)
    # Where the likelihood is highest no weight gains from moving to another model: all slopes are
    # 1, for sum_m w_m slope_m = 1.
    slopes = (probabilities / (weights @ probabilities)).mean(axis=1)
    np.testing.assert_allclose(slopes, 1, atol=1e-3)
    others = RNG.dirichlet(np.ones(3), 500)
    assert best <= min(perplexity(other @ probabilities) for other in others)


def test_weights_of_a_text_that_a_mixture_wrote_are_its_own() -> None:
    models = RNG.dirichlet(np.full(50, 0.3), 2)
    text = RNG.choice(50, 200_000, p=np.array([0.7, 0.3]) @ models)
    np.testing.assert_allclose(mixture_weights(models[:, text]), [0.7, 0.3], atol=0.01)


def test_a_model_that_is_always_better_takes_all() -> None:
    probabilities = three_models(100)
    probabilities[1] = probabilities.max(axis=0) * 1.5
    weights = mixture_weights(np.minimum(probabilities, 1))
    np.testing.assert_allclose(weights, [0, 1, 0], atol=1e-4)


def test_one_model_has_weight_1_and_equal_ones_share_it() -> None:
    probabilities = three_models(100)
    np.testing.assert_allclose(mixture_weights(probabilities[:1]), [1])
    np.testing.assert_allclose(mixture_weights(probabilities[[1, 1]]), [0.5, 0.5])


def test_models_may_find_tokens_impossible_but_not_all_of_them() -> None:
    weights = mixture_weights(np.array([[0.5, 0.0, 0.5, 0.5], [0.0, 0.5, 0.0, 0.0]]))
    np.testing.assert_allclose(weights, [0.75, 0.25], atol=1e-6)
    with pytest.raises(ValueError, match="1 tokens have probability 0"):
        mixture_weights(np.array([[0.5, 0.0], [0.5, 0.0]]))


def test_what_are_no_probabilities_is_refused() -> None:
    for wrong in (np.ones(3), np.ones((2, 0)), np.ones((0, 2))):
        with pytest.raises(ValueError, match=r"\(models, tokens\)"):
            mixture_weights(wrong)
    for number in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            mixture_weights(np.array([[0.5, number]]))
