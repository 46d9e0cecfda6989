"""Fitting: exact losses, real clipping, resumption bit for bit, early stopping, clear failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from helpers.grids import grid
from nlp_rnn import backend
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.runtime.forward import softmax
from nlp_rnn.task_kinds import TASK_KINDS
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.tasks.task import Task
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.training.checkpoint import Checkpoint, PartOfEpoch, Progress
from nlp_rnn.training.fit import clipping_advice, fit
from nlp_rnn.training.objective import Objective, Totals, compiled
from nlp_rnn.training.steps import StepByStep, training_steps

pytestmark = pytest.mark.slow


def work(name: str, dataset: PreparedDataset, **training: Any) -> Task:
    training = {"epochs": 4, "batch_size": 4, "learning_rate": 0.05} | training
    experiment = small_experiment(name, {"units": 4, "dropout": 0.3}, training)
    return make_task(experiment, dataset, seed=3)


@pytest.fixture(params=grid(sorted(TASK_KINDS), "tagging", "language_modelling", "semantic_roles"))
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, PreparedDataset]:
    examples = {
        "classification": "reviews",
        "tagging": "sentences",
        "intents_and_slots": "requests",
        "language_modelling": "lines",
        "sequence_to_sequence": "pairs",
        "semantic_roles": "propositions",
    }
    found = request.getfixturevalue(examples[request.param])
    corpus = same_everywhere(TASK_KINDS[request.param].data, found)
    return request.param, prepared(tmp_path / "d", corpus)


def objective_of(job: Task) -> Objective:
    backend.deterministic(3)
    rng = np.random.default_rng(0)
    vectors = rng.uniform(-0.1, 0.1, (len(job.dataset.vocabulary), 4)).astype(np.float32)
    return compiled(job.objective(job.network(vectors)), job.training)


def run(
    job: Task, folder: Path, objective: Objective | None = None, **options: Any
) -> tuple[Objective, Progress]:
    objective = objective or objective_of(job)
    progress = fit(
        objective,
        job.batches,
        lambda: job.validate(objective),
        job.training,
        Checkpoint(folder, "same"),
        **options,
    )
    return objective, progress


class Trainings:
    """Trainings of one experiment, whose network is compiled once.

    Each begins with the variables of a new process. To go on from a checkpoint, it begins with
    variables of which none is right, so that whatever the checkpoint does not restore shows.
    """

    def __init__(self, name: str, dataset: PreparedDataset, **training: Any) -> None:
        self._job = lambda: work(name, dataset, **training)
        job = self._job()
        self._objective = objective_of(job)
        training_steps(self._objective, next(iter(job.batches(0)[0])))
        self._initial = [np.array(variable) for variable in self._variables()]

    def run(self, folder: Path, **options: Any) -> tuple[list[np.ndarray], Progress]:
        """The network's weights and the progress."""
        job = self._job()
        goes_on = Checkpoint(folder, "same").load() is not None
        for variable, value in zip(self._variables(), self._initial, strict=True):
            variable.assign(value + 1 if goes_on else value)
        _, progress = run(job, folder, self._objective, **options)
        return [np.array(weight) for weight in self._objective.network.get_weights()], progress

    def _variables(self) -> list[Any]:
        return [*self._objective.variables, *self._objective.optimizer.variables]


class Killed(Exception):
    pass


def untimed(history: list[dict[str, float]]) -> list[dict[str, float]]:
    """The rows of figures without those that no two runs share."""
    timing = {"seconds", "tokens_per_second"}
    return [{name: row[name] for name in row.keys() - timing} for row in history]


def killed_after_epochs(trainings: Trainings, folder: Path) -> None:
    """Kill a training after an epoch, twice."""

    def kill(epoch: int, row: object) -> None:
        raise Killed

    for _ in range(2):
        with pytest.raises(Killed):
            trainings.run(folder, on_epoch=kill)


def killed_within_epochs(trainings: Trainings, folder: Path) -> None:
    """Kill a training as it writes its third checkpoint within an epoch, twice."""
    steps = []
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpoint, "save", killed_at_save(3))
            with pytest.raises(Killed):
                trainings.run(folder)
        found = Checkpoint(folder, "same").load()
        assert found is not None
        steps.append(found[-1].part.steps)
    assert all(steps)


