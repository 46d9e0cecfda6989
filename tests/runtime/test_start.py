"""Texts by themselves, read by models of running text from a state at the end of a line."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.bundles import write_network
from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn.cli import main
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.inference.predictor import LanguageModelPredictor
from nlp_rnn.inference.scoring import TokenScorer
from nlp_rnn.runtime.bundle import (
    DESCRIPTION,
    GRAPH,
    START_STATES,
    Bundle,
    describe,
)
from nlp_rnn.runtime.network import KerasNetwork, Network
from nlp_rnn.runtime.start import state_at_line_end
from nlp_rnn.text.prepared import PreparedDataset

LINES = ["the cat sleeps", "a dog barks at the cat", "the dog sleeps", "a cat barks"]
TEXTS = ["the cat", "", "a dog sleeps at the unheard cat", "dog", "the the the the cat " * 5]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    examples = [Example(text=line) for line in LINES]
    return prepared(tmp_path_factory.mktemp("data"), same_everywhere("text", examples))


def network_of(dataset: PreparedDataset, model: dict[str, Any], **training: Any) -> tuple[Any, Any]:
    """An experiment and its network with large random weights."""
    from nlp_rnn.models.network import build_network

    found = small_experiment("language_modelling", model, {"batch_size": 4} | training)
    built = build_network(found, len(dataset.vocabulary), [])
    rng = np.random.default_rng(0)
    built.set_weights([rng.normal(0, 1, w.shape) for w in built.get_weights()])
    return found, built


def write(folder: Path, dataset: PreparedDataset, model: dict[str, Any], **training: Any) -> Path:
    found, built = network_of(dataset, model, **training)
    write_network(folder, found, built, dataset)
    return folder


@pytest.fixture(scope="module")
def bundle(dataset: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "b"
    return write(folder, dataset, {"cell": "lstm", "units": 5, "layers": 2})


def states_before_ends(network: Network, ids: np.ndarray, end: int) -> np.ndarray:
    """The states of one pass, read token by token, before each end symbol but the first."""
    found = []
    _, states = network.log_probabilities(np.array([[end]], np.int32), network.zero_states(1))
    for token in ids.tolist():
        if token == end:
            found.append(np.concatenate([np.asarray(state)[0] for state in states]))
        _, states = network.log_probabilities(np.array([[token]], np.int32), states)
    return np.stack(found)


@pytest.mark.slow
def test_the_state_is_the_typical_one_at_the_end_of_a_line(dataset: PreparedDataset) -> None:
    vocabulary, ids = dataset.vocabulary, np.asarray(dataset.split("validation").ids)
    network = KerasNetwork(network_of(dataset, {"cell": "lstm", "units": 5})[1])
    # The last line's end is read by nobody, so its state is not met.
    met = states_before_ends(network, ids, vocabulary.end_index)[:-1]
    distances = np.square(met - met.mean(axis=0)).sum(axis=1)
    found = np.concatenate(state_at_line_end(network, ids, vocabulary.end_index))
    np.testing.assert_allclose(found, met[distances.argmin()], atol=1e-5)


@pytest.mark.slow
def test_a_text_without_line_ends_gives_the_state_after_it(dataset: PreparedDataset) -> None:
    end = dataset.vocabulary.end_index
    network = KerasNetwork(network_of(dataset, {"units": 5})[1])
    ids = np.array(dataset.vocabulary.encode(["the", "cat", "sleeps", "the", "dog"]))
    read = np.array([[end, *ids[:-1]]], np.int32)
    _, expected = network.log_probabilities(read, network.zero_states(1))
    found = state_at_line_end(network, ids, end)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, np.asarray(other)[0], atol=1e-5)


def test_a_context_of_tokens_is_one_that_was_read(dataset: PreparedDataset) -> None:
    """Token indices have no mean."""
    built = network_of(dataset, {"kind": "feed_forward", "context": 2, "units": 5})[1]
    ids, end = np.asarray(dataset.split("validation").ids), dataset.vocabulary.end_index
    (context,) = state_at_line_end(KerasNetwork(built), ids, end)
    before = {tuple(ids[i - 2 : i].tolist()) for i in np.flatnonzero(ids == end)}
    assert tuple(context.tolist()) in before


def test_predictions_start_from_that_state(bundle: Path, dataset: PreparedDataset) -> None:
    opened = Bundle.open(bundle)
    start, network = opened.start_states(), opened.network()
    assert start is not None and any(state.any() for state in start)
    end = dataset.vocabulary.end_index
    predicted = list(LanguageModelPredictor(opened).predict(TEXTS))
    from_zeros = 0.0
    for text, prediction in zip(TEXTS, predicted, strict=True):
        targets = [*dataset.vocabulary.encode(text.split()), end]
        ids = np.array([[end, *targets[:-1]]], np.int32)
        rows = np.arange(len(targets))
        found, _ = network.log_probabilities(ids, [state[None] for state in start])
        expected = found[0][rows, targets].sum()
        assert prediction["log_probability"] == pytest.approx(expected, abs=1e-4)
        found, _ = network.log_probabilities(ids, network.zero_states(1))
        from_zeros = max(from_zeros, abs(found[0][rows, targets].sum() - expected))
    assert from_zeros > 0.1


@pytest.mark.slow
def test_onnx_and_keras_alone_and_in_company_agree(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    assert opened.graph.unsupported is None
    scorer = TokenScorer(opened)
    together = [p["log_probabilities"] for p in scorer.predict(TEXTS)]
    alone = [next(scorer.predict([text]))["log_probabilities"] for text in TEXTS]
    turned = [p["log_probabilities"] for p in scorer.predict(TEXTS[::-1])][::-1]
    scorer.network = KerasNetwork(opened.keras_model())
    by_keras = [p["log_probabilities"] for p in scorer.predict(TEXTS)]
    for other in (alone, turned, by_keras):
        for one, values in zip(together, other, strict=True):
            np.testing.assert_allclose(values, one, atol=1e-5)


def test_models_of_lines_start_from_zeros(tmp_path: Path, dataset: PreparedDataset) -> None:
    folder = write(tmp_path / "b", dataset, {"units": 5}, streams="lines")
    assert not (folder / START_STATES).exists()
    assert LanguageModelPredictor(Bundle.open(folder)).start is None


def test_evaluation_reads_the_text_from_zeros(bundle: Path, dataset: PreparedDataset) -> None:
    from nlp_rnn.tasks.registry import make_task

    opened = Bundle.open(bundle)
    network = opened.network()
    result = make_task(opened.experiment, dataset, seed=1).evaluate(network)
    ids = np.asarray(dataset.split("test").ids)
    inputs = np.array([[dataset.vocabulary.end_index, *ids[:-1]]], np.int32)
    found, _ = network.log_probabilities(inputs, network.zero_states(1))
    loss = -found[0][np.arange(len(ids)), ids].mean()
    assert result.test["perplexity"] == pytest.approx(math.exp(loss), rel=1e-4)


def with_states(bundle: Path, target: Path, states: str | None) -> Path:
    """A copy whose file of states is another, or is not there, with checksums that fit."""
    shutil.copytree(bundle, target)
    original = json.loads((target / DESCRIPTION).read_text())
    (target / DESCRIPTION).unlink()
    (target / START_STATES).unlink()
    if states is not None:
        (target / START_STATES).write_text(states)
    original = {k: v for k, v in original.items() if k not in ("format", "sha256")}
    describe(target, **original)
    return target


def test_a_bundle_from_before_still_predicts_and_says_how(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = with_states(bundle, tmp_path / "old", None)
    (tmp_path / "t.txt").write_text("the cat\n")
    assert main(["predict", str(old), str(tmp_path / "t.txt"), str(tmp_path / "o.jsonl")]) == 0
    assert "starts from a zero state" in capsys.readouterr().err


@pytest.mark.parametrize("states", ["[[1.0], [2.0]]", '[["a"]]', "[[NaN]]", "5", "{", "[[[1.0]]]"])
def test_states_that_do_not_fit_are_one_line(bundle: Path, tmp_path: Path, states: str) -> None:
    broken = with_states(bundle, tmp_path / "broken", states)
    with pytest.raises(UserError, match=START_STATES):
        LanguageModelPredictor(Bundle.open(broken))


def test_an_export_takes_the_states_along(bundle: Path, tmp_path: Path) -> None:
    assert main(["export", str(bundle), str(tmp_path / "e")]) == 0
    here, there = (
        list(LanguageModelPredictor(Bundle.open(folder)).predict(TEXTS))
        for folder in (bundle, tmp_path / "e")
    )
    assert here == there
    assert f"`{START_STATES}`" in (tmp_path / "e" / "README.md").read_text()


def test_what_the_readme_says_gives_the_same_probability(bundle: Path, tmp_path: Path) -> None:
    import onnxruntime

    main(["export", str(bundle), str(tmp_path / "e")])
    session = onnxruntime.InferenceSession(tmp_path / "e" / GRAPH)
    names = [value.name for value in session.get_inputs() if value.name != "ids"]
    states = json.loads((tmp_path / "e" / START_STATES).read_text())
    types = json.loads((tmp_path / "e" / "vocabulary.json").read_text())["types"]
    end, *ids = (types.index(token) for token in ["<eos>", "the", "cat"])
    inputs = {name: np.array([s], np.float32) for name, s in zip(names, states, strict=True)}
    found = session.run(None, {"ids": np.array([[end, *ids]], np.int32), **inputs})[0][0]
    total = sum(found[t, token] for t, token in enumerate([*ids, end]))
    (predicted,) = LanguageModelPredictor(Bundle.open(bundle)).predict(["the cat"])
    assert predicted["log_probability"] == pytest.approx(total, abs=1e-5)
