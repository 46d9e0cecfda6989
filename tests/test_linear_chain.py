"""Linear chains against enumeration of all tag sequences."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from nlp_rnn.layers.crf import FORBIDDEN
from nlp_rnn.linear_chain import (
    Transitions,
    backward,
    forward,
    log_partition,
    marginals,
    path_score,
    viterbi,
)
from nlp_rnn.text.entities import allowed_transitions

LENGTHS = (4, 1, 3, 2)


class Problem:
    """Random scores, and every sequence of each sentence with its own; garbage at padding."""

    def __init__(
        self, tags: int, lengths: tuple[int, ...], allowed: tuple[Any, Any, Any] | None = None
    ) -> None:
        rng = np.random.default_rng(1)
        self.tags, self.lengths = tags, np.array(lengths, np.int32)
        self.emissions = rng.normal(0, 2, (len(lengths), max(lengths), tags)).astype(np.float32)
        scores = [rng.normal(0, 2, shape) for shape in ((tags,), (tags, tags), (tags,))]
        if allowed is not None:
            pairs = zip(allowed, scores, strict=True)
            scores = [np.where(may, score, FORBIDDEN) for may, score in pairs]
        self.transitions = Transitions(*scores)

    def enumerated(self, sentence: int) -> dict[tuple[int, ...], float]:
        """Scores of the allowed sequences, best first."""
        start, between, end = self.transitions
        emissions = self.emissions[sentence].astype(np.float64)
        scores = {
            path: float(
                start[path[0]]
                + sum(emissions[t, tag] for t, tag in enumerate(path))
                + sum(between[step] for step in itertools.pairwise(path))
                + end[path[-1]]
            )
            for path in itertools.product(range(self.tags), repeat=self.lengths[sentence])
        }
        allowed = {path: score for path, score in scores.items() if score > FORBIDDEN / 2}
        return dict(sorted(allowed.items(), key=lambda item: -item[1]))

    @property
    def given(self) -> tuple[Any, Any, Transitions]:
        return self.emissions, self.lengths, self.transitions


PROBLEMS = {
    "free": Problem(3, LENGTHS),
    "constrained": Problem(3, LENGTHS, allowed_transitions(["O", "B-PER", "I-PER"])),
    "one token": Problem(2, (1,)),
    "few steps allowed": Problem(
        3, LENGTHS, ([True, False, False], [[0, 1, 1], [1, 0, 0], [1, 0, 0]], [True, True, True])
    ),
}


@pytest.fixture(params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> Problem:
    return PROBLEMS[request.param]


def log_sum_exp(scores: Any) -> float:
    return float(np.logaddexp.reduce(np.array(list(scores))))


def test_log_partition_sums_over_every_sequence(problem: Problem) -> None:
    log_z = log_partition(forward(*problem.given), problem.transitions)
    expected = [log_sum_exp(problem.enumerated(i).values()) for i in range(len(log_z))]
    np.testing.assert_allclose(log_z, expected, atol=1e-12)


def test_marginals_sum_over_the_sequences_through_a_tag(problem: Problem) -> None:
    found = marginals(forward(*problem.given), backward(*problem.given))
    for i, length in enumerate(problem.lengths):
        scores = problem.enumerated(i)
        expected = np.zeros((length, problem.tags))
        for path, score in scores.items():
            expected[range(length), path] += math.exp(score - log_sum_exp(scores.values()))
        np.testing.assert_allclose(found[i, :length], expected, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_viterbi_lists_the_best_sequences_in_order(problem: Problem, n: int) -> None:
    paths, scores = viterbi(*problem.given, n)
    assert paths.shape == (len(problem.lengths), n, max(problem.lengths))
    assert paths.dtype == np.int32
    for i, length in enumerate(problem.lengths):
        assert not paths[i, :, length:].any()
        expected = problem.enumerated(i)
        best = list(expected)[:n]
        assert [tuple(path[:length]) for path in paths[i, : len(best)]] == best
        np.testing.assert_allclose(scores[i, : len(best)], [expected[path] for path in best])
        assert (scores[i, len(best) :] < FORBIDDEN / 2).all()  # there are no more


def test_a_path_scores_the_sum_of_its_steps(problem: Problem) -> None:
    for i, length in enumerate(problem.lengths):
        for path, score in problem.enumerated(i).items():
            found = path_score(problem.emissions[i, :length], np.array(path), problem.transitions)
            assert found == pytest.approx(score, abs=1e-12)


def test_long_sentences_and_great_scores_neither_overflow_nor_vanish() -> None:
    rng = np.random.default_rng(0)
    emissions = rng.normal(0, 40, (2, 600, 5))
    lengths = np.array([600, 599])
    transitions = Transitions(*(rng.normal(0, 10, s) for s in (5, (5, 5), 5)))
    alpha = transitions.start + emissions[:, 0]
    for t in range(1, 600):
        paths = alpha[:, :, None] + transitions.between
        after = emissions[:, t] + np.logaddexp.reduce(paths, axis=1)
        alpha = np.where((t < lengths)[:, None], after, alpha)
    expected = np.logaddexp.reduce(alpha + transitions.end, axis=1)
    alphas = forward(emissions, lengths, transitions)
    np.testing.assert_allclose(log_partition(alphas, transitions), expected, rtol=1e-12)
    sums = marginals(alphas, backward(emissions, lengths, transitions)).sum(axis=-1)
    np.testing.assert_allclose(sums, 1, atol=1e-12)


def test_where_no_sequence_is_allowed_everything_is_still_finite() -> None:
    emissions, lengths = np.zeros((1, 3, 2)), np.array([3])
    transitions = Transitions(np.full(2, FORBIDDEN), np.full((2, 2), FORBIDDEN), np.zeros(2))
    alphas = forward(emissions, lengths, transitions)
    assert np.isfinite(log_partition(alphas, transitions)).all()
    assert np.isfinite(marginals(alphas, backward(emissions, lengths, transitions))).all()
    assert np.isfinite(viterbi(emissions, lengths, transitions)[1]).all()
