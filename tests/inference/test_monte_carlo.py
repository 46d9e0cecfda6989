"""Monte-Carlo dropout: every probability is the mean over passes, whoever asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import logsumexp

from helpers.backends import assert_all_agree
from helpers.bundles import write_untrained
from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn import backend
from nlp_rnn.example import Example
from nlp_rnn.inference.generation import BeamSearch, PromptedModel, Sampling
from nlp_rnn.inference.predictor import LanguageModelPredictor, Predictor
from nlp_rnn.inference.scoring import losses_and_ranks
from nlp_rnn.models.network import build_network
from nlp_rnn.runtime.forward import losses_of_windows
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.batches import Batch
from nlp_rnn.training.objective import compiled

pytestmark = pytest.mark.slow

PASSES, TYPES = 4, 9
DROPPING = {"dropout": 0.5, "monte_carlo_samples": PASSES}
OUTPUTS: list[Any] = [
    "softmax",
    {"kind": "sampled_softmax", "samples": 4},
    {"kind": "adaptive_softmax", "cutoffs": [4]},
    "hierarchical_softmax",
]


def built(types: int = TYPES, **model: Any) -> keras.Model:
    """A language model with fixed weights."""
    parameters = {"cell": "lstm", "units": 5} | model
    found = build_network(small_experiment("language_modelling", parameters), types, ())
    rng = np.random.default_rng(0)
    found.set_weights([rng.normal(0, 0.5, w.shape) for w in found.get_weights()])
    return found


def of_passes(model: keras.Model, windows: list[np.ndarray], seed: int = 0) -> list[np.ndarray]:
    """The log-probabilities of each pass over the windows of a text, one call after the other."""
    generators = [v for v in model.variables if v.name == "seed_generator_state"]
    found = []
    for number in range(PASSES):
        states = [np.zeros((len(windows[0]), s.shape[-1]), np.float32) for s in model.inputs[1:]]
        parts = []
        for ids in windows:
            with backend.drawing(generators, [seed, number]):
                tensors = map(keras.ops.convert_to_tensor, [ids, *states])
                logits, *states = model([*tensors], training=True)
            parts.append(keras.ops.convert_to_numpy(keras.ops.log_softmax(logits, axis=-1)))
        found.append(np.concatenate(parts, axis=1).astype(np.float64))
    return found


def mean_of(passes: list[np.ndarray]) -> np.ndarray:
    return logsumexp(passes, axis=0) - np.log(len(passes))


def text() -> tuple[np.ndarray, list[Batch]]:
    """Tokens of one text, and two windows of it."""
    ids = np.random.default_rng(1).integers(1, TYPES, (1, 7)).astype(np.int32)
    weights = np.ones((1, 3), np.float32)
    return ids, [Batch(ids[:, i : i + 3], ids[:, i + 1 : i + 4], weights) for i in (0, 3)]


@pytest.mark.parametrize("output", OUTPUTS, ids=["full", "sampled", "adaptive", "hierarchical"])
def test_losses_and_ranks_are_of_the_mean_over_passes_with_states_of_their_own(
    output: Any,
) -> None:
    model = built(dropout=0.5, output=output)
    ids, windows = text()
    passes = of_passes(model, [window.ids for window in windows])
    assert np.ptp(passes, axis=0).max() > 0.1
    mean, targets = mean_of(passes), ids[:, 1:, None]
    expected = -np.take_along_axis(mean, targets, axis=-1)[..., 0]
    ranks = 1 + (mean > -expected[..., None]).sum(axis=-1)

    dropping = KerasNetwork(model, PASSES)
    losses: list[np.ndarray] = []
    losses_of_windows(dropping, windows, lambda _, found: losses.append(found))
    np.testing.assert_allclose(np.concatenate(losses, axis=1), expected, atol=1e-5)
    scored = np.concatenate(list(losses_and_ranks(dropping, windows)), axis=1)
    np.testing.assert_allclose(scored[..., 0], expected, atol=1e-5)
    np.testing.assert_array_equal(scored[..., 1], ranks)


def test_a_sampled_softmax_is_exact_in_passes_too() -> None:
    """An untrained network is as perplexed as the vocabulary is large."""
    output = {"kind": "sampled_softmax", "samples": 20}
    parameters = {"units": 5, "dropout": 0.5, "output": output}
    model = build_network(small_experiment("language_modelling", parameters), 2000, ())
    ids = np.random.default_rng(0).integers(1, 2000, (4, 8)).astype(np.int32)
    dropping = KerasNetwork(model, PASSES)
    losses, _ = dropping.losses(ids, ids, dropping.zero_states(4))
    assert np.exp(losses.mean()) == pytest.approx(2000, rel=0.01)


def computed() -> dict[str, np.ndarray]:
    """On each backend: repeated calls, and calls with other seeds."""
    model = built(dropout=0.3, embedding_dropout=0.3)
    ids = np.random.default_rng(1).integers(1, TYPES, (3, 6)).astype(np.int32)
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.variables]

    def asked(seed: int, rows: np.ndarray = ids) -> np.ndarray:
        dropping = KerasNetwork(model, 2, seed)
        return dropping.log_probabilities(rows, dropping.zero_states(len(rows)))[0]

    def losses(seed: int) -> np.ndarray:
        dropping = KerasNetwork(model, 2, seed)
        return dropping.losses(ids, ids, dropping.zero_states(len(ids)))[0]

    np.testing.assert_array_equal(losses(0), losses(0))
    assert np.abs(losses(0) - losses(1)).max() > 1e-3
    np.testing.assert_allclose(asked(0), asked(0), atol=1e-6)
    np.testing.assert_allclose(asked(0, ids[1:2]), asked(0)[1:2], atol=1e-6)
    assert np.abs(asked(0) - asked(1)).max() > 1e-3
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)
    return {"random": asked(0)}


@pytest.mark.exhaustive
def test_the_same_question_has_the_same_answer_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)


# --- searches and samples ------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [Example(text="the cat sleeps"), Example(text="the dog barks at the cat")] * 4
    folder = tmp_path_factory.mktemp("b")
    backend.deterministic(1)
    return write_untrained(folder, "language_modelling", "text", lines, DROPPING)


def prompted(bundle: Path, prompt: str = "the") -> PromptedModel:
    predictor = Predictor.load(bundle)
    assert isinstance(predictor, LanguageModelPredictor)
    predictor.start = None  # zeros, from where the reference starts
    return PromptedModel(predictor, prompt)


def test_a_search_finds_the_likeliest_text_of_the_mean_over_passes(bundle: Path) -> None:
    """Against every text of two tokens, token by token, with the masks of each pass."""
    predictor = Predictor.load(bundle)
    vocabulary, model = predictor.bundle.vocabulary, predictor.network._model
    types = range(2, len(vocabulary))  # without <pad> and <unk>
    end, the = vocabulary.end_index, vocabulary.encode(["the"])[0]
    log_p = {}
    for first in types:
        steps = [np.array([[token]], np.int32) for token in (end, the, first)]
        mean = mean_of(of_passes(model, steps))[0]
        for second in types:
            log_p[first, second] = mean[1, first] + mean[2, second]
    ranked = sorted(log_p.items(), key=lambda item: -item[1])[:5]
    beam = BeamSearch(len(types) ** 2, 5, length_penalty=0)
    for _ in range(2):
        found = [hypothesis for _, hypothesis in prompted(bundle).search(2, beam)]
        assert [hypothesis.tokens for hypothesis in found] == [tokens for tokens, _ in ranked]
        for hypothesis, (_, expected) in zip(found, ranked, strict=True):
            assert hypothesis.log_probability == pytest.approx(expected, abs=1e-4)


def test_a_seed_draws_the_same_samples_whatever_their_company(bundle: Path) -> None:
    one, three = (list(prompted(bundle).samples(6, Sampling(samples=n, seed=4))) for n in (1, 3))
    assert one == three[:1]
    assert len(set(three)) == 3


# --- validation and evaluation ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classification", "tagging", "language_modelling"])
def test_validation_and_evaluation_are_one_quantity(
    tmp_path: Path,
    kind: str,
    reviews: list[Example],
    sentences: list[Example],
    lines: list[Example],
) -> None:
    examples = {
        "classification": ("labelled", reviews),
        "tagging": ("tagged", sentences),
        "language_modelling": ("text", lines),
    }[kind]
    dataset = prepared(tmp_path / "d", same_everywhere(*examples))
    training = {"streams": "lines", "batch_size": 4} if kind == "language_modelling" else {}
    work = make_task(small_experiment(kind, {"units": 4, **DROPPING}, training), dataset, seed=1)
    backend.deterministic(1)
    model = work.network(np.zeros((len(dataset.vocabulary), 4), np.float32))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 1, w.shape) for w in model.get_weights()])
    row = work.validate(compiled(work.objective(model), work.training))
    test = work.evaluate(work.predicting(model)).test
    for name, value in row.items():
        assert test[name.removeprefix("validation/")] == pytest.approx(value, rel=1e-6)
    without = work.evaluate(KerasNetwork(model)).test
    assert (
        abs(without["loss" if "loss" in without else "perplexity"] - row["validation/loss"]) > 1e-3
    )
