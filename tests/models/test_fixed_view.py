"""Windows and convolutions as encoders: the papers' equations, padding, backends, mistakes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from helpers.backends import assert_all_agree
from helpers.experiments import small_experiment
from helpers.networks import DIMENSION, LABELS, VOCABULARY, build, run
from nlp_rnn.errors import UserError
from nlp_rnn.layers import Convolutions, Windows
from nlp_rnn.training.objective import Objective

RAGGED = [[3, 4, 5, 6, 7, 3, 9], [8, 2], [9]]
KIM = {"kind": "convolutional", "windows": [2, 3, 4], "filters": 5}
STACKED = {"kind": "convolutional", "windows": [3], "filters": 5, "layers": 3, "dilation": 2}
WINDOW = {"kind": "window", "window": 5, "units": 4}


def padded(width: int) -> np.ndarray:
    return np.array([row + [0] * (width - len(row)) for row in RAGGED], np.int32)


def drawn(task: str, **model: Any) -> keras.Model:
    """With random weights, biases and the vector of padding among them."""
    built = build(task, **model)
    rng = np.random.default_rng(0)
    built.set_weights([rng.normal(0, 0.5, w.shape) for w in built.get_weights()])
    return built


# --- the equations, a word at a time ----------------------------------------------------


def seen(vectors: np.ndarray, t: int, offsets: range, beyond: np.ndarray) -> np.ndarray:
    """The vectors of the words at ``offsets`` from word ``t``, side by side."""
    places = [t + offset for offset in offsets]
    return np.concatenate([vectors[p] if 0 <= p < len(vectors) else beyond for p in places])


def windowed(weights: list[np.ndarray], text: list[int], window: int) -> np.ndarray:
    """Collobert et al. (2011), eqs. 4 to 7, with tanh: a hidden layer over each window."""
    embedding, beyond, kernel, bias = weights[:4]
    side = window // 2
    inputs = [seen(embedding[text], t, range(-side, side + 1), beyond) for t in range(len(text))]
    return np.tanh(np.array(inputs) @ kernel + bias)


def convolved(
    weights: list[np.ndarray], text: list[int], windows: list[int], layers: int, dilation: int
) -> np.ndarray:
    """Kim (2014), eq. 2, for every word and window, layer upon layer."""
    embedding, *rest = weights
    vectors = embedding[text]
    for layer in range(layers):
        apart, beyond, parts = dilation**layer, np.zeros(vectors.shape[1]), []
        for window in windows:
            kernel, bias, *rest = rest
            first = -(apart * (window - 1) // 2)
            offsets = range(first, first + apart * window, apart)
            inputs = np.array([seen(vectors, t, offsets, beyond) for t in range(len(text))])
            parts.append(np.maximum(0, inputs @ kernel.reshape(-1, kernel.shape[-1]) + bias))
        vectors = np.concatenate(parts, axis=-1)
    return vectors


def transcribed(model: dict[str, Any], weights: list[np.ndarray], text: list[int]) -> np.ndarray:
    if model["kind"] == "window":
        return windowed(weights, text, model["window"])
    layers, dilation = model.get("layers", 1), model.get("dilation", 1)
    return convolved(weights, text, model["windows"], layers, dilation)


@pytest.mark.parametrize("model", [WINDOW, KIM, STACKED], ids=["window", "kim", "stacked"])
def test_every_word_is_tagged_by_the_papers_equations(model: dict[str, Any]) -> None:
    network = drawn("tagging", **model)
    *weights, kernel, bias = network.get_weights()
    for row, logits in zip(RAGGED, run(network, padded(9)), strict=True):
        expected = transcribed(model, weights, row) @ kernel + bias
        np.testing.assert_allclose(logits[: len(row)], expected, atol=1e-5)


@pytest.mark.parametrize("model", [WINDOW, KIM, STACKED], ids=["window", "kim", "stacked"])
def test_a_text_is_classified_by_the_maximum_over_time(model: dict[str, Any]) -> None:
    network = drawn("classification", **model)
    *weights, kernel, bias = network.get_weights()
    for row, logits in zip(RAGGED, run(network, padded(9)), strict=True):
        expected = transcribed(model, weights, row).max(axis=0) @ kernel + bias
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_parameter_counts_are_the_papers() -> None:
    embedding, m, labels = VOCABULARY * DIMENSION, DIMENSION, len(LABELS)
    counts = [build("tagging", **model).count_params() for model in (WINDOW, KIM, STACKED)]
    window = m + (5 * m + 1) * 4 + (4 + 1) * labels
    kim = sum((h * m + 1) * 5 for h in (2, 3, 4)) + (15 + 1) * labels
    stacked = (3 * m + 1) * 5 + 2 * (3 * 5 + 1) * 5 + (5 + 1) * labels
    assert counts == [embedding + own for own in (window, kim, stacked)]


@pytest.mark.parametrize(
    ("model", "reach"),
    [
        (WINDOW, 2),
        ({"kind": "convolutional", "windows": [3, 5]}, 2),
        ({"kind": "convolutional", "layers": 3}, 3),
        ({"kind": "convolutional", "layers": 3, "dilation": 2}, 7),
    ],
    ids=str,
)
def test_a_word_is_seen_as_far_as_the_view_reaches(model: dict[str, Any], reach: int) -> None:
    network = drawn("tagging", **model)
    ids = np.full((1, 21), 4, np.int32)
    other = ids.copy()
    other[0, 10] = 7
    changed = abs(run(network, other) - run(network, ids))[0].max(axis=-1) > 0
    assert np.flatnonzero(changed).tolist() == list(range(10 - reach, 11 + reach))


@pytest.mark.parametrize("model", [WINDOW, STACKED], ids=["window", "stacked"])
def test_dropout_falls_on_the_input_and_on_what_the_head_sees(model: dict[str, Any]) -> None:
    network = build("classification", dropout=0.5, input_dropout=0.25, **model)
    rates = {layer.name: layer.rate for layer in network.layers if "dropout" in layer.name}
    between = {f"dropout_{i}": 0.5 for i in range(1, model.get("layers", 1))}
    assert rates == {"dropout_input": 0.25, **between, "dropout_output": 0.5}
    order = [layer.name for layer in network.layers]
    assert order.index("dropout_input") == order.index("embedding") + 1
    assert order[-3:] == ["max", "dropout_output", "logits"]


# --- layers of their own ----------------------------------------------------------------


@pytest.mark.parametrize("layer", [Windows(3), Convolutions(4, [2, 3], dilation=2)])
def test_what_stands_at_padding_does_not_matter(layer: keras.layers.Layer) -> None:
    rng = np.random.default_rng(0)
    vectors, mask = rng.normal(size=(2, 6, 3)), np.arange(6) < np.array([[6], [4]])
    other = np.where(mask[..., None], vectors, 1e6)
    found, again = (keras.ops.convert_to_numpy(layer(x, mask=mask)) for x in (vectors, other))
    np.testing.assert_array_equal(found[mask], again[mask])
    assert found.shape == tuple(layer.compute_output_shape(vectors.shape))
    copy = type(layer).from_config(layer.get_config())
    copy.build(vectors.shape)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(copy(vectors, mask=mask)), found)


def test_an_even_window_has_no_middle() -> None:
    with pytest.raises(ValueError, match="no step in its middle"):
        Windows(4)


# --- backends ---------------------------------------------------------------------------


def computed() -> dict[str, np.ndarray]:
    """Weights after two steps, then the logits of real words."""
    found = {}
    for name, model in {"window": WINDOW, "kim": KIM, "stacked": STACKED}.items():
        network = drawn("tagging", **model)
        objective = Objective(network)
        objective.compile(optimizer=keras.optimizers.SGD(0.1), loss=None)
        ids = padded(8)
        for _ in range(2):
            weights = (ids > 0).astype(np.float32)
            objective.train_on_batch(ids, ids % 3, sample_weight=weights)
        found |= {f"{name} weight {i}": w for i, w in enumerate(network.get_weights())}
        found[f"{name} logits"] = np.asarray(network.predict_on_batch(ids))[ids > 0]
    return found


def test_every_installed_backend_computes_and_learns_the_same(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)


# --- parameters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "model", "training", "words"),
    [
        ("classification", {"kind": "window", "window": 4}, {}, "no word in its middle; use 3 or"),
        ("classification", {"kind": "convolution"}, {}, "did you mean 'convolutional'?"),
        ("tagging", {"kind": "window", "cell": "lstm"}, {}, "unknown parameter 'cell'"),
        ("tagging", {"kind": "averaged"}, {}, "no such kind 'averaged'; valid names are: convol"),
        (
            "tagging",
            {"kind": "convolutional", "window": 3},
            {},
            "unknown parameter 'window'; did you mean 'windows'?",
        ),
        (
            "tagging",
            {"kind": "convolutional", "dilation": 2},
            {},
            "dilation: 2 is from layer to layer, so it needs layers: 2 or more",
        ),
        (
            "language_modelling",
            {"kind": "convolutional"},
            {},
            "model.kind: no such kind 'convolutional'; valid names are: feed_forward, recurrent",
        ),
        (
            "tagging",
            {"kind": "window"},
            {"gradient_flow": True},
            "training.gradient_flow is of recurrent layers; leave it out",
        ),
        (
            "classification",
            {"kind": "window"},
            {"unfreezing": "gradual", "epochs": 2},
            "takes 3 epochs for the 3 groups of layers",
        ),
    ],
)
def test_a_mistake_names_its_key_and_how_to_fix_it(
    task: str, model: dict[str, Any], training: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError) as error:
        small_experiment(task, model, training)
    assert words in str(error.value)
