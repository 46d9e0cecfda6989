"""Run a small model of each task on the backend of the environment; called by test_models."""

from __future__ import annotations

import sys

import keras
import numpy as np
from test_models import KINDS, RAGGED, build, padded, truncated

from nlp_rnn.training.objective import Objective


def computed(task: str) -> dict[str, np.ndarray]:
    """Weights after two clipped steps from fixed weights, and then the logits of real tokens."""
    net = build(task, layers=2, cell="lstm" if task == "tagging" else "gru")
    rng = np.random.default_rng(0)
    net.set_weights([rng.normal(0, 0.3, w.shape) for w in net.get_weights()])
    ids = padded(8)
    language = task == "language_modelling"
    objective = truncated(net, len(RAGGED)) if language else Objective(net)
    objective.compile(optimizer=keras.optimizers.SGD(0.1, global_clipnorm=0.5), loss=None)
    targets = np.zeros(3, np.int32) if task == "classification" else ids % 3
    weights = np.ones(3) if task == "classification" else (ids > 0) * 1.0
    for _ in range(2):
        inputs = [ids, np.zeros(3, np.float32)] if language else ids
        objective.train_on_batch(inputs, targets, sample_weight=weights.astype(np.float32))
    arrays = {f"{task} weight {i}": np.asarray(w) for i, w in enumerate(net.get_weights())}
    if task != "language_modelling":
        logits = np.asarray(net.predict_on_batch(ids))
        arrays[f"{task} logits"] = logits if task == "classification" else logits[ids > 0]
    return arrays


if __name__ == "__main__":
    np.savez(
        sys.argv[1],
        allow_pickle=False,
        **{k: v for task in KINDS for k, v in computed(task).items()},
    )
