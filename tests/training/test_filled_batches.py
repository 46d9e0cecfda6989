"""Rows that fill up a batch change nothing: neither its loss nor what is learned from it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from helpers.networks import LABELS, build
from nlp_rnn.models.tagger import crf_of
from nlp_rnn.training.objective import CRFObjective, Objective

pytestmark = pytest.mark.slow

IDS = np.array([[3, 4, 5, 6], [8, 2, 0, 0], [9, 0, 0, 0]], np.int32)


def learned(task: str, filled: int, **model: Any) -> tuple[float, list[np.ndarray]]:
    """The loss of a batch with so many more rows, and the weights after a step."""
    keras.utils.set_random_seed(1)
    network = build(task, **model)
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.3, w.shape) for w in network.get_weights()])
    crf = crf_of(network) if task == "tagging" else None
    objective = Objective(network) if crf is None else CRFObjective(network, crf)
    objective.compile(optimizer=keras.optimizers.SGD(0.5), loss=None)
    rows = [0, 1, 2, *[0] * filled]
    weights = (IDS[rows] > 0).astype(np.float32)
    targets = IDS[rows] % len(LABELS)
    if task == "classification":
        weights, targets = weights[:, 0], targets[:, 0]
    weights[len(IDS) :] = 0
    figures = objective.train_on_batch(IDS[rows], targets, sample_weight=weights, return_dict=True)
    return float(figures["cross_entropy"]), network.get_weights()


@pytest.mark.parametrize(
    ("task", "model"),
    [("classification", {}), ("tagging", {}), ("tagging", {"output": "crf"})],
    ids=["classifier", "tagger", "CRF"],
)
def test_rows_that_fill_up_a_batch_teach_nothing(task: str, model: dict[str, Any]) -> None:
    (loss, weights), (filled_loss, filled) = (learned(task, rows, **model) for rows in (0, 2))
    assert filled_loss == pytest.approx(loss, abs=1e-6)
    for one, other in zip(weights, filled, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
