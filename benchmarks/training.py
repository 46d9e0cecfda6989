"""Training: tokens per second, compared with plain PyTorch with the same model and batches.

Every contestant does the same steps: the loss of a batch, its gradient, clipping, the optimiser,
with the same padding. The fraction of the peak divides the rate of the products needed for real
tokens (see :func:`benchmarks.works.training_flops`) by the rate of a product of large matrices on
this machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.harness import MALLOC, Report, Result, Row, Worker, disturbed, number, race, ratio
from benchmarks.works import (
    SEED,
    TRAINED,
    Work,
    first_batches,
    from_json,
    initial_vectors,
    prepared,
    training_flops,
)
from nlp_rnn.text.prepared import PreparedDataset

REFERENCE = "PyTorch"
PEAK = "matrix product"
BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "torch"}


def use_stock_layers() -> None:
    """Make every recurrent layer compute like Keras's own."""
    from nlp_rnn.layers import bptt

    patch.object(bptt, "applies", lambda *arguments: False).start()


def ours(work: dict[str, Any], data: str, stock: bool = False) -> Callable[[], dict[str, float]]:
    """A contestant: the project's own network, objective and epoch loop, on ``KERAS_BACKEND``.

    Args:
        stock: whether to use Keras's own recurrent layers.
    """
    from nlp_rnn import backend

    backend.select()

    from nlp_rnn.tasks.registry import make_task
    from nlp_rnn.training.fit import train_epoch
    from nlp_rnn.training.objective import compiled
    from nlp_rnn.training.steps import training_steps

    if stock:
        use_stock_layers()
    backend.deterministic(SEED)
    trained, dataset = from_json(work), PreparedDataset(Path(data))
    experiment, batches = trained.experiment, first_batches(trained, dataset)
    fitted = make_task(experiment, dataset, SEED)
    network = fitted.network(initial_vectors(experiment, dataset))
    objective = compiled(fitted.objective(network), experiment.training)
    steps = training_steps(objective, batches[0])
    tokens = sum(batch.tokens for batch in batches)

    def slice_() -> dict[str, float]:
        row = train_epoch(steps, batches, len(batches), 0, experiment.training, 0)
        return {"work": tokens, "loss": row["train/loss"]}

    return slice_


def contestants(work: Work, data: Path) -> list[Worker]:
    """The contestants that train ``work``."""
    arguments = {"work": work.to_json(), "data": str(data)}
    plain = "benchmarks.plain:training"
    found = [
        Worker(REFERENCE, plain, arguments),
        Worker("PyTorch, malloc", plain, arguments, MALLOC),
    ]
    if work.text.kind in ("labelled", "tagged"):
        found.append(Worker("PyTorch, packed", plain, arguments | {"packed": True}))
    for backend, name in BACKENDS.items():
        environment = {"KERAS_BACKEND": backend}
        found.append(Worker(name, "benchmarks.training:ours", arguments, environment))
    jax = {"KERAS_BACKEND": "jax"}
    found += [
        Worker("JAX, malloc", "benchmarks.training:ours", arguments, jax | MALLOC),
        Worker("JAX, stock Keras", "benchmarks.training:ours", arguments | {"stock": True}, jax),
        Worker(PEAK, "benchmarks.plain:matrix_product", {"size": 2048, "repetitions": 8}),
    ]
    return found


def _row(result: Result, reference: Result, flops: float, peak: float) -> Row:
    return {
        "": result.name,
        "tokens/s": number(result.speed),
        "× PyTorch (quartiles)": ratio(result, reference),
        "of the peak": f"{result.speed * flops / peak:.1%}" if result.turns and peak else "–",
        "cores busy": number(result.median("cores")),
        "peak MiB": number(result.median("peak_mib")),
        "start, s": number(result.setup),
        "last loss": number(result.turns[-1]["loss"]) if result.turns else result.failure,
    }


def measure(report: Report, only: str) -> None:
    """Race the contestants on each workload whose name contains ``only``; print the tables."""
    summary: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for work in TRAINED:
            if only in work.name:
                data = prepared(work, Path(folder))
                summary.append(_measure(work.quick() if report.quick else work, data, report))
    report.add("Training: times the speed of plain PyTorch", summary, summary)


def _measure(work: Work, data: Path, report: Report) -> Row:
    """Print one table; returns the workload's row of the summary."""
    dataset = PreparedDataset(data)
    flops = training_flops(work.experiment, len(dataset.vocabulary), len(dataset.labels))
    results = race(work.name, contestants(work, data), rounds=2 if report.quick else 9)
    reference, peak = results[REFERENCE], results[PEAK].speed
    shown: Sequence[Result] = [result for name, result in results.items() if name != PEAK]
    rows = [_row(result, reference, flops, peak) for result in shown]
    title = f"Training: {work.name} (peak {number(peak / 1e9)} GFLOP/s)"
    report.add_race(title, rows, results, work=work.to_json(), flops_a_token=flops)
    ratios = {result.name: ratio(result, reference).split(" ")[0] for result in shown}
    return {"": work.name} | ratios | {"disturbed slices": disturbed(results.values())}
