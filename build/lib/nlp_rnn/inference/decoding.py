"""Decoding: the choice of tokens, given the probability of each next one.

Distributions are float64 ``(rows, vocabulary)``, with one text per row. If filters are combined,
temperature comes first, then top-k, then the nucleus.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.runtime.forward import softmax
from nlp_rnn.runtime.network import Rows, States, Tokens

Step = Callable[[Tokens, States], tuple[Floats, States]]
"""Maps tokens ``(rows,)`` and the states before them, each ``(rows, width)``, to ``ln P`` of each
next token ``(rows, vocabulary)`` and the states after them. Forbidden tokens have ``-inf``."""

Select = Callable[[States, Rows], States]
"""Selects the states of some rows, which may repeat, like
:meth:`~nlp_rnn.runtime.network.Network.select`. The decoders never look into states, so these may
stay on a device."""


def tempered(logits: Floats, temperature: float) -> Floats:
    """``softmax(logits / temperature)``; at 0, all probability is on the most likely token.

    Of equally likely tokens, the first counts.
    """
    below_best = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    if temperature == 0:
        greedy = np.zeros_like(below_best)
        np.put_along_axis(greedy, logits.argmax(axis=-1)[..., None], 1.0, axis=-1)
        return greedy
    with np.errstate(over="ignore"):  # a tiny temperature takes all but the best to -inf
        return softmax(below_best / temperature)


def top_k(probabilities: Floats, k: int) -> Floats:
    """The ``k`` most likely tokens, their probabilities scaled to sum to 1 (Fan et al.

    2018). Ties are cut at ``k`` tokens; all tokens are kept if there are fewer.

    Raises:
        ValueError: ``k`` is below 1.

    >>> top_k(np.array([0.25, 0.5, 0.125, 0.125]), 2)
    array([0.33333333, 0.66666667, 0.        , 0.        ])
    """
    if k < 1:
        raise ValueError(f"expected k of 1 or more, found {k}")
    k = min(k, probabilities.shape[-1])
    likeliest = np.argpartition(probabilities, -k, axis=-1)[..., -k:]
    return _only(probabilities, likeliest, np.take_along_axis(probabilities, likeliest, axis=-1))


def nucleus(probabilities: Floats, p: float) -> Floats:
    """The fewest most likely tokens with a total probability of at least ``p``, scaled to sum to 1.

    This is top-p sampling (Holtzman et al. 2020, equations 2 and 3).

    Raises:
        ValueError: ``p`` is not above 0 and at most 1.

    >>> nucleus(np.array([0.25, 0.5, 0.125, 0.125]), 0.7)
    array([0.33333333, 0.66666667, 0.        , 0.        ])
    """
    if not 0 < p <= 1:
        raise ValueError(f"expected p above 0 and at most 1, found {p}")
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=-1)
    likelier = np.roll(ranked.cumsum(axis=-1), 1, axis=-1)
    likelier[..., 0] = 0
    return _only(probabilities, order, np.where(likelier < p, ranked, 0))


def _only(probabilities: Floats, tokens: NDArray[np.intp], kept: Floats) -> Floats:
    """The distribution proportional to ``kept`` at ``tokens``, 0 elsewhere."""
    distribution = np.zeros_like(probabilities)
    np.put_along_axis(distribution, tokens, kept / kept.sum(axis=-1, keepdims=True), axis=-1)
    return distribution


def draw(probabilities: Floats, uniform: Floats) -> Tokens:
    """Draw one token for each row, by inverting its cumulative distribution.

    Args:
        uniform: ``(rows,)``, each at least 0 and below 1.
    """
    cumulative = probabilities.cumsum(axis=-1)
    below = cumulative <= uniform[:, None] * cumulative[:, -1:]  # never draws a token with 0
    return below.sum(axis=-1, dtype=np.int32)


def sample(
    step: Step,
    select: Select,
    token: int,
    states: States,
    distribution: Callable[[Floats], Floats],
    generators: Sequence[np.random.Generator],
    length: int,
    end: int | None = None,
) -> Iterator[Tokens]:
    """Sample token by token, all samples at once.

    Args:
        select: selects rows of states.
        token: the token that every sample continues.
        states: the states before ``token``, each ``(1, width)``.
        distribution: maps ``ln P`` to the distribution to sample from.
        generators: one generator for each sample, so that samples do not depend on their number.
        length: the maximum number of tokens to sample.
        end: the token that ends a sample; None if none does.

    Yields:
        The next token of every sample, ``end`` if it has ended, until all have ended.
    """
    rows = len(generators)
    tokens, states = np.full(rows, token, np.int32), select(states, np.zeros(rows, np.intp))
    ended = np.zeros(rows, bool)
    for _ in range(length):
        found, states = step(tokens, states)
        drawn = draw(distribution(found), np.array([one.random() for one in generators]))
        tokens = np.where(ended, tokens, drawn)
        yield tokens
        ended = tokens == end
        if ended.all():
            return


@dataclass(frozen=True)
class Hypothesis:
    """A text that beam search found.

    Attributes:
        tokens: the tokens, including the end if it was reached.
        log_probability: ``ln P`` of the tokens.
        score: ``log_probability`` divided by the length penalty.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float


