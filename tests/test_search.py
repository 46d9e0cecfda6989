"""Searches for better parameters: what is drawn, what is kept, how an interruption is survived."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from helpers.store import put_store
from nlp_rnn import stages
from nlp_rnn.cli import main
from nlp_rnn.config import parse
from nlp_rnn.errors import UserError
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.search.plots import importances, parallel_coordinates
from nlp_rnn.search.space import Space, changed
from nlp_rnn.search.trials import Trial
from nlp_rnn.training import fit

pytestmark = pytest.mark.slow

PARAMETERS: dict[str, Any] = {
    "backend": "tensorflow",
    "seed": 4,
    "datasets": {
        "reviews": {
            "source": "grammar",
            "corpus": "reviews",
            "sizes": {"train": 300, "validation": 100, "test": 20},
            "tokenizer": {"unit": "whitespace", "lowercase": False},
        },
        "tags": {
            "source": "grammar",
            "corpus": "entities",
            "sizes": {"train": 200, "validation": 60, "test": 60},
            "tokenizer": {"unit": "whitespace", "lowercase": False},
        },
    },
    "experiments": {
        "names": {
            "task": "tagging",
            "dataset": "tags",
            "embeddings": {"kind": "learned", "dimension": 8},
            "model": {"units": 4},
            "training": {"epochs": 2, "learning_rate": 0.01, "select": "accuracy"},
        },
        "opinions": {
            "task": "classification",
            "dataset": "reviews",
            "embeddings": {"kind": "learned", "dimension": 8},
            "model": {"kind": "averaged"},
            "training": {"epochs": 2, "select": "accuracy"},
        },
    },
    "search": {
        "sizes": {
            "experiment": "names",
            "sampler": "random",
            "trials": 4,
            "space": {
                "model.units": {"low": 2, "high": 9},
                "training.learning_rate": {"low": 0.0001, "high": 0.1, "log": True},
                "training.clip_norm": [None, 1.0],
                "training.clip_value": [None, 0.5],
            },
        },
        "rates": {
            "experiment": "opinions",
            "sampler": "random",
            "trials": 4,
            "space": {
                "model.pairs": {"low": 2, "high": 9},
                "training.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
                # Together they are impossible, in the third trial.
                "training.clip_norm": [None, 1.0],
                "training.clip_value": [None, 0.5],
            },
        },
    },
}


def with_search(name: str = "sizes", **changes: Any) -> dict[str, Any]:
    """The parameters with other ones of a search; None takes one away."""
    parameters = json.loads(json.dumps(PARAMETERS))
    search = parameters["search"][name] | changes
    parameters["search"][name] = {key: value for key, value in search.items() if value is not None}
    return parameters


def space(seed: int = 1, **changes: Any) -> Space:
    parameters = parse(with_search(**changes), Path("params.yaml"))
    return Space(parameters.search_called("sizes"), parameters.experiment("names"), seed)


def write(parameters: dict[str, Any], folder: Path = Path()) -> None:
    YAML().dump(parameters, folder / "params.yaml")


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


class Killed(BaseException):
    pass


def prepare(folder: Path) -> None:
    """Data and vectors for trials, without the test split: they must not look at it."""
    write(PARAMETERS, folder)
    put_store(folder)
    stages.prepare("reviews")
    stages.embed("opinions")
    for file in Path("data/prepared/reviews").glob("test.*"):
        file.unlink()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a search that ran to its end."""
    folder, before = tmp_path_factory.mktemp("whole"), Path.cwd()
    os.chdir(folder)
    try:
        prepare(folder)
        stages.search("rates")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The same search, killed in a trial after an epoch, then begun again; and its log then."""
    folder, before = tmp_path_factory.mktemp("resumed"), Path.cwd()
    seen: list[str] = []

    def dying(message: str) -> None:
        seen.append(message)
        if [line.split()[1] for line in seen if line.startswith("epoch ")] == ["1/2", "2/2", "1/2"]:
            raise Killed

    os.chdir(folder)
    try:
        prepare(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fit, "log", dying)
            with pytest.raises(Killed):
                stages.search("rates")
            seen.clear()
            patch.setattr(fit, "log", seen.append)
            stages.search("rates")
    finally:
        os.chdir(before)
    return folder, seen


def records(project: Path) -> list[dict[str, Any]]:
    files = (project / "search/rates/trials").iterdir()
    return sorted(map(read, files), key=lambda record: record["number"])


def test_a_killed_search_ends_as_one_that_was_not(
    whole: Path, resumed: tuple[Path, list[str]]
) -> None:
    folder, log = resumed
    assert log[0] == "resuming after epoch 1 of 2"
    for one, other in zip(records(whole), records(folder), strict=True):
        for key in ("number", "parameters", "figure", "error"):
            assert one[key] == other[key]
        assert one["validation"] == pytest.approx(other["validation"], abs=1e-6)
    assert not (folder / "search/rates/running").exists()


def test_what_is_impossible_fails_and_the_rest_goes_on(whole: Path) -> None:
    failed = [record for record in records(whole) if record["error"]]
    assert [record["number"] for record in failed] == [3]
    assert failed[0]["figure"] is None
    assert "clip_norm and clip_value: choose one of them" in failed[0]["error"]
    with (whole / "search/rates/trials.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [row["error"] for row in table] == [record["error"] or "" for record in records(whole)]


def test_the_best_is_the_best_on_validation_and_can_be_pasted(whole: Path) -> None:
    folder = whole / "search/rates"
    best = max((r for r in records(whole) if not r["error"]), key=lambda r: r["figure"])
    bundle = Bundle.open(folder / "best")
    assert bundle.figures["validation"]["accuracy"] == best["figure"]
    pasted = PARAMETERS | {"search": {}} | YAML(typ="safe").load(folder / "best.yaml")
    experiment = parse(pasted, Path("params.yaml")).experiment("opinions")
    assert experiment.of_training() == bundle.experiment.of_training()
    assert experiment.training.learning_rate == best["parameters"]["training.learning_rate"]
    for picture in ("parallel_coordinates.png", "importance.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")


def test_what_is_pasted_has_the_epochs_of_the_experiment(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search may shorten its trials; the model that is trained with what it found is not."""
    for part in ("data", "embeddings"):
        shutil.copytree(whole / part, tmp_path / part)
    space = {"training.epochs": [1], "training.learning_rate": [0.01, 0.02]}
    short = {"experiment": "opinions", "sampler": "grid", "space": space}
    YAML().dump(PARAMETERS | {"search": {"short": short}}, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    stages.search("short")
    text = Path("search/short/best.yaml").read_text()
    training = YAML(typ="safe").load(text)["experiments"]["opinions"]["training"]
    assert training["epochs"] == PARAMETERS["experiments"]["opinions"]["training"]["epochs"] == 2
    assert training["learning_rate"] in space["training.learning_rate"]
    assert text.startswith("# training.epochs is the experiment's own: 2. Trials had 1.")


def test_each_trial_is_a_run_under_that_of_the_search(whole: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{whole}/mlflow.db")
    experiment = client.get_experiment_by_name("nlp_rnn")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    parent = runs.pop("search rates")
    trained = {r["number"]: r for r in records(whole) if not r["error"]}
    assert set(runs) == {f"rates trial {number}" for number in trained}
    for number, record in trained.items():
        child = runs[f"rates trial {number}"]
        assert child.info.run_id == record["run_id"]
        assert child.info.status == "FINISHED"
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.data.params["model.pairs"] == str(record["parameters"]["model.pairs"])
        assert not any(metric.startswith("test/") for metric in child.data.metrics)
    points = client.get_metric_history(parent.info.run_id, "search/accuracy")
    assert {p.step: p.value for p in points} == {n: r["figure"] for n, r in trained.items()}
    assert {file.path for file in client.list_artifacts(parent.info.run_id, "plots")} == {
        "plots/importance.png",
        "plots/parallel_coordinates.png",
    }


def test_more_trials_can_be_asked_for_with_the_best_pasted(
    resumed: tuple[Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, _ = resumed
    monkeypatch.chdir(folder)
    before = records(folder)
    more = with_search("rates", trials=5)
    more["experiments"] |= YAML(typ="safe").load(folder / "search/rates/best.yaml")["experiments"]
    write(more)
    monkeypatch.setattr(fit, "fit", lambda *arguments: pytest.fail("trained"))
    monkeypatch.setattr(Space, "draw", lambda *arguments: before[0]["parameters"])
    assert main(["search", "rates"]) == 0
    after = records(folder)
    assert after[:4] == before
    assert after[4] == before[0] | {"number": 5}
    assert "rates: 5 trials" in capsys.readouterr().out
    write(with_search("rates", space={"model.pairs": [4, 8]}))
    assert main(["search", "rates"]) == 2
    assert "its trials are of another space" in capsys.readouterr().err


def test_a_search_of_which_every_trial_fails_says_why(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(whole)
    parameters = with_search()
    impossible = {"training.clip_norm": [1.0], "training.clip_value": [1.0]}
    parameters["search"]["bad"] = {"experiment": "opinions", "sampler": "grid", "space": impossible}
    write(parameters)
    assert main(["search", "bad"]) == 2
    assert "search/bad: every trial failed; the first: " in capsys.readouterr().err
    assert (whole / "search/bad/trials.csv").exists()


# --- what is drawn ------------------------------------------------------------------------


def trials_of(drawn: Space, count: int, figure: Any) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(1, count + 1):
        parameters = drawn.draw(number, trials)
        trials.append(Trial(number, parameters, figure(parameters)))
    return trials


def distance(parameters: dict[str, Any]) -> float:
    """From the best learning rate, in powers of ten; nothing else matters."""
    return abs(math.log10(parameters["training.learning_rate"]) + 2.5)


def test_a_grid_has_every_combination_once() -> None:
    grid = space(
        sampler="grid",
        trials=None,
        space={"model.units": [2, 4], "model.cell": ["gru", {"kind": "lstm", "forget_bias": 0.0}]},
    )
    drawn = [grid.draw(number, []) for number in range(1, grid.trials + 1)]
    assert len(drawn) == 4
    assert [(d["model.units"], d["model.cell"] == "gru") for d in drawn] == [
        (2, True),
        (2, False),
        (4, True),
        (4, False),
    ]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_draws_lie_in_the_space_and_depend_on_seed_and_number(sampler: str) -> None:
    one, again, other = (
        trials_of(space(seed, sampler=sampler), 30, lambda p: -distance(p)) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
    for trial in one:
        units, rate = (trial.parameters[k] for k in ("model.units", "training.learning_rate"))
        assert isinstance(units, int) and 2 <= units <= 9
        assert 0.0001 <= rate <= 0.1 and rate == float(f"{rate:.4g}")
        assert trial.parameters["training.clip_norm"] in (None, 1.0)
    assert len({trial.parameters["model.units"] for trial in one}) > 3


def test_a_logarithmic_range_is_drawn_evenly_by_factors() -> None:
    draws = (space().draw(number, []) for number in range(1, 101))
    rates = [math.log10(draw["training.learning_rate"]) for draw in draws]
    assert np.quantile(rates, [0.25, 0.5, 0.75]) == pytest.approx([-3.25, -2.5, -1.75], abs=0.25)


@pytest.mark.parametrize("select", ["accuracy", "loss"])
def test_tpe_draws_near_what_was_good(select: str) -> None:
    rate = {"training.learning_rate": {"low": 0.0001, "high": 0.1, "log": True}}
    parameters = with_search(sampler="tpe", space=rate)
    parameters["experiments"]["names"]["training"]["select"] = select
    valid = parse(parameters, Path("params.yaml"))
    search = Space(valid.search_called("sizes"), valid.experiment("names"), 1)
    sign = 1 if select == "loss" else -1
    trials = trials_of(search, 40, lambda parameters: sign * distance(parameters))
    # Draws at random would be 0.75 away on average.
    assert np.mean([distance(trial.parameters) for trial in trials[20:]]) < 0.5


def test_other_values_are_set_in_the_experiment_and_nowhere_else() -> None:
    parameters = parse(PARAMETERS, Path("params.yaml"))
    experiment = changed(
        parameters, "names", {"model.cell.forget_bias": 3.0, "training.schedule.warmup": 1.0}
    )
    before, after = parameters.experiment("names").of_training(), experiment.of_training()
    assert after["model"]["cell"].pop("forget_bias") == 3.0
    assert after["training"]["schedule"].pop("warmup") == 1.0
    del before["model"]["cell"]["forget_bias"], before["training"]["schedule"]["warmup"]
    assert after == before


# --- pictures -----------------------------------------------------------------------------


def test_what_mattered_is_important() -> None:
    drawn = space()
    trials = trials_of(drawn, 30, distance)
    shares = importances(drawn, [*trials, Trial(31, trials[0].parameters, None, error="x")])
    assert next(iter(shares)) == "training.learning_rate"
    assert shares["training.learning_rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert importances(drawn, trials[:1]) == {}


def test_a_line_of_parallel_coordinates_runs_through_a_trial() -> None:
    drawn = space()
    parameters = {
        "model.units": 9,
        "training.learning_rate": math.sqrt(0.0001 * 0.1),
        "training.clip_norm": None,
        "training.clip_value": 0.5,
    }
    trials = [
        Trial(1, parameters, 0.7),
        Trial(2, parameters | {"model.units": 2}, 0.9),
        Trial(3, parameters, None, error="x"),
    ]
    figure = parallel_coordinates(drawn, trials, "accuracy", "title")
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    heights = {tuple(np.round(line.get_ydata(), 6)): line for line in lines}
    assert set(heights) == {(1, 0.5, 0, 1, 0), (0, 0.5, 0, 1, 1), (1, 0.5, 0, 1)}
    assert heights[0, 0.5, 0, 1, 1].get_label() == "best: trial 2"


# --- mistakes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"experiment": "name"}, "search.sizes.experiment: no experiment 'name'; did you mean"),
        ({"sampler": "bayes"}, "search.sizes.sampler"),
        ({"trails": 3}, "search.sizes: unknown parameter 'trails'; did you mean 'trials'?"),
        ({"trials": None}, "search.sizes: sampler: random needs trials"),
        ({"sampler": "grid"}, "search.sizes: a grid has as many trials as combinations"),
        ({"sampler": "grid", "trials": None}, "space.model.units: a grid needs a list"),
        ({"space": {}}, "search.sizes.space"),
        (
            {"space": {"model.unit": [2]}},
            "search.sizes.space: unknown parameter 'model.unit'; did you mean 'model.units'?",
        ),
        ({"space": {"learning_rate": [0.1]}}, "did you mean 'training.learning_rate'?"),
        ({"space": {"embeddings.dimension": [8]}}, "vectors that stage embed wrote"),
        ({"space": {"training.select": ["loss"]}}, "is the same for all trials"),
        ({"space": {"dataset": ["tags"]}}, "is the same for all trials"),
        ({"space": {"model.cell": ["gru"], "model.cell.kind": ["gru"]}}, "is part of model.cell"),
        ({"space": {"model.units": 8}}, "search.sizes.space.model.units: Input should be a valid"),
        ({"space": {"model.units": []}}, "search.sizes.space.model.units"),
        ({"space": {"model.units": {"lo": 1, "high": 2}}}, "did you mean 'low'?"),
        ({"space": {"model.units": {"low": 4, "high": 4}}}, "low (4) must be below high (4)"),
        ({"space": {"model.units": {"low": 2.5, "high": 4}}}, "is whole"),
        ({"space": {"model.dropout": {"low": 0, "high": 0.5, "log": True}}}, "low above 0"),
        ({"space": {"training.optimizer": {"low": 0, "high": 1}}}, "is no number"),
    ],
)
def test_mistakes_are_found_when_the_file_is_read(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        parse(with_search(**changes), Path("params.yaml"))
    assert message in str(error.value)
    assert str(error.value).startswith("params.yaml: search.sizes")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model.units": [4, 0]}, "space.model.units: Input should be greater than 0 (found 0)"),
        ({"model.units": {"low": 0, "high": 4}}, "space.model.units: Input should be greater"),
        ({"model.dropout": {"low": 0, "high": 1}}, "space.model.dropout: Input should be less"),
        ({"model.cell": ["lstn"]}, "space.model.cell.kind: no such kind 'lstn'; did you mean"),
    ],
)
def test_values_are_checked_before_anything_is_trained(
    values: dict[str, Any],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(with_search(space=values))
    assert main(["search", "sizes"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: params.yaml: search.sizes.") and message in error
    assert error.count("\n") == 1


def test_what_all_trials_lack_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(PARAMETERS)
    assert main(["search", "size"]) == 2
    assert capsys.readouterr().err == "error: no search 'size'; did you mean 'sizes'?\n"
    assert main(["search", "sizes"]) == 2
    assert "dvc repro prepare@tags" in capsys.readouterr().err
    stages.prepare("tags")
    assert main(["search", "sizes"]) == 2
    assert "dvc repro embed@names" in capsys.readouterr().err
    assert not Path("mlflow.db").exists()
