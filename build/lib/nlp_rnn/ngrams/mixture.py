"""Linear interpolation of language models of any kind."""

from __future__ import annotations

import numpy as np

from nlp_rnn.arrays import Floats


def mixture_weights(
    probabilities: Floats, tolerance: float = 1e-10, most_iterations: int = 10_000
) -> Floats:
    """The mixture weights of models that maximise the likelihood of held-out text.

    Expectation-maximisation (Jelinek & Mercer 1980; Dempster, Laird & Rubin 1977): each model's
    new weight is its mean posterior probability of having produced a token::

        w_m  <-  1/T sum_t  w_m p_mt / sum_j w_j p_jt

    The likelihood is concave in the weights, so the maximum is global. The mixture's
    probabilities of any other text are ``weights @ probabilities``.

    Args:
        probabilities: ``(models, tokens)``, for each token of a text that no model was trained on.
        tolerance: stop when the mean log-likelihood grows by less than this, in nats per token.
        most_iterations: the maximum number of iterations.

    Returns:
        ``(models,)``, not negative, sum 1.

    Raises:
        ValueError: there are no models or no tokens, a number is not a probability, or a token is
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
