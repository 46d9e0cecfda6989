"""Linear chains in NumPy: the most likely tag sequences of sentences, and tag probabilities.

A tag sequence ``y`` of a sentence with emissions ``e`` scores

    s(y) = start[y_1] + sum_t e_t[y_t] + sum_{t>1} between[y_{t-1}, y_t] + end[y_T]

and has the probability ``exp s(y) / Z``, ``Z = sum_y' exp s(y')``. The scores of a conditional
random field (Lafferty, McCallum & Pereira 2001) are learned by :mod:`nlp_rnn.layers.crf`; this
module only uses them, so that prediction does not need Keras.

All functions take ``emissions (batch, timesteps, tags)`` and ``lengths (batch,)``, the number of
tokens in each sentence, 1 or more; anything after them is ignored. All compute in float64, and none
modifies its arguments. Scores may be ``-inf`` for a tag that may not begin, follow or end, as long
as each sentence has a sequence with a finite score.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints

EXACT = 1e-280
"""A sum of products of factors up to 1 is exact if it is not below this: terms that underflow in it
are less than ``1e-300``."""

LOWEST = -1e300
"""The value subtracted if the maximum is ``-inf``, because nothing is possible."""


class Transitions(NamedTuple):
    """The scores of a chain: the first tag, each tag after another, the last tag.

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
    """All scores divided by ``temperature``: above 1, the probabilities ``P(y)`` get closer to each
    other, but keep their order."""
    scores = (np.asarray(s, np.float64) / temperature for s in (emissions, *transitions))
    return next(scores), Transitions(*scores)


def _real(lengths: Ints, timesteps: int) -> NDArray[np.bool_]:
    """Which steps are tokens, timesteps first ``(timesteps, batch, 1)``."""
    return (np.arange(timesteps)[:, None] < lengths)[..., None]


def _steps(emissions: Floats) -> Floats:
    """Emissions, timesteps first, which must not be modified: if an axis has size 1, this may be
    the caller's own array."""
    return np.ascontiguousarray(emissions.swapaxes(0, 1), np.float64)


def _through(scores: Floats) -> Callable[[Floats], Floats]:
    """The step of a recursion, ``x[j] = logsumexp_i(x[i] + scores[i, j])``, for many rows ``x``.

    Most of it is ``log(exp(x) @ exp(scores))``, with the maxima subtracted from ``x`` and from each
    column of ``scores``, because a matrix product takes a tenth of the time. The few sums that are
    too small to be exact, because the most likely ``i`` may not precede ``j``, are computed
    entirely with logarithms.
    """
    highest = np.maximum(scores.max(axis=0), LOWEST)
    weights = np.exp(scores - highest)

    def step(x: Floats) -> Floats:
        top = np.maximum(x.max(axis=-1, keepdims=True), LOWEST)
        sums = _product(np.exp(x - top), weights)
        with np.errstate(divide="ignore"):
            found = np.log(sums) + (top + highest)
        small = sums < EXACT
        if small.any():
            rows, columns = np.nonzero(small)
            found[rows, columns] = np.logaddexp.reduce(x[rows] + scores.T[columns], axis=-1)
        return found

    return step


def _product(rows: Floats, weights: Floats) -> Floats:
    """``rows @ weights``, in which a row does not depend on how many there are.

    BLAS multiplies a single row by another routine, which adds in another order.
    """
    if len(rows) == 1:
        return (np.repeat(rows, 2, axis=0) @ weights)[:1]
    return rows @ weights


