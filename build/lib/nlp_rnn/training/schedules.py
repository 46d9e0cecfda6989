"""Schedules of training: the learning rate and the probability of scheduled sampling."""

from __future__ import annotations

import math

from nlp_rnn.config import ScheduledSamplingParameters, TrainingParameters


def learning_rate(
    parameters: TrainingParameters, progress: float, plateaus: int, step: float
) -> float:
    """The learning rate of a training step.

    Args:
        progress: epochs done before the step, e.g. 2.5 in the middle of the third epoch.
        plateaus: epochs so far in which the selected validation metric did not improve.
        step: the length of the step as a share of an epoch.

    Returns:
        - ``constant``: the initial rate ``r``;
        - ``cosine``: ``r (1 + cos(pi progress / epochs)) / 2`` (Loshchilov & Hutter 2017);
        - ``exponential``: ``r decay^max(0, epoch - start + 1)`` (Zaremba et al. 2014);
        - ``plateau``: ``r decay^plateaus``;

        in the first ``warmup`` epochs times ``(progress + step) / warmup``: of ``n`` steps the
        first has ``1 / n`` of the rate, the last all of it.
    """
    rate, schedule = parameters.learning_rate, parameters.schedule
    if schedule.kind == "cosine":
        rate *= (1 + math.cos(math.pi * min(progress / parameters.epochs, 1))) / 2
    if schedule.kind == "exponential":
        rate *= schedule.decay ** max(0, math.floor(progress) - schedule.start + 1)
    if schedule.kind == "plateau":
        rate *= schedule.decay**plateaus
    return rate * min(1.0, (progress + step) / schedule.warmup) if schedule.warmup else rate


STEEPNESS = 10.0
"""The steepness of the inverse sigmoid: it is close to its limits at the start and end of
training."""


def sampling_probability(parameters: ScheduledSamplingParameters, progress: float) -> float:
    """The probability that a language model reads its own token (Bengio et al. 2015, 2.4).

    The paper's epsilon, the probability of the true token, is 1 minus this.

    Args:
        progress: the share of training that is done, 0 to 1.

    Returns:
        Rising to ``sampling`` ``s``: ``linear``, ``s p``; ``exponential``, ``1 - (1 - s)^p``;
        ``inverse_sigmoid``, ``s`` times a sigmoid of ``p - 1/2``, from 0.7% to 99.3% of ``s``.
    """
    final = parameters.sampling
    if parameters.schedule == "linear":
        return final * progress
    if parameters.schedule == "exponential":
        return 1 - (1 - final) ** progress
    return final / (1 + math.exp(-STEEPNESS * (progress - 0.5)))
