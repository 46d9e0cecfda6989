"""The trigram tagger against counting by hand and the enumeration of all tag sequences."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from statistics import stdev

import numpy as np
import pytest

from nlp_rnn.baselines.hmm import HMM, RARE, interpolation_weights

TAGS = 3
TRAINING: list[tuple[list[str], list[int]]] = [
    (["The", "dog", "walks"], [0, 1, 2]),
    (["The", "walks", "end"], [0, 1, 2]),
    (["Walks", "end", "the", "walks"], [1, 2, 0, 1]),
    (["Rome", "walks"], [1, 2]),
    (["the", "the", "dog", "Rome"], [0, 0, 1, 1]),
    (["dogs", "talked"], [1, 2]),
    (["The", "cats", "walked", "the", "dog"], [0, 1, 2, 0, 1]),
] * 2
State = tuple[int, bool]
EDGE: State = (-1, False)


@pytest.fixture(scope="module")
def tagger() -> HMM:
    words, tags = zip(*TRAINING, strict=True)
    return HMM(words, map(np.array, tags), TAGS)


class Counted:
    """Everything of the paper, counted and computed one by one."""

    def __init__(self) -> None:
        self.three: Counter[tuple[State, State, State]] = Counter()
        self.emitted: Counter[tuple[str, State]] = Counter()
        for words, tags in TRAINING:
            states = [(tag, word[0].isupper()) for word, tag in zip(words, tags, strict=True)]
            padded = [EDGE, EDGE, *states, EDGE]
            self.three.update(zip(padded, padded[1:], padded[2:], strict=False))
            self.emitted.update(zip(words, states, strict=True))
        self.states: Counter[State] = Counter()
        self.words: Counter[str] = Counter()
        for (word, state), n in self.emitted.items():
            self.states[state] += n
            self.words[word] += n
        self.weights = self.deleted_interpolation()

    def f(self, *places: State | None) -> int:
        """Trigrams that agree with the places that are given."""
        return sum(
            n
            for trigram, n in self.three.items()
            if all(p is None or p == t for p, t in zip(places, trigram, strict=True))
        )

    def deleted_interpolation(self) -> list[float]:
        votes = [0, 0, 0]
        for (a, b, c), n in self.three.items():
            fractions = [
                (self.f(None, None, c), self.f(None, None, None)),
                (self.f(None, b, c), self.f(None, b, None)),
                (n, self.f(a, b, None)),
            ]
            without = [(x - 1) / (y - 1) if y > 1 else 0.0 for x, y in fractions]
            votes[without.index(max(without))] += n
        return [vote / sum(votes) for vote in votes]

    @cache  # noqa: B019
    def transition(self, a: State, b: State, c: State) -> float:
        fractions = [
            (self.f(None, None, c), self.f(None, None, None)),
            (self.f(None, b, c), self.f(None, b, None)),
            (self.f(a, b, c), self.f(a, b, None)),
        ]
        return sum(w * x / y for w, (x, y) in zip(self.weights, fractions, strict=True) if y)

    def of_ending(self, word: str) -> dict[State, float]:
        """``P(state | ending)`` by equation 7, for the capitalisation of the word."""
        capital = word[0].isupper()
        same = {s: n for s, n in self.states.items() if s[1] == capital}
        probabilities = {s: n / sum(same.values()) for s, n in same.items()}
        total = sum(self.states.values())
        theta = stdev(
            sum(n for s, n in self.states.items() if s[0] == tag) / total for tag in range(TAGS)
        )
        for length in range(1, len(word) + 1):
            counts = {
                s: sum(
                    n
                    for (w, state), n in self.emitted.items()
                    if state == s
                    and w.endswith(word[-length:])
                    and w[0].isupper() == capital
                    and self.words[w] <= RARE
                )
                for s in same
            }
            if not sum(counts.values()):
                break
            probabilities = {
                s: (counts[s] / sum(counts.values()) + theta * p) / (1 + theta)
                for s, p in probabilities.items()
            }
        return probabilities

    @cache  # noqa: B019
    def emission(self, word: str, state: State) -> float:
        if word in self.words:
            return self.emitted[word, state] / self.states[state] if self.states[state] else 0.0
        return self.of_ending(word).get(state, 0.0) / max(self.states[state], 1)

    def probability(self, words: Sequence[str], tags: Sequence[int]) -> float:
        states = [(tag, word[0].isupper()) for word, tag in zip(words, tags, strict=True)]
        padded = [EDGE, EDGE, *states, EDGE]
        steps = zip(padded, padded[1:], padded[2:], strict=False)
        emitted = map(self.emission, words, states)
        return math.prod(itertools.starmap(self.transition, steps)) * math.prod(emitted)

    def best(self, words: Sequence[str]) -> float:
        """The probability of the likeliest tags."""
        paths = itertools.product(range(TAGS), repeat=len(words))
        return max(self.probability(words, path) for path in paths)


@pytest.fixture(scope="module")
def counted() -> Counted:
    return Counted()


def test_interpolation_is_that_of_the_paper(counted: Counted) -> None:
    states = [EDGE, *counted.states]
    counts = np.zeros((len(states),) * 3)
    for trigram, n in counted.three.items():
        counts[tuple(map(states.index, trigram))] = n
    np.testing.assert_allclose(interpolation_weights(counts), counted.weights)
    assert min(counted.weights) > 0  # so that each order is put to the test


def test_endings_are_smoothed_as_in_the_paper(tagger: HMM, counted: Counted) -> None:
    for word in ("balked", "talks", "Balks", "xyz", "Ended"):
        found = tagger.ending_probabilities(word)
        for state, expected in counted.of_ending(word).items():
            assert found[2 * state[0] + state[1]] == pytest.approx(expected), word
        assert found.sum() == pytest.approx(1)


def test_no_path_is_better(tagger: HMM, counted: Counted) -> None:
    rng = np.random.default_rng(1)
    words = ["the", "The", "walks", "Walks", "end", "dog", "Rome", "balked", "Ends"]
    for length in (1, 2, 3, 4) * 5:
        sentence = rng.choice(words, size=length).tolist()
        found = counted.probability(sentence, tagger.tag(sentence).tolist())
        assert found == pytest.approx(counted.best(sentence)), sentence
        assert found > 0


def test_a_text_without_case_has_words_of_the_other_case_tagged_all_the_same() -> None:
    tagger = HMM([["the", "dog"], ["the", "cat"]], [np.array([0, 1])] * 2, 2)
    assert tagger.tag(["the", "Frog"]).tolist() == [0, 1]


def test_a_sentence_without_words_has_no_tags(tagger: HMM) -> None:
    assert tagger.tag([]).tolist() == []
