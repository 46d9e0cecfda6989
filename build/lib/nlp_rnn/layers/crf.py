"""Linear-chain conditional random fields (Lafferty, McCallum & Pereira 2001).

A tag sequence ``y`` of a sentence with emissions ``e`` scores, as in Lample et al. (2016,
section 2.2),

    s(y) = start[y_1] + sum_t e_t[y_t] + sum_{t>1} between[y_{t-1}, y_t] + end[y_T]

and has the probability ``exp s(y) / Z``, ``Z = sum_y' exp s(y')``. The functions of this module are
differentiable, for training; :mod:`nlp_rnn.linear_chain` finds the most likely sequences.

All functions take ``emissions (batch, timesteps, tags)`` and a ``mask``, bool
``(batch, timesteps)``, true at real tokens: each row has at least one, and padding is on the right.
They compute in float32, or float64 if the emissions are, because sums over a sentence lose too much
precision in the narrower types of mixed precision.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from nlp_rnn.linear_chain import Transitions

FORBIDDEN = -1e4
"""The score of a forbidden transition. Its ``exp`` is 0 in every float type, so it takes no
probability; because it is finite, gradients stay finite even where gold tags are forbidden."""


def _widened(emissions: Any, transitions: Transitions) -> tuple[Any, Transitions]:
    emissions = ops.convert_to_tensor(emissions)
    dtype = keras.backend.result_type(emissions.dtype, "float32")
    return ops.cast(emissions, dtype), Transitions(*(ops.cast(s, dtype) for s in transitions))


def _following(emissions: Any, mask: Any) -> Any:
    """The emissions of each token's successor, timesteps first, and a last column, 1 if it is real.

    Padding follows the last token, so that there is one step per token and one-token sentences need
    no special case. It is a single array, because on TensorFlow ``ops.scan`` over several arrays
    fails if the number of timesteps is unknown.
    """
    real = ops.cast(ops.expand_dims(mask, -1), emissions.dtype)
    tokens = ops.swapaxes(ops.concatenate([emissions, real], axis=-1), 0, 1)
    return ops.concatenate([tokens[1:], ops.zeros_like(tokens[:1])])


def log_partition(emissions: Any, mask: Any, transitions: Transitions) -> Any:
    """``log Z`` ``(batch,)`` in nats, computed by the forward algorithm.

    ``alpha_t[j] = e_t[j] + logsumexp_i(alpha_{t-1}[i] + between[i, j])``, held at padding.
    """
    emissions, transitions = _widened(emissions, transitions)

    def step(alpha: Any, following: Any) -> tuple[Any, Any]:
        emission, real = following[:, :-1], following[:, -1:] > 0
        paths = ops.expand_dims(alpha, 2) + transitions.between
        return ops.where(real, emission + ops.logsumexp(paths, axis=1), alpha), alpha

    first = transitions.start + emissions[:, 0]
    alpha, _ = ops.scan(step, first, _following(emissions, mask))
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
    """``log P(tags)`` ``(batch,)`` in nats; tags at padding are ignored.

    Args:
        tags: gold tag indices ``(batch, timesteps)``.
    """
    return path_score(emissions, tags, mask, transitions) - log_partition(
        emissions, mask, transitions
    )


@keras.saving.register_keras_serializable("nlp_rnn")
class CRF(keras.layers.Layer):
    """The weights of a linear-chain CRF and the quantities computed from them.

    ``call`` returns the emissions unchanged: in a functional model the layer marks them, and its
    weights are saved with the model. The likelihood is a method that takes emissions and mask like
    this module's functions.

    Args:
        tags: the number of tags.
        allowed: which tags may begin a sentence, follow another tag and end a sentence, bool
            ``(tags,)``, ``(tags, tags)``, ``(tags,)``, see
            :func:`nlp_rnn.text.entities.allowed_transitions`; None allows everything.

    Call arguments:
        emissions: ``(batch, timesteps, tags)``.
        mask: passed on; the emissions at padding are not changed.

    Returns:
        The emissions.

    Raises:
        ValueError: ``allowed`` or the emissions have a different number of tags.
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

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"tags": self.tags, "allowed": self.allowed}
