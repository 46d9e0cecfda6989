"""A linear-chain conditional random field with hand-crafted features (Lafferty et al. 2001).

With sparse features ``x_t`` of each word, a tag sequence ``y`` of a sentence scores

    s(y) = start[y_1] + sum_t W[:, y_t] . x_t + sum_{t>1} between[y_{t-1}, y_t] + end[y_T]

and has the probability ``exp s(y) / Z``. Weights maximise the log-likelihood of the training tags
minus ``l2 / 2`` times their squared norm. This is concave, so nothing depends on a seed (Sha &
Pereira 2003).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_rnn import linear_chain
from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.linear_chain import Transitions, viterbi
from nlp_rnn.progress import progress
from nlp_rnn.text.batches import by_length
from nlp_rnn.text.entities import allowed_transitions
from nlp_rnn.text.prepared import Split

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


SENTENCES_AT_ONCE = 1024
"""The maximum number of sentences of similar length in one forward-backward pass."""

MOST_ITERATIONS = 50
"""The maximum number of L-BFGS iterations per penalty, which as usual stops before the optimum."""

LEAST_SCALE = 1e-100
"""If a step leaves so small a share of the alphas, some of them may have become 0."""

# --- features ---------------------------------------------------------------------------


def shape(word: str) -> str:
    """The word with its characters as ``X``, ``x`` and ``d``, and runs as one letter and a plus.

    >>> shape("McDonald's"), shape("1984-85")
    ("XxXx+'x", 'd+-d+')
    """
    classes = re.sub(r"\d", "d", re.sub(r"[^\W\d_]", _case, word))
    return re.sub(r"([Xxd])\1+", r"\1+", classes)


def _case(letter: re.Match[str]) -> str:
    return "X" if letter[0].isupper() else "x"


def features_of(word: str) -> Iterator[str]:
    """The features of a word by itself; the empty word only has the feature that it is missing."""
    if not word:
        yield "outside"
        return
    lower = word.lower()
    yield "bias"
    yield f"word={word}"
    yield f"lower={lower}"
    yield f"shape={shape(word)}"
    for length in range(1, min(len(word), 4) + 1):
        yield f"prefix={lower[:length]}"
        yield f"suffix={lower[-length:]}"
    tests = {
        "capital": word[0].isupper(),
        "all capitals": word.isupper(),
        "capital inside": word[1:] != lower[1:],
        "digit": any(map(str.isdigit, word)),
        "number": word[0].isdigit() and not any(map(str.isalpha, word)),
        "hyphen": "-" in word,
        "no letter or digit": not any(map(str.isalnum, word)),
    }
    yield from (name for name, holds in tests.items() if holds)


def features_of_neighbour(word: str) -> Iterator[str]:
    """The features that a word gives its neighbour."""
    if not word:
        yield "outside"
        return
    yield f"lower={word.lower()}"
    yield f"shape={shape(word)}"
    yield f"suffix={word.lower()[-3:]}"


def features_of_far_neighbour(word: str) -> Iterator[str]:
    """The features that a word gives the word two positions away."""
    yield f"lower={word.lower()}"


TEMPLATE = {
    0: features_of,
    -1: features_of_neighbour,
    1: features_of_neighbour,
    -2: features_of_far_neighbour,
    2: features_of_far_neighbour,
}
"""The features read of the word at each distance."""


class WordFeatures(NamedTuple):
    """The features of words, zeros and ones ``(words, features)``, as a product of two matrices.

    A feature belongs to a word type at a distance. So the weights of each are summed once, and a
    word adds up the sums of the few that it reads: a product takes a third of the time.

    Attributes:
        read: which types at which distances each word reads ``(words, types at distances)``.
        features: the features of these ``(types at distances, features)``.
    """

    read: csr_matrix
    features: csr_matrix

    def __matmul__(self, weights: Floats) -> Floats:
        """The scores ``(words, tags)`` that ``weights`` ``(features, tags)`` give."""
        return self.read @ (self.features @ weights)

    def sums(self, of_words: Floats) -> Floats:
        """The sums ``(features, tags)`` of ``of_words`` ``(words, tags)`` where features hold."""
        return self.features.T @ (self.read.T @ of_words)


class Features:
    """The features of words in sentences.

    Types are analysed once, and a word's features are assembled from those of its neighbours.

    Args:
        forms: every word type, the empty one first.
        train: the split that defines the known features.
        least: the minimum number of its words that must have a feature for it to be known.
    """

    def __init__(self, forms: Sequence[str], train: Split, least: int = 2) -> None:
        from scipy.sparse import block_diag
        from sklearn.feature_extraction.text import CountVectorizer

        assert train.forms is not None
        known = [forms[i] for i in np.union1d([0], train.forms)]
        of_forms = []
        for analyzer in TEMPLATE.values():
            vectorizer = CountVectorizer(analyzer=analyzer, binary=True, dtype=np.float64)
            of_forms.append(vectorizer.fit(known).transform(forms))
        self._forms = len(forms)
        everything = WordFeatures(self._read(train), block_diag(of_forms, format="csr"))
        words = everything.sums(np.ones((len(train.ids), 1)))[:, 0]
        self._features = everything.features[:, np.flatnonzero(words >= least)]

    def matrix(self, split: Split) -> WordFeatures:
        """The features of the words of a split."""
        return WordFeatures(self._read(split), self._features)

    def _read(self, split: Split) -> csr_matrix:
        """Which forms at which distances each word reads ``(words, distances * forms)``."""
        from scipy.sparse import csr_matrix

        at = [_at_distance(split, place) + i * self._forms for i, place in enumerate(TEMPLATE)]
        read = np.stack(at, axis=1)
        starts = np.arange(len(read) + 1) * len(TEMPLATE)
        shape = (len(read), len(TEMPLATE) * self._forms)
        return csr_matrix((np.ones(read.size), read.ravel(), starts), shape)


def _at_distance(split: Split, distance: int) -> Ints:
    """The form ``distance`` words after each word ``(words,)``, 0 outside its sentence."""
    assert split.forms is not None
    words = np.arange(len(split.forms))
    sentence = np.repeat(np.arange(len(split)), split.lengths)
    there = words + distance
    inside = (there >= split.offsets[sentence]) & (there < split.offsets[sentence + 1])
    return np.where(inside, split.forms[np.where(inside, there, 0)], 0)


# --- the likelihood ---------------------------------------------------------------------


def padded_rows(split: Split) -> list[tuple[Ints, Ints]]:
    """Batches of sentences of similar length: the index of each word, and the lengths.

    Padding has the index one past the last word's.
    """
    batches = []
    for sentences in by_length(split.lengths, SENTENCES_AT_ONCE):
        lengths = split.lengths[sentences]
        steps = np.arange(lengths.max())
        words = split.offsets[sentences][:, None] + steps
        batches.append((np.where(steps < lengths[:, None], words, len(split.ids)), lengths))
    return batches


class Expectations(NamedTuple):
    """What a model expects of a batch of sentences.

    Attributes:
        log_z: ``ln Z``, summed over sentences, in nats.
        tags: ``P(y_t = j)`` ``(batch, timesteps, tags)``, undefined at padding.
        transitions: ``sum_t P(y_{t-1} = i, y_t = j)`` over all sentences ``(tags, tags)``.
    """

    log_z: float
    tags: Floats
    transitions: Floats


def expectations(emissions: Floats, lengths: Ints, transitions: Transitions) -> Expectations:
    """Forward-backward with alphas that sum to 1 at each step (Rabiner 1989, section V.A).

    It is twice as fast as :mod:`nlp_rnn.linear_chain`, which takes logarithms at each step and is
    used when scores differ so much that probabilities underflow.
    """
    with np.errstate(all="ignore"):
        found, least = _scaled(emissions, lengths, transitions)
    exact = least > LEAST_SCALE and np.isfinite(found.log_z)
    return found if exact else _by_logarithms(emissions, lengths, transitions)


def _scaled(
    emissions: Floats, lengths: Ints, transitions: Transitions
) -> tuple[Expectations, float]:
    """The expectations, and the smallest sum by which the alphas of a step were divided."""
    start, between, end = (np.exp(scores) for scores in transitions)
    highest = emissions.max(axis=-1, keepdims=True)
    steps = np.ascontiguousarray(np.exp(emissions - highest).swapaxes(0, 1))
    timesteps, batch, _ = steps.shape
    real = np.arange(timesteps)[:, None] < lengths
    alphas, scales = np.empty_like(steps), np.empty((timesteps, batch, 1))
    for t in range(timesteps):
        alpha = steps[t] * (alphas[t - 1] @ between if t else start)
        scales[t] = alpha.sum(axis=-1, keepdims=True)
        alphas[t] = alpha / scales[t]
    ending = alphas[lengths - 1, np.arange(batch)] @ end
    log_scales = np.log(scales[..., 0]) + highest[..., 0].T
    log_z = float(log_scales[real].sum() + np.log(ending).sum())
    steps /= scales
    betas = np.empty_like(steps)
    betas[-1] = last = end / ending[:, None]
    for t in range(timesteps - 1, 0, -1):
        steps[t] *= betas[t]
        betas[t - 1] = np.where(real[t][:, None], steps[t] @ between.T, last)
    pairs = between * (alphas[:-1][real[1:]].T @ steps[1:][real[1:]])
    least = min(scales[real].min(), ending.min())
    return Expectations(log_z, (alphas * betas).swapaxes(0, 1), pairs), float(least)


def _by_logarithms(emissions: Floats, lengths: Ints, transitions: Transitions) -> Expectations:
    alphas = linear_chain.forward(emissions, lengths, transitions)
    betas = linear_chain.backward(emissions, lengths, transitions)
    log_z = linear_chain.log_partition(alphas, transitions)
    after = betas + emissions.swapaxes(0, 1) - log_z[:, None]
    pairs = np.zeros_like(transitions.between)
    for t in range(1, len(alphas)):
        real = t < lengths
        before, behind = alphas[t - 1][real][:, :, None], after[t][real][:, None]
        pairs += np.exp(before + transitions.between + behind).sum(axis=0)
    return Expectations(float(log_z.sum()), linear_chain.marginals(alphas, betas), pairs)


@dataclass(frozen=True)
class Problem:
    """The training objective as a function of one vector of all weights.

    Attributes:
        features: of the words ``(words, features)``.
        split: holds the gold tags and the sentence boundaries.
        allowed: which tags may begin, follow another and end; other transitions have no weights.
    """

    features: WordFeatures
    split: Split
    allowed: tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]

    @property
    def tags(self) -> int:
        """The number of tags."""
        return len(self.allowed[0])

    @property
    def size(self) -> int:
        """The number of weights."""
        return (self.features.features.shape[1] + self.tags + 2) * self.tags

    @cached_property
    def _batches(self) -> list[tuple[Ints, Ints]]:
        return padded_rows(self.split)

    @cached_property
    def _observed(self) -> Floats:
        """The constant part of the gradient: how often each feature and transition is in the gold
        tags."""
        tags = np.asarray(self.split.labels)
        gold = np.zeros((len(tags), self.tags))
        gold[np.arange(len(tags)), tags] = 1.0
        counts = np.zeros((self.tags + 2, self.tags))
        for words, lengths in self._batches:
            last = words[np.arange(len(words)), lengths - 1]
            follow = words[:, 1:] < len(tags)
            np.add.at(counts[0], tags[words[:, 0]], 1)
            np.add.at(counts[1], tags[last], 1)
            np.add.at(counts[2:], (tags[words[:, :-1][follow]], tags[words[:, 1:][follow]]), 1)
        return np.concatenate([self.features.sums(gold), counts]).ravel()

    def unpacked(self, vector: Floats) -> tuple[Floats, Transitions]:
        """``W`` ``(features, tags)`` and the transitions, minus infinity for those not allowed."""
        matrix = vector.reshape(-1, self.tags)
        start, end, between = matrix[-self.tags - 2], matrix[-self.tags - 1], matrix[-self.tags :]
        parts = zip(self.allowed, (start, between, end), strict=True)
        scores = Transitions(*(np.where(may, weights, -np.inf) for may, weights in parts))
        return matrix[: -self.tags - 2], scores

    def loss(self, vector: Floats, l2: float) -> tuple[float, Floats]:
        """``-ln P`` of the gold tags in nats plus the penalty, and the gradient."""
        weights, transitions = self.unpacked(vector)
        emissions = np.concatenate([self.features @ weights, np.zeros((1, self.tags))])
        expected = np.zeros_like(emissions)
        counts = np.zeros((self.tags + 2, self.tags))
        log_z = 0.0
        for words, lengths in self._batches:
            found = expectations(emissions[words], lengths, transitions)
            expected[words] = found.tags
            log_z += found.log_z
            counts[0] += found.tags[:, 0].sum(axis=0)
            counts[1] += found.tags[np.arange(len(words)), lengths - 1].sum(axis=0)
            counts[2:] += found.transitions
        gradient = np.concatenate([self.features.sums(expected[:-1]), counts]).ravel()
        start, between, end = self.allowed
        free = np.concatenate([start[None], end[None], between])
        gradient[-free.size :] *= free.ravel()
        observed = self._observed
        loss = log_z - float(observed @ vector) + l2 / 2 * float(vector @ vector)
        return loss, gradient - observed + l2 * vector


# --- the tagger -------------------------------------------------------------------------


@dataclass(frozen=True)
class LinearCRF:
    """A trained tagger.

    Attributes:
        features: the features that it reads: a matrix for a split.
        weights: ``(features, tags)``.
        transitions: the scores of transitions, minus infinity for those that the scheme forbids.
    """

    features: Features
    weights: Floats
    transitions: Transitions

    def tag(self, split: Split) -> list[NDArray[np.int32]]:
        """The most likely tags of each sentence; empty for a sentence without words."""
        emissions = self.features.matrix(split) @ self.weights
        emissions = np.concatenate([emissions, np.zeros((1, emissions.shape[1]))])
        best = np.zeros(len(split.ids) + 1, np.int32)
        for words, lengths in padded_rows(split):
            paths, _ = viterbi(emissions[words], lengths, self.transitions)
            best[words] = paths[:, 0]
        return np.split(best[:-1], split.offsets[1:-1])


def allowed_in(
    train: Split, tags: Sequence[str], entities: bool = True
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """The transitions that the tagging scheme allows, plus all that occur in the training tags."""
    start, between, end = allowed_transitions(tags, entities)
    assert train.labels is not None
    for i in np.flatnonzero(train.lengths).tolist():
        gold = train.sequence(train.labels, i)
        start[gold[0]] = end[gold[-1]] = True
        between[gold[:-1], gold[1:]] = True
    return start, between, end


def train_crfs(
    features: Features, problem: Problem, penalties: Sequence[float]
) -> Iterator[LinearCRF]:
    """Find the weights by L-BFGS for each penalty in turn, starting from the previous result.

    Args:
        features: the features of ``problem``.
        penalties: ``l2`` in descending order: from strong to weak each search is short.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    vector = np.zeros(problem.size)
    for l2 in penalties:
        title = f"linear CRF, l2 {l2:g}"
        # Threads would spend more time on meeting than on sums of so few numbers, three times as
        # long in all, and would add them in an order that varies.
        with threadpool_limits(1), progress(None, title, "iterations", MOST_ITERATIONS) as bar:
            vector = minimize(
                problem.loss,
                vector,
                args=(l2,),
                jac=True,
                method="L-BFGS-B",
                callback=lambda _, bar=bar: bar.update(),
                options={"maxiter": MOST_ITERATIONS, "ftol": 1e-6},
            ).x
        yield LinearCRF(features, *problem.unpacked(vector))
