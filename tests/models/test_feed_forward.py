"""The feed-forward language model: Bengio's equation, windows, a known optimum, bundles."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from helpers.backends import assert_all_agree
from helpers.bundles import write_untrained
from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn.cli import main
from nlp_rnn.config import AnyExperiment, LanguageModelTrainingParameters
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.inference.predictor import LanguageModelPredictor, Predictor
from nlp_rnn.models.network import build_network
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.forward import losses_of_windows
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.runtime.onnx_graph import check, onnx_model
from nlp_rnn.runtime.onnx_int8 import quantized
from nlp_rnn.runtime.onnx_network import OnnxNetwork
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.batches import Batch
from nlp_rnn.text.streams import fixed_widths, windows
from nlp_rnn.training.objective import TruncatedBPTT

VOCABULARY, DIMENSION, UNITS, CONTEXT = 11, 4, 5, 4

MODELS: dict[str, dict[str, Any]] = {
    "concatenation": {},
    "one token": {"context": 1},
    "average": {"inputs": "average"},
    "convolution": {"inputs": {"kind": "convolution", "window": 2, "filters": 6}},
    "one window": {"inputs": {"kind": "convolution", "window": 4, "filters": 6}},
    "direct": {"direct": True},
    "direct average": {"inputs": "average", "direct": True},
    "tied": {"tied": True, "units": DIMENSION},
    "adaptive": {"direct": True, "output": {"kind": "adaptive_softmax", "cutoffs": [6]}},
    "dropped": {"dropout": 0.3, "embedding_dropout": 0.2},
}

Array = NDArray[Any]


def experiment(training: dict[str, Any] | None = None, **model: Any) -> AnyExperiment:
    model = {"kind": "feed_forward", "context": CONTEXT, "units": UNITS} | model
    return small_experiment("language_modelling", model, training, DIMENSION)


def build(**model: Any) -> keras.Model:
    """With random weights, the biases and the vector of padding among them."""
    built = build_network(experiment(**model), VOCABULARY, ())
    rng = np.random.default_rng(0)
    built.set_weights([rng.normal(0, 0.7, w.shape) for w in built.get_weights()])
    return built


def run(model: keras.Model, *inputs: Any) -> list[Array]:
    return [keras.ops.convert_to_numpy(x) for x in model(list(inputs), training=False)]


def tokens(rows: int, steps: int, seed: int = 1) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(1, VOCABULARY, (rows, steps)).astype(np.int32)


# --- what it computes ----------------------------------------------------------------------


def transcribed(model: keras.Model, parameters: Any, text: list[int]) -> Array:
    """Bengio et al. (2003), eq. 1, for every token of one text: ``b + W x + U tanh(d + H x)``."""
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    (C,) = weights["embedding"]
    H, d = weights["feed_forward"]
    UW, b = weights["logits"]
    logits = []
    for t in range(len(text)):
        seen = ([0] * parameters.context + text[: t + 1])[-parameters.context :]
        vectors = [C[token] for token in seen]
        if parameters.inputs.kind == "average":
            x = sum(vectors) / len(vectors)
        elif parameters.inputs.kind == "convolution":
            kernel, bias = weights["convolution"]
            width = len(kernel)
            starts = range(len(vectors) - width + 1)
            features = [
                sum(vectors[i + j] @ kernel[j] for j in range(width)) + bias for i in starts
            ]
            x = np.concatenate([np.maximum(0, feature) for feature in features])
        else:
            x = np.concatenate(vectors)
        y = b + np.tanh(d + x @ H) @ UW[: len(d)]
        if parameters.direct:
            y = y + x @ UW[len(d) :]
        logits.append(y)
    return np.array(logits)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("tied", "adaptive")])
def test_logits_are_bengios_equation(name: str) -> None:
    model = build(**MODELS[name])
    parameters = experiment(**MODELS[name]).model
    ids = tokens(2, 7)
    logits, after = run(model, ids, np.zeros((2, parameters.context)))  # type: ignore[union-attr]
    for row, found in zip(ids.tolist(), logits, strict=True):
        np.testing.assert_allclose(found, transcribed(model, parameters, row), atol=1e-5)
    np.testing.assert_array_equal(after, ids[:, -after.shape[1] :])


def test_tied_weights_are_the_embeddings() -> None:
    free, tied = (build(**MODELS["tied"] | {"tied": on}) for on in (False, True))
    assert free.count_params() - tied.count_params() == VOCABULARY * DIMENSION


def test_nothing_before_the_context_has_an_influence_and_all_of_it_has() -> None:
    model = build()
    ids = tokens(1, 8)
    zeros = np.zeros((1, CONTEXT))
    (logits, _), last = run(model, ids, zeros), ids.shape[1] - 1
    for position in range(8):
        other = ids.copy()
        other[0, position] = ids[0, position] % (VOCABULARY - 1) + 1
        changed = abs(run(model, other, zeros)[0] - logits).max(axis=-1)[0] > 1e-4
        assert changed.tolist() == [position <= t < position + CONTEXT for t in range(last + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_windows_are_one_pass(name: str) -> None:
    keras_network = KerasNetwork(build(**MODELS[name]))
    ids, targets = tokens(2, 9), tokens(2, 9, seed=2)
    whole, end = keras_network.losses(ids, targets, keras_network.zero_states(2))
    for width in (1, 2, 4):
        states: Any = keras_network.zero_states(2)
        found = []
        for start in range(0, 9, width):
            part = slice(start, start + width)
            losses, states = keras_network.losses(ids[:, part], targets[:, part], states)
            found.append(losses)
        np.testing.assert_allclose(np.concatenate(found, axis=1), whole, atol=1e-6)
        np.testing.assert_array_equal(states, end)


# --- training ------------------------------------------------------------------------------


def objective(model: keras.Model, rows: int, rate: float = 1.0, **training: Any) -> TruncatedBPTT:
    found = TruncatedBPTT(model, rows, LanguageModelTrainingParameters(**training))
    found.compile(optimizer=keras.optimizers.SGD(rate), loss=None)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("inputs", ["average", "concatenation", "convolution"])
def test_the_gradient_of_a_window_is_exact(inputs: str) -> None:
    """It reaches the tokens of the context that stand in the window before."""
    ids, targets = tokens(2, 6), tokens(2, 6, seed=2)
    counted = np.repeat(np.array([[0, 1]], np.float32), [3, 3], axis=1).repeat(2, axis=0)
    whole, parts = (build(inputs=inputs) for _ in range(2))
    starts, going_on = np.ones(2, np.float32), np.zeros(2, np.float32)
    objective(whole, 2).train_on_batch([ids, starts], targets, sample_weight=counted)
    windowed = objective(parts, 2)
    windowed.test_on_batch([ids[:, :3], starts], targets[:, :3], sample_weight=counted[:, 3:])
    windowed.train_on_batch([ids[:, 3:], going_on], targets[:, 3:], sample_weight=counted[:, 3:])
    for one, other in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    moved = abs(parts.get_weights()[0] - build(inputs=inputs).get_weights()[0]).max(axis=1) > 0
    assert moved[ids[:, 1:]].all()  # from what the first counted target sees


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = build(**MODELS[name])
    before = model.get_weights()
    ids = np.tile(np.arange(1, VOCABULARY, dtype=np.int32), (3, 1))
    objective(model, 3).train_on_batch(
        [ids, np.ones(3, np.float32)], ids, sample_weight=np.ones(ids.shape, np.float32)
    )
    for variable, old in zip(model.weights, before, strict=True):
        if "seed" not in variable.path:
            assert not np.allclose(old, np.asarray(variable), atol=0), variable.path


@pytest.mark.slow
def test_it_can_be_trained_on_its_own_predictions() -> None:
    model = build()
    training = objective(model, 2, scheduled_sampling={"schedule": "linear", "sampling": 0.5})
    ids = tokens(2, 6)
    batch = ([ids, np.ones(2, np.float32)], ids)
    figures = training.train_on_batch(
        *batch, sample_weight=np.ones(ids.shape, np.float32), return_dict=True
    )
    assert math.isfinite(figures["cross_entropy"])


STATES = 5
CHAIN = np.random.default_rng(4).dirichlet(np.full(STATES, 0.3), STATES)
"""What follows each token, which are counted from 3, after the special ones."""


def markov(length: int, seed: int) -> NDArray[np.int32]:
    rng, state, found = np.random.default_rng(seed), 0, []
    for uniform in rng.random(length):
        state = int((CHAIN[state].cumsum() <= uniform).sum())
        found.append(min(state, STATES - 1) + 3)
    return np.array(found, np.int32)


def entropies() -> tuple[float, float]:
    """Of a token alone, and given the one before it, in nats."""
    values, vectors = np.linalg.eig(CHAIN.T)
    stationary = vectors[:, values.real.argmax()].real
    stationary /= stationary.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(CHAIN > 0, np.log(CHAIN), 0)
    given = -(stationary[:, None] * CHAIN * logs).sum()
    return float(-(stationary * np.log(stationary)).sum()), float(given)


def batches(text: NDArray[np.int32]) -> Iterator[Batch]:
    return windows(text, 2, 20, fixed_widths(len(text) // 20, 20))


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        {},
        {"direct": True},
        {"inputs": {"kind": "convolution", "window": 2, "filters": 16}},
        {"inputs": "average", "context": 1},
    ],
    ids=str,
)
def test_it_learns_a_markov_chain(model: dict[str, Any]) -> None:
    keras.utils.set_random_seed(1)
    built = build_network(experiment(**{"context": 2, "units": 16} | model), STATES + 3, ())
    training = TruncatedBPTT(built, 20, LanguageModelTrainingParameters())
    training.compile(optimizer=keras.optimizers.Adam(0.02), loss=None)
    text = markov(12_000, seed=1)
    for _ in range(4):
        for batch in batches(text):
            training.train_on_batch(batch.inputs, batch.targets, sample_weight=batch.weights)
    total, unseen = [], markov(8_000, seed=2)
    losses_of_windows(KerasNetwork(built), batches(unseen), lambda _, losses: total.append(losses))
    found = float(np.mean(total))
    unigram, bigram = entropies()
    assert bigram < 0.8 * unigram
    # The sample's own entropy differs from the chain's.
    optimum = -np.log(CHAIN[unseen[:-1] - 3, unseen[1:] - 3]).mean()
    assert optimum == pytest.approx(bigram, rel=0.03)
    assert found == pytest.approx(optimum, rel=0.02)


def computed() -> dict[str, Array]:
    """Weights after two steps, and the losses then."""
    model = build(inputs="convolution", direct=True)
    training = objective(model, 3, rate=0.1)
    ids, targets = tokens(3, 6), tokens(3, 6, seed=2)
    for start in (0, 3):
        window = slice(start, start + 3)
        inputs = [ids[:, window], np.full(3, start == 0, np.float32)]
        weights = np.ones((3, 3), np.float32)
        training.train_on_batch(inputs, targets[:, window], sample_weight=weights)
    found = {f"weight {i}": np.asarray(w) for i, w in enumerate(model.get_weights())}
    for name, options in MODELS.items():
        keras_network = KerasNetwork(build(**options))
        losses, _ = keras_network.losses(ids, targets, keras_network.zero_states(3))
        found[name] = losses
    return found


def test_every_installed_backend_computes_and_learns_the_same(
    on_backends: dict[str, dict[str, Array]],
) -> None:
    assert_all_agree(on_backends)


# --- files and commands --------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_of_onnx_is_the_same_network(name: str) -> None:
    model = build(**MODELS[name])
    assert check(onnx_model(model), model, seed=1) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("inputs", ["average", "concatenation", "convolution"])
def test_weights_of_8_bits_predict_nearly_the_same(inputs: str) -> None:
    model = build(inputs=inputs)
    session = InferenceSession(quantized(onnx_model(model)).SerializeToString())
    ids = tokens(2, 6)
    feeds = {"ids": ids, "context": np.zeros((2, CONTEXT), np.float32)}
    found = session.run(["log_probabilities"], feeds)[0]
    keras_network = KerasNetwork(model)
    exact, _ = keras_network.log_probabilities(ids, keras_network.zero_states(2))
    assert abs(np.exp(found) - np.exp(exact)).mean() < 0.03


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(1)
    lines = [Example(text="the cat sleeps"), Example(text="the dog barks at the cat")]
    model = {"kind": "feed_forward", "inputs": "convolution", "direct": True}
    folder = tmp_path_factory.mktemp("feed_forward")
    return write_untrained(folder, "language_modelling", "text", lines, model)


@pytest.mark.slow
def test_a_bundle_predicts_by_its_graph_what_keras_says(bundle: Path) -> None:
    predictor = Predictor.load(bundle)
    assert isinstance(predictor, LanguageModelPredictor)
    assert isinstance(predictor.network, OnnxNetwork)
    texts = ["the dog sleeps", "", "at the yak the the cat"]
    keras_network = KerasNetwork(Bundle.open(bundle).keras_model())
    vocabulary = predictor.bundle.vocabulary
    for text, prediction in zip(texts, predictor.predict(texts), strict=True):
        line = [*vocabulary.encode(text.split()), vocabulary.end_index]
        ids = np.array([[vocabulary.end_index, *line[:-1]]], np.int32)
        states = [state[None] for state in predictor.start or ()]
        losses, _ = keras_network.losses(ids, np.array([line], np.int32), states)
        assert prediction["log_probability"] == pytest.approx(-losses.sum(), rel=1e-5)


def test_the_commands_predict_and_generate(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.txt").write_text("the cat sleeps\nthe dog\n")
    output = tmp_path / "out.jsonl"
    assert main(["predict", str(bundle), str(tmp_path / "texts.txt"), str(output)]) == 0
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["tokens"] for record in records] == [4, 3]
    capsys.readouterr()
    for options in (["--seed", "1"], ["--beam", "4"]):
        assert main(["generate", str(bundle), "--prompt", "the", "--length", "9", *options]) == 0
        text = capsys.readouterr().out
        assert text.startswith("the") and len(text.split()) > 3


@pytest.mark.slow
def test_a_task_trains_and_judges_it(tmp_path: Path, lines: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("text", lines))
    work = make_task(experiment({"batch_size": 4, "window": 5}), dataset, seed=1)
    built = work.network(np.zeros((len(dataset.vocabulary), DIMENSION), np.float32))
    training = work.objective(built)
    training.compile(optimizer=keras.optimizers.Adam(0.05), loss=None)
    before = work.validate(training)["validation/loss"]
    for epoch in range(3):
        for batch in work.batches(epoch)[0]:
            training.train_on_batch(batch.inputs, batch.targets, sample_weight=batch.weights)
    assert work.validate(training)["validation/loss"] < 0.5 * before


# --- parameters ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"contxt": 3}, "experiments.e.model: unknown parameter 'contxt'; did you mean 'context'?"),
        ({"cell": "lstm"}, "experiments.e.model: unknown parameter 'cell'; valid names are: conte"),
        ({"kind": "feedforward"}, "experiments.e.model.kind: no such kind 'feedforward'; did you "),
        ({"inputs": "mean"}, "experiments.e.model.inputs.kind: no such kind 'mean'; valid names a"),
        ({"inputs": "convolution", "context": 2}, "inputs.window (3) is longer than context (2)"),
        ({"tied": True}, "model.tied needs embeddings.dimension (4) equal to the width"),
        ({"tied": True, "direct": True, "units": 4}, "tied does not go with direct"),
        ({"monte_carlo_samples": 3}, "monte_carlo_samples averages over dropout"),
    ],
)
def test_a_mistake_names_its_key_and_the_mend(model: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        experiment(**model)
    assert words in str(error.value)


def test_there_is_no_gradient_through_time_to_draw() -> None:
    with pytest.raises(UserError, match=r"gradient_flow is of recurrent layers"):
        experiment({"gradient_flow": True})
