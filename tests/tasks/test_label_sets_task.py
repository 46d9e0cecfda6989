"""Texts with any number of labels, and rare labels: training, evaluation, bundle, predictions."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils.class_weight import compute_class_weight

import nlp_rnn
from helpers.bundles import parquet_rows, write_network
from helpers.corpora import ListCorpus, prepared
from helpers.experiments import small_experiment
from nlp_rnn.baselines import suite
from nlp_rnn.baselines.bag_of_words import NBSVM, bag_of_words, term_counts
from nlp_rnn.cli import main
from nlp_rnn.config import parse
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.label_sets import label_set_metrics
from nlp_rnn.example import Example
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.export import export_onnx
from nlp_rnn.tasks.class_weights import class_weights
from nlp_rnn.tasks.label_sets import LabelSets
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.prepared import PreparedDataset

SHARES = {"billing": 0.5, "login": 0.3, "praise": 0.1}


def drawn(seed: int, texts: int) -> list[Example]:
    """Texts in which a word stands for each label, now and then for another one."""
    rng = np.random.default_rng(seed)
    examples = []
    for _ in range(texts):
        labels = [label for label, share in SHARES.items() if rng.random() < share]
        words = [*rng.choice(["the", "a", "is"], 3), *labels]
        words += ["login"] if rng.random() < 0.1 else []
        examples.append(Example(text=" ".join(words), labels=tuple(labels)))
    return examples


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    splits = {"train": drawn(1, 120), "validation": drawn(2, 40), "test": drawn(3, 40)}
    return prepared(tmp_path_factory.mktemp("sets"), ListCorpus("labelled", **splits))


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Texts with one label each, of which one is rare."""
    labels = ["often"] * 17 + ["rare"] * 3
    examples = [Example(text=f"{label[0]} {i}", label=label) for i, label in enumerate(labels)]
    splits = dict.fromkeys(("train", "validation", "test"), examples)
    return prepared(tmp_path_factory.mktemp("single"), ListCorpus("labelled", **splits))


def task_on(dataset: PreparedDataset, **training: Any) -> Any:
    model = {"kind": "averaged"}
    experiment = small_experiment("classification", model, training)
    return make_task(experiment, dataset, seed=1)


