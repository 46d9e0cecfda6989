"""Linear interpolation of language models of any kind."""

from __future__ import annotations

import numpy as np

from nlp_rnn.arrays import Floats


def mixture_weights(
    probabilities: Floats, tolerance: float = 1e-10, most_iterations: int = 10_000
) -> Floats:
    """The weights with which a mixture of models gives held-out text its highest likelihood.

    Expectation-maximisation (Jelinek & Mercer 1980; Dempster, Laird & Rubin 1977): each model's
    new weight is its mean posterior probability of having produced a token::

        w_m  <-  1/T sum_t  w_m p_mt / sum_j w_j p_jt

    The likelihood is concave in the weights, so the maximum is global. The mixture's
    probabilities of any other text are ``weights @ probabilities``.

    Args:
        probabilities: ``(models, tokens)``, of each token of a text that no model was trained on.
        tolerance: iterations end when the mean log-likelihood grows by less, nats a token.
        most_iterations: they end at the latest here.

    Returns:
        ``(models,)``, not negative, sum 1.

    Raises:
        ValueError: no models or tokens; a number that is no probability; a token that is
            impossible in every model.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or not probabilities.size:
        raise ValueError(f"expected (models, tokens), received shape {probabilities.shape}")
    if not ((probabilities >= 0) & (probabilities <= 1 + 1e-6)).all():
        raise ValueError("probabilities are between 0 and 1")
    if impossible := int((probabilities.max(axis=0) == 0).sum()):
        raise ValueError(f"{impossible} tokens have probability 0 in every model")
    weights = np.full(len(probabilities), 1 / len(probabilities))
    before = -np.inf
    for _ in range(most_iterations):
        mixture = weights @ probabilities
        log_likelihood = np.log(mixture).mean()
        if log_likelihood - before < tolerance:
            break
        before = log_likelihood
        weights = weights * (probabilities @ (1 / mixture)) / len(mixture)
    return weights / weights.sum()
