"""The CRF against enumeration of all tag sequences, numerical gradients, every backend."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from helpers.backends import assert_all_agree
from nlp_rnn import linear_chain
from nlp_rnn.layers import crf as module
from nlp_rnn.layers.crf import CRF, FORBIDDEN
from nlp_rnn.linear_chain import Transitions

LENGTHS = (4, 1, 3, 2)
ALLOWED = (
    np.array([True, True, False]),
    np.array([[True, True, False], [True, True, True], [True, False, True]]),
    np.array([True, False, True]),
)


class Problem:
    """Random weights and emissions, and every sequence of each sentence with its score."""

    def __init__(self, tags: int, lengths: tuple[int, ...], constrained: bool) -> None:
        rng = np.random.default_rng(1)
        self.tags, self.lengths = tags, lengths
        self.mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
        self.emissions = rng.normal(0, 2, (*self.mask.shape, tags)).astype(np.float32)
        self.gold = rng.integers(0, tags, self.mask.shape).astype(np.int32)
        self.crf = CRF(tags, ALLOWED if constrained else None)
        self.crf(self.emissions)
        self.crf.set_weights([rng.normal(0, 2, w.shape) for w in self.crf.get_weights()])

    def enumerated(self, sentence: int) -> dict[tuple[int, ...], float]:
        """Scores of the allowed sequences, best first."""
        crf, emissions, length = self.crf, self.emissions[sentence], self.lengths[sentence]
        start, between, end = (
            ops.convert_to_numpy(w) for w in (crf.start, crf.transitions, crf.end)
        )
        scores = {}
        for path in itertools.product(range(self.tags), repeat=length):
            steps = list(itertools.pairwise(path))
            if crf.allowed is not None:
                may_start, may_follow, may_end = ALLOWED
                if not (
                    may_start[path[0]] and may_end[path[-1]] and all(may_follow[s] for s in steps)
                ):
                    continue
            scores[path] = float(
                start[path[0]]
                + sum(emissions[t, tag] for t, tag in enumerate(path))
                + sum(between[step] for step in steps)
                + end[path[-1]]
            )
        return dict(sorted(scores.items(), key=lambda item: -item[1]))


PROBLEMS = {
    "free": (3, LENGTHS, False),
    "constrained": (3, LENGTHS, True),
    "one token": (2, (1,), False),
}


@pytest.fixture(scope="module", params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> Problem:
    return Problem(*PROBLEMS[request.param])


def log_sum_exp(scores: Any) -> float:
    return float(np.logaddexp.reduce(np.array(list(scores))))


def test_log_partition_sums_over_every_sequence(problem: Problem) -> None:
    log_z = ops.convert_to_numpy(problem.crf.log_partition(problem.emissions, problem.mask))
    expected = [log_sum_exp(problem.enumerated(i).values()) for i in range(len(log_z))]
    np.testing.assert_allclose(log_z, expected, atol=1e-5)


def test_log_likelihood_is_a_sequences_share_of_the_partition(problem: Problem) -> None:
    for i, length in enumerate(problem.lengths):
        scores = problem.enumerated(i)
        paths = list(itertools.product(range(problem.tags), repeat=length))
        tags = np.zeros((len(paths), problem.mask.shape[1]), np.int32)
        tags[:, :length] = paths
        tags[:, length:] = problem.gold[i, length:]  # tags at padding do not matter
        emissions, mask = (
            np.repeat(a[i : i + 1], len(paths), axis=0) for a in (problem.emissions, problem.mask)
        )
        found = ops.convert_to_numpy(problem.crf.log_likelihood(emissions, tags, mask))
        log_z = log_sum_exp(scores.values())
        for path, log_p in zip(paths, found, strict=True):
            if path in scores:
                assert log_p == pytest.approx(scores[path] - log_z, abs=1e-5)
            else:
                assert math.exp(log_p) == 0.0 and math.isfinite(log_p)


def gradients(
    function: Callable[..., Any], *arrays: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Gradients of a sum over the batch, by TensorFlow and by central differences."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("differentiates with TensorFlow; the test of all backends trains on each")
    import tensorflow as tf

    def total(*tensors: Any) -> Any:
        return tf.reduce_sum(function(*tensors))

    tensors = [tf.constant(a) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = total(*tensors)
    analytic = [g.numpy() for g in tape.gradient(value, tensors)]
    compiled = tf.function(total)
    numerical = []
    for k, array in enumerate(arrays):
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            step = np.zeros_like(array)
            step[index] = 1e-5
            above, below = (
                float(compiled(*tensors[:k], tf.constant(a), *tensors[k + 1 :]))
                for a in (array + step, array - step)
            )
            gradient[index] = (above - below) / 2e-5
        numerical.append(gradient)
    return analytic, numerical


def float64_arrays(problem: Problem) -> list[np.ndarray]:
    """Emissions, start, transitions, end."""
    return [a.astype(np.float64) for a in (problem.emissions, *problem.crf.get_weights())]


@pytest.mark.slow
def test_gradients_equal_differences() -> None:
    problem = Problem(3, LENGTHS, constrained=False)

    def function(emissions: Any, *transitions: Any) -> Any:
        return module.log_likelihood(
            emissions, problem.gold, problem.mask, Transitions(*transitions)
        )

    for analytic, numerical in zip(*gradients(function, *float64_arrays(problem)), strict=True):
        np.testing.assert_allclose(analytic, numerical, atol=1e-8)


@pytest.mark.slow
def test_the_partitions_gradient_is_the_marginals() -> None:
    problem = Problem(3, LENGTHS, constrained=False)
    emissions, *weights = float64_arrays(problem)
    transitions = Transitions(*weights)
    (analytic,), _ = gradients(
        lambda e: module.log_partition(e, problem.mask, transitions), emissions
    )
    chain = (emissions, np.array(problem.lengths), transitions)
    marginals = linear_chain.marginals(linear_chain.forward(*chain), linear_chain.backward(*chain))
    real = problem.mask[..., None]
    np.testing.assert_allclose(analytic, marginals * real, atol=1e-12)


@pytest.mark.slow
def test_forbidden_gold_tags_leave_gradients_finite() -> None:
    problem = Problem(3, LENGTHS, constrained=True)
    gold = np.full_like(problem.gold, 2)  # tag 2 begins no sentence
    (analytic,), _ = gradients(
        lambda e: problem.crf.log_likelihood(e, gold, problem.mask), problem.emissions
    )
    assert np.isfinite(analytic).all()


@pytest.mark.slow
def test_half_precision_emissions_are_summed_in_single_precision() -> None:
    rng = np.random.default_rng(0)
    emissions = rng.normal(0, 3, (2, 600, 5)).astype(np.float16)
    mask = np.ones((2, 600), bool)
    transitions = Transitions(*(rng.normal(size=s).astype(np.float32) for s in (5, (5, 5), 5)))
    alpha = transitions.start + emissions[:, 0].astype(np.float64)
    for t in range(1, 600):
        alpha = emissions[:, t] + np.logaddexp.reduce(
            alpha[:, :, None] + transitions.between, axis=1
        )
    expected = np.logaddexp.reduce(alpha + transitions.end, axis=1)
    found = ops.convert_to_numpy(module.log_partition(emissions, mask, transitions))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_reloaded_model_has_the_same_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = keras.Input((None, 4))
    logits = CRF(3, ALLOWED, name="crf")(keras.layers.Dense(3)(features))
    network = keras.Model(features, logits)
    network.set_weights([rng.normal(0, 2, w.shape) for w in network.get_weights()])
    network.save(tmp_path / "network.keras")
    reloaded = keras.models.load_model(tmp_path / "network.keras")

    x = rng.normal(size=(5, 6, 4)).astype(np.float32)
    np.testing.assert_array_equal(  # the layer leaves the emissions as they are
        network(x), network.layers[1](x)
    )
    first, second = (model.get_layer("crf").scores for model in (network, reloaded))
    for a, b, may in zip(first, second, ALLOWED, strict=True):
        assert (ops.convert_to_numpy(a)[~may] == FORBIDDEN).all()
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


def test_another_number_of_tags_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected shapes for 4 tags"):
        CRF(4, ALLOWED)
    with pytest.raises(ValueError, match="expected emissions of 3 tags, found 4"):
        CRF(3)(np.zeros((1, 2, 4), np.float32))


class Tagger(keras.Model):
    """A linear map and a CRF, trained by maximum likelihood."""

    def __init__(self, tags: int, allowed: Any = None) -> None:
        super().__init__()
        self.dense, self.crf = keras.layers.Dense(tags), CRF(tags, allowed)

    def build(self, features_shape: tuple[int | None, ...]) -> None:
        self.dense.build(features_shape)
        self.crf.build((*features_shape[:-1], self.crf.tags))

    def call(self, features: Any) -> Any:
        return self.crf(self.dense(features))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        return -ops.mean(self.crf.log_likelihood(y_pred, y, ops.greater(sample_weight, 0)))


@pytest.mark.slow
def test_structure_is_learned_where_words_tell_nothing() -> None:
    """Tags alternate from a random first one; features are noise.

    No softmax at every token is better than ``ln 2`` a token, 8 ``ln 2`` a sentence; a chain
    pays for the first tag only, ``ln 2`` a sentence.
    """
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    tagger = Tagger(2)
    tagger.compile(optimizer=keras.optimizers.Adam(0.1))

    def batch(sentences: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        tags = (rng.integers(0, 2, (sentences, 1)) + np.arange(8)) % 2
        noise = rng.normal(size=(sentences, 8, 3)).astype(np.float32)
        return noise, tags.astype(np.int32), np.ones((sentences, 8), np.float32)

    for _ in range(100):
        tagger.train_on_batch(*batch(64))
    noise, tags, weights = batch(256)
    loss = float(tagger.test_on_batch(noise, tags, sample_weight=weights))
    assert math.log(2) - 0.02 < loss < math.log(2) + 0.15
    emissions, scores = (
        keras.tree.map_structure(ops.convert_to_numpy, a)
        for a in (tagger(noise), tagger.crf.scores)
    )
    decoded, _ = linear_chain.viterbi(emissions, np.full(len(noise), 8), scores)
    assert (np.diff(decoded[:, 0], axis=1) != 0).all()


def compiled(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of emissions and mask as the backend compiles it, for any batch and length."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None), tf.bool)]
        return tf.function(function, input_signature=signature)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def computed() -> dict[str, np.ndarray]:
    """Figures of fixed weights, eager and compiled, and weights after training."""
    problem = Problem(3, LENGTHS, constrained=True)
    crf = problem.crf
    functions: dict[str, Callable[[Any, Any], Any]] = {
        "log Z": crf.log_partition,
        "log P": lambda e, mask: crf.log_likelihood(e, ops.argmax(e, axis=-1), mask),
    }
    arrays = {}
    for name, function in functions.items():
        for mode, f in (("eager", function), ("compiled", compiled(function))):
            output = f(problem.emissions, problem.mask)
            arrays[f"{mode} {name}"] = ops.convert_to_numpy(output)
    rng = np.random.default_rng(0)
    tagger = Tagger(3, ALLOWED)
    tagger.build((None, None, 5))
    tagger.set_weights([rng.normal(0, 0.3, w.shape) for w in tagger.get_weights()])
    tagger.compile(optimizer=keras.optimizers.SGD(0.1))
    features = rng.normal(size=(*problem.mask.shape, 5)).astype(np.float32)
    gold = np.ones_like(problem.gold)
    gold[:, 0] = 0
    for _ in range(3):
        tagger.train_on_batch(features, gold, sample_weight=problem.mask.astype(np.float32))
    arrays |= {f"weight {i}": np.asarray(w) for i, w in enumerate(tagger.get_weights())}
    return arrays


def test_every_installed_backend_computes_and_learns_the_same(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
    first, *_ = on_backends.values()
    for name in first:
        if name.startswith("eager"):
            same = first[name.replace("eager", "compiled")]
            np.testing.assert_allclose(first[name], same, atol=1e-5, err_msg=name)
