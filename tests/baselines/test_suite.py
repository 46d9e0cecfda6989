"""The stage of the baselines, from a prepared data set to metrics, predictions and the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REQUESTS

from helpers.corpora import ListCorpus, prepared, same_everywhere
from helpers.project import Project
from nlp_rnn import stages
from nlp_rnn.baselines import suite
from nlp_rnn.baselines.suite import Fitted, fit_all
from nlp_rnn.cli import main
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.predictions import figures, labels_of, read_predictions
from nlp_rnn.example import Example
from nlp_rnn.files import write_json

pytestmark = pytest.mark.slow

UNIT = {"unit": "whitespace", "lowercase": False}
PARAMETERS: dict[str, Any] = {
    "datasets": {
        "reviews": {
            "source": "grammar",
            "corpus": "reviews",
            "sizes": {"train": 800, "validation": 100, "test": 300},
        },
        "entities": {
            "source": "grammar",
            "corpus": "entities",
            "sizes": {"train": 400, "validation": 50, "test": 150},
        },
        "text": {
            "source": "grammar",
            "corpus": "text",
            "sizes": {"train": 20, "validation": 10, "test": 10},
        },
        "translation": {
            "source": "pairs",
            "corpus": "translation",
            "sizes": {"train": 600, "validation": 50, "test": 100},
        },
    }
}
METHODS = {
    "reviews": ["majority", "bag_of_words", "tf_idf", "nb_svm"],
    "entities": ["majority", "most_frequent_tag", "hmm", "linear_crf"],
    "text": ["unigram", "kneser_ney_5"],
    "translation": ["most_frequent", "copy", "nearest_neighbour", "ibm_model_1"],
}


@pytest.mark.parametrize(("most_tags", "tagger"), [(150, "hmm"), (1, "linear_crf")])
def test_the_best_classifier_stands_beside_a_tagger_however_many_tags_there_are(
    most_tags: int, tagger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "MOST_TAGS", most_tags)
    dataset = prepared(tmp_path / "d", same_everywhere("joint", REQUESTS * 4))
    names = [fitted.name for fitted in suite.joint_baselines(dataset)]
    last = [f"tf_idf-{tagger}", "nb_svm-linear_crf"]
    assert names == ["majority", "bag_of_words-most_frequent_tag", *last]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the baselines of every data set were fitted."""
    folder = tmp_path_factory.mktemp("project")
    for dataset in PARAMETERS["datasets"].values():
        if dataset["source"] == "grammar":
            dataset["tokenizer"] = UNIT
    project = Project(folder, PARAMETERS)
    project.prepare()
    with project.inside():
        for name in PARAMETERS["datasets"]:
            stages.baselines(name)
    return folder


def found(project: Path, dataset: str) -> dict[str, Any]:
    return json.loads((project / f"figures/baselines/{dataset}.json").read_text())


@pytest.mark.parametrize("dataset", METHODS)
def test_every_method_that_fits_is_judged_as_networks_are(project: Path, dataset: str) -> None:
    of_methods = found(project, dataset)["baselines"]
    assert list(of_methods) == METHODS[dataset]
    folder = project / "predictions/baselines" / dataset
    assert sorted(file.stem for file in folder.iterdir()) == sorted(METHODS[dataset])
    records = [
        json.loads(line)
        for line in (project / f"data/prepared/{dataset}/test.jsonl").read_text().splitlines()
    ]
    for name, of_method in of_methods.items():
        rows = read_predictions(folder / f"{name}.jsonl")
        if dataset == "text":
            assert [row["characters"] for row in rows] == [len(r["text"]) + 1 for r in records]
        else:
            gold = [r.get("label") or r.get("tags") or r["target"] for r in records]
            assert [row["gold"] for row in rows] == gold
        for metric, figure in figures(rows, labels_of(rows)).items():
            assert figure.value == pytest.approx(of_method["test"][metric]), name


