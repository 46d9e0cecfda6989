"""Output layers against brute force and PyTorch: distributions, losses, gradients, learning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from helpers.backends import assert_all_agree
from nlp_rnn.layers.softmax import zipf
from nlp_rnn.layers.softmax.adaptive import AdaptiveSoftmax
from nlp_rnn.layers.softmax.full import Softmax
from nlp_rnn.layers.softmax.hierarchical import HierarchicalSoftmax, huffman
from nlp_rnn.layers.softmax.sampled import SampledSoftmax

VOCABULARY, WIDTH = 40, 8
CUTOFFS = [10, 24]


def embedding(dtype: str = "float32") -> layers.Embedding:
    layer = layers.Embedding(VOCABULARY, WIDTH, embeddings_initializer="normal", dtype=dtype)
    layer.build(None)
    return layer


LAYERS: dict[str, Callable[..., keras.layers.Layer]] = {
    "full": lambda **k: Softmax(VOCABULARY, **k),
    "tied": lambda **k: Softmax(VOCABULARY, embedding=embedding(**k), **k),
    "adaptive": lambda **k: AdaptiveSoftmax(VOCABULARY, CUTOFFS, 2, **k),
    "adaptive, tied": lambda **k: AdaptiveSoftmax(
        VOCABULARY, CUTOFFS, 1, embedding=embedding(**k), **k
    ),
    "sampled": lambda **k: SampledSoftmax(VOCABULARY, 20, **k),
    "hierarchical": lambda **k: HierarchicalSoftmax(VOCABULARY, **k),
}
BATCHES = {
    "of all types": np.arange(120).reshape(6, 20) % VOCABULARY,
    "of frequent types": np.arange(120).reshape(6, 20) % CUTOFFS[0],
    "of one cluster, more than its room": 10 + np.arange(120).reshape(6, 20) % 14,
}


def built(name: str, dtype: str = "float32") -> keras.layers.Layer:
    """A layer whose weights, biases too, are random numbers."""
    keras.utils.set_random_seed(3)
    layer = LAYERS[name](dtype=dtype)
    layer.build((None, WIDTH))
    rng = np.random.default_rng(0)
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def hidden(shape: tuple[int, ...] = (6, 20), dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(1).normal(size=(*shape, WIDTH)).astype(dtype)


def distribution(layer: keras.layers.Layer, h: np.ndarray) -> np.ndarray:
    logits = ops.convert_to_numpy(layer(h)).astype(np.float64)
    return np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))


def array(layer: keras.layers.Layer, *inputs: Any, **options: Any) -> np.ndarray:
    return ops.convert_to_numpy(layer(*inputs, **options))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", LAYERS)
def test_losses_are_of_the_distribution_over_all_types(name: str, batch: str) -> None:
    layer, targets = built(name), BATCHES[batch]
    p = distribution(layer, hidden())
    expected = -np.log(np.take_along_axis(p, targets[..., None], axis=-1)[..., 0])
    np.testing.assert_allclose(array(layer, hidden(), targets), expected, atol=2e-5)


@pytest.mark.parametrize("name", ["adaptive", "adaptive, tied", "hierarchical"])
def test_logits_are_log_probabilities_that_sum_to_one(name: str) -> None:
    p = np.exp(array(built(name), hidden()).astype(np.float64))
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-5)


def test_the_adaptive_softmax_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    ours = built("adaptive")
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(
        WIDTH, VOCABULARY, CUTOFFS, div_value=2, head_bias=True
    )

    def columns(kernel: Any) -> Any:
        return torch.tensor(ops.convert_to_numpy(kernel).T.copy())

    with torch.no_grad():
        theirs.head.weight.copy_(columns(ours.first_kernel))
        theirs.head.bias.copy_(torch.tensor(ops.convert_to_numpy(ours.bias)))
        for c, (project, score) in enumerate(theirs.tail):
            project.weight.copy_(columns(ours.projections[c]))
            score.weight.copy_(columns(ours.kernels[c]))
            ours.biases[c].assign(ops.zeros_like(ours.biases[c]))  # PyTorch has none there
        h = torch.tensor(hidden((120,)))
        expected = theirs.log_prob(h).numpy()
        targets = BATCHES["of all types"].ravel()
        mean = float(theirs(h, torch.tensor(targets)).loss)
    np.testing.assert_allclose(array(ours, hidden((120,))), expected, atol=1e-5)
    assert array(ours, hidden((120,)), targets).mean() == pytest.approx(mean, abs=1e-5)


def test_the_adaptive_softmax_has_the_full_ones_perplexity_where_it_has_its_distribution() -> None:
    """With cluster scores set to what the full softmax gives their types together."""
    full = built("tied")
    h = hidden((1,))
    adaptive = AdaptiveSoftmax(VOCABULARY, CUTOFFS, 1, embedding=full.embedding)
    adaptive.build((None, WIDTH))
    bias = ops.convert_to_numpy(full.bias)
    logits = array(full, h)[0]
    ends = [*CUTOFFS[1:], VOCABULARY]
    together = [
        np.logaddexp.reduce(logits[start:end]) for start, end in zip(CUTOFFS, ends, strict=True)
    ]
    adaptive.cluster_kernel.assign(np.zeros((WIDTH, 2)))
    adaptive.bias.assign([*bias[: CUTOFFS[0]], *together])
    for c, (start, end) in enumerate(zip(CUTOFFS, ends, strict=True)):
        adaptive.biases[c].assign(bias[start:end])
    targets = np.arange(VOCABULARY)
    many = np.repeat(h, VOCABULARY, axis=0)
    perplexities = [np.exp(array(layer, many, targets).mean()) for layer in (full, adaptive)]
    assert perplexities[0] == pytest.approx(perplexities[1], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", ["adaptive", "adaptive, tied", "hierarchical"])
def test_gradients_are_the_numerical_ones(name: str, batch: str) -> None:
    import tensorflow as tf

    layer = built(name, "float64")
    targets = BATCHES[batch].ravel()
    h = hidden(targets.shape, "float64")
    places = [h, *(variable.numpy() for variable in layer.trainable_variables)]
    rng = np.random.default_rng(5)
    directions = [rng.normal(size=place.shape) for place in places]

    def loss(step: float) -> tf.Tensor:
        at, *weights = (p + step * d for p, d in zip(places, directions, strict=True))
        layer.set_weights(weights)
        return tf.reduce_sum(layer(at, targets))

    with tf.GradientTape() as tape:
        inputs = tf.constant(h)
        tape.watch(inputs)
        total = tf.reduce_sum(layer(inputs, targets))
    sources = [inputs, *(variable.value for variable in layer.trainable_variables)]
    gradients = map(tf.convert_to_tensor, tape.gradient(total, sources))
    slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(gradients, directions, strict=True))
    assert slope == pytest.approx(float(loss(1e-6) - loss(-1e-6)) / 2e-6, rel=1e-6)


def test_few_targets_of_a_cluster_are_scored_without_the_others() -> None:
    layer = AdaptiveSoftmax(10_000, [2_000])
    assert 100 < layer._room(0, 700) < 250
    assert layer._room(0, None) is None


def test_a_sampled_loss_is_the_full_one_once_every_type_is_a_candidate() -> None:
    full, sampled = built("full"), built("sampled")
    targets = BATCHES["of all types"]
    exact = array(full, hidden(), targets)
    np.testing.assert_allclose(array(sampled, hidden(), targets), exact, atol=1e-5)
    sampled.samples = 40_000
    estimate = array(sampled, hidden(), targets, training=True)
    np.testing.assert_allclose(estimate, exact, atol=1e-4)


@pytest.mark.slow
def test_a_softmax_learned_from_few_samples_has_the_full_ones_optimum() -> None:
    """Without the correction by ln Q frequent types would be held far too unlikely."""
    p = np.random.default_rng(0).dirichlet(np.ones(VOCABULARY) * 2)
    targets = np.random.default_rng(1).choice(VOCABULARY, 40_000, p=p).reshape(-1, 200)
    keras.utils.set_random_seed(0)
    inputs = keras.Input((1,))
    of = keras.Input((), dtype="int32")
    layer = SampledSoftmax(VOCABULARY, 5)
    model = keras.Model([inputs, of], layer(inputs, of))
    model.compile("adam", loss=lambda _, losses: losses)
    model.optimizer.learning_rate = 0.02
    ones = np.ones((200, 1), np.float32)
    for batch in targets:
        model.train_on_batch([ones, batch], batch)
    learned = distribution(layer, np.ones((1, 1), np.float32))[0]
    entropy = -(p * np.log(p)).sum()
    assert -(p * np.log(learned)).sum() - entropy < 0.05
    assert np.log(VOCABULARY) - entropy > 0.15


def test_samples_are_drawn_anew_for_each_batch() -> None:
    layer = built("sampled")
    one, two = (array(layer, hidden(), BATCHES["of all types"], training=True) for _ in range(2))
    assert abs(one - two).max() > 0.01


def test_the_probability_of_a_type_is_that_of_its_way_down_the_tree() -> None:
    layer = built("hierarchical")
    kernel, bias = map(ops.convert_to_numpy, (layer.kernel, layer.bias))
    h = hidden((1,))
    p = np.exp(array(layer, h))[0]
    for word in range(VOCABULARY):
        way = 1.0
        for node, turn in zip(layer.nodes[word], layer.turns[word], strict=True):
            if turn:
                way *= 1 / (1 + np.exp(-turn * (h[0] @ kernel[node] + bias[node])))
        assert p[word] == pytest.approx(way, rel=1e-4)


def test_huffmans_ways_are_the_shortest() -> None:
    # Of weights that are powers of 2, way n has n turns.
    nodes, turns = huffman(np.array([8, 4, 2, 1, 1]) / 16)
    assert abs(turns).sum(axis=1).tolist() == [1, 2, 3, 4, 4]
    ways = {
        tuple(zip(n[t != 0], t[t != 0], strict=True)) for n, t in zip(nodes, turns, strict=True)
    }
    assert len(ways) == 5
    p = zipf.probabilities(1000)
    _, turns = huffman(p)
    entropy = -(p * np.log2(p)).sum()
    assert entropy <= (p * abs(turns).sum(axis=1)).sum() < entropy + 1


def test_draws_follow_zipfs_law() -> None:
    p = zipf.probabilities(50)
    assert p.sum() == pytest.approx(1)
    assert (np.diff(p) < 0).all()
    assert zipf.share(10, 25, 50) == pytest.approx(p[10:25].sum())
    uniform = (np.arange(100_000) + 0.5) / 100_000
    drawn = ops.convert_to_numpy(zipf.draws(uniform.astype(np.float32), 50))
    np.testing.assert_allclose(np.bincount(drawn, minlength=50) / 100_000, p, atol=1e-4)


@pytest.mark.parametrize("cutoffs", [[0, 10], [20, 10], [10, VOCABULARY], [10, 10]])
def test_impossible_cutoffs_are_refused(cutoffs: list[int]) -> None:
    with pytest.raises(ValueError, match="cutoffs must rise"):
        AdaptiveSoftmax(VOCABULARY, cutoffs)


def test_tied_rows_cannot_be_projected() -> None:
    with pytest.raises(ValueError, match="divisor 1"):
        AdaptiveSoftmax(VOCABULARY, CUTOFFS, 4, embedding=embedding())


def computed() -> dict[str, np.ndarray]:
    found = {}
    for name in LAYERS:
        layer = built(name)
        found[name] = array(layer, hidden())
        for batch, targets in BATCHES.items():
            found[f"{name}, {batch}"] = array(layer, hidden(), targets)
    return found


def test_every_backend_gives_the_same(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    assert_all_agree(on_backends)
