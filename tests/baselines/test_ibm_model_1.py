"""IBM Model 1 against EM written as loops, and against a dictionary that it must find."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from nlp_rnn.baselines.ibm_model_1 import NO_WORD, IBMModel1
from nlp_rnn.evaluation.alignment import alignment_error

SENTENCES = [([0, 1], [0, 1]), ([0, 2], [0, 2]), ([2], [2, 0]), ([1, 1, 0], [3]), ([3], [1, 3])]


def by_loops(iterations: int) -> tuple[dict[tuple[int, int], float], list[float]]:
    """Brown et al.'s EM; source -1 is the empty word."""
    t: dict[tuple[int, int], float] = defaultdict(lambda: 1 / 4)
    likelihoods = []
    for _ in range(iterations + 1):
        counts: dict[tuple[int, int], float] = defaultdict(float)
        totals: dict[int, float] = defaultdict(float)
        likelihood = 0.0
        for source, target in SENTENCES:
            for f in target:
                total = sum(t[e, f] for e in [-1, *source])
                likelihood += np.log(total)
                for e in [-1, *source]:
                    counts[e, f] += t[e, f] / total
                    totals[e] += t[e, f] / total
        likelihoods.append(likelihood)
        if len(likelihoods) <= iterations:
            t = defaultdict(float, {pair: c / totals[pair[0]] for pair, c in counts.items()})
    return dict(t), likelihoods


@pytest.mark.parametrize("iterations", [1, 4])
def test_em_is_that_of_loops(iterations: int) -> None:
    sources, targets = (
        [np.array(words) for words in side] for side in zip(*SENTENCES, strict=True)
    )
    model = IBMModel1.fit(sources, targets, iterations)
    expected, likelihoods = by_loops(iterations)
    for (e, f), probability in expected.items():
        assert float(model.probability(e, f)) == pytest.approx(probability)
    assert model.log_likelihoods == pytest.approx(likelihoods)
    assert (np.diff(model.log_likelihoods) > 0).all()


def test_a_dictionary_is_found() -> None:
    rng = np.random.default_rng(0)
    words = rng.permutation(20)
    sources = [rng.integers(0, 20, rng.integers(1, 8)) for _ in range(400)]
    targets = [rng.permutation(words[source]) for source in sources]
    model = IBMModel1.fit(sources, targets)
    best = model.best_translations(22)
    assert best[:20].tolist() == words.tolist() and best[20:].tolist() == [NO_WORD] * 2
    links = [model.align(s, t) for s, t in zip(sources, targets, strict=True)]
    assert all(
        (words[s[link]] == t).all() for s, t, link in zip(sources, targets, links, strict=True)
    )


def test_words_that_never_met_are_not_linked() -> None:
    model = IBMModel1.fit([np.array([0]), np.array([1])], [np.array([0]), np.array([1])])
    assert model.align(np.array([0, 1]), np.array([1, 7])).tolist() == [1, NO_WORD]
    assert model.align(np.array([], int), np.array([7])).tolist() == [NO_WORD]


def test_the_alignment_error_is_och_and_neys() -> None:
    found = [np.array([0, 1, -1]), np.array([2])]
    reference = [np.array([0, 0, -1]), np.array([-1])]
    # Three links were found and two are right ones, of which one was found.
    assert alignment_error(found, reference).value == pytest.approx(1 - 2 * 1 / (3 + 2))
    assert alignment_error(reference, reference).value == 0
