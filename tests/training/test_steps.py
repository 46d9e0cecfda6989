"""Running ahead of the device changes nothing but the time."""

from __future__ import annotations

import keras
import numpy as np
from pydantic import TypeAdapter

from helpers.backends import assert_all_agree
from nlp_rnn.config import Experiment
from nlp_rnn.models.network import build_network
from nlp_rnn.text.batches import Batch
from nlp_rnn.training.objective import TruncatedBPTT, compiled
from nlp_rnn.training.steps import AHEAD, StepByStep, Steps, training_steps

BATCHES = AHEAD + 4
VOCABULARY = 7


def batches() -> list[Batch]:
    """Windows of two lengths, in which not every target counts."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(BATCHES):
        shape = (3, 4 + i % 2)
        ids, targets = (rng.integers(2, VOCABULARY, shape).astype(np.int32) for _ in range(2))
        weights = rng.integers(0, 2, shape).astype(np.float32)
        weights[0, 0] = 1
        made.append(Batch(ids, targets, weights, starts=np.full(3, i == 0, np.float32)))
    return made


def trained(by_step: bool) -> tuple[list[np.ndarray], list[dict[str, float]]]:
    """Every variable and the figures after training with dropout, Adam and other rates."""
    parameters = {
        "task": "language_modelling",
        "dataset": "x",
        "embeddings": {"kind": "learned", "dimension": 4},
        "model": {"cell": "lstm", "units": 4, "variational": True, "dropout": 0.2},
        "training": {"batch_size": 3, "window": 4, "clip_norm": 1.0},
    }
    experiment = TypeAdapter(Experiment).validate_python(parameters)
    keras.utils.set_random_seed(0)
    objective = TruncatedBPTT(build_network(experiment, VOCABULARY, []), 3, experiment.training)
    steps: Steps = training_steps(compiled(objective, experiment.training), batches()[0])
    if by_step:
        steps = StepByStep(objective)
    figures = []
    for i, batch in enumerate(batches()):
        steps.run(batch, [(objective.optimizer.learning_rate, 0.01 * (i + 1))])
        if i == BATCHES // 2:
            figures += steps.finish()
    figures += steps.finish()
    variables = [*objective.variables, *objective.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables], figures


def computed() -> dict[str, np.ndarray]:
    """How far the two ways are apart, in the largest of all differences."""
    (ahead, figures), (plain, expected) = trained(False), trained(True)
    assert len(figures) == len(expected) == BATCHES
    metrics = {"cross_entropy", "gradient_norm"}
    return {
        "variables": np.array(max(np.abs(a - b).max() for a, b in zip(ahead, plain, strict=True))),
        "figures": np.array(
            max(abs(a[k] - b[k]) for a, b in zip(figures, expected, strict=True) for k in metrics)
        ),
    }


def test_steps_equal_train_on_batch(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    assert_all_agree(on_backends)
    for differences in on_backends.values():
        for name, difference in differences.items():
            assert difference < 1e-6, name
