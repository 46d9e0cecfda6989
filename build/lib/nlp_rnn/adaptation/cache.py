"""The continuous cache: words recur where the hidden state resembles the one before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.text.streams import fixed_widths, windows

if TYPE_CHECKING:
    import keras

BLOCK = 256
"""The number of positions computed at once; it affects speed, not results."""


def cache_probabilities(
    hidden: NDArray[np.floating[Any]], targets: Ints, model: Floats, size: int, theta: float
) -> Floats:
    """The cache's probability of each token (Grave, Joulin & Usunier 2017, equation 3).

    The cache holds the last ``size`` pairs of a hidden state and the token that followed it.
    With ``h_t`` the state from which token ``x_t`` is predicted::

        P_cache(w) = sum_i [x_i = w] exp(theta h_t . h_i) / sum_i exp(theta h_t . h_i)

    over ``i`` from ``t - size`` to ``t - 1``: a distribution over the tokens of the cache.

    Args:
        hidden: the inputs of the output layer before each token, ``(tokens, width)``.
        targets: ``(tokens,)``, the text.
        model: the model's own probability of each token ``(tokens,)``. At the first token, where
            the cache is empty, it replaces the cache's.
        size: the number of pairs in the cache.
        theta: sharpness; 0 weights all pairs equally.

    Returns:
        float64 ``(tokens,)``.
    """
    found = np.empty(len(targets))
    for start in range(0, len(targets), BLOCK):
        end = min(start + BLOCK, len(targets))
        first = max(start - size, 0)
        positions, past = np.arange(start, end)[:, None], np.arange(first, end)
        scores = theta * (hidden[start:end] @ hidden[first:end].T).astype(np.float64)
        scores[(past >= positions) | (past < positions - size)] = -np.inf
        highest = scores.max(axis=1, keepdims=True, initial=-np.finfo(np.float64).max)
        weights = np.exp(scores - highest)
        same = targets[first:end] == targets[start:end, None]
        with np.errstate(invalid="ignore"):  # 0 / 0 in an empty cache
            found[start:end] = (weights * same).sum(axis=1) / weights.sum(axis=1)
    found[:1] = model[:1]
    return found


def hidden_of_text(network: keras.Model, ids: Ints, end_index: int) -> NDArray[np.floating[Any]]:
    """The inputs of a language model's output layer before each token, ``(tokens, width)``.

    Args:
        network: as built by :func:`nlp_rnn.models.language_model.language_model`.
        ids: ``(tokens,)``, one text; the state is carried through all of it.
        end_index: the token that precedes its first token.
    """
    from nlp_rnn.models.language_model import hidden_states

    encoder = hidden_states(network)
    states: list[Any] = [np.zeros((1, state.shape[-1]), np.float32) for state in encoder.inputs[1:]]
    parts = []
    for batch in windows(ids, end_index, 1, fixed_widths(len(ids), BLOCK)):
        hidden, *states = encoder.predict_on_batch([batch.ids, *states])
        parts.append(np.asarray(hidden)[0])
    return np.concatenate(parts)
