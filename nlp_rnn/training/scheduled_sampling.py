"""Scheduled sampling: a language model, or a decoder, reads its own predictions in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nlp_rnn.models.encoder import real_tokens
from nlp_rnn.text.vocabulary import PAD_INDEX

FIRST = PAD_INDEX + 1
"""The index of the first type that is a token."""


def mixed_inputs(
    network: keras.Model,
    ids: Any,
    states: Sequence[Any],
    probability: Any,
    seeds: Any,
    source: Sequence[Any] = (),
) -> Any:
    """The tokens that a language model or a decoder reads in training (Bengio et al. 2015).

    At each step except a window's first, the token is drawn with ``probability`` from the model's
    own distribution given what it has read so far; otherwise it is the true token. As in the paper,
    no gradient flows through the choice, so the tokens are chosen first, without dropout, and the
    window is then read like any other. Padding is kept, and is never drawn.

    Args:
        network: maps ``[ids, *source, *states]`` to ``[logits, *states]`` and perhaps more.
        ids: the true tokens, int32 ``(batch, timesteps)``, padded on the right with 0.
        states: the states before the window.
        probability: the probability of the model's token, a scalar.
        seeds: a ``keras.random.SeedGenerator``.
        source: what a decoder reads of its sources.

    Returns:
        int32 ``(batch, timesteps)``.
    """
    # Drawn before the loop: a seed generator cannot be advanced inside one.
    coins, places = (keras.random.uniform(ops.shape(ids), seed=seeds) for _ in range(2))
    own = ops.logical_and(ops.less(coins, ops.cast(probability, coins.dtype)), real_tokens(ids))
    steps = ops.arange(ops.shape(ids)[1])
    weights = [variable.value for variable in network.trainable_variables]
    others = [variable.value for variable in network.non_trainable_variables]

    def step(t: Any, carry: tuple[Any, Any, list[Any]]) -> tuple[Any, Any, list[Any]]:
        mixed, drawn, before = carry
        true, is_own, place = (ops.take(values, t, axis=1) for values in (ids, own, places))
        token = ops.where(is_own, drawn, true)
        # Called without side effects, because Keras's cells draw unused dropout masks even in
        # predictions.
        read = [ops.expand_dims(token, 1), *source, *before]
        (logits, *after), _ = network.stateless_call(weights, others, read, training=False)
        distribution = ops.softmax(ops.cast(logits[:, 0, FIRST:], "float32"))
        cumulative = ops.cumsum(distribution, axis=-1)
        threshold = ops.expand_dims(place, -1) * cumulative[:, -1:]
        drawn = FIRST + ops.sum(ops.cast(cumulative < threshold, "int32"), axis=-1)
        mixed = ops.where(steps == t, ops.expand_dims(token, 1), mixed)
        return mixed, drawn, after[: len(before)]

    start = ops.zeros_like(ids), ids[:, 0], list(states)
    mixed, _, _ = ops.fori_loop(0, ops.shape(ids)[1], step, start)
    return ops.stop_gradient(mixed)
