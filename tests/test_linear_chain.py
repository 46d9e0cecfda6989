"""Linear chains against enumeration of all tag sequences."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_rnn.layers.crf import FORBIDDEN
from nlp_rnn.linear_chain import (
    Transitions,
    backward,
    entropy,
    forward,
    lattice,
    log_partition,
    marginals,
    path_score,
    tempered,
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


# --- any chain, against all its sequences ---------------------------------------------------

MOST_TAGS, MOST_WORDS = 3, 4


class Found:
    """All that the module says of a batch, from arrays that cannot be written into."""

    def __init__(self, emissions: Any, lengths: Any, transitions: Transitions, n: int = 3) -> None:
        given = [emissions, lengths, *transitions]
        before = [array.copy() for array in given]
        for array in given:
            array.setflags(write=False)
        alphas = forward(emissions, lengths, transitions)
        betas = backward(emissions, lengths, transitions)
        self.log_z = log_partition(alphas, transitions)
        self.marginals = marginals(alphas, betas)
        self.paths, self.scores = viterbi(emissions, lengths, transitions, n)
        self.best, _ = viterbi(emissions, lengths, transitions)
        for array, copy in zip(given, before, strict=True):
            np.testing.assert_array_equal(array, copy)

    def check_sentence(self, i: int, emissions: Any, transitions: Transitions) -> None:
        """Sentence ``i`` has ``emissions (words, tags)``: compare with all its sequences."""
        words, tags = emissions.shape
        paths = np.array(list(itertools.product(range(tags), repeat=words)))
        scores = np.array([path_score(emissions, path, transitions) for path in paths])
        log_z = np.logaddexp.reduce(scores)
        assert self.log_z[i] == pytest.approx(log_z, rel=1e-12, abs=1e-9)
        p = np.exp(scores - log_z)
        expected = np.transpose([p @ (paths == tag) for tag in range(tags)])
        found = self.marginals[i, :words]
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert (found <= 1).all()
        assert (self.scores[i] <= self.log_z[i] + 1e-9).all()
        ranked = np.sort(scores)[::-1][: len(self.scores[i])]
        np.testing.assert_allclose(self.scores[i, : len(ranked)], ranked, atol=1e-9)
        assert (self.scores[i, len(ranked) :] == -np.inf).all()
        ranked = ranked[np.isfinite(ranked)]
        listed = self.paths[i, : len(ranked), :words]
        assert len({tuple(path) for path in listed.tolist()}) == len(ranked)
        for path, score in zip(listed, ranked, strict=True):
            assert path_score(emissions, path, transitions) == pytest.approx(score, abs=1e-9)
        assert path_score(emissions, self.best[i, 0, :words], transitions) == pytest.approx(
            ranked[0], abs=1e-9
        )


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Any], Transitions]:
    """Sentences' emissions ``(words, tags)`` and transitions, of any spread, some forbidden."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tags = draw(st.integers(1, MOST_TAGS))
    lengths = draw(st.lists(st.integers(1, MOST_WORDS), min_size=1, max_size=4))
    spread = draw(st.sampled_from([1.0, 30.0, 900.0]))
    scores = [rng.normal(0, 3, shape) for shape in ((tags,), (tags, tags), (tags,))]
    forbidden = draw(st.sampled_from([None, FORBIDDEN, -np.inf, -700.0]))
    if forbidden is not None:
        for array in scores:
            array[rng.random(array.shape) < 0.3] = forbidden
        possible = rng.integers(tags)  # at least one sequence of each length is allowed
        for array in scores:
            array[(possible,) * array.ndim] = 0.0
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    sentences = [rng.normal(0, spread, (length, tags)).astype(dtype) for length in lengths]
    return sentences, Transitions(*scores)


def batch(sentences: list[Any], padding: int = 0, garbage: float = 0.0) -> tuple[Any, Any]:
    """The emissions of sentences with ``garbage`` at the padding, and their lengths."""
    lengths = np.array([len(sentence) for sentence in sentences])
    shape = len(sentences), lengths.max() + padding, sentences[0].shape[1]
    emissions = np.full(shape, garbage, sentences[0].dtype)
    for row, sentence in zip(emissions, sentences, strict=True):
        row[: len(sentence)] = sentence
    return emissions, lengths


@pytest.mark.slow
@given(chains())
@settings(deadline=None, max_examples=150, derandomize=True)
def test_any_batch_gives_what_all_sequences_give(chain: tuple[list[Any], Transitions]) -> None:
    sentences, transitions = chain
    found = Found(*batch(sentences), transitions)
    for i, sentence in enumerate(sentences):
        found.check_sentence(i, sentence.astype(np.float64), transitions)


