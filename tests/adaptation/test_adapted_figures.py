"""Figures with more at test time: chosen on validation, apart from the plain ones."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from ruamel.yaml import YAML

from helpers.bigram_model import bigram_network, experiment
from helpers.bundles import write_network
from helpers.corpora import ListCorpus, prepared
from nlp_rnn import stages, tracking
from nlp_rnn.adaptation.cache import cache_probabilities, hidden_of_text
from nlp_rnn.config import AnyExperiment, LanguageModellingExperiment
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.files import sha256
from nlp_rnn.ngrams import count_ngrams, modified_kneser_ney
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.tasks.adapted import adapted
from nlp_rnn.tasks.language_modelling import LanguageModelling
from nlp_rnn.text.prepared import PreparedDataset

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
EVALUATION = {
    "interpolation": {"order": 3},
    "cache": {"size": 6, "thetas": [0.0, 2.0]},
    "dynamic": {"learning_rates": [0.0, 0.2], "decays": [0.0, 0.5], "window": 4},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Other splits repeat themselves in ways that the training split does not."""

    def examples(*texts: str) -> list[Example]:
        return [Example(text=text) for text in texts]

    corpus = ListCorpus(
        "text",
        train=examples("the cat sees a dog", "a dog sees the cat", "the cat and the dog") * 3,
        validation=examples(*["the dog sees the dog"] * 8, "and and a cat"),
        test=examples(*["a cat sees a cat"] * 6, "and and the dog"),
    )
    return prepared(tmp_path_factory.mktemp("data"), corpus)


def language_modelling(dataset: PreparedDataset, **evaluation: Any) -> LanguageModelling:
    found = experiment(len(dataset.vocabulary), evaluation=evaluation)
    return LanguageModelling(found, dataset, seed=1)


