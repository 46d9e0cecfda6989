"""Learning-rate schedules against their definitions."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from nlp_rnn.config import ScheduleParameters, TrainingParameters
from nlp_rnn.training.optimizer import optimizer
from nlp_rnn.training.schedules import learning_rate


def rate(
    kind: str, progress: float, plateaus: int = 0, step: float = 0.0, **schedule: float
) -> float:
    parameters = TrainingParameters(
        learning_rate=0.8,
        epochs=10,
        schedule=ScheduleParameters(kind=kind, **schedule),  # type: ignore[arg-type]
    )
    return learning_rate(parameters, progress, plateaus, step)


def test_constant() -> None:
    assert rate("constant", 7.5, plateaus=3) == 0.8


def test_cosine_falls_from_the_initial_rate_to_zero() -> None:
    assert rate("cosine", 0) == 0.8
    assert rate("cosine", 5) == pytest.approx(0.4)
    assert rate("cosine", 2.5) == pytest.approx(0.4 * (1 + math.sqrt(0.5)))
    assert rate("cosine", 10) == pytest.approx(0)


def test_exponential_decays_each_epoch_after_the_start() -> None:
    rates = [rate("exponential", epoch + 0.3, decay=0.5, start=4) for epoch in range(7)]
    assert rates == pytest.approx([0.8, 0.8, 0.8, 0.8, 0.4, 0.2, 0.1])


def test_plateau_decays_with_every_epoch_that_brought_nothing() -> None:
    assert rate("plateau", 6, plateaus=2, decay=0.25) == pytest.approx(0.05)


@pytest.mark.parametrize(("steps", "warmup"), [(4, 2.0), (10, 0.5), (3, 1 / 3), (1, 3.0)])
def test_warmup_rises_by_the_same_amount_in_each_step_from_the_first_on(
    steps: int, warmup: float
) -> None:
    rates = [
        rate("constant", epoch + step / steps, step=1 / steps, warmup=warmup)
        for epoch in range(4)
        for step in range(steps)
    ]
    rising = round(warmup * steps)
    whole = [0.8] * (len(rates) - rising)
    assert rates == pytest.approx([0.8 * n / rising for n in range(1, rising + 1)] + whole)


def test_warmup_scales_what_the_schedule_says() -> None:
    early, late = (rate("cosine", progress, step=0.25, warmup=2) for progress in (0.75, 5))
    assert early == pytest.approx(rate("cosine", 0.75) / 2)
    assert late == rate("cosine", 5)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_weight_decay_shrinks_weights_without_a_gradient(name: str) -> None:
    weight = keras.Variable(np.array([2.0, -4.0], np.float32))
    parameters = TrainingParameters(optimizer=name, learning_rate=0.5, weight_decay=0.1)
    optimizer(parameters).apply([np.zeros(2, np.float32)], [weight])
    np.testing.assert_allclose(weight, [1.9, -3.8], rtol=1e-6)
