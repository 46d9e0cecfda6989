"""The optimum that stands beside a model bounds what this model reads and predicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.experiments import small_experiment
from helpers.project import Project
from nlp_rnn.baselines.suite import fit_all, judged
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.prepared import PreparedDataset

SIZES = {"train": 500, "validation": 20, "test": 400}


@pytest.fixture(scope="module")
def entities(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Entities of which the vocabulary has only the most frequent words."""
    folder = tmp_path_factory.mktemp("project")
    data = {
        "source": "grammar",
        "corpus": "entities",
        "sizes": SIZES,
        "vocabulary": {"min_count": 60},
    }
    Project(folder, {"datasets": {"names": data}}).prepare()
    return PreparedDataset(folder / "data/prepared/names")


def optimum(dataset: PreparedDataset, model: dict[str, Any]) -> dict[str, float]:
    experiment = small_experiment("tagging", {"units": 4} | model)
    return make_task(experiment, dataset, seed=1).optimum


@pytest.mark.slow
def test_models_that_read_spelling_have_the_optimum_of_the_words(entities: PreparedDataset) -> None:
    words, indices = entities.optimum("words"), entities.optimum("indices")
    assert indices["f1"] < words["f1"]
    for model in ({"characters": {"kind": "cnn"}}, {"casing": 2}):
        assert optimum(entities, model)["f1"] == words["f1"]
    assert optimum(entities, {})["f1"] == indices["f1"]
    *_, crf = (judged(entities, fitted)[0] for fitted in fit_all(entities))
    assert indices["accuracy"] < crf["accuracy"] < words["accuracy"]


@pytest.mark.slow
def test_the_loss_is_that_which_the_model_minimises(entities: PreparedDataset) -> None:
    indices = entities.optimum("indices")
    assert optimum(entities, {"output": "softmax"})["loss"] == indices["word_loss"]
    assert optimum(entities, {"output": "crf"})["loss"] == indices["sequence_loss"]
    assert indices["sequence_loss"] < indices["word_loss"]
    assert not {"word_loss", "sequence_loss"} & optimum(entities, {}).keys()


@pytest.mark.slow
def test_the_file_has_no_digits_that_differ_from_run_to_run(entities: PreparedDataset) -> None:
    found = json.loads((entities.folder / "optimum.json").read_text())
    for figures in found.values():
        for value in figures.values():
            assert value == float(f"{value:.10g}")


def test_a_data_set_of_an_earlier_version_has_no_known_optimum(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"kind": "text"}')
    (tmp_path / "optimum.json").write_text('{"loss": 1.0}')
    assert PreparedDataset(tmp_path).optimum("words") == {}
