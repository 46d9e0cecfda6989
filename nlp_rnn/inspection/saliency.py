"""Saliency: the earlier tokens on which a prediction rests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.backend import compiled, gradient
from nlp_rnn.text.bounds import padded_length

OCCLUDED_AT_ONCE = 32
"""The number of rows in one forward pass, which bounds memory."""


@dataclass(frozen=True)
class Saliency:
    """The influence of the tokens before a target on ``ln P(target)``.

    Attributes:
        log_probability: ``ln P(target)``, in nats.
        gradient_times_input: ``g_i . e_i`` of each token's embedding ``e_i`` and the gradient
            ``g_i`` of ``ln P`` with respect to it, ``(tokens,)``: roughly how much ``ln P`` would
            fall if the embedding were zero. It is positive for tokens that support the target.
        gradient_norm: ``|g_i|``, how sensitive ``ln P`` is to each token (Li et al. 2016).
        occlusion: how much ``ln P`` actually falls when only this embedding is set to zero (Li,
            Monroe & Jurafsky 2016).
    """

    log_probability: float
    gradient_times_input: Floats
    gradient_norm: Floats
    occlusion: Floats


@lru_cache(maxsize=1)  # so that it is compiled only once for a network
def _log_probability(network: keras.Model) -> Callable[..., Any]:
    """``ln P`` of one token after each row of a batch, as a function of the embeddings.

    Returns:
        From ``vectors (batch, timesteps, dimension)``, which stand for the embeddings of
        ``ids (batch, timesteps)``, the place ``last`` of the last token before the target, the
        ``target`` and the states before ``ids``, to ``(batch,)``.
    """
    ids, *states = network.inputs
    vectors = network.get_layer("embedding").output
    above = keras.Model([ids, vectors, *states], network.get_layer("hidden").output)
    output = network.get_layer("logits")

    def log_probability(vectors: Any, ids: Any, last: Any, target: Any, *states: Any) -> Any:
        hidden = above([ids, vectors, *states], training=False)
        at_last = ops.expand_dims(ops.take(hidden, last, axis=1), 1)
        return -output(at_last, ops.broadcast_to(target, (len(ids), 1)))[:, 0]

    return compiled(log_probability)


def saliency(
    network: keras.Model,
    ids: NDArray[np.int32],
    target: int,
    states: Sequence[Floats] | None = None,
) -> Saliency:
    """How much the prediction of ``target`` after ``ids`` rests on each of them.

    Args:
        network: a language model with inputs ``[ids, *states]``.
        ids: token indices ``(tokens,)``, one or more.
        states: the states before ``ids``, each ``(width,)``; None means zeros, as at the start of a
            text.
    """
    if states is None:
        states = [np.zeros(state.shape[-1], np.float32) for state in network.inputs[1:]]
    steps = padded_length(len(ids))  # few lengths, because each is compiled
    padded = np.pad(ids, (0, steps - len(ids)))
    embeddings = ops.convert_to_numpy(network.get_layer("embedding")(padded))

    def log_probability(vectors: Any) -> Any:
        rows = len(vectors)
        tokens, *before = (ops.repeat(array[None], rows, axis=0) for array in (padded, *states))
        last, to_come = (ops.convert_to_tensor(i, "int32") for i in (len(ids) - 1, target))
        return _log_probability(network)(vectors, tokens, last, to_come, *before)

    slope = gradient(lambda vectors: log_probability(vectors[None])[0], embeddings)
    full, *without = np.concatenate(
        [
            ops.convert_to_numpy(log_probability(ops.convert_to_tensor(rows)))
            for rows in occluded(embeddings)
        ]
    )
    tokens = slice(len(ids))
    return Saliency(
        float(full),
        (slope * embeddings).sum(axis=1)[tokens],
        np.linalg.norm(slope, axis=1)[tokens],
        full - np.array(without)[tokens],
    )


def occluded(embeddings: Floats) -> Iterator[Floats]:
    """``embeddings (steps, dimension)`` unchanged, then with each of the steps set to zero.

    Yields:
        Batches of :data:`OCCLUDED_AT_ONCE` rows, in total slightly more rows than steps.
    """
    steps = len(embeddings)
    for start in range(-1, steps, OCCLUDED_AT_ONCE):
        places = np.arange(start, start + OCCLUDED_AT_ONCE)[:, None]
        seen = places != np.arange(steps)
        yield embeddings * seen[..., None].astype(embeddings.dtype)
