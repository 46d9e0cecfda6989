"""Attention against the equations of Luong et al. (2015) and Bahdanau et al. (2015), on every
backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from helpers.backends import assert_all_agree, numerical_gradient
from nlp_rnn import backend
from nlp_rnn.layers import (
    AdditiveAttention,
    AttentionDecoder,
    BesideEachStep,
    DotAttention,
    FirstStep,
    GeneralAttention,
    PointerGenerator,
)

ROWS, STEPS, TIMESTEPS, UNITS, WIDTH, FEATURES = 2, 3, 4, 5, 6, 2
LENGTHS = np.array([4, 2])
MASK = np.arange(TIMESTEPS) < LENGTHS[:, None]


def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = {
        "queries": (ROWS, STEPS, UNITS),
        "memory": (ROWS, TIMESTEPS, WIDTH),
        "y": (ROWS, STEPS, FEATURES),
        "state": (ROWS, UNITS),
        "fed": (ROWS, UNITS),
    }
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def filled(layer: Any, *arguments: Any) -> list[np.ndarray]:
    """Build a layer by a call, then give it weights that do not depend on the backend."""
    layer(*arguments)
    rng = np.random.default_rng(5)
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return [keras.ops.convert_to_numpy(found) for found in layer(*arguments)]


def layers() -> dict[str, Any]:
    return {"general": GeneralAttention(), "additive": AdditiveAttention(7)}


def decoder(placement: str, dtype: str = "float32") -> AttentionDecoder:
    cells = [keras.layers.GRUCell(UNITS, dtype=dtype)]
    attention = AdditiveAttention(7, dtype=dtype)
    return AttentionDecoder(cells, attention, placement, UNITS, dtype=dtype)


def decoder_inputs(placement: str, given: dict[str, np.ndarray]) -> list[Any]:
    states = [given["state"]] + ([given["fed"]] if placement == "after" else [])
    return [given["y"], given["memory"], MASK, states]


def computed() -> dict[str, np.ndarray]:
    given, found = inputs(), {}
    for name, layer in layers().items():
        context, weights = filled(layer, given["queries"], given["memory"], MASK)
        found |= {f"{name} context": context, f"{name} weights": weights}
    for placement in ("before", "after"):
        results = filled(decoder(placement), *decoder_inputs(placement, given))
        found |= {f"{placement} {i}": result for i, result in enumerate(results)}
    return found


def test_every_backend_computes_the_same(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    assert_all_agree(on_backends)


def softmax_of_real(scores: np.ndarray, length: int) -> np.ndarray:
    """Zero at padding."""
    weights = np.exp(scores[:length] - scores[:length].max())
    return np.append(weights / weights.sum(), np.zeros(len(scores) - length))


def score(layer: Any, query: np.ndarray, state: np.ndarray) -> float:
    """As the papers write it, for one query and one state of the source."""
    weights = [keras.ops.convert_to_numpy(weight) for weight in layer.trainable_variables]
    if isinstance(layer, GeneralAttention):
        return float(query @ weights[0] @ state)
    if isinstance(layer, AdditiveAttention):
        W, U, b, v = weights
        return float(v @ np.tanh(query @ W + state @ U + b))
    return float(query @ state)


def attended(layer: Any, query: np.ndarray, row: int, memory: np.ndarray) -> Any:
    scores = np.array([score(layer, query, state) for state in memory[row]])
    weights = softmax_of_real(scores, int(LENGTHS[row]))
    return weights @ memory[row], weights


@pytest.mark.parametrize("name", ["dot", "general", "additive"])
def test_attention_is_the_mean_that_the_papers_define(name: str) -> None:
    given = inputs()
    layer = {"dot": DotAttention(), **layers()}[name]
    queries = given["memory"][:, :STEPS] if name == "dot" else given["queries"]
    context, weights = filled(layer, queries, given["memory"], MASK)
    for row, step in np.ndindex(ROWS, STEPS):
        expected, a = attended(layer, queries[row, step], row, given["memory"])
        np.testing.assert_allclose(weights[row, step], a, atol=1e-6)
        np.testing.assert_allclose(context[row, step], expected, atol=1e-5)
    assert (weights[1, :, 2:] == 0).all()


@pytest.mark.parametrize("window", [1, 2])
def test_local_attention_looks_around_a_predicted_position(window: int) -> None:
    """Luong et al. (2015), equations 9 and 10."""
    given = inputs()
    layer = GeneralAttention(window)
    context, weights = filled(layer, given["queries"], given["memory"], MASK)
    W_p, v, W = (keras.ops.convert_to_numpy(weight) for weight in layer.trainable_variables)
    for row, step in np.ndindex(ROWS, STEPS):
        query, n = given["queries"][row, step], int(LENGTHS[row])
        p = n / (1 + np.exp(-(v @ np.tanh(query @ W_p))))
        scores = np.full(TIMESTEPS, -np.inf)
        for i in range(n):
            if abs(i - p) <= window:
                scores[i] = query @ W @ given["memory"][row, i]
        a = np.exp(scores - scores.max())
        a = a / a.sum() * np.exp(-((np.arange(TIMESTEPS) - p) ** 2) / (2 * (window / 2) ** 2))
        np.testing.assert_allclose(weights[row, step], a, atol=1e-6)
        np.testing.assert_allclose(context[row, step], a @ given["memory"][row], atol=1e-5)


def test_a_pointer_shares_each_step_between_writing_and_copying() -> None:
    """See et al. (2017), equation 9: a distribution, in which copied tokens share weights."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(ROWS, STEPS, 7)).astype("float32")
    a = rng.dirichlet(np.ones(TIMESTEPS), (ROWS, STEPS)).astype("float32")
    readout, y = inputs()["queries"], inputs()["y"]
    copied = np.array([[3, 1, 3, 6], [2, 5, 0, 0]], np.int32)
    a[1, :, 2:] = 0
    a /= a.sum(axis=-1, keepdims=True)
    layer = PointerGenerator()
    layer(logits, a, readout, y, copied)
    rng = np.random.default_rng(5)
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    found = keras.ops.convert_to_numpy(layer(logits, a, readout, y, copied))
    w, b = (keras.ops.convert_to_numpy(weight) for weight in layer.trainable_variables)
    for row, step in np.ndindex(ROWS, STEPS):
        p = 1 / (1 + np.exp(-(np.append(readout[row, step], y[row, step]) @ w[:, 0] + b[0])))
        expected = p * np.exp(logits[row, step]) / np.exp(logits[row, step]).sum()
        for i in range(LENGTHS[row]):
            expected[copied[row, i]] += (1 - p) * a[row, step, i]
        np.testing.assert_allclose(np.exp(found[row, step]), expected, atol=1e-6)
        assert expected.sum() == pytest.approx(1)


