"""ELMo: what each state has read, and that caching and padding change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.backends import assert_all_agree
from helpers.experiments import small_experiment
from nlp_rnn.config import AnyExperiment, ElmoVectors
from nlp_rnn.models.contextual import (
    bidirectional_language_model,
    cached,
    context_weights,
    neighbour_losses,
    states_model,
    take_context,
)
from nlp_rnn.models.network import build_network
from nlp_rnn.tasks.cached_states import CachedStates
from nlp_rnn.tasks.neighbours import batch_of
from nlp_rnn.text.batches import Batch
from nlp_rnn.training.objective import NeighboursObjective, Objective

WORDS, WIDTH, LAYERS = 11, 3, 2
SENTENCE = np.array([[3, 4, 5, 6, 7]], np.int32)
RAGGED = [np.array(row, np.int32) for row in ([3, 4, 5, 6, 7], [8, 2], [9])]


def experiment(**contextual: Any) -> AnyExperiment:
    context = {"vectors": "some/folder", "dimension": WIDTH, "layers": LAYERS, **contextual}
    embeddings = {"kind": "learned", "dimension": 4, "contextual": context}
    return small_experiment("tagging", {"units": 5}, embeddings=embeddings)


def randomly(network: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if "seed" not in weight.name:
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return network


def tagger(**contextual: Any) -> keras.Model:
    return randomly(build_network(experiment(**contextual), WORDS, ("a", "b", "c")))


@pytest.fixture(scope="module")
def frozen() -> keras.Model:
    return tagger()


def by_layer(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The forward and the backward states of a sentence, ``(layers, words, width)`` each."""
    parts = np.split(np.asarray(states), 2 * (LAYERS + 1), axis=-1)
    return np.stack(parts[::2]), np.stack(parts[1::2])


@pytest.mark.slow
@pytest.mark.parametrize("changed", [0, 3])
def test_forward_states_have_read_up_to_their_word_and_backward_ones_down_to_it(
    frozen: keras.Model, changed: int
) -> None:
    other = SENTENCE.copy()
    other[0, changed] = 10
    model = states_model(frozen)
    (f, b), (other_f, other_b) = (by_layer(model(ids)[0]) for ids in (SENTENCE, other))
    differs_f = (f != other_f).any(axis=-1)
    differs_b = (b != other_b).any(axis=-1)
    places = np.arange(SENTENCE.shape[1])
    np.testing.assert_array_equal(differs_f[0], places == changed)
    np.testing.assert_array_equal(differs_b[0], places == changed)
    for layer in range(1, LAYERS + 1):
        np.testing.assert_array_equal(differs_f[layer], places >= changed)
        np.testing.assert_array_equal(differs_b[layer], places <= changed)


def test_the_backward_model_is_the_forward_one_on_the_reversed_sentence(
    frozen: keras.Model,
) -> None:
    network = tagger()
    for name, weight in context_weights(network).items():
        if "backward" in name:
            weight.assign(context_weights(network)[name.replace("backward", "forward")])
    model = states_model(network)
    f, _ = by_layer(model(SENTENCE[:, ::-1])[0])
    _, b = by_layer(model(SENTENCE)[0])
    np.testing.assert_allclose(b, f[:, ::-1], atol=1e-6)


def test_neighbours_and_padding_change_no_state(frozen: keras.Model) -> None:
    model = states_model(frozen)
    batch = np.zeros((3, 8), np.int32)
    for row, ids in zip(batch, RAGGED, strict=True):
        row[: len(ids)] = ids
    together = np.asarray(model(batch))
    for row, ids in zip(together, RAGGED, strict=True):
        np.testing.assert_allclose(row[: len(ids)], model(ids[None])[0], atol=1e-6)


def test_a_layer_above_the_first_adds_what_it_reads(frozen: keras.Model) -> None:
    """With its weights at zero, an LSTM returns zeros, so that its residual is what is left."""
    network = tagger()
    for name, weight in context_weights(network).items():
        if name.startswith(("context_forward1", "context_backward1")):
            weight.assign(np.zeros(weight.shape))
    f, b = by_layer(states_model(network)(SENTENCE)[0])
    np.testing.assert_array_equal(f[2], f[1])
    np.testing.assert_array_equal(b[2], b[1])


def batch_of_sentences() -> Batch:
    ids = np.zeros((3, 8), np.int32)
    for row, words in zip(ids, RAGGED, strict=True):
        row[: len(words)] = words
    return Batch(ids, ids % 3, (ids > 0).astype(np.float32))


