"""Character encoders: against NumPy and single words, on every backend."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from helpers.backends import assert_all_agree
from nlp_rnn.layers.characters import CharacterBiLSTM, CharacterCNN

CHARACTERS, DIMENSION, SIZE, LENGTH = 9, 4, 6, 7
WORDS = [[[1, 2, 3, 4, 5, 6, 7], [8], [2, 2]], [[5, 1, 5], [3, 4, 5, 6, 7], [8]]]


def padded(length: int) -> np.ndarray:
    return np.array(
        [[word + [0] * (length - len(word)) for word in row] for row in WORDS], np.int32
    )


def encoder(name: str, **kwargs: Any) -> keras.layers.Layer:
    """An encoder with random weights, the embedding of padding included."""
    if name == "bilstm":
        layer = CharacterBiLSTM(CHARACTERS, DIMENSION, SIZE // 2, **kwargs)
    else:
        window = int(name.removeprefix("cnn"))
        layer = CharacterCNN(CHARACTERS, DIMENSION, SIZE, window, **kwargs)
    layer.build((None, None, None))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return layer


def run(layer: Any, ids: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(layer(ids))


NAMES = ["cnn1", "cnn3", "cnn4", "bilstm"]


@pytest.mark.parametrize("window", [1, 3, 5])
def test_a_filters_value_is_its_largest_over_the_words_windows(window: int) -> None:
    layer = encoder(f"cnn{window}")
    table, kernel, bias = layer.get_weights()
    found = run(layer, padded(LENGTH))
    assert found.shape == (2, 3, SIZE)
    margin = np.zeros((window // 2, DIMENSION))
    for row, words in zip(found, WORDS, strict=True):
        for vector, word in zip(row, words, strict=True):
            characters = np.concatenate([margin, table[word], margin])
            values = [
                np.einsum("wd,wdf->f", characters[i : i + window], kernel) + bias
                for i in range(len(word))
            ]
            np.testing.assert_allclose(vector, np.max(values, axis=0), atol=1e-5)


def test_bilstm_joins_the_last_states_of_both_directions() -> None:
    layer = encoder("bilstm")
    weights = layer.get_weights()
    table, forward, backward = weights[0], weights[1:4], weights[4:7]

    def last_state(word: list[int], kernel: Any, recurrent: Any, bias: Any) -> np.ndarray:
        h = c = np.zeros(SIZE // 2)
        for character in word:
            gates = table[character] @ kernel + h @ recurrent + bias
            i, f, g, o = np.split(gates, 4)
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            c = f * c + i * np.tanh(g)
            h = o * np.tanh(c)
        return h

    found = run(layer, padded(LENGTH + 2))
    for row, words in zip(found, WORDS, strict=True):
        for vector, word in zip(row, words, strict=True):
            expected = [last_state(word, *forward), last_state(word[::-1], *backward)]
            np.testing.assert_allclose(vector, np.concatenate(expected), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_padding_and_other_words_change_no_vector(name: str) -> None:
    layer = encoder(name)
    together = run(layer, padded(LENGTH + 3))
    for row, words in zip(together, WORDS, strict=True):
        for vector, word in zip(row, words, strict=True):
            alone = run(layer, np.array([[word]], np.int32))
            np.testing.assert_allclose(alone[0, 0], vector, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_reloaded_model_encodes_the_same_words_of_any_shape(name: str, tmp_path: Path) -> None:
    ids = keras.Input((None, None), dtype="int32")
    network = keras.Model(ids, encoder(name, dropout=0.5)(ids))
    assert network.output_shape == (None, None, SIZE)
    network.save(tmp_path / "network.keras")
    reloaded = keras.models.load_model(tmp_path / "network.keras")
    for length in (LENGTH, LENGTH + 1):
        for words in (padded(length), padded(length)[:1, :2]):
            expected = network.predict_on_batch(words)
            assert expected.shape == (*words.shape[:2], SIZE)
            np.testing.assert_array_equal(reloaded.predict_on_batch(words), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn3", "bilstm"])
def test_dropout_falls_on_character_embeddings_while_training(name: str) -> None:
    keras.utils.set_random_seed(0)
    words = padded(LENGTH)
    layer = encoder(name, dropout=0.5)
    np.testing.assert_array_equal(run(layer, words), run(encoder(name), words))
    first, second = (ops.convert_to_numpy(layer(words, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("layer", [CharacterCNN(500, 12, 4, 3), CharacterBiLSTM(500, 12, 4)])
def test_embeddings_start_uniform_with_variance_one_over_the_dimension(layer: Any) -> None:
    layer.build((None, None, None))
    table = layer.get_weights()[0]
    assert np.abs(table).max() <= math.sqrt(3 / 12)
    assert table.var() == pytest.approx(1 / 12, rel=0.05)


def trained(name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights before and after steps towards a fixed target."""
    ids = keras.Input((None, None), dtype="int32")
    network = keras.Model(ids, encoder(name)(ids))
    before = [np.array(w) for w in network.get_weights()]
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    target = np.random.default_rng(1).normal(size=(2, 3, SIZE)).astype(np.float32)
    for _ in range(2):
        network.train_on_batch(padded(LENGTH), target)
    return before, [np.array(w) for w in network.get_weights()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn3", "bilstm"])
def test_every_parameter_gets_a_gradient_but_paddings_embedding(name: str) -> None:
    before, after = trained(name)
    assert (before[0][0] == after[0][0]).all()
    assert (before[0][1:] != after[0][1:]).any(axis=1).all()
    for old, new in zip(before[1:], after[1:], strict=True):
        assert (old != new).any(axis=tuple(range(old.ndim - 1))).all()


def computed() -> dict[str, np.ndarray]:
    arrays = {}
    for name in ("cnn4", "bilstm"):
        arrays[f"{name} vectors"] = run(encoder(name), padded(LENGTH))
        _, weights = trained(name)
        arrays |= {f"{name} weight {i}": w for i, w in enumerate(weights)}
    return arrays


def test_every_installed_backend_computes_and_learns_the_same(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
