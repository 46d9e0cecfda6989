"""A tagger that learns BIOES and speaks BIO: by brute force over all tag sequences."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.bundles import write_network
from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn import backend
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.calibration import probabilities_at
from nlp_rnn.example import Example
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.linear_chain import path_score
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.export import README, export_onnx
from nlp_rnn.runtime.forward import Tagged, softmax, tag
from nlp_rnn.runtime.network import Network
from nlp_rnn.runtime.onnx_network import OnnxNetwork
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.tasks.tagging import Tagging
from nlp_rnn.text.entities import allowed_transitions
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.training.checkpoint import Checkpoint
from nlp_rnn.training.fit import fit
from nlp_rnn.training.objective import compiled

pytestmark = pytest.mark.slow

SENTENCES = [
    Example(tokens=("Ann", "lives", "in", "Rome"), tags=("B-PER", "O", "O", "B-LOC")),
    Example(tokens=("Rome", "sleeps"), tags=("B-LOC", "O")),
    Example(
        tokens=("New", "York", "and", "Ann", "Lee", "Ann"),
        tags=("B-LOC", "I-LOC", "O", "B-PER", "I-PER", "B-PER"),
    ),
] * 4
OUTPUTS = ["softmax", "crf"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepared(tmp_path_factory.mktemp("d") / "d", same_everywhere("tagged", SENTENCES))


def tagging(dataset: PreparedDataset, **model: Any) -> Tagging:
    training = {"epochs": 40, "batch_size": 4, "learning_rate": 0.03}
    experiment = small_experiment("tagging", {"units": 8, "tag_scheme": "BIOES", **model}, training)
    work = make_task(experiment, dataset, seed=1)
    assert isinstance(work, Tagging)
    return work


def untrained(work: Tagging) -> Network:
    """With large random weights."""
    backend.deterministic(1)
    network = work.network(np.zeros((len(work.dataset.vocabulary), 4), np.float32))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 1, w.shape) for w in network.get_weights()])
    return work.predicting(network)


def tagged(work: Tagging, network: Network, **options: Any) -> list[Tagged]:
    """The sentences of the test split."""
    sentences = work.encoded("test", range(3), None)
    return list(tag(network, sentences, 8, work.learned, **options))


def sequences(
    work: Tagging, network: Network, number: int, temperature: float = 1.0
) -> dict[tuple[int, ...], float]:
    """The probability of every sequence of a sentence's tags: of each sequence of learned tags by
    its score, which of a softmax is the sum of its logits."""
    ids = work.encoded("test", [number], None)[0].ids[None]
    emissions = network.logits(ids, np.array([ids.size], np.int32))[0].astype(np.float64)
    assert emissions.shape[-1] == len(work.dataset.labels) + 4
    paths = [np.array(p) for p in product(range(emissions.shape[-1]), repeat=ids.size)]
    if network.transitions is None:
        scores = [emissions[np.arange(ids.size), path].sum() for path in paths]
    else:
        scores = [path_score(emissions, path, network.transitions) for path in paths]
    probabilities = softmax(np.array(scores) / temperature)
    found: dict[tuple[int, ...], float] = {}
    for path, p in zip(paths, probabilities.tolist(), strict=True):
        # What BIOES means: S- is a B-, E- is an I-.
        names = [work.learned.tags[i].replace("S-", "B-").replace("E-", "I-") for i in path]
        key = tuple(work.dataset.labels.index(name) for name in names)
        found[key] = found.get(key, 0.0) + p
    return {path: p for path, p in found.items() if p > 1e-12}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("number", [0, 1])
def test_probabilities_are_those_of_all_learned_sequences(
    dataset: PreparedDataset, output: str, number: int
) -> None:
    work = tagging(dataset, output=output)
    network = untrained(work)
    expected = sequences(work, network, number)
    found = tagged(work, network, n_best=10)[number]
    words, labels = found.probabilities.shape
    assert labels == len(dataset.labels)
    marginals = np.zeros((words, labels))
    for path, p in expected.items():
        marginals[np.arange(words), path] += p
    np.testing.assert_allclose(found.probabilities, marginals, atol=1e-5)
    ranked = sorted(expected.items(), key=lambda pair: -pair[1])
    assert tuple(found.best) == ranked[0][0]
    for path, p in ranked[:20]:
        assert found.log_likelihood(np.array(path)) == pytest.approx(np.log(p), abs=1e-4)
    if output == "crf":
        assert [tuple(path) for path, _ in found.paths] == [path for path, _ in ranked[:10]]
        for (_, log_p), (_, p) in zip(found.paths, ranked, strict=False):
            assert log_p == pytest.approx(np.log(p), abs=1e-4)
        start, between, end = allowed_transitions(dataset.labels)
        for path in map(np.array, expected):
            assert start[path[0]] and end[path[-1]] and between[path[:-1], path[1:]].all()


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_temperature_changes_what_is_sure_but_not_what_is_predicted(
    dataset: PreparedDataset, output: str
) -> None:
    work = tagging(dataset, output=output)
    network = untrained(work)
    plain, warm = tagged(work, network), tagged(work, network, temperature=3.0)
    calibrated = probabilities_at(3.0, [t.logits for t in plain], network.transitions, work.learned)
    for one, other, probabilities in zip(plain, warm, calibrated, strict=True):
        np.testing.assert_array_equal(other.best, one.best)
        assert other.probabilities.max() < one.probabilities.max()
        np.testing.assert_allclose(probabilities, other.probabilities, atol=1e-6)
    if output == "crf":
        total = sum(
            p for path, p in sequences(work, network, 1, 3.0).items() if path[0] == warm[1].best[0]
        )
        assert warm[1].probabilities[0].max() == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("output", OUTPUTS)
def test_entities_are_learned_in_one_scheme_and_predicted_in_the_other(
    dataset: PreparedDataset, tmp_path: Path, output: str
) -> None:
    work = tagging(dataset, output=output)
    backend.deterministic(1)
    rng = np.random.default_rng(0)
    vectors = rng.uniform(-0.1, 0.1, (len(dataset.vocabulary), 4)).astype(np.float32)
    network = work.network(vectors)
    objective = compiled(work.objective(network), work.training)
    fit(
        objective,
        work.batches,
        lambda: work.validate(objective),
        work.training,
        Checkpoint(tmp_path / "c", "x"),
    )
    emissions = work.predicting(network).logits(
        work.encoded("test", [1], None)[0].ids[None], np.array([2], np.int32)
    )
    assert work.learned.tags[emissions[0, 0].argmax()] == "S-LOC"
    row = work.validate(objective)
    evaluation = work.evaluate(work.predicting(network))
    assert row["validation/f1"] == evaluation.test["f1"] == 1
    assert evaluation.labels == dataset.labels
    assert evaluation.test["loss"] == pytest.approx(row["validation/loss"], abs=1e-6)
    figures = work.calibrate(work.predicting(network)).figures
    write_network(tmp_path / "b", work.experiment, network, dataset, figures)
    bundle = Bundle.open(tmp_path / "b")
    assert isinstance(bundle.network(), OnnxNetwork)
    assert work.evaluate(bundle.network()).test["loss"] == pytest.approx(
        evaluation.test["loss"], rel=1e-4
    )
    predicted = Predictor.of(bundle).predict([e.tokens for e in SENTENCES[:3]])
    for prediction, example in zip(predicted, SENTENCES, strict=False):
        assert tuple(prediction["tags"]) == example.tags
        assert set(prediction["tags"]) <= set(dataset.labels)
    export_onnx(tmp_path / "b", tmp_path / "e")
    readme = (tmp_path / "e" / README).read_text(encoding="utf-8")
    assert ", ".join(f"`{tag}`" for tag in work.learned.tags) in readme


def test_gold_tags_that_break_the_scheme_are_named(tmp_path: Path) -> None:
    broken = [Example(tokens=("in", "Rome"), tags=("O", "B-LOC"))] * 2
    broken += [Example(tokens=("in", "Rome"), tags=("O", "I-LOC"))]
    data = prepared(tmp_path / "d", same_everywhere("tagged", broken))
    work = tagging(data, output="crf")
    with pytest.raises(UserError, match="train, example 3: its tags O I-LOC break"):
        work.objective(work.network(np.zeros((len(data.vocabulary), 4), np.float32)))


def test_tags_without_entities_have_no_scheme(tmp_path: Path) -> None:
    words = [Example(tokens=("it", "rains"), tags=("PRON", "VERB"))]
    with pytest.raises(UserError, match="tag_scheme is for entities"):
        tagging(prepared(tmp_path / "d", same_everywhere("tagged", words)))