def learned(network: keras.Model, objective: Objective, batch: Batch) -> list[np.ndarray]:
    objective.compile(optimizer=keras.optimizers.SGD(0.5), loss=None, run_eagerly=True)
    objective.train_on_batch(batch.inputs, batch.targets, sample_weight=batch.weights)
    return [keras.ops.convert_to_numpy(weight) for weight in network.trainable_variables]


@pytest.mark.slow
def test_a_step_from_cached_states_is_the_step_that_computes_them(tmp_path: Path) -> None:
    one, other = tagger(), tagger()
    batch, objective = batch_of_sentences(), Objective(other)
    width = experiment().embeddings.contextual
    assert width is not None
    states = CachedStates.of(other, [*RAGGED, *RAGGED], width.states_width, tmp_path)
    assert states is not None
    assert len(states.states) == sum(map(len, RAGGED))  # each sentence once
    objective.called = cached(other)
    (with_states,) = states.beside([batch])
    before = [keras.ops.convert_to_numpy(weight) for weight in other.trainable_variables]
    computing, caching = learned(one, Objective(one), batch), learned(other, objective, with_states)
    for start, found, wanted in zip(before, caching, computing, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        assert not np.array_equal(found, start)


def test_states_that_would_fill_the_disk_are_not_cached(
    frozen: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlp_rnn.tasks.cached_states.MOST_BYTES", 7 * 4 * 10)
    assert CachedStates.of(frozen, RAGGED, 10, tmp_path) is None


@pytest.mark.parametrize("trainable", [False, True])
def test_language_models_learn_with_the_task_only_where_they_should(trainable: bool) -> None:
    network = tagger(trainable=trainable)
    names = {weight.path.split("/")[0] for weight in network.trainable_variables}
    language_models = {name for name in names if name.startswith("context_")} - {"context_mix"}
    assert "context_mix" in names
    assert bool(language_models) is trainable


ELMO = ElmoVectors(dataset="d", algorithm="elmo", dimension=WIDTH, layers=LAYERS, samples=None)


@pytest.mark.slow
def test_a_task_computes_the_states_from_which_neighbours_were_predicted() -> None:
    learner, network = randomly(bidirectional_language_model(WORDS, ELMO)), tagger()
    (vectors,) = learner.get_layer("embedding").get_weights()
    take_context(network, vectors, {k: np.asarray(w) for k, w in context_weights(learner).items()})
    hidden = keras.Model(learner.inputs[0], learner.get_layer("hidden").output)(SENTENCE)[0]
    f, b = by_layer(states_model(network)(SENTENCE)[0])
    np.testing.assert_allclose(np.asarray(hidden), np.concatenate([f[-1], b[-1]]), atol=1e-6)


@pytest.mark.slow
def test_losses_are_those_of_the_words_after_and_before() -> None:
    learner = randomly(bidirectional_language_model(WORDS, ELMO))
    batch = batch_of([SENTENCE[0]], 2, 8)
    logits = np.asarray(learner(batch.ids))[0].astype(np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    found = np.asarray(neighbour_losses(learner)([batch.ids, batch.targets]))
    after, before = [4, 5, 6, 7, 0], [0, 3, 4, 5, 6]  # 0 stands beyond both ends
    np.testing.assert_allclose(found[0, :5], -log_p[range(5), after], atol=1e-5)
    np.testing.assert_allclose(found[0, 8:13], -log_p[range(8, 13), before], atol=1e-5)
    np.testing.assert_array_equal(np.flatnonzero(batch.weights), [*range(5), *range(8, 13)])
    np.testing.assert_allclose(
        NeighboursObjective(learner).compute_loss(
            y=batch.targets,
            y_pred=NeighboursObjective(learner)(batch.ids),
            sample_weight=batch.weights,
        ),
        found[batch.weights > 0].mean(),
        atol=1e-5,
    )


def computed() -> dict[str, np.ndarray]:
    """Weights of a tagger with trainable language models after a step, then its outputs."""
    network, batch = tagger(trainable=True), batch_of_sentences()
    weights = learned(network, Objective(network), batch)
    outputs = keras.ops.convert_to_numpy(network(batch.ids)) * (batch.ids > 0)[..., None]
    return {**{f"weight {i}": w for i, w in enumerate(weights)}, "outputs": outputs}


def test_every_installed_backend_reads_the_same_context(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
