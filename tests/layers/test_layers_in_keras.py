"""The layers in anybody's Keras code: models that are compiled, fitted, saved and loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.grids import grid
from nlp_rnn import layers, linear_chain
from nlp_rnn.linear_chain import Transitions

pytestmark = pytest.mark.slow

WORDS = np.array([[1, 2, 3, 4], [4, 2, 0, 0], [3, 3, 1, 0]], np.int32)
SPELLED = np.tile(np.array([2, 3, 4, 2, 0], np.int32), (3, 4, 1))


def reading(*stack: Any) -> keras.Model:
    return keras.Sequential([keras.layers.Embedding(5, 6, mask_zero=True), *stack])


def of_sequences(layer: Any) -> Any:
    return layers.RecurrentLayer(layer, return_sequences=True)


MODELS = {
    "LSTM": lambda: reading(layers.LSTM(4)),
    "GRU": lambda: reading(layers.GRU(4)),
    "Bidirectional": lambda: reading(
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)), layers.MeanPooling()
    ),
    "WeightDrop": lambda: reading(layers.WeightDrop(layers.LSTM(4), 0.5)),
    "LSTMCell": lambda: reading(of_sequences(layers.LSTMCell(4)), layers.MaxPooling()),
    "PhasedLSTMCell": lambda: reading(of_sequences(layers.PhasedLSTMCell(4)), layers.LastPooling()),
    "SimpleRNNCell": lambda: reading(
        of_sequences(layers.SimpleRNNCell(4)), layers.AttentionPooling()
    ),
    "Zoneout": lambda: reading(
        layers.RecurrentLayer(layers.Zoneout(layers.LSTMCell(4), rates=[0.1, 0.1]))
    ),
    "ActivationRegularization": lambda: reading(
        layers.LSTM(4, return_sequences=True),
        layers.ActivationRegularization(0.1),
        layers.TemporalActivationRegularization(0.1),
        layers.NormStabilizer(0.1),
        layers.MeanPooling(),
    ),
    "ForgetGateBias": lambda: reading(
        layers.LSTM(4, unit_forget_bias=False, bias_initializer=layers.ForgetGateBias(2.0))
    ),
    "PairBuckets": lambda: keras.Sequential(
        [layers.PairBuckets(7), keras.layers.Embedding(7, 4), layers.MeanPooling()]
    ),
    "JoinedNeighbours": lambda: keras.Sequential(
        [keras.layers.Embedding(5, 4), layers.JoinedNeighbours(2), layers.MeanPooling()]
    ),
    "CharacterCNN": lambda: keras.Sequential(
        [layers.CharacterCNN(5, 4, filters=6, window=3), layers.MeanPooling()]
    ),
    "CharacterBiLSTM": lambda: keras.Sequential(
        [layers.CharacterBiLSTM(5, 4, units=3), layers.MeanPooling()]
    ),
    "Casing": lambda: keras.Sequential(
        [layers.Casing(["<pad>", "<unk>", "|", "a", "B"], 4), layers.MeanPooling()]
    ),
    "Softmax": lambda: reading(layers.LSTM(4), layers.Softmax(5)),
    "AdaptiveSoftmax": lambda: reading(layers.LSTM(4), layers.AdaptiveSoftmax(5, [2])),
    "HierarchicalSoftmax": lambda: reading(layers.LSTM(4), layers.HierarchicalSoftmax(5)),
    "SampledSoftmax": lambda: reading(layers.LSTM(4), layers.SampledSoftmax(5, samples=3)),
}


@pytest.mark.parametrize(
    "name",
    grid(
        MODELS,
        *("LSTM", "Bidirectional", "WeightDrop", "PhasedLSTMCell", "Zoneout"),
        *("ActivationRegularization", "CharacterCNN", "Casing", "HierarchicalSoftmax"),
    ),
)
def test_a_model_is_fitted_saved_and_loaded_without_custom_objects(
    tmp_path: Path, name: str
) -> None:
    inputs = SPELLED if name.startswith("C") else WORDS
    keras.utils.set_random_seed(1)
    model = MODELS[name]()
    model.add(keras.layers.Dense(2))
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(inputs, np.zeros((3, 2)), epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0), rtol=1e-6
    )


def test_without_a_mask_every_step_is_pooled() -> None:
    states = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    real = np.ones((2, 3), bool)
    for layer in (layers.MeanPooling(), layers.MaxPooling(), layers.LastPooling()):
        np.testing.assert_array_equal(layer(states), layer(states, mask=real))


def tagger() -> layers.CRFModel:
    keras.utils.set_random_seed(1)
    network = reading(
        layers.Bidirectional(layers.LSTM(8, return_sequences=True)),
        keras.layers.Dense(3),
        layers.CRF(3),
    )
    network(WORDS)
    return layers.CRFModel(network)


def test_a_crf_learns_by_fit_and_predicts_the_viterbi_path(tmp_path: Path) -> None:
    """Tag 2 follows tag 1 wherever a word comes twice: only the transition can tell."""
    model = tagger()
    model.compile(keras.optimizers.Adam(0.05))
    tags = np.array([[0, 1, 2, 0], [0, 1, 0, 0], [1, 2, 0, 0]])
    before = model.evaluate(WORDS, tags, verbose=0)
    model.fit(WORDS, tags, epochs=60, batch_size=3, verbose=0)
    assert model.evaluate(WORDS, tags, verbose=0) < 0.1 * before
    predicted = model.predict(WORDS, verbose=0)
    np.testing.assert_array_equal(predicted, tags * (WORDS > 0))
    model.save(tmp_path / "tagger.keras")
    loaded = keras.models.load_model(tmp_path / "tagger.keras")
    np.testing.assert_array_equal(loaded.predict(WORDS, verbose=0), predicted)


def test_the_loss_of_a_crf_is_that_of_the_sequences_in_nats_a_word() -> None:
    model = tagger()
    model.compile("sgd", run_eagerly=True)
    emissions, _ = model(WORDS)
    scores = Transitions(
        *(np.random.default_rng(i).normal(size=s) for i, s in enumerate([3, (3, 3), 3]))
    )
    for weight, value in zip(model.crf.trainable_variables, scores, strict=True):
        weight.assign(value)
    tags = np.array([[0, 1, 2, 0], [0, 1, 0, 0], [1, 2, 0, 0]])
    lengths = (WORDS > 0).sum(axis=1)
    total = 0.0
    for i, n in enumerate(lengths):
        sentence = keras.ops.convert_to_numpy(emissions)[i : i + 1, :n]
        alphas = linear_chain.forward(sentence, np.array([n]), scores)
        total += linear_chain.log_partition(alphas, scores)[0]
        total -= linear_chain.path_score(sentence[0], tags[i, :n], scores)
    found = model.evaluate(WORDS, tags, batch_size=3, verbose=0)
    assert found == pytest.approx(total / lengths.sum(), rel=1e-5)
    heavy = np.array([0.0, 2.0, 0.0])
    alone = model.evaluate(WORDS[1:2], tags[1:2], verbose=0)
    weighted = model.evaluate(WORDS, tags, batch_size=3, sample_weight=heavy, verbose=0)
    assert weighted == pytest.approx(alone, rel=1e-5)


def test_a_network_without_a_crf_is_refused() -> None:
    network = reading(keras.layers.Dense(3))
    network(WORDS)
    with pytest.raises(ValueError, match="ends in a CRF, found dense"):
        layers.CRFModel(network)


OUTPUTS = {
    "full": lambda: layers.Softmax(5),
    "adaptive": lambda: layers.AdaptiveSoftmax(5, cutoffs=[2]),
    "hierarchical": lambda: layers.HierarchicalSoftmax(5),
    "sampled": lambda: layers.SampledSoftmax(5, samples=8),
}


@pytest.mark.parametrize("name", grid(OUTPUTS, "adaptive", "sampled"))
def test_an_output_layer_learns_by_fit(tmp_path: Path, name: str) -> None:
    """The word after each of four is always the same."""
    keras.utils.set_random_seed(1)
    network = reading(layers.LSTM(8, return_sequences=True))
    model = layers.SoftmaxModel(network, OUTPUTS[name]())
    model.compile(keras.optimizers.Adam(0.05))
    following = np.array([0, 2, 3, 4, 1])[WORDS]
    weights = (WORDS > 0).astype("float32")
    fitted = model.fit(WORDS, following, sample_weight=weights, epochs=60, verbose=0)
    assert fitted.history["loss"][-1] < 0.2 * fitted.history["loss"][0]
    logits = model.predict(WORDS, verbose=0)
    assert logits.shape == (3, 4, 5)
    np.testing.assert_array_equal(logits.argmax(-1)[WORDS > 0], following[WORDS > 0])
    log_p = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits))
    chosen = -np.take_along_axis(log_p, following[..., None], -1)[..., 0]
    mean = (chosen * weights).sum() / weights.sum()
    found = model.evaluate(WORDS, following, sample_weight=weights, batch_size=3, verbose=0)
    assert found == pytest.approx(mean, rel=1e-4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(WORDS, verbose=0), logits, rtol=1e-5, atol=1e-6)


def test_another_process_loads_a_model_after_importing_the_layers(tmp_path: Path) -> None:
    model = tagger()
    model.compile("sgd", run_eagerly=True)
    model.save(tmp_path / "tagger.keras")
    code = (
        "import sys, keras, numpy as np, nlp_rnn.layers;"
        "model = keras.models.load_model(sys.argv[1]);"
        "print(model.predict(np.array([[1, 2, 3, 4]]), verbose=0).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "tagger.keras")], capture_output=True, text=True
    )
    assert done.stdout == "(1, 4)\n", done.stderr
