"""Linear-chain conditional random fields (Lafferty, McCallum & Pereira 2001).

A tag sequence ``y`` of a sentence with emissions ``e`` scores, as in Lample et al. (2016,
section 2.2),

    s(y) = start[y_1] + sum_t e_t[y_t] + sum_{t>1} between[y_{t-1}, y_t] + end[y_T]

and has the probability ``exp s(y) / Z``, ``Z = sum_y' exp s(y')``.

All functions take ``emissions (batch, timesteps, tags)`` and a ``mask``, bool
``(batch, timesteps)``, true at real tokens: at least one a row, padding on the right. They
compute in float32, or float64 if the emissions are, because sums over a sentence lose too much
in the narrower types of mixed precision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

FORBIDDEN = -1e4
"""Score of a forbidden transition: ``exp`` of it is 0 in every float type, so it takes no
probability, and being finite it leaves the gradients finite where gold tags are forbidden."""


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


def _widened(emissions: Any, transitions: Transitions) -> tuple[Any, Transitions]:
    emissions = ops.convert_to_tensor(emissions)
    dtype = keras.backend.result_type(emissions.dtype, "float32")
    return ops.cast(emissions, dtype), Transitions(*(ops.cast(s, dtype) for s in transitions))


def _following(emissions: Any, mask: Any) -> Any:
    """What follows each token, timesteps first: emissions, and in a last column 1 if it is real.

    After the last is padding: one step for each token, so that one-token sentences need no case
    of their own. One array, because on TensorFlow ``ops.scan`` over several fails where the
    number of timesteps is unknown.
    """
    real = ops.cast(ops.expand_dims(mask, -1), emissions.dtype)
    tokens = ops.swapaxes(ops.concatenate([emissions, real], axis=-1), 0, 1)
    return ops.concatenate([tokens[1:], ops.zeros_like(tokens[:1])])


def _emission(token: Any) -> tuple[Any, Any]:
    """A step of :func:`_following` as its emissions ``(batch, tags)`` and mask ``(batch, 1)``."""
    return token[:, :-1], token[:, -1:] > 0


def _forward(emissions: Any, mask: Any, transitions: Transitions) -> tuple[Any, Any]:
    """The last ``alpha`` ``(batch, tags)``, held at padding, and all, timesteps first.

    ``alpha_t[j] = e_t[j] + logsumexp_i(alpha_{t-1}[i] + between[i, j])``.
    """

    def step(alpha: Any, following: Any) -> tuple[Any, Any]:
        emission, real = _emission(following)
        paths = ops.expand_dims(alpha, 2) + transitions.between
        return ops.where(real, emission + ops.logsumexp(paths, axis=1), alpha), alpha

    first = transitions.start + emissions[:, 0]
    return ops.scan(step, first, _following(emissions, mask))


def _backward(emissions: Any, mask: Any, transitions: Transitions) -> Any:
    """All ``beta``, timesteps first; ``end`` at the last real token and at padding.

    ``beta_t[i] = logsumexp_j(between[i, j] + e_{t+1}[j] + beta_{t+1}[j])``.
    """

    def step(beta: Any, following: Any) -> tuple[Any, Any]:
        emission, real = _emission(following)
        paths = transitions.between + ops.expand_dims(emission + beta, 1)
        beta = ops.where(real, ops.logsumexp(paths, axis=2), beta)
        return beta, beta

    last = ops.zeros_like(emissions[:, 0]) + transitions.end
    _, betas = ops.scan(step, last, _following(emissions, mask), reverse=True)
    return betas


def log_partition(emissions: Any, mask: Any, transitions: Transitions) -> Any:
    """``log Z`` ``(batch,)`` in nats, by the forward algorithm."""
    emissions, transitions = _widened(emissions, transitions)
    alpha, _ = _forward(emissions, mask, transitions)
    return ops.logsumexp(alpha + transitions.end, axis=-1)


def path_score(emissions: Any, tags: Any, mask: Any, transitions: Transitions) -> Any:
    """``s(tags)`` ``(batch,)`` of the tag indices ``(batch, timesteps)``."""
    emissions, transitions = _widened(emissions, transitions)
    real = ops.expand_dims(ops.cast(mask, emissions.dtype), -1)
    # Indicators rather than indexing: the transitions' gradients are dense on every backend.
    path = real * ops.one_hot(tags, emissions.shape[-1], dtype=emissions.dtype)
    before, after = path[:, :-1], path[:, 1:]
    last = path * (real - ops.concatenate([real[:, 1:], ops.zeros_like(real[:, :1])], axis=1))
    return (
        ops.sum(path * emissions, axis=(1, 2))
        + ops.sum(ops.matmul(before, transitions.between) * after, axis=(1, 2))
        + ops.sum(path[:, 0] * transitions.start, axis=1)
        + ops.sum(last * transitions.end, axis=(1, 2))
    )


def log_likelihood(emissions: Any, tags: Any, mask: Any, transitions: Transitions) -> Any:
    """``log P(tags)`` ``(batch,)`` in nats; tags at padding do not matter.

    Args:
        tags: gold tag indices ``(batch, timesteps)``.
    """
    return path_score(emissions, tags, mask, transitions) - log_partition(
        emissions, mask, transitions
    )


def marginals(emissions: Any, mask: Any, transitions: Transitions) -> Any:
    """``P(y_t = j)`` ``(batch, timesteps, tags)`` by forward-backward; 0 at padding."""
    emissions, transitions = _widened(emissions, transitions)
    _, alphas = _forward(emissions, mask, transitions)
    betas = _backward(emissions, mask, transitions)
    # Equal to exp(alpha + beta - log Z), but sums to 1 however long the sentence is.
    probabilities = ops.swapaxes(ops.softmax(alphas + betas, axis=-1), 0, 1)
    return probabilities * ops.expand_dims(ops.cast(mask, probabilities.dtype), -1)


def best_paths(emissions: Any, mask: Any, transitions: Transitions, n: int) -> tuple[Any, Any]:
    """The ``n`` best tag sequences, best first, and their scores, by the Viterbi algorithm.

    Every tag keeps the ``n`` best partial paths that end in it, so the list is exact (Schwartz &
    Chow 1990). Where fewer than ``n`` allowed sequences exist, the list is filled with paths
    whose scores are lower by about ``-FORBIDDEN``.

    Returns:
        Tag indices, int32 ``(batch, n, timesteps)``, 0 at padding, and scores ``s(y)``
        ``(batch, n)``.
    """
    emissions, transitions = _widened(emissions, transitions)
    tags = emissions.shape[-1]
    # The cell tag * n + rank of a step holds the path to ``tag`` that is the rank-th best.
    cells = ops.arange(tags * n, dtype="int32")
    between = ops.repeat(ops.transpose(transitions.between), n, axis=1)

    def step(carry: tuple[Any, Any], following: Any) -> tuple[Any, Any]:
        scores, _ = carry
        emission, real = _emission(following)
        best, origins = ops.top_k(ops.expand_dims(scores, 1) + between, n)
        extended = ops.reshape(best + ops.expand_dims(emission, -1), (-1, tags * n))
        origins = ops.reshape(ops.cast(origins, "int32"), (-1, tags * n))
        carry = ops.where(real, extended, scores), ops.where(real, origins, cells)
        return carry, carry

    def origin(cell: Any, origins: Any) -> tuple[Any, Any]:
        cell = ops.take_along_axis(origins, cell, axis=1)
        return cell, cell

    first = ops.repeat(transitions.start + emissions[:, 0], n, axis=1)
    first += ops.where(cells % n == 0, 0.0, FORBIDDEN)  # a single path leads to a first tag
    (final, _), (_, origins) = ops.scan(
        step, (first, ops.zeros_like(first, dtype="int32")), _following(emissions, mask)
    )
    scores, last = ops.top_k(final + ops.repeat(transitions.end, n), n)
    _, path = ops.scan(origin, ops.cast(last, "int32"), origins, reverse=True)
    return ops.transpose(path // n, (1, 2, 0)) * ops.expand_dims(ops.cast(mask, "int32"), 1), scores


@keras.saving.register_keras_serializable("nlp_rnn")
class CRF(keras.layers.Layer):
    """The weights of a linear-chain CRF and what is computed with them.

    ``call`` returns the emissions unchanged: in a functional model the layer marks them, and its
    weights are saved with the model. Likelihood and decoding are methods, on emissions and mask
    as this module's functions take them.

    Args:
        tags: how many.
        allowed: which tags may begin a sentence, follow another, end a sentence, bool ``(tags,)``,
            ``(tags, tags)``, ``(tags,)``, see
            :func:`nlp_rnn.text.entities.allowed_transitions`; everything when None.

    Call arguments:
        emissions: ``(batch, timesteps, tags)``.
        mask: passed on; the emissions at padding are left as they are.

    Returns:
        The emissions.

    Raises:
        ValueError: ``allowed`` or the emissions have another number of tags.
    """

    def __init__(
        self,
        tags: int,
        allowed: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        # XLA on TensorFlow cannot differentiate a loop of unknown length.
        self.supports_jit = keras.backend.backend() != "tensorflow"
        self.tags = tags
        self.allowed = None if allowed is None else [np.array(a, bool).tolist() for a in allowed]
        if allowed is not None:
            shapes = [np.shape(a) for a in allowed]
            if shapes != [(tags,), (tags, tags), (tags,)]:
                raise ValueError(f"allowed: expected shapes for {tags} tags, found {shapes}")

    def build(self, emissions_shape: tuple[int | None, ...]) -> None:
        if emissions_shape[-1] != self.tags:
            raise ValueError(f"expected emissions of {self.tags} tags, found {emissions_shape[-1]}")

        def weight(name: str, *shape: int) -> Any:
            return self.add_weight(shape=shape, initializer="zeros", autocast=False, name=name)

        self.start = weight("start", self.tags)
        self.transitions = weight("transitions", self.tags, self.tags)
        self.end = weight("end", self.tags)

    def call(self, emissions: Any, mask: Any = None) -> Any:
        return emissions

    @property
    def scores(self) -> Transitions:
        """The weights, with :data:`FORBIDDEN` in place of what is not allowed."""
        weights = [ops.convert_to_tensor(w) for w in (self.start, self.transitions, self.end)]
        if self.allowed is None:
            return Transitions(*weights)
        pairs = zip(self.allowed, weights, strict=True)
        return Transitions(*(ops.where(np.array(a), w, FORBIDDEN) for a, w in pairs))

    def log_partition(self, emissions: Any, mask: Any) -> Any:
        """See :func:`log_partition`."""
        return log_partition(emissions, mask, self.scores)

    def log_likelihood(self, emissions: Any, tags: Any, mask: Any) -> Any:
        """See :func:`log_likelihood`."""
        return log_likelihood(emissions, tags, mask, self.scores)

    def marginals(self, emissions: Any, mask: Any) -> Any:
        """See :func:`marginals`."""
        return marginals(emissions, mask, self.scores)

    def viterbi(self, emissions: Any, mask: Any) -> tuple[Any, Any]:
        """The best tag sequence, int32 ``(batch, timesteps)``, 0 at padding, and its score."""
        paths, scores = best_paths(emissions, mask, self.scores, 1)
        return paths[:, 0], scores[:, 0]

    def n_best(self, emissions: Any, mask: Any, n: int) -> tuple[Any, Any]:
        """The ``n`` best tag sequences and their ``log P`` in nats, best first.

        See :func:`best_paths`; where fewer are allowed, the rest has ``log P`` near
        :data:`FORBIDDEN`, or below.

        Returns:
            Tag indices, int32 ``(batch, n, timesteps)``, 0 at padding, and ``(batch, n)``.
        """
        paths, scores = best_paths(emissions, mask, self.scores, n)
        return paths, scores - ops.expand_dims(self.log_partition(emissions, mask), 1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"tags": self.tags, "allowed": self.allowed}
