"""Intents and slots as a task: its loss, metrics, baselines, predictions and what it refuses."""

from __future__ import annotations

import csv
import json
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REQUESTS
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import accuracy_score

import nlp_rnn
from helpers.bundles import parquet_rows, write_untrained
from helpers.experiments import small_experiment
from nlp_rnn.baselines.suite import fit_all, judged
from nlp_rnn.cli import main
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.analysis import certainty, write_analysis
from nlp_rnn.evaluation.comparison import compare
from nlp_rnn.evaluation.predictions import figures, labels_of, read_predictions, write_predictions
from nlp_rnn.evaluation.report import main_metrics
from nlp_rnn.explanation.explain import RECORDS
from nlp_rnn.inference.batch import predict_file
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.export import export_onnx
from nlp_rnn.runtime.forward import softmax
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.prepared import PreparedDataset

TEXTS = ["call Ann in Rome", "", "Rome", "to New York , please"]


@pytest.fixture(scope="module", params=["softmax", "crf"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model = {"output": request.param, "pooling": "max", "casing": 3}
    folder = tmp_path_factory.mktemp(request.param)
    return Bundle.open(
        write_untrained(folder, "intents_and_slots", "joint", REQUESTS, model, scale=1.0)
    )


@pytest.fixture(scope="module")
def dataset(bundle: Bundle) -> PreparedDataset:
    return PreparedDataset(bundle.folder.parent / "data")


def task_of(bundle: Bundle, dataset: PreparedDataset) -> Any:
    return make_task(bundle.experiment, dataset, seed=1)


@pytest.mark.slow
def test_the_loss_is_that_of_tags_and_a_weighted_one_of_the_label(
    bundle: Bundle, dataset: PreparedDataset
) -> None:
    weighted = bundle.experiment.model_copy(
        update={"training": bundle.experiment.training.model_copy(update={"intent_weight": 3.0})}
    )
    work = make_task(weighted, dataset, seed=1)
    network = bundle.keras_model()
    (batch,) = work.batches(0)[0]
    objective = work.objective(network)
    found = objective.compute_loss(
        batch.inputs, batch.answers, network(batch.inputs), batch.weights, training=False
    )
    tags, labels = (np.asarray(each, np.float64) for each in network(batch.inputs))
    of_labels = -np.log(softmax(labels))[np.arange(len(labels)), batch.intents]
    transitions = KerasNetwork(network).transitions
    total = 0.0
    for row, (ids, gold) in enumerate(zip(batch.ids, batch.targets, strict=True)):
        words = np.count_nonzero(ids)
        if not batch.weights[row].any():
            continue

        def score(path: Any, row: int = row) -> float:
            found = sum(tags[row, i, tag] for i, tag in enumerate(path))
            if transitions is not None:
                found += transitions.start[path[0]] + transitions.end[path[-1]]
                found += sum(transitions.between[pair] for pair in pairwise(path))
            return float(found)

        every = product(range(tags.shape[-1]), repeat=words)
        total += np.logaddexp.reduce([score(path) for path in every]) - score(gold[:words])
        total += 3 * of_labels[row]
    assert float(found) == pytest.approx(total / np.count_nonzero(batch.weights), rel=1e-4)
    metrics = work.validate(objective)  # the same sentences
    assert metrics["validation/loss"] == pytest.approx(float(found), rel=1e-4)


@pytest.mark.slow
def test_metrics_are_those_of_scikit_learn_and_seqeval(
    bundle: Bundle, dataset: PreparedDataset, tmp_path: Path
) -> None:
    work = task_of(bundle, dataset)
    result = work.evaluate(bundle.network(), 2.0, intent_temperature=0.5)
    rows, test = result.predictions, result.test
    sides = [[row[key] for row in rows] for key in ("gold", "predicted", "gold_label", "label")]
    assert sides[0] == [list(each.tags) for each in REQUESTS]
    assert sides[2] == [each.label for each in REQUESTS]
    assert test["f1"] == pytest.approx(entity_f1(*sides[:2]))
    assert test["accuracy"] == accuracy_score(*sides[2:])
    both = [g == p and a == b for g, p, a, b in zip(*sides, strict=True)]
    assert test["exact_match"] == pytest.approx(np.mean(both))
    intervals = {name: figure.value for name, figure in figures(rows, labels_of(rows)).items()}
    assert intervals == pytest.approx({name: test[name] for name in intervals})
    assert list(intervals) == ["accuracy", "f1", "exact_match"]
    (majority,) = result.baselines.values()
    assert majority["accuracy"] == np.mean([label == "trip" for label in sides[2]])
    assert majority["exact_match"] == pytest.approx(1 / 3)  # Rome, a trip
    assert main_metrics([test], True) == ["exact_match", "accuracy", "f1"]
    file = tmp_path / "rows.jsonl"
    write_predictions(file, rows)
    assert read_predictions(file) == rows
    assert "exact_match: no evidence of a difference" in compare(file, file, 50, 1)


@pytest.mark.slow
def test_the_calibration_of_labels_is_told_beside_that_of_tags(
    bundle: Bundle, dataset: PreparedDataset, tmp_path: Path
) -> None:
    result = task_of(bundle, dataset).evaluate(bundle.network(), 2.0, intent_temperature=0.5)
    found = {"test": result.test} | certainty(result, 2.0, 0.5)
    judged = found["calibration"]["intents"]
    confidence = [row["label_confidence"] for row in result.predictions]
    assert judged["after"]["mean_confidence"] == pytest.approx(np.mean(confidence), abs=1e-6)
    assert (judged["temperature"], found["calibration"]["temperature"]) == (0.5, 2.0)
    assert judged["before"]["loss"] != judged["after"]["loss"]
    tables = write_analysis(tmp_path, "joint", found, result)
    assert sum(row["predictions"] for row in tables["intent_reliability"]) == len(confidence)
    assert "The same for the labels of texts" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "intent_reliability.png").stat().st_size


@pytest.mark.slow
def test_baselines_are_those_of_both_sides(dataset: PreparedDataset) -> None:
    found = {each.name: judged(dataset, each) for each in fit_all(dataset)}
    sides = [list(fit_all(side)) for side in (dataset.labelled, dataset.tagged)]
    assert list(found) == ["majority", "bag_of_words-most_frequent_tag", "tf_idf-hmm",
                           "nb_svm-linear_crf"]  # fmt: skip
    for (test, rows), of_labels, of_tags in zip(found.values(), *sides, strict=True):
        assert test["accuracy"] == judged(dataset.labelled, of_labels)[0]["accuracy"]
        assert test["f1"] == judged(dataset.tagged, of_tags)[0]["f1"]
        right = [r["label"] == r["gold_label"] and r["gold"] == r["predicted"] for r in rows]
        assert test["exact_match"] == np.mean(right)


@pytest.mark.slow
def test_predictions_are_those_of_both_heads(bundle: Bundle) -> None:
    model = nlp_rnn.load(bundle.folder)
    assert (model.labels, model.intents) == (bundle.labels, ["trip", "call"])  # type: ignore[attr-defined]
    keras, onnx = KerasNetwork(bundle.keras_model()), bundle.network()
    for text, found in zip(TEXTS, model.predict(TEXTS), strict=True):
        assert found == model.predict(text)
        assert list(found) == list(model.columns)
        assert found["label"] == max(found["probabilities"], key=found["probabilities"].get)
        assert found["probability"] == found["probabilities"][found["label"]]
        assert found["tokens"] == text.split()
        assert len(found["tags"]) == len(found["tag_probabilities"]) == len(text.split())
        assert all(text[e["start"] : e["end"]] == e["text"] for e in found["entities"])
        if not text:
            continue
        [encoded] = model._predictor._sentences(*model._predictor._words([text]))  # type: ignore[attr-defined]
        inputs = _inputs(encoded)
        for ours, theirs in zip(keras.all_logits(*inputs), onnx.all_logits(*inputs), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
        expected = softmax(onnx.all_logits(*inputs)[1][0])
        assert list(found["probabilities"].values()) == pytest.approx(expected.tolist())


def _inputs(encoded: Encoded) -> Any:
    assert encoded.spelling is not None
    ids = encoded.ids[None].astype(np.int32)
    return ids, np.array([len(encoded)], np.int32), encoded.spelling[None].astype(np.int32)


def test_review_heeds_the_label_and_the_tags(bundle: Bundle) -> None:
    model = nlp_rnn.load(bundle.folder)
    for found in model.predict(TEXTS):
        lowest = min(found["probability"], *found["tag_probabilities"], 1.0)
        text = " ".join(found["tokens"])
        for bound, expected in ((lowest * 0.999, False), (min(lowest * 1.001, 1.0), True)):
            assert model.predict(text, review_below=bound)["review"] is expected


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv", ".tsv", ".txt", ".conll",
                                    ".conllu"])  # fmt: skip
