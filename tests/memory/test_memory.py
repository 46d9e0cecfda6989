"""The memory experiment: who learns, who cannot, what is tried, what an interruption leaves."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_rnn.arrays import Ints
from nlp_rnn.config import MemoryNetwork, MemoryParameters
from nlp_rnn.corpora.memory import Problem, problem
from nlp_rnn.errors import UserError
from nlp_rnn.memory import experiment as memory
from nlp_rnn.memory.experiment import Learner, Record, Result, figures, longest, run, write_plots

PROJECT = Path(__file__).parents[2]
LSTM: dict[str, Any] = {"cell": "lstm", "clip_norm": 1.0}


def parameters(**changed: Any) -> MemoryParameters:
    return MemoryParameters.model_validate(
        {
            "problems": ["store_bit"],
            "steps": [5, 10, 20, 50, 100],
            "networks": {"lstm": LSTM},
            "units": 8,
            "learning_rate": 0.02,
            "batches": 200,
            "repetitions": 2,
        }
        | changed
    )


def learner(task: Problem, **changed: Any) -> Learner:
    return Learner(task, MemoryNetwork.model_validate(LSTM), parameters(**changed))


@pytest.fixture(scope="module")
def store_bit() -> Learner:
    return learner(problem("store_bit"))


@pytest.mark.slow
def test_an_lstm_keeps_a_bit_over_a_few_steps(store_bit: Learner) -> None:
    for seed in (1, 2):
        accuracy, batches = store_bit.train(5, seed)
        assert accuracy >= 0.95
        assert batches is not None and batches <= 200


@pytest.mark.slow
def test_a_network_that_cannot_see_the_bit_does_not_solve_it() -> None:
    """The same training as above, but the first token says nothing."""
    task = problem("store_bit")

    def hidden(rng: np.random.Generator, count: int, steps: int) -> tuple[Ints, Ints]:
        tokens, labels = task.draw(rng, count, steps)
        tokens[:, 0] = 0
        return tokens, labels

    accuracy, batches = learner(replace(task, draw=hidden)).train(5, 1)
    assert batches is None
    assert abs(accuracy - task.chance) < 0.15


@pytest.mark.slow
def test_every_training_starts_as_the_first_one_did(store_bit: Learner) -> None:
    store_bit.train(10, 1)
    found = store_bit.train(5, 3)
    new = learner(problem("store_bit"))
    assert new.train(5, 3) == found
    variables = [
        [*each.objective.network.weights, *each.objective.optimizer.variables]
        for each in (store_bit, new)
    ]
    for one, other in zip(*variables, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other))


@pytest.mark.slow
def test_accuracy_of_copy_is_that_of_its_symbols() -> None:
    """Blanks, most of the tags, are easy: with them an untrained network would look good."""
    accuracy, _ = learner(problem("copy"), batches=1).train(50, 1)
    assert abs(accuracy - 1 / 8) < 0.1


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_training(
    store_bit: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, calls = store_bit.objective.train_on_batch, []

    def diverging(*arguments: Any, **options: Any) -> dict[str, Any]:
        calls.append(train(*arguments, **options))
        return calls[-1] | ({"cross_entropy": float("nan")} if len(calls) == 3 else {})

    monkeypatch.setattr(store_bit.objective, "train_on_batch", diverging)
    assert store_bit.train(50, 1)[1] is None
    assert len(calls) == 3


class Stub:
    """Learns what ``SOLVED`` says, in no time; notes what it was asked for."""

    SOLVED: dict[str, tuple[int, ...]]
    asked: list[tuple[str, int, int]]

    def __init__(self, task: Problem, network: MemoryNetwork, parameters: MemoryParameters) -> None:
        self.parameters = parameters
        self.kind = network.cell.kind

    def train(self, steps: int, seed: int) -> tuple[float, int | None]:
        self.asked.append((self.kind, steps, seed))
        return (1.0, 10 * seed) if steps in self.SOLVED[self.kind] else (0.5, None)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> type[Stub]:
    monkeypatch.setattr(memory, "Learner", Stub)
    monkeypatch.setattr(Stub, "asked", [], raising=False)
    solved = {"simple_rnn": (5,), "gru": (5, 20), "lstm": (5, 10, 20, 50, 100)}
    monkeypatch.setattr(Stub, "SOLVED", solved, raising=False)
    return Stub


THREE = {kind: {"cell": kind} for kind in ("simple_rnn", "gru", "lstm")}


def record(folder: Path, name: str = "store_bit", seed: int = 1, **changed: Any) -> Record:
    return Record(folder / "results.json", name, parameters(networks=THREE, **changed), seed)


def success(results: Iterable[Result], network: str) -> list[float | None]:
    return [result.success for result in results if result.network == network]


def test_two_failures_in_a_row_end_a_network(stub: type[Stub], tmp_path: Path) -> None:
    told: list[Result] = []
    results = run("store_bit", parameters(networks=THREE), 1, record(tmp_path), told.append)
    assert success(results, "simple_rnn") == [1, 0, 0, None, None]
    assert success(results, "gru") == [1, 0, 1, 0, 0]
    assert success(results, "lstm") == [1, 1, 1, 1, 1]
    assert told == [result for result in results if result.success is not None]
    assert ("simple_rnn", 20, 2) in stub.asked and ("simple_rnn", 50, 1) not in stub.asked
    assert longest(results) == {"simple_rnn": 5, "gru": 20, "lstm": 100}
    assert results[0] == Result("simple_rnn", 5, 1.0, 1.0, 15.0)


def test_an_interrupted_run_goes_on_without_repeating_a_training(
    stub: type[Stub], tmp_path: Path
) -> None:
    wanted = parameters(networks=THREE)
    whole = run("store_bit", wanted, 1, record(tmp_path / "whole"))
    trainings, stub.asked[:] = list(stub.asked), []

    def interrupt(result: Result) -> None:
        if result == Result("gru", 10, 0.0, 0.5):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("store_bit", wanted, 1, record(tmp_path), interrupt)
    assert run("store_bit", wanted, 1, record(tmp_path)) == whole
    assert stub.asked == trainings


@pytest.mark.parametrize(
    "changed", [{"seed": 7}, {"name": "columns"}, {"units": 9}, {"batches": 3}, {"success": 0.9}]
)
def test_results_under_other_circumstances_are_not_taken(
    stub: type[Stub], tmp_path: Path, changed: dict[str, Any]
) -> None:
    run("store_bit", parameters(networks=THREE), 1, record(tmp_path))
    lstm = parameters(networks=THREE).networks["lstm"]
    assert record(tmp_path).find("other name", lstm, 5) == Result("other name", 5, 1.0, 1.0, 15.0)
    assert record(tmp_path, **changed).find("lstm", lstm, 5) is None
    clipped = MemoryNetwork.model_validate(LSTM | {"clip_norm": 9.0})
    assert record(tmp_path).find("lstm", clipped, 5) is None


def test_a_problem_has_a_learning_rate_and_batches_of_its_own(
    stub: type[Stub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[MemoryParameters] = []

    class Noting(Stub):
        def __init__(
            self, task: Problem, network: MemoryNetwork, parameters: MemoryParameters
        ) -> None:
            super().__init__(task, network, parameters)
            built.append(parameters)

    monkeypatch.setattr(memory, "Learner", Noting)
    overrides = {"copy": {"batches": 900}, "adding": {"learning_rate": 0.5, "batches": 700}}
    wanted = parameters(steps=[5], overrides=overrides)
    for name in ("copy", "adding", "store_bit"):
        run(name, wanted, 1, Record(tmp_path / name, name, wanted, 1))
    trained = [(each.learning_rate, each.batches) for each in built]
    assert trained == [(0.02, 900), (0.5, 700), (0.02, 200)]


def test_only_what_a_problem_itself_overrides_makes_its_results_others(
    stub: type[Stub], tmp_path: Path
) -> None:
    run("store_bit", parameters(networks=THREE), 1, record(tmp_path))
    lstm = parameters(networks=THREE).networks["lstm"]
    another = record(tmp_path, overrides={"copy": {"batches": 900}})
    assert another.find("lstm", lstm, 5) is not None
    itself = record(tmp_path, overrides={"store_bit": {"batches": 900}})
    assert itself.find("lstm", lstm, 5) is None


def test_a_cleared_record_is_empty(stub: type[Stub], tmp_path: Path) -> None:
    run("store_bit", parameters(networks=THREE), 1, kept := record(tmp_path))
    kept.clear()
    assert not list(tmp_path.iterdir())


def test_a_broken_record_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(UserError, match=r"results.json: not valid JSON .*delete it"):
        record(tmp_path)


def test_an_unknown_problem_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'adding'"):
        run("addding", parameters(), 1, record(tmp_path))


def test_figures_and_plots_hold_every_result(stub: type[Stub], tmp_path: Path) -> None:
    results = run("store_bit", parameters(networks=THREE), 1, record(tmp_path))
    found = json.loads(json.dumps(figures("store_bit", results)))
    assert found["chance"] == 0.5
    assert found["longest"]["gru"] == 20
    assert found["success"]["simple_rnn"] == {"5": 1, "10": 0, "20": 0}
    write_plots("store_bit", 200, results, tmp_path)
    with (tmp_path / "success.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 15
    assert list(rows[0].values()) == ["simple_rnn", "5", "1.0", "1.0", "15.0"]
    assert list(rows[4].values()) == ["simple_rnn", "100", "", "", ""]
    assert (tmp_path / "success.png").stat().st_size > 10_000


def test_lines_that_overlap_can_be_told_apart() -> None:
    from nlp_rnn.memory.plots import memory_curves

    results = [Result(f"network {n}", steps, 1.0, 1.0, 1.0) for n in range(12) for steps in (5, 50)]
    axes = memory_curves(results, 0.5, "store_bit").axes[0]
    lines = axes.get_lines()
    assert len(lines) == 12
    looks = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines]
    assert len(set(looks)) == 12
    for one, other in combinations(lines, 2):
        assert not np.allclose(one.get_ydata(), other.get_ydata(), atol=0.01)
    assert all(np.allclose(line.get_ydata(), 1, atol=0.1) for line in lines)
    assert axes.get_xscale() == "log"
    assert "0.5" in axes.get_title()
