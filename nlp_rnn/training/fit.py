"""The epoch loop: it keeps the best weights and can resume with a loss of a few minutes at most."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from nlp_rnn.config import AveragingParameters, TrainingParameters
from nlp_rnn.errors import UserError
from nlp_rnn.process import log
from nlp_rnn.progress import progress
from nlp_rnn.text.batches import Batch
from nlp_rnn.training import devices
from nlp_rnn.training.checkpoint import Checkpoint, PartOfEpoch, Progress
from nlp_rnn.training.objective import Objective, Totals
from nlp_rnn.training.optimizer import averaged_weights
from nlp_rnn.training.schedules import learning_rate
from nlp_rnn.training.steps import Steps, training_steps

Row = dict[str, float]

SECONDS_UNSAVED = 300.0
"""The most seconds of work that an interruption loses in an epoch that takes longer than this."""


BATCHES_AHEAD = 100
"""The number of batches whose shapes are compiled together before a training begins."""


def _variables(objective: Objective) -> list[Any]:
    """Weights, seed generators and optimiser state, in a fixed order."""
    return [*objective.variables, *objective.optimizer.variables]


def _values(variables: Iterable[Any]) -> list[NDArray[Any]]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: Iterable[Any], values: Iterable[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def train_epoch(
    training: Steps,
    batches: Iterable[Batch],
    steps: int,
    epoch: int,
    parameters: TrainingParameters,
    plateaus: int,
    part: PartOfEpoch | None = None,
    save: Callable[[], None] = lambda: None,
) -> Row:
    """Train for one epoch and return its metrics.

    Args:
        batches: all batches of the epoch, including those of steps that are complete already.
        part: the complete steps of the epoch, after which training resumes.
        save: called every :data:`SECONDS_UNSAVED` seconds, with ``part`` and all variables up to
            date.
    """
    objective = training.objective
    part = part or PartOfEpoch()
    done, rate = part.steps, math.nan
    started = time.perf_counter()

    def update() -> None:
        nonlocal started
        part.figures += training.finish()
        now = time.perf_counter()
        part.seconds, started = part.seconds + now - started, now

    title = f"epoch {epoch + 1}/{parameters.epochs}"
    for step, batch in enumerate(progress(batches, title, "batches", steps)):
        epochs_done = epoch + step / steps
        rate = learning_rate(parameters, epochs_done, plateaus, 1 / steps) * batch.rate
        if step < done:
            continue  # drawn only so that the batches after it are the same
        settings = [
            (objective.optimizer.learning_rate, rate),
            *objective.optimizer.settings(epoch),
        ]
        training.run(batch, settings + objective.settings(epochs_done / parameters.epochs))
        part.targets.append(float(batch.weights.sum()))
        part.tokens += batch.tokens
        if devices.now_and_then(step, lambda: time.perf_counter() - started > SECONDS_UNSAVED):
            update()
            save()
    update()
    totals = Totals()
    for means, targets in zip(part.figures, part.targets, strict=True):
        totals.add(means, targets)
    norms = [means["gradient_norm"] for means in part.figures]
    return {
        **totals.means("train"),
        "gradient_norm": math.fsum(norms) / len(norms),
        "largest_gradient_norm": max(norms),
        "learning_rate": rate,
        "seconds": part.seconds,
        "tokens_per_second": part.tokens / part.seconds,
    }


def clipping_advice(row: Row) -> str:
    """Advice on ``clip_norm`` from the gradient norm in the first epoch.

    Pascanu et al. (2013, section 3.2) look at the average norm and find that thresholds from half
    this value to ten times this value work.
    """
    mean = row["gradient_norm"]
    return (
        f"gradient norm {mean:.3g} on average, {row['largest_gradient_norm']:.3g} at most: "
        f"clip_norm from {mean / 2:.2g} to {10 * mean:.2g} is usual"
    )


def _selected(row: Row, select: str) -> float:
    """The validation metric that decides which epoch is best; lower is better."""
    figure = row[f"validation/{select}"]
    return figure if select == "loss" else -figure


def _stopped_improving(progress: Progress, averaging: AveragingParameters) -> bool:
    """Whether the loss exceeds the lowest loss from before the last ``n`` epochs (Merity 2017)."""
    *before, last = (row["validation/loss"] for row in progress.history)
    earlier = before[: -averaging.non_monotone]
    return bool(earlier) and last > min(earlier)


def _complete_epoch(progress: Progress, row: Row, select: str) -> bool:
    """Record an epoch and its metrics; returns whether it is the best so far.

    Raises:
        UserError: a loss is no longer a number.
    """
    if not (math.isfinite(row["train/loss"]) and math.isfinite(row["validation/loss"])):
        raise UserError(
            f"the loss became {row['train/loss']} in epoch {progress.epoch + 1}: lower "
            "training.learning_rate or set training.clip_norm"
        )
    progress.epoch += 1
    progress.history.append(row)
    progress.part = PartOfEpoch()
    figure = _selected(row, select)
    if figure < progress.best_figure:
        progress.best_figure, progress.best_epoch, progress.waited = figure, progress.epoch, 0
        return True
    progress.plateaus += 1
    progress.waited += 1
    return False


def _resumed(
    objective: Objective, checkpoint: Checkpoint, parameters: TrainingParameters
) -> tuple[list[NDArray[Any]], Progress]:
    """The best weights so far and the progress of a training that was interrupted, whose variables
    it restores; nothing yet for a new one."""
    saved = checkpoint.load(devices.readable(checkpoint.file))
    if saved is None:
        log(f"training from the beginning, {parameters.epochs} epochs at most")
        return [], Progress()
    variables, best, progress = saved
    _assign(_variables(objective), variables)
    within = f", step {progress.part.steps:,}" if progress.part.steps else ""
    log(f"resuming after epoch {progress.epoch} of {parameters.epochs}{within}")
    return best, progress


def _out_of_patience(progress: Progress, parameters: TrainingParameters) -> bool:
    """Whether training stops early."""
    if parameters.patience is None or progress.waited < parameters.patience:
        return False
    log(f"no better {parameters.select} for {progress.waited} epochs: stopping early")
    return True


def fit(
    objective: Objective,
    batches: Callable[[int], tuple[Iterable[Batch], int]],
    validate: Callable[[], Row],
    parameters: TrainingParameters,
    checkpoint: Checkpoint,
    on_epoch: Callable[[int, Row], None] = lambda epoch, row: None,
) -> Progress:
    """Train until the epochs or the patience run out; leave the best weights in the network.

    Args:
        objective: the compiled objective.
        batches: maps an epoch to its batches and their number. It must depend only on the epoch, so
            that a resumed run sees the same batches.
        validate: returns the metrics of the validation split, including ``validation/loss``.
        checkpoint: resumed if it matches; replaced after each epoch and, in long epochs, also
            within.
        on_epoch: called at the end of each epoch with its number, counted from 1, and its metrics.

    Raises:
        UserError: the loss is no longer a number.
    """
    network = objective.network
    devices.check_rows(parameters.batch_size, hasattr(objective, "states"))
    first_batches, _ = batches(0)
    training = training_steps(objective, next(iter(first_batches)))
    best, progress = _resumed(objective, checkpoint, parameters)
    devices.check_same_arrays("weights", _variables(objective))
    if progress.epoch < parameters.epochs:
        training.prepare(islice(batches(progress.epoch)[0], BATCHES_AHEAD))

    def save() -> None:
        if devices.is_first():
            checkpoint.save(_values(_variables(objective)), best, progress)

    while progress.epoch < parameters.epochs and not _out_of_patience(progress, parameters):
        epoch_batches, steps = batches(progress.epoch)
        row = train_epoch(
            training,
            epoch_batches,
            steps,
            progress.epoch,
            parameters,
            progress.plateaus,
            progress.part,
            save,
        )
        if progress.epoch == 0:
            log(clipping_advice(row))
        with averaged_weights(objective.optimizer, objective.trainable_variables):
            row = devices.agreed(row | validate())
            weights = _values(network.variables)
        if _complete_epoch(progress, row, parameters.select):
            best = weights
        if parameters.averaging and _stopped_improving(progress, parameters.averaging):
            objective.optimizer.start_averaging()
        save()
        on_epoch(progress.epoch, row)
        figures = "  ".join(f"{name} {value:.4g}" for name, value in row.items())
        log(f"epoch {progress.epoch}/{parameters.epochs}  {figures}")
    _assign(network.variables, best)
    return progress
