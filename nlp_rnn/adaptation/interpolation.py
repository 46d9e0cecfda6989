"""Linear interpolation: the model's probabilities and those of another model of the same tokens."""

from __future__ import annotations

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.ngrams import mixture_weights


def best_weight(model: Floats, other: Floats) -> float:
    """The weight of ``other`` in the mixture that gives held-out text its highest likelihood.

    Args:
        model: ``-ln P`` of each token by the language model, nats ``(tokens,)``.
        other: the probability of each token by the other model ``(tokens,)``.
    """
    return float(mixture_weights(np.stack([np.exp(-model), other]))[1])


def mixed(model: Floats, other: Floats, weight: float) -> Floats:
    """``-ln((1 - weight) P + weight P_other)`` of each token, nats.

    Args:
        model, other: as :func:`best_weight` takes them.
    """
    if weight == 0:
        return model
    with np.errstate(divide="ignore"):  # what the other model finds impossible
        return -np.logaddexp(np.log1p(-weight) - model, np.log(weight) + np.log(other))