@pytest.mark.slow
@given(chains(), st.integers(0, 3), st.sampled_from([0.0, 1e30, np.nan, np.inf]))
@settings(deadline=None, max_examples=100, derandomize=True)
def test_company_order_and_padding_change_nothing(
    chain: tuple[list[Any], Transitions], padding: int, garbage: float
) -> None:
    sentences, transitions = chain
    with np.errstate(invalid="ignore", over="ignore"):  # what garbage gives is left out
        together = Found(*batch(sentences[::-1], padding, garbage), transitions)
    for i, sentence in enumerate(sentences):
        alone, j = Found(*batch([sentence]), transitions), len(sentences) - 1 - i
        words = len(sentence)
        np.testing.assert_allclose(together.log_z[j], alone.log_z[0], rtol=1e-12)
        np.testing.assert_allclose(together.marginals[j, :words], alone.marginals[0], atol=1e-12)
        np.testing.assert_array_equal(together.best[j, :, :words], alone.best[0])
        np.testing.assert_allclose(together.scores[j], alone.scores[0], rtol=1e-12)


def test_a_sentence_alone_gets_the_bits_that_it_gets_in_company() -> None:
    many = Problem(9, (5,) * 8)
    together = forward(*many.given), backward(*many.given)
    for i in range(8):
        alone = many.emissions[i : i + 1], many.lengths[i : i + 1], many.transitions
        for in_company, own in zip(together, (forward(*alone), backward(*alone)), strict=True):
            np.testing.assert_array_equal(in_company[:, i], own[:, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sentences", [1, 5])
@pytest.mark.parametrize("words", [1, 3])
def test_an_axis_of_one_is_no_reason_to_write_into_the_callers_array(
    words: int, sentences: int, dtype: Any
) -> None:
    """NumPy makes no copy of such an array when its axes change places."""
    rng = np.random.default_rng(0)
    emissions = rng.normal(0, 2, (sentences, words, 3)).astype(dtype)
    transitions = Transitions(*(rng.normal(0, 2, shape) for shape in (3, (3, 3), 3)))
    found = Found(emissions, np.full(sentences, words), transitions)
    for i in range(sentences):
        found.check_sentence(i, emissions[i].astype(np.float64), transitions)


@pytest.mark.parametrize("forbidden", [FORBIDDEN, -np.inf, -700.0])
def test_a_path_that_must_take_unlikely_tags_keeps_its_probability(forbidden: float) -> None:
    """The second tag may not end a sentence and nothing follows it, but it is likelier by 1,700
    than the first, by which alone a sentence goes on."""
    emissions = np.array([[[0.0, 1700.0], [1600.0, 0.0]]])
    transitions = Transitions(
        np.zeros(2), np.array([[0.0, forbidden], [-np.inf, -np.inf]]), np.zeros(2)
    )
    found = Found(emissions, np.array([2]), transitions)
    assert found.log_z[0] == pytest.approx(1600)
    np.testing.assert_allclose(found.marginals[0], [[1, 0], [1, 0]])


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_a_low_temperature_meets_forbidden_transitions(temperature: float) -> None:
    rng = np.random.default_rng(3)
    allowed = allowed_transitions(["O", "B-PER", "I-PER"])
    scores = [rng.normal(0, 2, shape) for shape in (3, (3, 3), 3)]
    pairs = zip(allowed, scores, strict=True)
    transitions = Transitions(*(np.where(may, s, FORBIDDEN) for may, s in pairs))
    emissions = rng.normal(0, 90, (6, 4, 3)).astype(np.float32)
    sharp = tempered(emissions, transitions, temperature)
    found = Found(sharp[0], np.full(6, 4), sharp[1])
    for i in range(6):
        found.check_sentence(i, sharp[0][i], sharp[1])


@pytest.mark.parametrize("allowed", [None, allowed_transitions(["O", "B-x", "I-x"])])
def test_the_entropy_is_that_of_all_sequences(allowed: Any) -> None:
    problem = Problem(3, LENGTHS, allowed)
    found = entropy(lattice(problem.emissions, problem.lengths, problem.transitions))
    for sentence in range(len(LENGTHS)):
        scores = np.array([*problem.enumerated(sentence).values()])
        p = np.exp(scores - np.logaddexp.reduce(scores))
        assert found[sentence] == pytest.approx(-(p * np.log(p)).sum(), rel=1e-9)


def test_the_entropy_of_a_sure_chain_is_zero_and_of_an_even_one_the_number_of_sequences() -> None:
    nothing = Transitions(np.zeros(3), np.zeros((3, 3)), np.zeros(3))
    lengths = np.array([4, 2])
    even = entropy(lattice(np.zeros((2, 4, 3)), lengths, nothing))
    np.testing.assert_allclose(even, lengths * np.log(3))
    sure = np.zeros((2, 4, 3))
    sure[..., 1] = 1e4
    np.testing.assert_array_equal(entropy(lattice(sure, lengths, nothing)), [0, 0])
    barred = nothing._replace(between=np.where(np.eye(3) > 0, 0, -np.inf))
    np.testing.assert_allclose(
        entropy(lattice(np.zeros((2, 4, 3)), lengths, barred)), np.log([3, 3])
    )
