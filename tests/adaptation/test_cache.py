"""The continuous cache, against a loop over its definition."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from helpers.bigram_model import bigram_network, dataset_of, experiment
from nlp_rnn.adaptation import cache
from nlp_rnn.adaptation.cache import cache_probabilities, hidden_of_text
from nlp_rnn.adaptation.interpolation import best_weight, mixed

RNG = np.random.default_rng(0)
TYPES = 7


def brute_force(
    hidden: np.ndarray, targets: np.ndarray, model: np.ndarray, size: int, theta: float
) -> list[float]:
    found = []
    for t, target in enumerate(targets):
        same = total = 0.0
        for i in range(max(0, t - size), t):
            weight = math.exp(theta * float(hidden[t] @ hidden[i]))
            total += weight
            same += weight * (targets[i] == target)
        found.append(same / total if total else model[t])
    return found


def text(tokens: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hidden states, tokens, and the model's probabilities of them."""
    return (
        RNG.normal(0, 1, (tokens, 4)).astype(np.float32),
        RNG.integers(0, TYPES, tokens),
        RNG.uniform(0.01, 0.9, tokens),
    )


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("theta", [0.0, 0.3, 2.0])
def test_probabilities_are_those_of_the_definition(
    size: int, theta: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "BLOCK", 8)
    hidden, targets, model = text(60)
    np.testing.assert_allclose(
        cache_probabilities(hidden, targets, model, size, theta),
        brute_force(hidden, targets, model, size, theta),
        rtol=1e-5,
    )


def test_large_scores_do_not_overflow() -> None:
    hidden, targets, model = text(20)
    found = cache_probabilities(1000 * hidden, targets, model, 10, 1.0)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_distribution_sums_to_one_alone_and_in_a_mixture() -> None:
    hidden, targets, _ = text(30)
    model = RNG.dirichlet(np.ones(TYPES), 30)
    for position in (0, 1, 29):
        alone, mixture = [], []
        for target in range(TYPES):
            changed = np.append(targets[:position], target)
            losses = -np.log(model[np.arange(position + 1), changed])
            found = cache_probabilities(
                hidden[: position + 1], changed, np.exp(-losses), size=12, theta=0.5
            )
            alone.append(found[-1])
            mixture.append(math.exp(-mixed(losses, found, 0.2)[-1]))
        assert sum(alone) == pytest.approx(1)
        assert sum(mixture) == pytest.approx(1)


def test_what_is_repeated_becomes_likelier() -> None:
    """A name that the model does not know, after a word that it does."""
    hidden = np.tile(np.eye(2, dtype=np.float32), (40, 1))
    targets = np.tile([3, 5], 40)
    model = np.full(80, 0.05)
    found = cache_probabilities(hidden, targets, model, 20, theta=5.0)
    assert found[2:].min() > 0.9
    weight = best_weight(-np.log(model), found)
    assert mixed(-np.log(model), found, weight).mean() < 0.2 * -np.log(0.05)


def test_hidden_states_are_those_of_one_long_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "BLOCK", 3)
    dataset = dataset_of(tmp_path / "d", "a b c", "b a")
    types, end = len(dataset.vocabulary), dataset.vocabulary.end_index
    network = bigram_network(dataset, experiment(types))
    ids = np.asarray(dataset.split("test").ids)
    hidden = hidden_of_text(network, ids, end)
    before = np.append(end, ids[:-1])
    np.testing.assert_allclose(hidden, np.eye(types)[before], atol=1e-6)
