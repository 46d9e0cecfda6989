"""Several seeds of one experiment: child runs, the best kept, an interruption survived."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from helpers.store import put_store
from nlp_rnn import stages
from nlp_rnn.config import parse
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.analysis import over_seeds
from nlp_rnn.runtime.bundle import WEIGHTS
from nlp_rnn.training import fit

pytestmark = pytest.mark.slow

SEEDS = [3, 1]

PARAMETERS: dict[str, Any] = {
    "backend": "tensorflow",
    "seed": 3,
    "datasets": {
        "tags": {
            "source": "grammar",
            "corpus": "entities",
            "sizes": {"train": 200, "validation": 60, "test": 60},
            "tokenizer": {"unit": "whitespace", "lowercase": False},
        }
    },
    "experiments": {
        "names": {
            "task": "tagging",
            "dataset": "tags",
            "embeddings": {"kind": "learned", "dimension": 8},
            "model": {"units": 4},
            "training": {"epochs": 2, "learning_rate": 0.01, "select": "accuracy", "seeds": SEEDS},
        }
    },
}


def write_parameters(folder: Path, seeds: list[int] | None, seed: int) -> None:
    parameters = json.loads(json.dumps(PARAMETERS)) | {"seed": seed}
    parameters["experiments"]["names"]["training"]["seeds"] = seeds
    YAML().dump(parameters, folder / "params.yaml")
    put_store(folder)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose training was interrupted in its second seed, then begun again."""
    folder = tmp_path_factory.mktemp("seeds")
    write_parameters(folder, SEEDS, seed=3)
    trained: list[str] = []
    whole = fit.fit

    def interrupted(*arguments: Any) -> Any:
        trained.append("")
        if len(trained) == 2:
            raise Interrupted
        return whole(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(fit, "fit", interrupted)
        stages.prepare("tags")
        stages.embed("names")
        with pytest.raises(Interrupted):
            stages.train("names")
        assert not Path("models").exists()
        stages.train("names")
        assert len(trained) == 3  # the first seed was not trained again
        stages.evaluate("names")
        stages.report()
    return folder


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def test_the_best_seed_is_kept_and_every_figure_reported(project: Path) -> None:
    kept = read(project / "models/names/bundle.json")
    best = kept["provenance"]["seed"]
    (other,) = set(SEEDS) - {best}
    left = read(project / f"models/names/seeds/{other}/bundle.json")
    accuracy = [x["figures"]["validation"]["accuracy"] for x in (kept, left)]
    assert accuracy[0] >= accuracy[1]
    figures = read(project / "figures/names.json")
    each = figures["seeds"]["each"]
    assert list(each) == ["3", "1"]
    assert each[str(best)]["accuracy"] == figures["test"]["accuracy"]
    assert each["1"]["loss"] != each["3"]["loss"]
    losses = [each[seed]["loss"] for seed in each]
    assert figures["seeds"]["mean"]["loss"] == pytest.approx(np.mean(losses))
    assert figures["seeds"]["deviation"]["loss"] == pytest.approx(np.std(losses, ddof=1))
    for file in ("loss.csv", "loss.png", f"seeds/{other}/loss.csv"):
        assert (project / "plots/training/names" / file).is_file()
    table = (project / "reports/results.md").read_text(encoding="utf-8")
    assert "(2 seeds)" in table and "±" in table
    assert [path.name for path in (project / "checkpoints/names").iterdir()] == ["lock"]


def test_each_seed_is_a_run_under_that_of_the_experiment(project: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("nlp_rnn")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    parent = runs["names"]
    assert parent.info.run_id == read(project / "runs/names.json")["run_id"]
    figures = read(project / "figures/names.json")["seeds"]
    assert parent.data.metrics["seeds/mean.accuracy"] == pytest.approx(figures["mean"]["accuracy"])
    assert set(runs) == {"names", "names seed 3", "names seed 1", "report"}
    for seed in SEEDS:
        child = runs[f"names seed {seed}"]
        assert child.info.status == "FINISHED"
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.data.params["seed"] == str(seed)
        accuracy = figures["each"][str(seed)]["accuracy"]
        assert child.data.metrics["test/accuracy"] == pytest.approx(accuracy)


def test_a_seed_among_others_trains_what_it_trains_alone(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Initial vectors too are those of the seed."""
    monkeypatch.chdir(tmp_path)
    write_parameters(tmp_path, None, seed=1)
    stages.prepare("tags")
    stages.embed("names")
    stages.train("names")
    folder = project / "models/names"
    among = next(
        bundle
        for bundle in map(read, [folder / "bundle.json", *folder.glob("seeds/*/bundle.json")])
        if bundle["provenance"]["seed"] == 1
    )
    alone = read(tmp_path / "models/names/bundle.json")
    assert alone["sha256"][WEIGHTS] == among["sha256"][WEIGHTS]
    assert alone["figures"]["temperature"] == among["figures"]["temperature"]


def test_figures_that_a_seed_lacks_have_no_mean() -> None:
    figures = over_seeds({"1": {"a": 1.0, "b": None, "c": {}}, "2": {"a": 3.0, "b": 1.0}})
    assert figures["mean"] == {"a": 2.0}
    assert figures["deviation"]["a"] == pytest.approx(2**0.5)


@pytest.mark.parametrize("seeds", [[1], [1, 1], [-1, 2]])
def test_seeds_are_several_different_ones(seeds: list[int]) -> None:
    parameters = json.loads(json.dumps(PARAMETERS))
    parameters["experiments"]["names"]["training"]["seeds"] = seeds
    with pytest.raises(UserError, match=r"training\.seeds|seeds: each once"):
        parse(parameters, Path("params.yaml"))
