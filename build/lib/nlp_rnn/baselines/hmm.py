"""A trigram hidden Markov tagger that guesses unknown words by their endings: TnT (Brants 2000).

The most likely tags of a sentence ``w_1 ... w_T`` are those with the highest

    prod_k  P(t_k | t_{k-2}, t_{k-1}) P(w_k | t_k)  *  P(end | t_{T-1}, t_T)

with two boundary tags before the first word (Brants's equation 1, but with a trigram for the end
too). As in section 2.4, each tag is combined with a flag for whether its word is capitalised.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints

RARE = 10
"""Endings are learned from words that occur at most this often in training (section 2.3)."""

LONGEST_ENDING = 10
"""The length of the longest ending considered, in characters."""

LEAST = 1e-300
"""The lower bound of probabilities, so that every logarithm is finite."""


def interpolation_weights(counts: Floats) -> Floats:
    """The weights of unigrams, bigrams and trigrams by deleted interpolation (figure 1).

    Every trigram votes, with its count, for the order that predicts its tag best when the trigram
    itself is left out of the counts.

    Args:
        counts: the counts of trigrams ``(states, states, states)``.

    Returns:
        ``(3,)``, sum 1.
    """
    bigrams, unigrams = counts.sum(axis=0), counts.sum(axis=(0, 1))
    first, second, third = np.nonzero(counts)
    votes = counts[first, second, third]
    joint = np.stack([unigrams[third], bigrams[second, third], votes])
    context = np.stack(
        [
            np.full(len(votes), counts.sum()),
            bigrams.sum(axis=1)[second],
            counts.sum(axis=2)[first, second],
        ]
    )
    left_out = np.where(context > 1, (joint - 1) / np.maximum(context - 1, 1), 0.0)
    return np.bincount(left_out.argmax(axis=0), votes, minlength=3) / votes.sum()


def _conditional(joint: Floats) -> Floats:
    """Counts divided by their sums along the last axis; 0 if a sum is 0."""
    return joint / np.maximum(joint.sum(axis=-1, keepdims=True), 1)


def interpolated(counts: Floats) -> Floats:
    """``P(t_3 | t_1, t_2)`` ``(states, states, states)`` from counts of trigrams (equation 6)."""
    weights = interpolation_weights(counts)
    orders = counts.sum(axis=(0, 1)), counts.sum(axis=0), counts
    return sum(w * _conditional(joint) for w, joint in zip(weights, orders, strict=True))


class HMM:
    """The tagger.

    A *state* is ``2 * tag + capitalised``; the last state is the boundary of sentences.

    Args:
        sentences: the words of each sentence, as written.
        tags: the tag indices of each sentence.
        count: the number of tags; memory grows with its third power.
    """

    def __init__(
        self, sentences: Iterable[Sequence[str]], tags: Iterable[Ints], count: int
    ) -> None:
        self.boundary = 2 * count
        trigrams = np.zeros((2 * count + 1,) * 3)
        words: dict[str, Counter[int]] = defaultdict(Counter)
        for sentence, its_tags in zip(sentences, tags, strict=True):
            states = [
                2 * tag + _capitalised(word)
                for word, tag in zip(sentence, its_tags.tolist(), strict=True)
            ]
            padded = [self.boundary, self.boundary, *states, self.boundary]
            for trigram in zip(padded, padded[1:], padded[2:], strict=False):
                trigrams[trigram] += 1
            for word, state in zip(sentence, states, strict=True):
                words[word][state] += 1
        self.transitions = np.log(np.maximum(interpolated(trigrams), LEAST))
        self.states = trigrams.sum(axis=(0, 1))[: self.boundary]
        self._emissions: dict[str, tuple[Ints, Floats]] = {}
        for word, counts in words.items():
            of_word = np.array(sorted(counts))
            occurrences = np.array([counts[state] for state in of_word])
            self._emissions[word] = of_word, np.log(occurrences / self.states[of_word])
        self._endings = self._count_endings(words)
        shares = self.states.reshape(count, 2).sum(axis=1) / self.states.sum()
        # The text says standard deviation; equation 10 lacks the root, but the reported values
        # include it.
        self.theta = float(np.std(shares, ddof=1))

    def _count_endings(self, words: dict[str, Counter[int]]) -> dict[tuple[int, str], Floats]:
        """Tokens of rare words by capitalisation, ending and state ``(states,)``."""
        endings: dict[tuple[int, str], Floats] = defaultdict(lambda: np.zeros(self.boundary))
        for word, counts in words.items():
            if counts.total() <= RARE:
                states, tokens = np.array(list(counts)), np.array(list(counts.values()))
                for ending in _endings(word):
                    endings[_capitalised(word), ending][states] += tokens
        return dict(endings)

    def ending_probabilities(self, word: str) -> Floats:
        """``P(state | ending)`` of the longest known ending (equations 7 to 9) ``(states,)``.

        Starting from the empty ending, the relative frequencies of each longer ending are smoothed
        by the probabilities of the shorter one. States of the other capitalisation have probability
        0.
        """
        flag = _capitalised(word)
        probabilities = np.zeros_like(self.states)
        probabilities[flag::2] = self.states[flag::2]
        if not probabilities.any():  # no such word in training, as in a language without case
            probabilities = self.states
        probabilities = probabilities / probabilities.sum()
        for ending in _endings(word):
            counts = self._endings.get((flag, ending))
            if counts is None:
                break
            frequencies = counts / counts.sum()
            probabilities = (frequencies + self.theta * probabilities) / (1 + self.theta)
        return probabilities

    def emission(self, word: str) -> tuple[Ints, Floats]:
        """The states that a word may have and ``ln P(word | state)``, up to a constant.

        For an unknown word, Bayes's rule gives ``P(state | ending) / P(state)``.
        """
        if word not in self._emissions:
            probabilities = self.ending_probabilities(word)
            states = np.flatnonzero(probabilities)
            self._emissions[word] = states, np.log(probabilities[states] / self.states[states])
        return self._emissions[word]

    def tag(self, sentence: Sequence[str]) -> NDArray[np.int32]:
        """The most likely tags of a sentence of one word or more, by the Viterbi algorithm.

        It scores pairs of states, of the previous and the current word. Only states that the two
        words may have are considered, so the search is exact without a beam.
        """
        start = np.array([self.boundary])
        before, last = start, start
        scores = np.zeros((1, 1))
        choices, candidates = [], []
        for word in sentence:
            states, emission = self.emission(word)
            through = scores[..., None] + self.transitions[np.ix_(before, last, states)]
            choices.append(through.argmax(axis=0))
            scores = through.max(axis=0) + emission
            before, last = last, states
            candidates.append(states)
        scores = scores + self.transitions[np.ix_(before, last, start)][..., 0]
        one, two = np.unravel_index(scores.argmax(), scores.shape)
        path = []
        for choice, states in zip(reversed(choices), reversed(candidates), strict=True):
            path.append(states[two] // 2)
            one, two = choice[one, two], one
        return np.array(path[::-1], np.int32)


def _capitalised(word: str) -> int:
    return int(word[:1].isupper())


def _endings(word: str) -> list[str]:
    """The last character, the last two, and so on."""
    return [word[-length:] for length in range(1, min(len(word), LONGEST_ENDING) + 1)]