def test_every_format_holds_label_and_tags(bundle: Bundle, tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / "texts.txt", tmp_path / f"out{suffix}"
    source.write_text("\n".join(filter(None, TEXTS)) + "\n", encoding="utf-8")
    predict_file(bundle.folder, str(source), str(target))
    expected = nlp_rnn.load(bundle.folder).predict(list(filter(None, TEXTS)))
    if suffix == ".parquet":
        found = parquet_rows(target)
        assert [{k: row[k] for k in expected[0]} for row in found] == expected
        return
    written = target.read_text(encoding="utf-8")
    if suffix == ".jsonl":
        rows = list(map(json.loads, written.splitlines()))
        assert [{k: row[k] for k in expected[0]} for row in rows] == expected
    elif suffix in (".csv", ".tsv"):
        delimiter = {".csv": ",", ".tsv": "\t"}[suffix]
        for row, found in zip(csv.DictReader(written.splitlines(), delimiter=delimiter), expected,
                              strict=True):  # fmt: skip
            assert (row["label"], row["tags"]) == (found["label"], " ".join(found["tags"]))
            assert float(row["probability_trip"]) == pytest.approx(found["probabilities"]["trip"])
            assert json.loads(row["entities"]) == found["entities"]
    elif suffix == ".txt":
        assert written.splitlines() == [f"{f['label']}\t{' '.join(f['tags'])}" for f in expected]
    else:
        labels = [line for line in written.splitlines() if line.startswith("# label")]
        assert labels == [f"# label = {found['label']}" for found in expected]


def test_an_exported_model_predicts_the_same_without_keras(bundle: Bundle, tmp_path: Path) -> None:
    export_onnx(bundle.folder, tmp_path / "exported")
    exported = nlp_rnn.load(tmp_path / "exported")
    assert exported.predict(TEXTS) == nlp_rnn.load(bundle.folder).predict(TEXTS)
    readme = (tmp_path / "exported" / "README.md").read_text(encoding="utf-8")
    assert "label_logits" in readme
    assert "intents.json" in readme


@pytest.mark.parametrize(
    ("model", "training", "told"),
    [
        (
            {"monte_carlo_samples": 3, "dropout": 0.5},
            {},
            "monte_carlo_samples is not of intents and slots",
        ),
        ({}, {"select": "bleu"}, "training.select of intents and slots is 'loss', 'accuracy'"),
        ({}, {"intent_weight": 0}, "intent_weight"),
    ],
)
def test_impossible_parameters_are_refused(
    model: dict[str, Any], training: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        small_experiment("intents_and_slots", {"cell": "lstm", "units": 4} | model, training)


def test_a_bundle_without_its_intents_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    export_onnx(bundle.folder, tmp_path / "broken")
    (tmp_path / "broken" / "intents.json").unlink()
    with pytest.raises(UserError, match=r"intents.json: no such file"):
        Bundle.open(tmp_path / "broken")


@pytest.mark.slow
def test_explain_knows_both_kinds_of_labels(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.txt").write_text("call Ann\n", encoding="utf-8")
    explain = ["explain", str(bundle.folder), str(tmp_path / "texts.txt"), str(tmp_path / "why")]
    assert main(explain) == 0
    first, *tags = map(json.loads, (tmp_path / "why" / RECORDS).read_text().splitlines())
    assert first["label"] == nlp_rnn.load(bundle.folder).predict("call Ann")["label"]  # type: ignore[call-overload]
    assert all(tag["token"] in (1, 2) for tag in tags)
    for label, near in (("trips", "trip"), ("B-LOCK", "B-LOC")):
        assert main([*explain, "--label", label]) == 2
        assert f"did you mean '{near}'?" in capsys.readouterr().err
