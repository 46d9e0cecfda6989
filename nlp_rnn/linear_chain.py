"""Linear chains in NumPy: the likeliest tag sequences of sentences, and each tag's probability.

A tag sequence ``y`` of a sentence with emissions ``e`` scores

    s(y) = start[y_1] + sum_t e_t[y_t] + sum_{t>1} between[y_{t-1}, y_t] + end[y_T]

and has the probability ``exp s(y) / Z``, ``Z = sum_y' exp s(y')``. The scores of a conditional
random field (Lafferty, McCallum & Pereira 2001) are learned by :mod:`nlp_rnn.layers.crf`; here
they are only used, so that prediction needs no Keras.

All functions take ``emissions (batch, timesteps, tags)`` and ``lengths (batch,)``, the tokens of
each sentence, 1 or more; what comes after them does not matter. All compute in float64, and none
writes into its arguments. Scores may be ``-inf`` where a tag may not begin, follow or end, as long
as some sequence of each sentence has a finite score.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints

EXACT = 1e-280
"""A sum of products of factors up to 1 that is not below this is exact: terms that underflow in it
are less than ``1e-300``."""

LOWEST = -1e300
"""What is subtracted where the maximum is ``-inf``, because nothing is possible."""


class Transitions(NamedTuple):
    """Scores of a chain's steps: the first tag, one tag after another, the last tag.

    Attributes:
        start: ``(tags,)``.
        between: ``(tags, tags)``, from the row's tag to the column's.
        end: ``(tags,)``.
    """

    start: Any
    between: Any
    end: Any


def tempered(
    emissions: Floats, transitions: Transitions, temperature: float
) -> tuple[Floats, Transitions]:
    """All scores divided by ``temperature``: above 1 every ``P(y)`` is nearer to the others, and
    none overtakes another."""
    scores = (np.asarray(s, np.float64) / temperature for s in (emissions, *transitions))
    return next(scores), Transitions(*scores)


def _real(lengths: Ints, timesteps: int) -> NDArray[np.bool_]:
    """Which steps are tokens, timesteps first ``(timesteps, batch, 1)``."""
    return (np.arange(timesteps)[:, None] < lengths)[..., None]


def _steps(emissions: Floats) -> Floats:
    """Emissions, timesteps first, to be read only: where one axis is 1 this may be the caller's
    own array."""
    return np.ascontiguousarray(emissions.swapaxes(0, 1), np.float64)


def _through(scores: Floats) -> Callable[[Floats], Floats]:
    """The step of a recursion, ``x[j] = logsumexp_i(x[i] + scores[i, j])``, for many rows ``x``.

    Mostly it is ``log(exp(x) @ exp(scores))``, with the maxima subtracted from ``x`` and from each
    column of ``scores``: a matrix product takes a tenth of the time. The few sums that are too
    small to be exact, because the likeliest ``i`` may not come before ``j``, are computed by
    logarithms throughout.
    """
    highest = np.maximum(scores.max(axis=0), LOWEST)
    weights = np.exp(scores - highest)

    def step(x: Floats) -> Floats:
        top = np.maximum(x.max(axis=-1, keepdims=True), LOWEST)
        sums = np.exp(x - top) @ weights
        with np.errstate(divide="ignore"):
            found = np.log(sums) + (top + highest)
        small = sums < EXACT
        if small.any():
            rows, columns = np.nonzero(small)
            found[rows, columns] = np.logaddexp.reduce(x[rows] + scores.T[columns], axis=-1)
        return found

    return step


def forward(emissions: Floats, lengths: Ints, transitions: Transitions) -> Floats:
    """All ``alpha``, timesteps first ``(timesteps, batch, tags)``; held after the last token.

    ``alpha_t[j] = e_t[j] + logsumexp_i(alpha_{t-1}[i] + between[i, j])``.
    """
    steps, real = _steps(emissions), _real(lengths, emissions.shape[1])
    through = _through(np.asarray(transitions.between, np.float64))
    alphas = np.empty(steps.shape)
    alphas[0] = transitions.start + steps[0]
    for t in range(1, len(alphas)):
        before = alphas[t - 1]
        alphas[t] = np.where(real[t], steps[t] + through(before), before)
    return alphas


def backward(emissions: Floats, lengths: Ints, transitions: Transitions) -> Floats:
    """All ``beta``, timesteps first; ``end`` at the last token and after it.

    ``beta_t[i] = logsumexp_j(between[i, j] + e_{t+1}[j] + beta_{t+1}[j])``.
    """
    steps, real = _steps(emissions), _real(lengths, emissions.shape[1])
    through = _through(np.asarray(transitions.between, np.float64).T)
    betas = np.empty(steps.shape)
    betas[-1] = transitions.end
    for t in range(len(betas) - 1, 0, -1):
        after = betas[t]
        betas[t - 1] = np.where(real[t], through(steps[t] + after), after)
    return betas


def log_partition(alphas: Floats, transitions: Transitions) -> Floats:
    """``log Z`` ``(batch,)`` in nats, of what :func:`forward` found."""
    return np.logaddexp.reduce(alphas[-1] + transitions.end, axis=-1)


def marginals(alphas: Floats, betas: Floats) -> Floats:
    """``P(y_t = j)`` ``(batch, timesteps, tags)`` of :func:`forward` and :func:`backward`."""
    scores = (alphas + betas).swapaxes(0, 1)
    # Equal to exp(alpha + beta - log Z), but sums to 1 however long the sentence is.
    probabilities = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return probabilities / probabilities.sum(axis=-1, keepdims=True)


def path_score(emissions: Floats, tags: Ints, transitions: Transitions) -> float:
    """``s(tags)`` of one sentence: emissions ``(words, tags)``, tag indices ``(words,)``."""
    return float(
        transitions.start[tags[0]]
        + emissions[np.arange(len(tags)), tags].sum(dtype=np.float64)
        + transitions.between[tags[:-1], tags[1:]].sum(dtype=np.float64)
        + transitions.end[tags[-1]]
    )


def viterbi(
    emissions: Floats, lengths: Ints, transitions: Transitions, n: int = 1
) -> tuple[NDArray[np.int32], Floats]:
    """The ``n`` best tag sequences of each sentence, best first, and their scores.

    Every tag keeps the ``n`` best partial paths that end in it, so the list is exact (Schwartz &
    Chow 1990). Where there are fewer than ``n`` sequences, the list is filled with scores of
    ``-inf``.

    Returns:
        Tag indices, int32 ``(batch, n, timesteps)``, 0 after the last token, and scores ``s(y)``
        ``(batch, n)``.
    """
    steps, real = _steps(emissions), _real(lengths, emissions.shape[1])
    timesteps, batch, tags = steps.shape
    # The cell tag * n + rank of a step holds the path to ``tag`` that is the rank-th best.
    cells = np.full((timesteps, batch, tags, n), -np.inf)
    cells[0, ..., 0] = steps[0] + transitions.start  # a single path leads to a first tag
    scores = cells.reshape(timesteps, batch, tags * n)
    between = np.repeat(np.transpose(transitions.between), n, axis=1)
    for t in range(1, timesteps):
        best = _largest(scores[t - 1][:, None] + between, n) + steps[t][..., None]
        cells[t] = np.where(real[t][..., None], best, cells[t - 1])
    final = scores[-1] + np.repeat(transitions.end, n)
    cell = _places(final[:, None], np.arange(n))
    paths = np.zeros((batch, n, timesteps), np.int32)
    for t in range(timesteps - 1, -1, -1):
        paths[..., t] = np.where(real[t], cell // n, 0)
        if t:
            leading = scores[t - 1][:, None] + between[cell // n]
            cell = np.where(real[t], _places(leading, cell % n), cell)
    return paths, _largest(final, n)


def _largest(values: Floats, n: int) -> Floats:
    """The ``n`` largest along the last axis, the largest first."""
    if n == 1:
        return values.max(axis=-1, keepdims=True)
    return np.sort(values, axis=-1)[..., : -n - 1 : -1]


def _places(values: Floats, ranks: Ints) -> Ints:
    """Where along the last axis the value of each rank stands; rank 0 is the largest's.

    Args:
        values: ``(batch, 1 or n, places)``.
        ranks: ``(n,)`` or ``(batch, n)``.
    """
    if not ranks.any():
        return values.argmax(axis=-1)
    order = np.argsort(-values, axis=-1, kind="stable")
    order = np.broadcast_to(order, (len(values), ranks.shape[-1], values.shape[-1]))
    ranks = np.broadcast_to(ranks, order.shape[:2])
    return np.take_along_axis(order, ranks[..., None], axis=-1)[..., 0]