def length_penalty(length: int, alpha: float) -> float:
    """``((5 + length) / 6) ** alpha`` (Wu et al. 2016, equation 14).

    Log-probabilities add up, so longer texts usually have lower ones; dividing by this penalty
    makes them comparable. With 0 they do not change, with 1 they are nearly the mean over the
    tokens.
    """
    return ((5 + length) / 6) ** alpha


def beam_search(
    step: Step,
    select: Select,
    token: int,
    states: States,
    width: int,
    length: int,
    end: int | None = None,
    alpha: float = 0.0,
    n: int = 1,
) -> list[Hypothesis]:
    """The ``n`` highest-scoring texts that a beam search finds.

    Of all one-token continuations of the hypotheses in the beam, those that end and are among the
    ``width`` most likely are complete, and the ``width`` most likely that do not end form the next
    beam. The search is over when no continuation of these can be among the ``n`` best. With a beam
    of all prefixes the list is exact; a beam of 1 with ``alpha`` 0 is greedy.

    Args:
        select: selects rows of states.
        token: the token that every text continues.
        states: the states before ``token``, each ``(1, width of the state)``.
        width: the width of the beam, 1 or more.
        length: the maximum number of tokens in a text; a text of this length is complete without
            ``end``.
        end: the token that ends a text, counted as part of it; None if none does.
        alpha: the exponent of :func:`length_penalty`, 0 or more.
        n: the number of texts to return, 1 or more.

    Returns:
        The texts, best first; fewer than ``n`` if the beam completes fewer.
    """
    tokens, states = np.full(width, token, np.int32), select(states, np.zeros(width, np.intp))
    paths = np.empty((width, 0), np.int32)
    log_p = np.full(width, -np.inf)
    log_p[0] = 0  # the other rows hold no hypothesis yet
    best: list[Hypothesis] = []
    for steps in range(1, length + 1):
        found, states = step(tokens, states)
        continued = log_p[:, None] + found
        # Each row ends once, so at least ``width`` of the best ``2 * width`` do not end.
        places = _largest(continued.ravel(), 2 * width)
        rows, chosen = np.divmod(places.astype(np.int32), np.int32(continued.shape[1]))
        log_p = continued.ravel()[places]
        paths = np.concatenate([paths[rows], chosen[:, None]], axis=1)

        ends = chosen == end
        complete = np.flatnonzero((ends | (steps == length))[:width] & np.isfinite(log_p[:width]))
        penalty = length_penalty(steps, alpha)
        best += [
            Hypothesis(tuple(paths[i].tolist()), float(log_p[i]), float(log_p[i]) / penalty)
            for i in complete
        ]
        best = heapq.nlargest(n, best, key=lambda hypothesis: hypothesis.score)

        beam = np.flatnonzero(~ends)[:width]
        tokens, paths, log_p = chosen[beam], paths[beam], log_p[beam]
        states = select(states, rows[beam])
        # Continuations only lose probability, and the longest has the greatest penalty.
        attainable = log_p.max(initial=-np.inf) / length_penalty(length, alpha)
        if attainable == -np.inf or (len(best) == n and best[-1].score >= attainable):
            break
    return best


def _largest(values: Floats, n: int) -> NDArray[np.intp]:
    """The positions of the ``n`` largest values, largest first."""
    n = min(n, len(values))
    places = np.argpartition(values, -n)[-n:]
    return places[np.argsort(-values[places], kind="stable")]