def network_of(task: Any) -> Any:
    """A network with weights that matter."""
    rng = np.random.default_rng(5)
    network = task.network(rng.normal(size=(len(task.dataset.vocabulary), 4)))
    network.set_weights([rng.normal(0, 1, w.shape) for w in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def bundle(dataset: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "mine"
    task = task_on(dataset, thresholds="macro_f1")
    network = network_of(task)
    found = task.calibrate(task.predicting(network)).figures
    write_network(folder, task.experiment, network, dataset, found)
    return folder


# --- training ---------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, "balanced", {"praise": 5}])
def test_the_loss_is_the_sum_of_binary_cross_entropies(
    dataset: PreparedDataset, weights: Any
) -> None:
    task = task_on(dataset, class_weights=weights, batch_size=16)
    objective = task.objective(network_of(task))
    (batch, *_), _ = task.batches(0)
    logits = np.asarray(objective(batch.inputs), np.float64)
    p, y = 1 / (1 + np.exp(-logits)), batch.targets
    factors = np.where(y, 1.0, 1.0) if weights is None else class_weights(dataset, weights)
    if weights is not None:
        factors = np.where(y, factors[1], factors[0])
    losses = -(factors * np.where(y, np.log(p), np.log(1 - p))).sum(axis=1)
    expected = (losses * batch.weights).sum() / batch.weights.sum()
    found = objective.compute_loss(batch.inputs, batch.targets, logits, batch.weights)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_balanced_weights_are_those_of_scikit_learn(
    dataset: PreparedDataset, single: PreparedDataset
) -> None:
    gold = np.asarray(dataset.split("train").labels)
    for i, found in enumerate(class_weights(dataset, "balanced").T):
        expected = compute_class_weight("balanced", classes=np.arange(2), y=gold[:, i])
        assert found == pytest.approx(expected)
    labels = np.asarray(single.split("train").labels)
    expected = compute_class_weight("balanced", classes=np.arange(2), y=labels)
    assert class_weights(single, "balanced") == pytest.approx(expected)
    assert class_weights(single, {"rare": 3}).tolist() == [1, 3]
    assert class_weights(dataset, {"praise": 3}).tolist() == [[1, 1, 1], [1, 1, 3]]


def test_examples_of_a_batch_weigh_as_their_label(single: PreparedDataset) -> None:
    batches, _ = task_on(single, class_weights={"rare": 4}, batch_size=8).batches(0)
    rows = [(t, w) for b in batches for t, w in zip(b.targets, b.weights, strict=True) if w]
    assert sorted(rows) == [(0, 1.0)] * 17 + [(1, 4.0)] * 3


def test_balanced_sampling_reads_labels_equally_often(single: PreparedDataset) -> None:
    task = task_on(single, sampling="balanced")
    drawn = [b.targets[b.weights > 0] for epoch in range(20) for b in task.batches(epoch)[0]]
    targets = np.concatenate(drawn)
    assert len(targets) == 20 * 20 and targets.mean() == pytest.approx(0.5, abs=0.1)
    again, _ = task.batches(3)
    assert [b.ids.tolist() for b in again] == [b.ids.tolist() for b in task.batches(3)[0]]


def test_macro_f1_of_one_label_selects(single: PreparedDataset) -> None:
    task = task_on(single, select="f1")
    network = network_of(task)
    row = task.validate(task.objective(network))
    result = task.evaluate(task.predicting(network))  # validation and test are the same
    expected = f1_score(result.gold, result.predicted, average="macro", zero_division=0)
    assert row["validation/f1"] == pytest.approx(expected) == result.test["f1"]


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"select": "accuracy"}, "training.select: accuracy is for one label"),
        ({"sampling": "balanced"}, "training.sampling: balanced is for one label"),
        ({"class_weights": {"prase": 2}}, "no label 'prase'; did you mean 'praise'?"),
    ],
)
def test_parameters_for_one_label(
    dataset: PreparedDataset, training: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        task_on(dataset, **training)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"select": "exact_match"}, "training.select: exact_match is for sets of labels"),
        ({"thresholds": 0.3}, "training.thresholds is for sets of labels"),
        ({"class_weights": {"rar": 2}}, "no label 'rar'; did you mean 'rare'?"),
    ],
)
def test_parameters_for_sets_of_labels(
    single: PreparedDataset, training: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        task_on(single, **training)


@pytest.mark.parametrize(
    "training",
    [{"class_weights": {"a": 0}}, {"class_weights": "equal"}, {"thresholds": 1.0}],
)
def test_parameters_that_cannot_be(training: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"training.{next(iter(training))}"):
        small_experiment("classification", {"units": 4}, training)


def test_labels_that_yaml_reads_as_numbers_have_weights() -> None:
    experiment = small_experiment(
        "classification", {"units": 4}, {"class_weights": {2: 2, True: 3}}
    )
    assert experiment.training.class_weights == {"2": 2, "true": 3}  # type: ignore[union-attr]


@pytest.mark.slow
def test_training_learns_the_words_of_labels(dataset: PreparedDataset) -> None:
    task = task_on(dataset, batch_size=60, batching="shuffled")
    network = network_of(task)
    objective = task.objective(network)
    objective.compile(optimizer=keras.optimizers.Adam(0.1), loss=None)
    before = task.validate(objective)
    for epoch in range(20):
        for batch in task.batches(epoch)[0]:
            objective.train_on_batch(batch.inputs, batch.targets, sample_weight=batch.weights)
    after = task.validate(objective)
    assert after["validation/loss"] < before["validation/loss"] / 2
    assert after["validation/f1"] > max(0.9, before["validation/f1"])


# --- evaluation -------------------------------------------------------------------------


def test_the_evaluation_is_of_the_labels_of_the_bundle(
    dataset: PreparedDataset, bundle: Path
) -> None:
    opened = Bundle.open(bundle)
    assert opened.multi_label and set(opened.thresholds) == set(SHARES)
    task = make_task(opened.experiment, dataset, seed=1)
    assert isinstance(task, LabelSets)
    result = task.evaluate(opened.network(), opened.temperature, opened.thresholds)
    texts = [record["text"] for record in dataset.split("test").records()]
    model = nlp_rnn.load(bundle)
    predicted = model.predict(texts)
    assert [row["predicted"] for row in result.predictions] == [p["labels"] for p in predicted]
    scores = np.array([[p["probabilities"][label] for label in dataset.labels] for p in predicted])
    given = np.array([[label in p["labels"] for label in dataset.labels] for p in predicted])
    gold = np.asarray(dataset.split("test").labels, bool)
    expected = label_set_metrics(gold, given, scores, dataset.labels)
    assert {key: result.test[key] for key in expected} == expected
    chances = np.where(gold, scores, 1 - scores)
    after = -np.log(chances).mean()
    assert result.log_loss is not None
    assert result.log_loss["after"] == pytest.approx(after, rel=1e-4)
    assert result.samples[0]["confidence"] == max(s["confidence"] for s in result.samples)
    assert len(result.samples) == (gold != given).any(axis=1).sum()


def test_weighted_baselines_stand_beside_the_others(
    dataset: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for grid in ("BAG_OF_WORDS_PENALTIES", "TF_IDF_PENALTIES", "NB_SVM_PENALTIES"):
        monkeypatch.setattr(suite, grid, (1.0,))
    task = task_on(dataset, class_weights="balanced")
    baselines = task.evaluate(task.predicting(network_of(task))).baselines
    names = ("bag_of_words", "tf_idf", "nb_svm")
    assert list(baselines) == ["most_frequent_labels", *(f"{name}_weighted" for name in names)]
    assert all(0 < found["f1"] <= 1 for found in baselines.values())


def test_baselines_are_one_vs_rest(dataset: PreparedDataset) -> None:
    splits = [dataset.split(name) for name in ("train", "test")]
    tokens = [r["text"].split() for split in splits for r in split.records()]
    counts, trained = term_counts(tokens, 1), len(splits[0])
    gold = np.asarray(splits[0].labels)
    expected = OneVsRestClassifier(bag_of_words(1.0)).fit(counts[:trained], gold)
    fits = suite._one_vs_rest(suite._logistic(bag_of_words))
    [(settings, model)] = fits(counts[:trained], gold, {"C": (1.0,)}, None)
    assert settings == {"C": 1.0}
    found = model.decision_function(counts[trained:])
    assert found == pytest.approx(expected.decision_function(counts[trained:]), abs=1e-6)


def test_weights_of_texts_are_copies_of_texts() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 2, (40, 6))
    labels = (counts[:, 0] + rng.integers(0, 2, 40) > 1).astype(int)
    weights = np.where(labels == 1, 3.0, 1.0)
    copies = np.repeat(np.arange(40), weights.astype(int))
    make = bag_of_words(1.0)
    weighted = make.fit(counts, labels, logisticregression__sample_weight=weights)
    one = weighted.decision_function(counts)
    other = make.fit(counts[copies], labels[copies]).decision_function(counts)
    assert one == pytest.approx(other, abs=1e-3)
    sparse = csr_matrix(counts)
    plain, heavy = (NBSVM.fit(sparse, labels, 1.0, weights=w) for w in (None, weights))
    assert (heavy.decision_function(sparse) > plain.decision_function(sparse)).mean() > 0.5


# --- predictions ------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv", "txt"])
def test_predictions_in_every_format(bundle: Path, tmp_path: Path, format: str) -> None:
    texts = ["billing is a login", "", "praise"]
    model = nlp_rnn.load(bundle)
    expected = model.predict(texts)
    assert list(expected[0]) == ["labels", "probabilities"] and model.predict([]) == []
    (tmp_path / "in.txt").write_text("\n".join(texts) + "\n")
    out = tmp_path / f"out.{format}"
    assert main(["predict", str(bundle), str(tmp_path / "in.txt"), str(out)]) in (None, 0)
    if format == "parquet":
        rows = parquet_rows(out)
    elif format == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    elif format == "txt":
        lines = out.read_text().splitlines()
        assert lines == ["|".join(p["labels"]) for p in expected]
        return
    else:
        rows = [
            {"labels": json.loads(row["labels"])} for row in csv.DictReader(out.open(newline=""))
        ]
    assert [row["labels"] for row in rows] == [p["labels"] for p in expected]


def test_the_least_certain_decision_is_reviewed(bundle: Path) -> None:
    texts = ["billing", "praise praise login", "the a is"]
    model = nlp_rnn.load(bundle)
    predictions = model.predict(texts, review_below=0.7)
    for prediction in predictions:
        p = prediction["probabilities"]
        sure = min(p[x] if x in prediction["labels"] else 1 - p[x] for x in p)
        assert prediction["review"] == (sure < 0.7)


def test_an_exported_model_gives_the_same_labels(bundle: Path, tmp_path: Path) -> None:
    export_onnx(bundle, tmp_path / "exported")
    texts = ["billing login", "the", "praise"]
    assert nlp_rnn.load(tmp_path / "exported").predict(texts) == nlp_rnn.load(bundle).predict(texts)
    described = (tmp_path / "exported" / "README.md").read_text()
    threshold = Bundle.open(bundle).thresholds["praise"]
    assert "sigmoid" in described and f"`praise` {threshold:.6g}" in described


@pytest.mark.parametrize("thresholds", [{"praise": 2}, {"praise": "x"}, [0.5]])
def test_a_bundle_with_wrong_thresholds(bundle: Path, tmp_path: Path, thresholds: Any) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    description = json.loads((copy / "bundle.json").read_text())
    description["figures"]["thresholds"] = thresholds
    (copy / "bundle.json").write_text(json.dumps(description))
    with pytest.raises(UserError, match="a threshold is not a probability"):
        Bundle.open(copy)


def test_teachers_give_one_label() -> None:
    data = {
        "datasets": {
            "many": {
                "source": "files", "format": "csv", "train": "x", "label_separator": "|",
            },
            "texts": {"source": "files", "format": "text", "train": "y"},
        },
        "experiments": {},
        "pseudo_labelled": {
            "more": {"labelled": "many", "unlabelled": "texts", "teachers": ["a", "b"]}
        },
    }  # fmt: skip
    with pytest.raises(UserError, match=r"pseudo_labelled.more.labelled: texts of many have any"):
        parse(data, Path("params.yaml"))
