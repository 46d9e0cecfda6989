"""The learning rate as a function of the epoch."""

from __future__ import annotations

import math

from nlp_rnn.config import TrainingParameters


def learning_rate(parameters: TrainingParameters, progress: float, plateaus: int) -> float:
    """The learning rate at a point of training.

    Args:
        progress: epochs done, e.g. 2.5 in the middle of the third epoch.
        plateaus: epochs so far whose validation loss was no new minimum.

    Returns:
        - ``constant``: the initial rate ``r``;
        - ``cosine``: ``r (1 + cos(pi progress / epochs)) / 2`` (Loshchilov & Hutter 2017);
        - ``exponential``: ``r decay^max(0, epoch - start + 1)`` (Zaremba et al. 2014);
        - ``plateau``: ``r decay^plateaus``.
    """
    initial, schedule = parameters.learning_rate, parameters.schedule
    if schedule.kind == "cosine":
        return initial * (1 + math.cos(math.pi * min(progress / parameters.epochs, 1))) / 2
    if schedule.kind == "exponential":
        return initial * schedule.decay ** max(0, math.floor(progress) - schedule.start + 1)
    if schedule.kind == "plateau":
        return initial * schedule.decay**plateaus
    return initial
