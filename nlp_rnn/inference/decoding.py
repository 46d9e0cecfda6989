"""Decoding: the choice of tokens, given the probability of each next one.

Distributions are float64 ``(rows, vocabulary)``, with one text per row. If filters are combined,
temperature comes first, then top-k, then the nucleus.
"""

from __future__ import annotations

import heapq
import itertools
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
    """The ``n`` highest-scoring texts that a beam search finds; see :func:`beam_searches`.

    Args:
        states: the states before ``token``, each ``(1, width of the state)``.
        length: the maximum number of tokens in the text.

    Returns:
        The texts, best first; fewer than ``n`` if the beam completes fewer.
    """
    return beam_searches(step, select, token, states, width, [length], end, alpha, n)[0]


def beam_searches(
    step: Step,
    select: Select,
    token: int,
    states: States,
    width: int,
    lengths: Sequence[int],
    end: int | None = None,
    alpha: float = 0.0,
    n: int = 1,
    drop: bool = True,
    bonus: Callable[[States], Floats] | None = None,
) -> list[list[Hypothesis]]:
    """The ``n`` highest-scoring texts that a beam search finds from each of several states.

    Of all one-token continuations of the hypotheses in a beam, those that end and are among the
    ``width`` most likely are complete, and the ``width`` most likely that do not end form the next
    beam. A search is over when no continuation of these can be among its ``n`` best. With a beam
    of all prefixes the list is exact; a beam of 1 is :func:`greedy_searches`.

    Args:
        select: selects rows of states.
        token: the token that every text continues.
        states: the states before ``token``, each ``(searches, width of the state)``.
        width: the width of each beam, 1 or more.
        lengths: the maximum number of tokens of each search's texts; a text of this length is
            complete without ``end``.
        end: the token that ends a text, counted as part of it; None if none does.
        alpha: the exponent of :func:`length_penalty`, 0 or more.
        n: the number of texts to return, 1 or more.
        drop: whether searches that are over leave the batch, whose rows then change in number.
        bonus: maps states to what the score of a text that ends there has beside its
            log-probability, 0 or less, ``(rows,)``.

    Returns:
        For each search its texts, best first; fewer than ``n`` if its beam completes fewer.
    """
    if width == 1:
        texts = greedy_searches(step, select, token, states, lengths, end, alpha, drop, bonus)
        return [[] if text is None else [text] for text in texts]
    searches = [_Search(length, end, alpha, n, width) for length in lengths]
    going = np.arange(len(searches))
    states = select(states, np.repeat(going, width))
    tokens = np.full(len(searches) * width, token, np.int32)
    log_p = np.full((len(searches), width), -np.inf)
    log_p[:, 0] = 0  # the other rows hold no hypothesis yet
    while len(going):
        found, states = step(tokens, states)
        # Each row ends once, so at least ``width`` of the best ``2 * width`` do not end.
        values, rows, chosen = _continued(log_p, found, 2 * width)
        more = np.zeros(log_p.shape) if bonus is None else bonus(states).reshape(log_p.shape)
        best = zip(values, rows, chosen, more, strict=True)
        beams = [searches[i].go_on(*each) for i, each in zip(going, best, strict=True)]
        over = np.array([beam is None for beam in beams])
        if over.all():
            break
        still = np.flatnonzero(~over) if drop else np.arange(len(beams))
        places = np.array([_filled(beams[i], width) for i in still])
        log_p, own, tokens = _taken(places, values[still], rows[still], chosen[still])
        states = select(states, (still[:, None] * width + own).ravel())
        going = going[still]
    return [search.best for search in searches]


STAYING = 0.25
"""The share of rows whose text has ended that may stay in a greedy batch: to take rows out copies
the others."""


def greedy_searches(
    step: Step,
    select: Select,
    token: int,
    states: States,
    lengths: Sequence[int],
    end: int | None = None,
    alpha: float = 0.0,
    drop: bool = True,
    bonus: Callable[[States], Floats] | None = None,
) -> list[Hypothesis | None]:
    """The text of the most likely token at each step, from each of several states.

    It is over with ``end``, or when it is as long as it may be. The arguments are those of
    :func:`beam_searches`; ``alpha`` and ``bonus`` only say how the text is scored.

    Returns:
        For each search its text; None where a step has no token that is not forbidden.
    """
    limits, count = np.array(lengths), len(lengths)
    texts: list[Hypothesis | None] = [None] * count
    written = np.zeros((count, int(limits.max(initial=0))), np.int32)
    log_p = np.zeros(count)
    rows, going = np.arange(count), np.ones(count, bool)
    tokens = np.full(count, token, np.int32)
    for length in itertools.count(1):
        found, states = step(tokens, states)
        tokens = found.argmax(axis=1).astype(np.int32)
        log_p[rows] += np.take_along_axis(found, tokens[:, None], axis=1)[:, 0]
        on = going[rows]
        written[rows[on], length - 1] = tokens[on]
        over = on & ((tokens == end) | (limits[rows] == length) | np.isneginf(log_p[rows]))
        if over.any():
            more = np.zeros(len(rows)) if bonus is None else bonus(states)
            for place in np.flatnonzero(over):
                i = rows[place]
                if np.isfinite(log_p[i]):
                    score = log_p[i] / length_penalty(length, alpha) + more[place]
                    texts[i] = Hypothesis(
                        tuple(written[i, :length].tolist()), float(log_p[i]), float(score)
                    )
            going[rows[over]] = False
            if not going.any():
                break
            still = np.flatnonzero(going[rows])
            if drop and len(still) <= (1 - STAYING) * len(rows):
                rows, tokens, states = rows[still], tokens[still], select(states, still)
    return texts


