"""Linear interpolation: the model's probabilities mixed with another model's of the same tokens."""

from __future__ import annotations

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.ngrams import mixture_weights


def best_weight(model: Floats, other: Floats) -> float:
    """The weight of ``other`` in the mixture that maximises the likelihood of held-out text.

    Args:
        model: the language model's ``-ln P`` of each token, in nats ``(tokens,)``.
        other: the other model's probability of each token ``(tokens,)``.
    """
    return float(mixture_weights(np.stack([np.exp(-model), other]))[1])


def mixed(model: Floats, other: Floats, weight: float) -> Floats:
    """``-ln((1 - weight) P + weight P_other)`` of each token, in nats.

    Args:
        model, other: see :func:`best_weight`.
    """
    if weight == 0:
        return model
    with np.errstate(divide="ignore"):  # tokens that the other model finds impossible
        return -np.logaddexp(np.log1p(-weight) - model, np.log(weight) + np.log(other))