def test_what_sees_more_does_better(project: Path) -> None:
    of_reviews, of_entities = (
        found(project, name)["baselines"] for name in ("reviews", "entities")
    )
    majority, bag, _, nb_svm = (of_reviews[name]["test"]["accuracy"] for name in of_reviews)
    assert majority < bag < nb_svm  # negation takes pairs of words
    majority, frequent, hmm, crf = (of_entities[name]["test"]["f1"] for name in of_entities)
    assert majority < frequent < hmm < crf < found(project, "entities")["optimum"]["f1"]
    assert {"accuracy_unseen", "unseen_entity_recall", "surface_f1"} <= of_entities["hmm"][
        "test"
    ].keys()


def test_pairs_have_an_optimum_that_no_baseline_reaches(project: Path) -> None:
    of_pairs = found(project, "translation")
    baselines = {name: each["test"] for name, each in of_pairs["baselines"].items()}
    assert max(test["bleu"] for test in baselines.values()) < of_pairs["optimum"]["bleu"]
    assert {"loss", "perplexity", "expected_exact_match"} <= of_pairs["optimum"].keys()
    assert baselines["ibm_model_1"]["chrf"] > baselines["copy"]["chrf"]


def test_the_best_setting_on_validation_is_chosen(project: Path) -> None:
    for dataset, metric in (("reviews", "accuracy"), ("entities", "f1")):
        for of_method in found(project, dataset)["baselines"].values():
            tried = of_method["tried"]
            if tried:
                best = max(tried, key=lambda setting: setting[metric])
                assert best.items() >= of_method["chosen"].items()
                assert len(tried) >= 3


