"""Exact inference in a grammar's automaton, for many sentences at a time.

Notation and recursions follow Rabiner (1989), "A tutorial on hidden Markov models and selected
applications in speech recognition": pi initial, A transitions, B emissions, alpha forward, beta
backward, gamma state posteriors, delta Viterbi; alpha is scaled to sum to 1 at each position.
Few states can emit a given word, so (sentences x states) matrices are kept sparse.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nlp_rnn.arrays import Floats

from .automaton import END, Automaton

Sentence = Sequence[str]


@dataclass(frozen=True)
class Observations:
    """Sentences as a model sees them; N sentences of at most T - 1 words, W distinct ones.

    Attributes:
        ids: indices of words, shape (N, T), padded with ``END`` at least once.
        emissions: B, P(word | state), sparse, shape (W, S).
    """

    ids: npt.NDArray[np.int64]
    emissions: Any


def observe(
    automaton: Automaton, sentences: Sequence[Sentence], vocabulary: Collection[str] | None = None
) -> Observations:
    """Number the words of ``sentences`` and tabulate their emission probabilities.

    Args:
        automaton: the grammar's automaton.
        sentences: words of each sentence.
        vocabulary: words outside it are all observed as the same <unk>, which has the remaining
            probability; None means that every word is observed.
    """
    # END is known to every model and never becomes <unk>.
    known = None if vocabulary is None else frozenset(vocabulary) | {END}
    index: dict[str | None, int] = {END: 0}  # None stands for <unk>, however it is written
    ids = np.zeros((len(sentences), 1 + max(map(len, sentences))), dtype=np.int64)
    for row, words in zip(ids, sentences, strict=True):
        for position, word in enumerate(words):
            observed = word if known is None or word in known else None
            row[position] = index.setdefault(observed, len(index))
    table = np.zeros((len(index), len(automaton.classes)))
    for column, word_class in enumerate(automaton.classes):
        for seen, i in index.items():
            table[i, column] = (
                word_class.unknown(known or ()) if seen is None else word_class.probability(seen)
            )
    states = np.arange(automaton.states)
    member = sparse.csr_array(
        (np.ones(len(states)), (automaton.class_of, states)),
        shape=(len(automaton.classes), len(states)),
    )
    return Observations(ids, (sparse.csr_array(table) @ member).tocsr())


@dataclass(frozen=True)
class Forward:
    """The result of the forward algorithm for N sentences.

    Attributes:
        alphas: P(state | words up to t), T sparse matrices of shape (N, S).
        log_likelihood: log P(sentence) in nats, shape (N,); -inf if the grammar excludes it.
        log_joint: log P(sentence, start symbol), shape (N, K).
    """

    alphas: list[Any]
    log_likelihood: Floats
    log_joint: Floats


def forward(
    automaton: Automaton, observed: Observations, tags: npt.NDArray[np.int64] | None = None
) -> Forward:
    """The scaled forward algorithm: alpha_t(j) = sum_i alpha_{t-1}(i) a_ij b_j(o_t).

    log P is the sum of the logarithms of the scaling factors, because the padding after a sentence
    has probability 1 once an end state is reached.

    Args:
        automaton: the grammar's automaton.
        observed: the sentences.
        tags: indices of the observed tags, shape (N, T), with that of ``END`` after the last word;
            if given, probabilities are those of words and tags together.
    """
    log_likelihood = np.zeros(len(observed.ids))
    alphas: list[Any] = []
    for t in range(observed.ids.shape[1]):
        b = observed.emissions[observed.ids[:, t]]
        if tags is not None:
            of_entries = np.repeat(tags[:, t], np.diff(b.indptr))
            b.data = b.data * automaton.tag_given_state[b.indices, of_entries]
        predicted = alphas[-1] @ automaton.transitions if alphas else automaton.initial[None, :]
        alpha, scale = _normalised(b.multiply(predicted))
        alphas.append(alpha)
        with np.errstate(divide="ignore"):
            log_likelihood += np.log(scale)
    ends = alphas[-1][:, -len(automaton.starts) :].toarray()
    with np.errstate(divide="ignore"):
        log_joint = np.log(ends) + log_likelihood[:, None]
    return Forward(alphas, log_likelihood, log_joint)


def backward(automaton: Automaton, observed: Observations) -> list[Any]:
    """The backward algorithm, beta_t(i) = sum_j a_ij b_j(o_{t+1}) beta_{t+1}(j), from T down.

    Returns:
        T sparse matrices of shape (N, S) with b_t * beta_t, scaled to sum to 1: if a state cannot
        emit a word, beta is not needed.
    """
    betas: list[Any] = []
    for t in reversed(range(observed.ids.shape[1])):
        b = observed.emissions[observed.ids[:, t]]
        beta = b.multiply(betas[-1] @ automaton.transitions.T) if betas else b
        betas.append(_normalised(beta)[0])
    return betas[::-1]


def tag_marginals(automaton: Automaton, observed: Observations, scored: Forward) -> list[Floats]:
    """P(observed tag at t | the whole sentence), T arrays of shape (N, G).

    gamma_t = alpha_t * beta_t, scaled to sum to 1, summed over the states that share a tag.

    Args:
        automaton: the grammar's automaton.
        observed: the sentences.
        scored: the result of ``forward`` for them.
    """
    alphas = scored.alphas
    betas = backward(automaton, observed)
    marginals = []
    for t, alpha in enumerate(alphas):
        rest = betas[t + 1] @ automaton.transitions.T if t + 1 < len(betas) else None
        gamma = alpha if rest is None else _normalised(alpha.multiply(rest))[0]
        marginals.append(gamma @ automaton.tag_given_state)
    return marginals


def viterbi(automaton: Automaton, observed: Observations) -> list[npt.NDArray[np.int64]]:
    """Find the most probable state sequence of each sentence.

    delta_t(j) = max_i delta_{t-1}(i) a_ij b_j(o_t), in logarithms.

    Returns:
        State indices, shape (number of words,), for each sentence.

    Raises:
        ValueError: the grammar excludes one of the sentences.
    """
    a, b = automaton.transitions, observed.emissions
    with np.errstate(divide="ignore"):
        log_pi = np.log(automaton.initial)
    paths = []
    for ids in observed.ids:
        length = int(np.count_nonzero(ids))
        supports: list[npt.NDArray[np.int64]] = []
        backpointers: list[npt.NDArray[np.int64]] = []
        for t, word in enumerate(ids[: length + 1]):
            row = slice(b.indptr[word], b.indptr[word + 1])
            states, log_b = b.indices[row], np.log(b.data[row])
            if t == 0:
                delta = log_pi[states] + log_b
            else:
                with np.errstate(divide="ignore"):
                    log_a = np.log(a[supports[-1]][:, states].toarray())
                scores = delta[:, None] + log_a
                best = scores.argmax(axis=0)
                delta = scores[best, np.arange(len(states))] + log_b
                backpointers.append(best)
            possible = np.isfinite(delta)
            delta = delta[possible]
            supports.append(states[possible])
            if t > 0:
                backpointers[-1] = backpointers[-1][possible]
        at = int(delta.argmax())
        path = np.empty(length, dtype=np.int64)
        for t in reversed(range(length)):
            at = int(backpointers[t][at])
            path[t] = supports[t][at]
        paths.append(path)
    return paths


def chain_log_likelihood(automaton: Automaton, log_given_start: Floats) -> float:
    """Score a running text whose units' start symbols form a Markov chain: log P(text), nats.

    This is the forward algorithm again, with units as words and start symbols as states.

    Args:
        automaton: the grammar's automaton.
        log_given_start: log P(unit | start symbol), shape (N, K), in the order of the text.
    """
    total = 0.0
    predicted = automaton.prior
    for log_b in log_given_start:
        peak = log_b.max()
        alpha = predicted * np.exp(log_b - peak)
        total += peak + np.log(alpha.sum())
        predicted = (alpha / alpha.sum()) @ automaton.chain
    return float(total)


def _normalised(matrix: Any) -> tuple[Any, Floats]:
    """Rows scaled to sum to 1 (zero rows stay), and the sums, shape (N,)."""
    sums = matrix.sum(axis=1)
    inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0.0)
    return sparse.csr_array(matrix.multiply(inverse[:, None])), sums