def _taken(
    places: NDArray[np.intp], log_p: Floats, rows: NDArray[np.intp], chosen: Tokens
) -> tuple[Floats, NDArray[np.intp], Tokens]:
    """The continuations at ``places`` ``(searches, width)``, where -1 is no hypothesis: their
    log-probabilities, the rows that they continue, and their last tokens as one array."""
    kept = np.take_along_axis(log_p, places, axis=1)
    kept[places < 0] = -np.inf
    tokens = np.take_along_axis(chosen, places, axis=1).ravel()
    return kept, np.take_along_axis(rows, places, axis=1), tokens


def _filled(beam: NDArray[np.intp] | None, width: int) -> NDArray[np.intp]:
    """The places of a beam, with -1 up to its width; of a search that is over only these."""
    beam = np.empty(0, np.intp) if beam is None else beam
    return np.append(beam, np.full(width - len(beam), -1, np.intp))


class _Search:
    """One of several beam searches: its paths, and the best texts so far."""

    def __init__(self, length: int, end: int | None, alpha: float, n: int, width: int) -> None:
        self.length, self.end, self.alpha, self.n, self.width = length, end, alpha, n, width
        self.best: list[Hypothesis] = []
        self._paths = np.empty((width, 0), np.int32)
        self._over = False

    def go_on(
        self, log_p: Floats, rows: NDArray[np.intp], chosen: Tokens, bonus: Floats
    ) -> NDArray[np.intp] | None:
        """Take the best continuations, best first; returns those that form the next beam.

        Args:
            bonus: what the score of each row of the beam has beside its log-probability.

        Returns:
            Their places; None if the search is over.
        """
        if self._over:
            return None
        paths = np.concatenate([self._paths[rows], chosen[:, None]], axis=1)
        steps = paths.shape[1]
        ends = chosen == self.end
        complete = (ends | (steps == self.length))[: self.width] & np.isfinite(log_p[: self.width])
        penalty = length_penalty(steps, self.alpha)
        self.best += [
            Hypothesis(
                tuple(paths[i].tolist()),
                float(log_p[i]),
                float(log_p[i] / penalty + bonus[rows[i]]),
            )
            for i in np.flatnonzero(complete)
        ]
        self.best = heapq.nlargest(self.n, self.best, key=lambda hypothesis: hypothesis.score)
        beam = np.flatnonzero(~ends)[: self.width]
        self._paths = _padded_paths(paths[beam], self.width)
        # Continuations only lose probability, and the longest has the greatest penalty.
        attainable = log_p[beam].max(initial=-np.inf) / length_penalty(self.length, self.alpha)
        full = len(self.best) == self.n and self.best[-1].score >= attainable
        self._over = attainable == -np.inf or full or steps == self.length
        return None if self._over else beam


def _padded_paths(paths: Tokens, width: int) -> Tokens:
    """``paths`` with rows of zeros, which hold no hypothesis, up to ``width``."""
    missing = np.zeros((width - len(paths), paths.shape[1]), np.int32)
    return np.concatenate([paths, missing])


def _continued(
    log_p: Floats, found: Floats, n: int
) -> tuple[Floats, NDArray[np.intp], NDArray[np.int32]]:
    """The ``n`` most likely continuations of each beam, best first.

    Args:
        log_p: ``ln P`` of each hypothesis ``(searches, width)``.
        found: ``ln P`` of each next token ``(searches * width, types)``.

    Returns:
        Their ``ln P``, the rows within the beam that they continue, and their tokens, each
        ``(searches, n)``, or fewer columns if there are fewer continuations.
    """
    most = min(n, found.shape[1])
    tokens = np.argpartition(found, -most, axis=1)[:, -most:]
    values = np.take_along_axis(found, tokens, axis=1).astype(np.float64) + log_p.reshape(-1, 1)
    values, tokens = values.reshape(len(log_p), -1), tokens.reshape(len(log_p), -1)
    places = np.argsort(-values, axis=1, kind="stable")[:, :n]
    best = np.take_along_axis(tokens, places, axis=1).astype(np.int32)
    return np.take_along_axis(values, places, axis=1), places // most, best