def test_each_baseline_is_a_run_of_its_own(project: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("nlp_rnn")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {f"{dataset}-{name}" for dataset in METHODS for name in METHODS[dataset]}
    run, of_method = runs["reviews-nb_svm"], found(project, "reviews")["baselines"]["nb_svm"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/accuracy"] == of_method["test"]["accuracy"]
    assert run.data.params["chosen.beta"] == str(of_method["chosen"]["beta"])


def test_networks_stand_among_the_baselines_in_the_report(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    network = {
        "test": {"accuracy": 0.7, "loss": 0.5},
        "baselines": {"majority": {"accuracy": 0.5}},
        "optimum": found(project, "reviews")["optimum"],
        "training": {"epochs": 1, "seconds": 1.0, "tokens_per_second": 1.0},
        "model": {"dataset": "reviews", "parameters": 1, "entities": False},
    }
    write_json(Path("figures/bilstm.json"), network)
    stages.report()
    results, _, standing = Path("reports/results.md").read_text(encoding="utf-8").split("\n\n")
    nb_svm = found(project, "reviews")["baselines"]["nb_svm"]["test"]["accuracy"]
    assert f"| bilstm     | accuracy | {nb_svm:.4f}" in results  # the best baseline
    of_reviews = [line.split("|")[3].strip() for line in standing.splitlines() if "reviews" in line]
    assert of_reviews[0] == "majority" and of_reviews[-1] == "the optimum"
    assert "**bilstm**" in of_reviews
    values = [line.split("|")[4].strip() for line in standing.splitlines() if "reviews" in line]
    assert values == sorted(values)
    of_text = [line.split("|")[3].strip() for line in standing.splitlines() if "| text" in line]
    assert of_text == ["unigram", "kneser_ney_5", "the optimum"]


def test_figures_of_other_data_are_left_out_of_the_report(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for folder in ("figures", "data"):
        shutil.copytree(project / folder, tmp_path / folder)
    shutil.copy(project / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    checksum = found(project, "reviews")["data_sha256"]
    assert (
        checksum == json.loads(Path("data/prepared/reviews/card.json").read_text())["data_sha256"]
    )
    for name, of_data in (("new", checksum), ("old", "of the data as they were")):
        network = {
            "test": {"accuracy": 0.7},
            "baselines": {"majority": {"accuracy": 0.5}},
            "training": {"epochs": 1, "seconds": 1.0, "tokens_per_second": 1.0},
            "model": {
                "dataset": "reviews",
                "data_sha256": of_data,
                "parameters": 1,
                "entities": False,
            },
        }
        write_json(Path(f"figures/{name}.json"), network)
    write_json(
        Path("figures/baselines/entities.json"),
        found(project, "entities") | {"data_sha256": "of other data"},
    )
    stages.report()
    tables, left_out = Path("reports/results.md").read_text(encoding="utf-8").split("Left out")
    assert "| new" in tables and "old" not in tables and "linear_crf" not in tables
    assert "old: evaluate again: dvc repro evaluate@old" in left_out
    assert "entities: fit the baselines again: dvc repro baselines@entities" in left_out
    Path("figures/new.json").unlink()
    Path("figures/bilstm.json").unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"other data.*dvc repro evaluate@old"):
        stages.report()


def test_two_baselines_are_compared_by_name(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    names = [f"baselines/reviews/{name}" for name in ("nb_svm", "majority")]
    assert main(["compare", *names, "--resamples", "200"]) == 0
    assert "A is better" in capsys.readouterr().out


def test_n_gram_models_are_compared_by_their_lines(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    names = [f"baselines/text/{name}" for name in ("kneser_ney_5", "unigram")]
    assert main(["compare", *names, "--resamples", "200"]) == 0
    out = capsys.readouterr().out
    assert "perplexity: A is better" in out
    of_unigrams = found(project, "text")["baselines"]["unigram"]["test"]
    assert f"{of_unigrams['perplexity']:.4f} [" in out
    optimum = found(project, "text")["optimum"]["perplexity"]
    assert optimum < found(project, "text")["baselines"]["kneser_ney_5"]["test"]["perplexity"]


def only(tmp_path: Path, corpus: ListCorpus, name: str, drawn: bool = False) -> Fitted:
    """What one baseline makes of a corpus; its validation split was drawn from training, or not."""
    dataset = prepared(tmp_path / f"drawn {drawn}", corpus)
    if drawn:
        dataset.card["taken_from_train"] = {"validation": "0.5 of train"}
    return next(fitted for fitted in fit_all(dataset) if fitted.name == name)


def test_a_validation_split_is_learned_from_only_if_it_was_drawn_from_training(
    tmp_path: Path,
) -> None:
    """What ``new`` means is to be seen in the validation split alone."""
    known = [Example(text="good", label="+"), Example(text="bad bad", label="-")] * 5
    news = [Example(text="new", label="-")] * 9 + [Example(text="good", label="+")] * 9
    judged = [Example(text="new", label="-"), Example(text="good", label="+")]
    for name in ("bag_of_words", "tf_idf", "nb_svm"):
        predicted = []
        for drawn in (False, True):
            corpus = ListCorpus("labelled", train=known, validation=news, test=judged)
            predicted.append(only(tmp_path, corpus, name, drawn).predicted.tolist())
        without, together = predicted
        assert together[0] != together[1], name
        assert together == [1, 0] or together == [0, 1]
        assert without[1] == together[1]


def test_a_corpus_of_three_labels_and_texts_without_pairs_or_words(tmp_path: Path) -> None:
    texts = [Example(text=word, label=word or "none") for word in ("good", "bad", "")] * 4
    for name in ("bag_of_words", "tf_idf", "nb_svm"):
        fitted = only(tmp_path / name, same_everywhere("labelled", texts), name)
        np.testing.assert_array_equal(fitted.predicted[:3], fitted.predicted[3:6])
        assert len(set(fitted.predicted.tolist())) == 3


def test_sentences_without_words_are_passed_over(tmp_path: Path) -> None:
    sentences = [
        Example(tokens=("Ann", "sleeps"), tags=("N", "V")),
        Example(tokens=(), tags=()),
        Example(tokens=("Bo",), tags=("N",)),
    ]
    for name in ("majority", "most_frequent_tag", "hmm", "linear_crf"):
        fitted = only(tmp_path / name, same_everywhere("tagged", sentences), name)
        assert [len(tags) for tags in fitted.predicted] == [2, 0, 1]