def test_a_training_killed_anywhere_ends_as_if_it_was_not(
    dataset: tuple[str, PreparedDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Trainings(*dataset, batch_size=2)
    whole, expected = trainings.run(tmp_path / "whole")
    for killed in (killed_after_epochs, killed_within_epochs):
        folder = tmp_path / killed.__name__
        if killed is killed_within_epochs:  # a checkpoint after each step, also when it goes on
            monkeypatch.setattr("nlp_rnn.training.fit.SECONDS_UNSAVED", 0.0)
        killed(trainings, folder)
        resumed, progress = trainings.run(folder)
        assert untimed(progress.history) == untimed(expected.history)
        for one, other in zip(whole, resumed, strict=True):
            assert np.array_equal(one, other)


def killed_at_save(number: int) -> Any:
    """The method that saves a checkpoint, but the process ends before that of this number."""
    save, saved = Checkpoint.save, []

    def counted(self: Checkpoint, *state: Any) -> None:
        saved.append(state)
        if len(saved) == number:
            raise Killed
        save(self, *state)

    return counted


def test_a_checkpoint_of_another_configuration_or_a_broken_one_is_not_resumed(
    tmp_path: Path,
) -> None:
    checkpoint = Checkpoint(tmp_path, "this")
    part = PartOfEpoch([{"cross_entropy": 2.0}], [3.0], tokens=4, seconds=0.1)
    progress = Progress(epoch=2, history=[{"a": 1.0}], part=part)
    checkpoint.save([np.ones(3)], [np.zeros(2)], progress)
    found = Checkpoint(tmp_path, "this").load()
    assert found is not None
    assert found[0][0].tolist() == [1, 1, 1]
    assert found[2] == progress
    assert Checkpoint(tmp_path, "other").load() is None
    checkpoint.file.write_bytes(checkpoint.file.read_bytes()[:100])
    assert checkpoint.load() is None


def test_early_stopping_keeps_the_best_epochs_weights(
    tmp_path: Path, reviews: list[Example]
) -> None:
    job = work(
        "classification",
        prepared(tmp_path / "d", same_everywhere("labelled", reviews)),
        epochs=50,
        patience=2,
    )
    objective = objective_of(job)
    losses = iter([3.0, 1.0, 2.0, 2.5, 0.5])
    weights: list[list[np.ndarray]] = []

    def validate() -> dict[str, float]:
        weights.append([np.array(w) for w in objective.network.get_weights()])
        return {"validation/loss": next(losses)}

    progress = fit(objective, job.batches, validate, job.training, Checkpoint(tmp_path / "c", "x"))
    assert (progress.epoch, progress.best_epoch, progress.best_figure) == (4, 2, 1.0)
    for kept, best in zip(objective.network.get_weights(), weights[1], strict=True):
        assert np.array_equal(kept, best)


def test_a_loss_that_is_no_number_says_what_to_change(tmp_path: Path, lines: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("text", lines))
    job = work("language_modelling", dataset, optimizer="sgd", learning_rate=1e38)
    with pytest.raises(UserError, match=r"training\.learning_rate"):
        run(job, tmp_path / "c")


def test_losses_are_sums_over_tokens_not_means_of_batches(
    tmp_path: Path, sentences: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    job = work("tagging", dataset)
    objective = objective_of(job)
    split = dataset.split("validation")
    expected = []
    for i in range(len(split)):
        logits = objective.network(split.sequence(split.ids, i)[None], training=False)
        rows = softmax(keras.ops.convert_to_numpy(logits)[0])
        tags = split.sequence(split.labels, i)
        expected += (-np.log(rows[np.arange(len(tags)), tags])).tolist()
    assert job.validate(objective)["validation/loss"] == pytest.approx(np.mean(expected), abs=1e-5)


def test_totals_weight_batches_by_their_targets() -> None:
    totals = Totals()
    totals.add({"cross_entropy": 1.0, "accuracy": 0.0}, 3.0)
    totals.add({"cross_entropy": 5.0, "accuracy": 1.0}, 1.0)
    assert totals.means("train") == {"train/loss": 2.0, "train/accuracy": 0.25}


@pytest.mark.parametrize("limit", [0.01, 1e6])
def test_the_joint_norm_of_a_step_is_clipped(
    tmp_path: Path, sentences: list[Example], limit: float
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    job = work("tagging", dataset, optimizer="sgd", learning_rate=1.0, clip_norm=limit)
    objective = objective_of(job)
    batch = next(iter(job.batches(0)[0]))
    before = [np.array(w) for w in objective.network.get_weights()]
    objective.train_on_batch(batch.ids, batch.targets, sample_weight=batch.weights)
    step = np.sqrt(
        sum(
            np.sum((new - old) ** 2)
            for new, old in zip(objective.network.get_weights(), before, strict=True)
        )
    )
    if limit < 1:
        assert step == pytest.approx(limit, rel=1e-3)
    else:
        assert 0.01 < step < limit


def test_the_gradient_norm_is_measured_before_clipping(
    tmp_path: Path, sentences: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    norms = []
    for limit in (0.01, 1e6):
        job = work("tagging", dataset, optimizer="sgd", learning_rate=1.0, clip_norm=limit)
        objective = objective_of(job)
        batch = next(iter(job.batches(0)[0]))
        before = [np.array(w) for w in objective.network.get_weights()]
        objective.train_on_batch(batch.inputs, batch.targets, sample_weight=batch.weights)
        norms.append(float(objective.optimizer.gradient_norm))
    after = objective.network.get_weights()
    step = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(after, before, strict=True)))
    assert norms == pytest.approx([step, step], rel=1e-4)


def test_clipping_by_value_bounds_every_component(tmp_path: Path, sentences: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    job = work("tagging", dataset, optimizer="sgd", learning_rate=1.0, clip_value=1e-3)
    objective = objective_of(job)
    batch = next(iter(job.batches(0)[0]))
    before = [np.array(w) for w in objective.network.get_weights()]
    objective.train_on_batch(batch.inputs, batch.targets, sample_weight=batch.weights)
    after = objective.network.get_weights()
    largest = max(np.abs(a - b).max() for a, b in zip(after, before, strict=True))
    assert largest == pytest.approx(1e-3, rel=1e-3)


def test_the_clipping_advice_is_half_to_ten_times_the_average_norm() -> None:
    advice = clipping_advice({"gradient_norm": 0.8, "largest_gradient_norm": 3.0})
    assert "from 0.4 to 8 " in advice


def test_nt_asgd_averages_from_where_validation_stops_improving(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reviews: list[Example]
) -> None:
    """Losses of the epochs, and by hand the mean of the weights after each later step."""
    job = work(
        "classification",
        prepared(tmp_path / "d", same_everywhere("labelled", reviews)),
        epochs=5,
        optimizer="sgd",
        averaging={"non_monotone": 1},
    )
    objective = objective_of(job)
    losses = iter([1.0, 2.0, 1.5, 0.5, 0.4])
    epochs: list[list[np.ndarray]] = []
    steps: list[list[np.ndarray]] = []

    class Recorded(StepByStep):
        def run(self, *arguments: Any) -> None:
            super().run(*arguments)
            steps.append([np.array(w) for w in objective.network.trainable_weights])

    def validate() -> dict[str, float]:
        epochs.append([np.array(w) for w in objective.network.trainable_weights])
        return {"validation/loss": next(losses)}

    monkeypatch.setattr("nlp_rnn.training.steps.AheadOfTime", Recorded)
    monkeypatch.setattr("nlp_rnn.training.steps.StepByStep", Recorded)
    progress = fit(objective, job.batches, validate, job.training, Checkpoint(tmp_path / "c", "x"))
    a_epoch = len(steps) // 5
    for epoch in range(3):  # 1.5 is above 1.0, which came before 2.0: averaging begins after it
        for seen, trained in zip(epochs[epoch], steps[a_epoch * (epoch + 1) - 1], strict=True):
            np.testing.assert_array_equal(seen, trained)
    for epoch in (3, 4):
        later = steps[3 * a_epoch : (epoch + 1) * a_epoch]
        for i, seen in enumerate(epochs[epoch]):
            np.testing.assert_allclose(seen, np.mean([s[i] for s in later], axis=0), atol=1e-6)
    assert progress.best_epoch == 5
    for kept, seen in zip(objective.network.trainable_weights, epochs[4], strict=True):
        np.testing.assert_array_equal(np.array(kept), seen)


@pytest.mark.parametrize(
    "training",
    [
        {"streams": "lines", "window": 2},
        {"streams": "lines", "window": None},
        {"random_window": True, "window": 8},
        {"scheduled_sampling": {"sampling": 1.0}, "window": 4},
        {"optimizer": "sgd", "averaging": {"non_monotone": 1}},
    ],
)
def test_every_way_to_train_a_language_model_learns_and_resumes(
    tmp_path: Path, lines: list[Example], training: dict[str, Any]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("text", lines))
    trainings = Trainings("language_modelling", dataset, **training)
    whole, expected = trainings.run(tmp_path / "whole")
    losses = [row["train/loss"] for row in expected.history]
    assert losses[-1] < losses[0]

    def kill(epoch: int, row: object) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        trainings.run(tmp_path / "k", on_epoch=kill)
    resumed, _ = trainings.run(tmp_path / "k")
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, other)