def forward(emissions: Floats, lengths: Ints, transitions: Transitions) -> Floats:
    """All ``alpha``, timesteps first ``(timesteps, batch, tags)``; constant after the last token.

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
    """``log Z`` ``(batch,)`` in nats, from the result of :func:`forward`."""
    return np.logaddexp.reduce(alphas[-1] + transitions.end, axis=-1)


def marginals(alphas: Floats, betas: Floats) -> Floats:
    """``P(y_t = j)`` ``(batch, timesteps, tags)``, from :func:`forward` and :func:`backward`."""
    scores = (alphas + betas).swapaxes(0, 1)
    # Equal to exp(alpha + beta - log Z), but sums to 1 for sentences of any length.
    probabilities = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return probabilities / probabilities.sum(axis=-1, keepdims=True)


class Lattice(NamedTuple):
    """The chains of a batch of sentences, with all partial sums; see :func:`lattice`."""

    emissions: Floats
    lengths: Ints
    transitions: Transitions
    alphas: Floats
    betas: Floats


def lattice(emissions: Floats, lengths: Ints, transitions: Transitions) -> Lattice:
    """The results of :func:`forward` and :func:`backward` beside what they were computed from."""
    given = emissions, lengths, transitions
    return Lattice(*given, forward(*given), backward(*given))


def entropy(lattice: Lattice) -> Floats:
    """The entropy of the distribution over all tag sequences of a sentence, in nats ``(batch,)``.

    By the chain rule (Mann & McCallum 2007) it is that of the first tag and, for each further one,
    the mean of its entropy given the tag before it, under the pairs' marginals:

        H(y) = -sum_j P(y_1 = j) ln P(y_1 = j)
               - sum_t sum_ij P(y_{t-1} = i, y_t = j) ln P(y_t = j | y_{t-1} = i)
        ln P(y_t = j | y_{t-1} = i) = between[i, j] + e_t[j] + beta_t[j] - beta_{t-1}[i]

    All terms are 0 or more, so nothing cancels.
    """
    emissions, lengths, transitions, alphas, betas = lattice
    steps, real = _steps(emissions), _real(lengths, emissions.shape[1])
    log_z = log_partition(alphas, transitions)[:, None]
    between = np.asarray(transitions.between, np.float64)
    first = alphas[0] + betas[0] - log_z
    total = _information(first, first).sum(axis=1)
    for t in range(1, len(steps)):
        after = between + (steps[t] + betas[t])[:, None]
        given = after - np.maximum(betas[t - 1], LOWEST)[:, :, None]
        pairs = alphas[t - 1][:, :, None] + after - log_z[:, :, None]
        found = _information(pairs, given).sum(axis=(1, 2))
        total += np.where(real[t][:, 0], found, 0)
    return np.maximum(total, 0)


def _information(log_probabilities: Floats, log_given: Floats) -> Floats:
    """``-P ln Q``, which is 0 where ``P`` is."""
    probabilities = np.exp(np.minimum(log_probabilities, 0))
    return np.where(probabilities > 0, -probabilities * np.maximum(log_given, LOWEST), 0)


class Spans(NamedTuple):
    """Spans of sentences whose probability is wanted, each of one token or more.

    Attributes:
        rows: the sentence of each in its batch ``(spans,)``.
        starts: the first token of each ``(spans,)``.
        ends: one past the last token of each ``(spans,)``.
        members: the tags that each may have ``(spans, tags)``.
    """

    rows: Ints
    starts: Ints
    ends: Ints
    members: NDArray[np.bool_]


def span_log_probabilities(lattice: Lattice, spans: Spans, continues: NDArray[np.bool_]) -> Floats:
    """``ln P`` that exactly each span stands where it does ``(spans,)``, 0 or less.

    This is the sum over all tag sequences in which the span's first tag does not continue the tag
    before it, each further one does, and the tag after the span does not (Culotta & McCallum 2004,
    constrained forward-backward). Inside a span, the forward recursion is restricted to

        gamma_a[j] = e_a[j] + logsumexp_{i: not continues[i, j]}(alpha_{a-1}[i] + between[i, j])
        gamma_t[j] = e_t[j] + logsumexp_{i: continues[i, j]}(gamma_{t-1}[i] + between[i, j])

    and a last step out of it, to tags that do not continue it, meets ``beta``.

    Args:
        continues: whether the column's tag continues a span after the row's ``(tags, tags)``.
    """
    emissions, lengths, transitions, alphas, betas = lattice
    between = np.asarray(transitions.between, np.float64)
    inward = _through(np.where(continues, between, -np.inf))
    across = _through(np.where(continues, -np.inf, between))
    steps = _steps(emissions)
    rows, starts, ends, members = spans
    is_first = (starts == 0)[:, None]
    entering = across(alphas[np.maximum(starts - 1, 0), rows])
    gamma = np.where(is_first, transitions.start, entering) + steps[starts, rows]
    gamma = np.where(members, gamma, -np.inf)
    for width in range(1, int((ends - starts).max(initial=0))):
        at = np.minimum(starts + width, ends - 1)
        is_inside = (starts + width < ends)[:, None]
        gamma = np.where(is_inside, inward(gamma) + steps[at, rows], gamma)
    after = np.minimum(ends, lengths[rows] - 1)
    leaving = across(gamma) + steps[after, rows] + betas[after, rows]
    is_last = (ends == lengths[rows])[:, None]
    total = np.logaddexp.reduce(np.where(is_last, gamma + transitions.end, leaving), axis=-1)
    return np.minimum(total - log_partition(alphas, transitions)[rows], 0.0)


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
    Chow 1990). If there are fewer than ``n`` sequences, the list is padded with scores of ``-inf``.

    Returns:
        Tag indices, int32 ``(batch, n, timesteps)``, 0 after the last token, and scores ``s(y)``
        ``(batch, n)``.
    """
    steps, real = _steps(emissions), _real(lengths, emissions.shape[1])
    timesteps, batch, tags = steps.shape
    # The cell tag * n + rank of a step holds the path to ``tag`` that is the rank-th best.
    cells = np.full((timesteps, batch, tags, n), -np.inf)
    cells[0, ..., 0] = steps[0] + transitions.start  # only one path leads to a first tag
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
    """The ``n`` largest values along the last axis, largest first."""
    if n == 1:
        return values.max(axis=-1, keepdims=True)
    return np.sort(values, axis=-1)[..., : -n - 1 : -1]


def _places(values: Floats, ranks: Ints) -> Ints:
    """The position along the last axis of the value with each rank; rank 0 is the largest.

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
