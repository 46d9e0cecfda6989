"""One of two processes that train tiny networks together: ``python two_processes.py
PROCESS HOST:PORT FILE``. Process 0 then trains them alone too and writes the weights of both."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from helpers.experiments import small_experiment
from nlp_rnn import backend
from nlp_rnn.text.batches import Batch
from nlp_rnn.training import devices

STEPS, ROWS, VOCABULARY = 50, 4, 9

TASKS = {
    "tagging": {
        "model": {"cell": "gru", "units": 4, "bidirectional": False, "dropout": 0.3},
        "training": {},
    },
    "language_modelling": {
        "model": {"cell": "lstm", "units": 4, "dropout": 0.3, "variational": True},
        "training": {"window": 6, "batch_size": ROWS},
    },
}


def batches(task: str) -> list[Batch]:
    """Rows of other numbers of real words, so that a mean of two halves is not that of all; those
    of the tagger cannot be split evenly."""
    rng = np.random.default_rng(0)
    streams = task == "language_modelling"
    made = []
    for i in range(STEPS):
        shape = (ROWS if streams else ROWS + 1, 6)
        ids, targets = rng.integers(2, VOCABULARY, (2, *shape)).astype(np.int32)
        real = np.arange(6) < rng.integers(1, 7, (shape[0], 1))
        starts = np.full(ROWS, i % 20 == 0, np.float32) if streams else None
        made.append(Batch(ids * real, (targets % 3) * real, real.astype(np.float32), starts=starts))
    return made


def trained(task: str) -> dict[str, np.ndarray]:
    """The weights after training, and the figures of the last step."""
    import keras

    from nlp_rnn.models.network import build_network
    from nlp_rnn.training.objective import Objective, TruncatedBPTT, compiled
    from nlp_rnn.training.steps import training_steps

    experiment = small_experiment(task, **TASKS[task])
    backend.deterministic(0)
    network = build_network(experiment, VOCABULARY, ["O", "B-X", "I-X"])
    objective = (
        TruncatedBPTT(network, ROWS, experiment.training)
        if task == "language_modelling"
        else Objective(network)
    )
    first, *_ = made = batches(task)
    steps = training_steps(compiled(objective, experiment.training), first)
    for i, batch in enumerate(made):
        steps.run(batch, [(objective.optimizer.learning_rate, 0.01)])
        if i == STEPS // 2:
            steps.finish()
    *_, figures = steps.finish()
    arrays = [keras.ops.convert_to_numpy(v) for v in objective.variables]
    return {f"{i}": x for i, x in enumerate(arrays)} | {k: np.array(v) for k, v in figures.items()}


def main(process: str, coordinator: str, file: str) -> None:
    devices.meet(int(process), 2, coordinator)
    backend.select("jax")
    found = {f"{task}_{name}": x for task in TASKS for name, x in trained(task).items()}
    devices.part()
    if process == "0":
        for task in TASKS:
            found |= {f"alone_{task}_{name}": x for name, x in trained(task).items()}
        np.savez(Path(file), **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