@pytest.fixture(scope="module")
def bundle(dataset: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bigrams"
    found = language_modelling(dataset).experiment
    network = bigram_network(dataset, found)
    write_network(folder, found, network, dataset)
    return folder


def figures(dataset: PreparedDataset, bundle: Path, **evaluation: Any) -> dict[str, Any]:
    opened = Bundle.open(bundle)
    work = language_modelling(dataset, **evaluation)
    return adapted(work, opened.network(), opened.keras_model)


def loss(probabilities: np.ndarray) -> float:
    return float(-np.log(probabilities).mean())


def plain(dataset: PreparedDataset, bundle: Path, split: str) -> np.ndarray:
    """The probabilities of all tokens of a split."""
    opened = Bundle.open(bundle)
    return np.exp(-language_modelling(dataset).losses_of_tokens(opened.network(), split))


def test_interpolation_is_the_mixture_by_hand(dataset: PreparedDataset, bundle: Path) -> None:
    found = figures(dataset, bundle, interpolation={"order": 3})["kneser_ney_3"]
    vocabulary = dataset.vocabulary
    counts = count_ngrams(dataset.split("train").ids, 3, len(vocabulary), vocabulary.end_index)
    ngrams = modified_kneser_ney(counts)

    def mixture(split: str, weight: float) -> float:
        other = ngrams.probabilities(np.asarray(dataset.split(split).ids))
        return loss((1 - weight) * plain(dataset, bundle, split) + weight * other)

    weight = found["chosen"]["weight"]
    assert found["loss"] == pytest.approx(mixture("test", weight))
    assert found["validation_perplexity"] == pytest.approx(math.exp(mixture("validation", weight)))
    grid = [mixture("validation", w) for w in np.linspace(0, 0.99, 100)]
    assert mixture("validation", weight) <= min(grid) + 1e-9
    assert found["tokens"] == len(dataset.split("test").ids)


def test_the_cache_takes_the_best_theta_of_validation(
    dataset: PreparedDataset, bundle: Path
) -> None:
    found = figures(dataset, bundle, cache=EVALUATION["cache"])["cache"]
    network, end = Bundle.open(bundle).keras_model(), dataset.vocabulary.end_index

    def mixture(split: str, theta: float, weight: float) -> float:
        ids, model = np.asarray(dataset.split(split).ids), plain(dataset, bundle, split)
        hidden = hidden_of_text(network, ids, end)
        cache = cache_probabilities(hidden, ids, model, 6, theta)
        return loss((1 - weight) * model + weight * cache)

    grid = {
        (theta, weight): mixture("validation", theta, weight)
        for theta in EVALUATION["cache"]["thetas"]
        for weight in np.linspace(0, 0.99, 100)
    }
    theta, weight = min(grid, key=lambda choice: grid[choice])
    chosen = found["chosen"]
    assert chosen == {"size": 6, "theta": theta, "weight": pytest.approx(weight, abs=0.01)}
    assert found["loss"] == pytest.approx(mixture("test", theta, chosen["weight"]), rel=1e-5)
    assert found["loss"] < loss(plain(dataset, bundle, "test"))


def test_dynamic_evaluation_takes_the_best_rates_of_validation(
    dataset: PreparedDataset, bundle: Path
) -> None:
    still = {"learning_rates": [0.0], "window": 4}
    plain_loss = loss(plain(dataset, bundle, "test"))
    found = figures(dataset, bundle, dynamic=still)["dynamic"]
    assert found["loss"] == pytest.approx(plain_loss, rel=1e-6)
    files = {file.name: sha256(file) for file in bundle.iterdir()}
    found = figures(dataset, bundle, dynamic=EVALUATION["dynamic"])["dynamic"]
    assert found["chosen"] == {"window": 4, "learning_rate": 0.2, "decay": 0.0}
    assert found["loss"] < plain_loss - 0.1
    assert files == {file.name: sha256(file) for file in bundle.iterdir()}
    wild = {"learning_rates": [1e38], "window": 4, "clip_norm": None}
    with pytest.raises(UserError, match=r"evaluation\.dynamic\.learning_rates: .* add lower"):
        figures(dataset, bundle, dynamic=wild)


def test_lines_that_are_texts_of_their_own_are_interpolated_too(
    dataset: PreparedDataset, bundle: Path
) -> None:
    found = experiment(
        len(dataset.vocabulary),
        training={"streams": "lines"},
        evaluation={"interpolation": {"order": 2}},
    )
    opened = Bundle.open(bundle)
    work = LanguageModelling(found, dataset, seed=1)
    result = adapted(work, opened.network(), opened.keras_model)["kneser_ney_2"]
    # A bigram knows nothing of the line before, so both readings are the same.
    as_one_text = figures(dataset, bundle, interpolation={"order": 2})["kneser_ney_2"]
    assert result["loss"] == pytest.approx(as_one_text["loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"evaluation": {"cach": {}}}, "did you mean 'cache'"),
        ({"evaluation": {"cache": {"thetas": []}}}, "evaluation.cache.thetas"),
        ({"evaluation": {"dynamic": {}}}, "evaluation.dynamic.learning_rates"),
        (
            {"evaluation": {"cache": {}}, "training": {"streams": "lines"}},
            "need training.streams: text",
        ),
        (
            {
                "evaluation": {"dynamic": {"learning_rates": [0.1]}},
                "model": {"units": 4, "dropout": 0.1, "monte_carlo_samples": 3},
            },
            "monte_carlo_samples",
        ),
    ],
)
def test_mistakes_name_the_key(sections: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words.replace(".", r"\.")):
        experiment(8, **sections)


def test_a_trained_model_does_not_depend_on_its_evaluation() -> None:
    assert experiment(8, evaluation=EVALUATION).of_training() == experiment(8).of_training()
    other = experiment(8, training={"batch_size": 5})
    assert experiment(8).of_training() != other.of_training()


def test_the_training_stage_depends_on_all_other_parameters() -> None:
    pipeline = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
    # With start_from, nlp-rnn pipeline writes another pipeline; evaluation and decoding come later.
    not_there = {"evaluation", "decoding", "start_from"}
    parameters = {key for kind in get_args(AnyExperiment) for key in kind.model_fields}
    own = "experiments.${key}"
    assert set(pipeline["train"]["do"]["params"]) == {
        "backend",
        "seed",
        *(f"{own}.{key}" for key in parameters - not_there),
    }
    assert own in pipeline["evaluate"]["do"]["params"]
    fields = LanguageModellingExperiment.model_fields.items()
    required = (field for key, field in fields if key not in not_there)
    assert all(field.is_required() for field in required)  # DVC knows no optional keys


def test_figures_are_apart_in_metrics_report_and_tracking_and_nothing_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tracking.Run, "log_model", lambda *_: "")  # slow, and tested elsewhere
    sizes = {"train": 200, "validation": 30, "test": 30}
    lm: dict[str, Any] = {
        "task": "language_modelling",
        "dataset": "text",
        "embeddings": {"kind": "learned", "dimension": 8},
        "model": {"units": 8, "cell": "gru"},
        "training": {"epochs": 1, "learning_rate": 0.01},
    }
    parameters = {
        "backend": "tensorflow",
        "datasets": {"text": {"source": "grammar", "corpus": "text", "sizes": sizes}},
        "experiments": {"words": lm},
    }
    YAML().dump(parameters, tmp_path / "params.yaml")
    for stage in (stages.prepare, stages.embed, stages.train, stages.evaluate):
        stage("text" if stage is stages.prepare else "words")
    before = json.loads(Path("figures/words.json").read_text())
    assert "adapted" not in before
    stages.report()
    assert "plain" not in Path("reports/results.md").read_text(encoding="utf-8")

    lm["evaluation"] = EVALUATION
    YAML().dump(parameters, tmp_path / "params.yaml")
    files = {file.name: sha256(file) for file in Path("models/words").iterdir()}
    stages.evaluate("words")
    after = json.loads(Path("figures/words.json").read_text())
    assert {key: after[key] for key in ("test", "baselines")} == {
        key: before[key] for key in ("test", "baselines")
    }
    assert set(after["adapted"]) == {"kneser_ney_3", "cache", "dynamic"}
    assert files == {file.name: sha256(file) for file in Path("models/words").iterdir()}

    stages.report()
    tables = Path("reports/results.md").read_text(encoding="utf-8")
    above, _, below = tables.partition("Language models with more at test time")
    row = next(line for line in below.splitlines() if "| cache" in line)
    assert f"{after['adapted']['cache']['perplexity']:.2f}" in row
    assert f"{after['test']['perplexity']:.2f}" in row
    assert "cache" not in above

    run_id = json.loads(Path("runs/words.json").read_text())["run_id"]
    logged = MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db").get_run(run_id).data.metrics
    dynamic = after["adapted"]["dynamic"]["perplexity"]
    assert logged["adapted/dynamic.perplexity"] == pytest.approx(dynamic)
    assert logged["test/perplexity"] == pytest.approx(before["test"]["perplexity"])