def gru_step(cell: Any, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Cho et al. (2014), the reset gate after the product."""
    W, R, (b_in, b_rec) = (keras.ops.convert_to_numpy(w) for w in cell.trainable_variables)
    a, p = x @ W + b_in, h @ R + b_rec
    a_z, a_r, a_g = np.split(a, 3)
    p_z, p_r, p_g = np.split(p, 3)
    z, r = 1 / (1 + np.exp(-(a_z + p_z))), 1 / (1 + np.exp(-(a_r + p_r)))
    return z * h + (1 - z) * np.tanh(a_g + r * p_g)


@pytest.mark.parametrize("placement", ["before", "after"])
def test_each_step_of_the_decoder_is_that_of_its_paper(placement: str) -> None:
    given = inputs()
    layer = decoder(placement)
    r, weights, *final = filled(layer, *decoder_inputs(placement, given))
    [cell] = layer.cells
    W, b = (keras.ops.convert_to_numpy(w) for w in layer.readout.trainable_variables)
    for row in range(ROWS):
        s, fed = given["state"][row], given["fed"][row]
        for step in range(STEPS):
            y = given["y"][row, step]
            if placement == "before":
                context, a = attended(layer.attention, s, row, given["memory"])
                s = gru_step(cell, np.append(y, context), s)
            else:
                s = gru_step(cell, np.append(y, fed), s)
                context, a = attended(layer.attention, s, row, given["memory"])
            fed = np.tanh(np.append(s, context) @ W + b)
            np.testing.assert_allclose(weights[row, step], a, atol=1e-5)
            np.testing.assert_allclose(r[row, step], fed, atol=1e-5)
        np.testing.assert_allclose(final[0][row], s, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["before", "after"])
def test_the_gradient_is_that_of_differences(placement: str) -> None:
    """In float64, where a difference of 1e-6 means something."""
    given = {name: array.astype("float64") for name, array in inputs().items()}
    layer = decoder(placement, "float64")
    y, memory, mask, states = decoder_inputs(placement, given)
    filled(layer, y, memory, mask, states)

    def total(memory: Any) -> Any:
        r, weights, *_ = layer(y, memory, mask, states)
        return keras.ops.sum(r * r) + keras.ops.sum(weights[:, :, 0])

    expected = numerical_gradient(
        lambda at: float(total(keras.ops.convert_to_tensor(at, "float64"))), memory
    )
    np.testing.assert_allclose(backend.gradient(total, memory), expected, atol=1e-6)


def test_a_vector_stands_beside_each_step() -> None:
    found = keras.ops.convert_to_numpy(BesideEachStep()(np.ones((1, 2, 1)), np.array([[5.0, 6.0]])))
    assert found.tolist() == [[[1.0, 5.0, 6.0], [1.0, 5.0, 6.0]]]


def test_only_the_first_step_reads_the_vector_of_features() -> None:
    x, v = np.zeros((1, 3, 2), "float32"), np.array([[1.0, 2.0]], "float32")
    layer = FirstStep()
    found, after = filled(layer, x, v)
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    np.testing.assert_allclose(found[0], [v[0] @ kernel, [0, 0], [0, 0]], atol=1e-6)
    assert not after.any()
