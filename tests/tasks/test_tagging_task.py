"""Taggers as tasks: spelling, the CRF's constraints, bundles that tag as evaluation did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.bundles import write_network
from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from helpers.grids import grid
from nlp_rnn import backend
from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora import open_corpus
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.example import Example
from nlp_rnn.inference.batch import predict_file
from nlp_rnn.inference.predictor import Options, Predictor
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.runtime.onnx_network import OnnxNetwork
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.tasks.tagging import Tagging
from nlp_rnn.text.entities import allowed_transitions
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.training.checkpoint import Checkpoint
from nlp_rnn.training.fit import fit
from nlp_rnn.training.objective import compiled

pytestmark = pytest.mark.slow


def tagging(dataset: PreparedDataset, model: dict[str, Any], **training: Any) -> Tagging:
    training = {"epochs": 8, "batch_size": 8, "learning_rate": 0.02} | training
    work = make_task(small_experiment("tagging", {"units": 8} | model, training), dataset, seed=1)
    assert isinstance(work, Tagging)
    return work


def trained(work: Tagging, folder: Path) -> keras.Model:
    backend.deterministic(1)
    rng = np.random.default_rng(0)
    vectors = rng.uniform(-0.1, 0.1, (len(work.dataset.vocabulary), 4)).astype(np.float32)
    network = work.network(vectors)
    objective = compiled(work.objective(network), work.training)
    fit(
        objective,
        work.batches,
        lambda: work.validate(objective),
        work.training,
        Checkpoint(folder, "x"),
    )
    return network


def judged(work: Tagging, network: keras.Model) -> Evaluation:
    return work.evaluate(work.predicting(network))


def spelt_sentences(seed: int, count: int) -> list[Example]:
    """Words of random letters, never seen before: those that end in -ing are verbs."""
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(count):
        tags = rng.choice(["NOUN", "VERB"], rng.integers(1, 7)).tolist()
        stems = ["".join(rng.choice(list("abcdefghou"), rng.integers(2, 6))) for _ in tags]
        words = [s + ("ing" if t == "VERB" else "o") for s, t in zip(stems, tags, strict=True)]
        sentences.append(Example(tokens=tuple(words), tags=tuple(tags)))
    return sentences


@pytest.mark.parametrize("kind", grid(["cnn", "bilstm"], "cnn"))
def test_characters_tag_words_that_training_never_saw(tmp_path: Path, kind: str) -> None:
    from helpers.corpora import ListCorpus

    corpus = ListCorpus(
        "tagged",
        train=spelt_sentences(1, 150),
        validation=spelt_sentences(2, 30),
        test=spelt_sentences(3, 30),
    )
    dataset = prepared(tmp_path / "d", corpus)
    model = {"characters": {"kind": kind, "dimension": 8, "units": 8}}
    accuracy = {
        name: judged(work, trained(work, tmp_path / name)).test["accuracy"]
        for name, work in (
            ("with characters", tagging(dataset, model)),
            ("without", tagging(dataset, {})),
        )
    }
    assert accuracy["with characters"] > 0.97
    assert accuracy["without"] < 0.7  # half of the words are verbs, and none is known


def test_a_bundle_tags_as_the_evaluation_did(tmp_path: Path, sentences: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences), min_count=5)
    work = tagging(dataset, {"output": "crf", "characters": {"kind": "cnn"}}, epochs=2)
    network = trained(work, tmp_path / "c")
    evaluation = judged(work, network)
    write_network(tmp_path / "b", work.experiment, network, dataset)
    predictions = list(Predictor.load(tmp_path / "b").predict([e.tokens for e in sentences]))
    tags = [tag for prediction in predictions for tag in prediction["tags"]]
    assert tags == [dataset.labels[i] for i in evaluation.predicted]
    assert all(0 <= p <= 1 for prediction in predictions for p in prediction["probabilities"])
    assert Bundle.open(tmp_path / "b").characters is not None


def test_the_likeliest_tag_sequences_come_with_their_probability(
    bundles: dict[str, Path], tmp_path: Path, sentences: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    work = tagging(dataset, {"output": "crf"}, epochs=1)
    network = trained(work, tmp_path / "c")
    write_network(tmp_path / "b", work.experiment, network, dataset)
    (tmp_path / "in.txt").write_text("Rome sleeps\nRome\n", encoding="utf-8")
    predict_file(
        tmp_path / "b", f"{tmp_path}/in.txt", f"{tmp_path}/out.jsonl", options=Options(100)
    )
    two, one = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    start, between, _ = allowed_transitions(dataset.labels)
    for prediction, count in ((two, int((start[:, None] & between).sum())), (one, start.sum())):
        assert prediction["n_best"][0]["tags"] == prediction["tags"]
        found = [path["probability"] for path in prediction["n_best"]]
        assert len(found) == count
        assert found == sorted(found, reverse=True)
        assert sum(found) == pytest.approx(1, abs=1e-5)
    with pytest.raises(UserError, match="no CRF"):
        predict_file(bundles["tagging"], f"{tmp_path}/in.txt", "-", options=Options(2))


def test_a_crfs_loss_is_the_same_in_validation_and_evaluation(
    tmp_path: Path, sentences: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    work = tagging(dataset, {"output": "crf"}, epochs=1)
    network = trained(work, tmp_path / "c")
    objective = compiled(work.objective(network), work.training)
    row = work.validate(objective)
    assert set(row) == {"validation/loss", "validation/accuracy", "validation/f1"}
    test = judged(work, network).test
    assert test["loss"] == pytest.approx(row["validation/loss"], abs=1e-6)
    assert test["accuracy"] == pytest.approx(row["validation/accuracy"])


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_an_evaluation_is_the_same_by_keras_and_by_the_graph(
    tmp_path: Path, sentences: list[Example], output: str
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    work = tagging(dataset, {"output": output}, epochs=2)
    network = trained(work, tmp_path / "c")
    write_network(tmp_path / "b", work.experiment, network, dataset)
    by_graph = Bundle.open(tmp_path / "b").network()
    assert isinstance(by_graph, OnnxNetwork)
    found, expected = work.evaluate(by_graph), judged(work, network)
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    assert found.test["loss"] == pytest.approx(expected.test["loss"], rel=1e-5)


def test_a_constrained_crf_never_breaks_the_scheme(
    tmp_path: Path, sentences: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    start, between, _ = allowed_transitions(dataset.labels)
    broken = {}
    for constrained in (True, False):
        work = tagging(dataset, {"output": "crf", "constrained": constrained})
        backend.deterministic(1)
        network = work.network(np.zeros((len(dataset.vocabulary), 4), np.float32))
        rng = np.random.default_rng(0)
        network.set_weights([rng.normal(0, 2, w.shape) for w in network.get_weights()])
        best = work._judge(work.predicting(network), "test").best
        broken[constrained] = sum(
            int(not start[tags[0]]) + int((~between[tags[:-1], tags[1:]]).sum()) for tags in best
        )
    assert broken[True] == 0 < broken[False]


def test_gold_tags_that_break_the_scheme_are_named(tmp_path: Path) -> None:
    examples = [
        Example(tokens=("in", "Rome"), tags=("O", "B-LOC")),
        Example(tokens=("in", "New", "York"), tags=("O", "I-LOC", "I-LOC")),
    ]
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", examples))
    vectors = np.zeros((len(dataset.vocabulary), 4), np.float32)
    work = tagging(dataset, {"output": "crf"})
    with pytest.raises(UserError, match=r"train, example 2: its tags O I-LOC I-LOC break"):
        work.objective(work.network(vectors))
    free = tagging(dataset, {"output": "crf", "constrained": False})
    free.objective(free.network(vectors))


def test_classes_that_look_like_entities_are_classes(tmp_path: Path) -> None:
    """From the file to the figures: a class B-movie among others is no beginning of an entity."""
    words = "a\tDET\nfilm\tB-movie\nruns\tVERB\n\nfilms\tI-movie\nrun\tVERB\n\n"
    for split in ("train", "validation", "test"):
        (tmp_path / split).write_text(words + "and\tCONJ\n" * len(split))
    given = {split: split for split in ("train", "validation", "test")}
    section = {"source": "files", "format": "conll", **given}
    corpus = open_corpus("mine", FilesDataset.model_validate(section), tmp_path)
    dataset = prepared(tmp_path / "d", corpus)
    assert not dataset.entities
    assert (dataset.card["entities"], dataset.card["scheme"]) == (False, None)
    with pytest.raises(UserError, match="select: f1 is for entities"):
        tagging(dataset, {}, select="f1")
    work = tagging(dataset, {"output": "crf"}, epochs=1)
    network = trained(work, tmp_path / "c")  # gold begins with I-movie, which nothing forbids
    write_network(tmp_path / "b", work.experiment, network, dataset)
    assert not Bundle.open(tmp_path / "b").entities
    [prediction] = Predictor.load(tmp_path / "b").predict(["films run"])
    assert "entities" not in prediction
    start, between, end = work.predicting(network).transitions or ()
    assert min(start.min(), between.min(), end.min()) > -100


def test_entities_of_any_scheme_are_tagged_as_bio(tmp_path: Path) -> None:
    bilou = "Eva\tB-PER\nLund\tL-PER\nin\tO\nRom\tU-LOC\n\n"
    for split in ("train", "validation", "test"):
        (tmp_path / split).write_text(bilou + "und\tO\n" * len(split))
    given = {split: split for split in ("train", "validation", "test")}
    section = {"source": "files", "format": "conll", **given}
    corpus = open_corpus("mine", FilesDataset.model_validate(section), tmp_path)
    dataset = prepared(tmp_path / "d", corpus)
    assert dataset.entities and dataset.card["scheme"] == "BILOU"
    assert set(dataset.labels) == {"O", "B-PER", "I-PER", "B-LOC"}
    work = tagging(dataset, {})
    network = work.network(np.zeros((len(dataset.vocabulary), 4), np.float32))
    metrics = judged(work, network).test
    assert set(metrics["per_class"]) <= {"PER", "LOC"}


def test_monte_carlo_dropout_averages_passes_that_differ(
    tmp_path: Path, sentences: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    spread = {}
    for samples in (1, 64):
        model = {"dropout": 0.5, "variational": True, "monte_carlo_samples": samples}
        work = tagging(dataset, model)
        backend.deterministic(1)
        network = work.network(np.ones((len(dataset.vocabulary), 4), np.float32))
        rng = np.random.default_rng(0)
        network.set_weights([rng.normal(0, 1, w.shape) for w in network.get_weights()])
        networks = [KerasNetwork(network, samples, seed) for seed in range(8)]
        logits = [np.concatenate(work._judge(one, "test").logits) for one in networks]
        spread[samples] = np.std(np.exp(logits), axis=0).mean()
    # the deviation of a mean of 64 is an eighth of one pass's
    assert 0 < spread[64] < 0.25 * spread[1]
