"""Gradient flow: against powers of matrices, Jacobians by hand, and central differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from helpers.backends import assert_all_agree
from nlp_rnn.config import ClassifierParameters, LanguageModelParameters
from nlp_rnn.drawing import save
from nlp_rnn.inspection.gradient_flow import (
    gradient_flow,
    gradient_flow_picture,
    gradient_flow_rows,
    layer_inputs,
    mean_gradient_flow,
    network_gradient_flow,
    recurrent_layers,
)
from nlp_rnn.layers.cells.lstm import LSTMCell
from nlp_rnn.layers.cells.phased_lstm import PhasedLSTMCell
from nlp_rnn.layers.recurrent import RecurrentLayer
from nlp_rnn.layers.weight_drop import WeightDrop
from nlp_rnn.models.classifier import classifier
from nlp_rnn.models.encoder import embedding_layer
from nlp_rnn.models.language_model import language_model, scorer
from nlp_rnn.training.objective import Objective

pytestmark = pytest.mark.slow

FEATURES, UNITS, TIMESTEPS = 3, 4, 6


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape)


def simple_rnn(
    recurrent: np.ndarray, activation: str = "linear", bias: float = 0.0, **options: Any
) -> layers.SimpleRNN:
    units = len(recurrent)
    layer = layers.SimpleRNN(units, activation=activation, **options)
    layer.build((None, None, FEATURES))
    layer.set_weights([random(FEATURES, units), recurrent, np.full(units, bias)])
    return layer


def test_a_linear_network_multiplies_by_its_recurrent_matrix() -> None:
    recurrent = random(UNITS, UNITS)
    flow = gradient_flow(simple_rnn(recurrent), random(TIMESTEPS, FEATURES))
    powers = [np.linalg.matrix_power(recurrent.T, lag) for lag in range(TIMESTEPS)]
    np.testing.assert_allclose(flow, [np.linalg.norm(p, 2) for p in powers], rtol=1e-5)


def test_an_orthogonal_matrix_keeps_the_norm() -> None:
    orthogonal, _ = np.linalg.qr(random(UNITS, UNITS))
    flow = gradient_flow(simple_rnn(orthogonal), random(20, FEATURES))
    np.testing.assert_allclose(flow, 1, atol=1e-5)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_norms_outside_the_range_of_float32_are_right(factor: float) -> None:
    flow = gradient_flow(simple_rnn(factor * np.eye(2)), np.zeros((150, FEATURES)))
    np.testing.assert_allclose(flow, factor ** np.arange(150.0), rtol=1e-6)


def test_a_tanh_network_multiplies_the_jacobians_of_its_steps() -> None:
    recurrent, x = random(UNITS, UNITS), random(TIMESTEPS, FEATURES, seed=1)
    layer = simple_rnn(recurrent, "tanh", bias=0.1)
    h = np.full(UNITS, 0.2)
    flow = gradient_flow(layer, x, initial_state=[h])
    jacobians = []
    for step in x:
        h = np.tanh(step @ random(FEATURES, UNITS) + h @ recurrent + 0.1)
        jacobians.append(np.diag(1 - h**2) @ recurrent.T)  # Pascanu et al. 2013, eq. 5
    product, expected = np.eye(UNITS), []
    for jacobian in jacobians[::-1]:
        expected.append(np.linalg.norm(product, 2))
        product = product @ jacobian
    np.testing.assert_allclose(flow, expected, rtol=1e-5)


def randomised(layer: layers.RNN) -> layers.RNN:
    layer.build((None, None, FEATURES))
    for i, variable in enumerate(layer.trainable_variables):
        if variable.name != "log_period":
            variable.assign(random(*variable.shape, seed=i))
    return layer


def by_differences(layer: layers.RNN, x: np.ndarray, initial: list[np.ndarray], i: int) -> Any:
    """Norms for the state ``i``, from runs of the layer itself over the steps after ``k``."""
    small, size = 1e-5, len(initial[i])
    norms, states = [], [s[None] for s in initial]
    for k in range(1, len(x)):
        _, *states = (np.asarray(s) for s in layer(x[None, k - 1 : k], initial_state=states))
        moved = [np.tile(s, (2 * size, 1)) for s in states]
        moved[i][:size] += small * np.eye(size)
        moved[i][size:] -= small * np.eye(size)
        _, *last = layer(np.tile(x[None, k:], (2 * size, 1, 1)), initial_state=moved)
        plus, minus = np.split(np.asarray(last[i]), 2)
        norms.append(np.linalg.norm((plus - minus) / (2 * small), 2))
    return [1.0, *norms[::-1]]


WITH_STATE = {"dtype": "float64", "return_state": True}


@pytest.mark.parametrize(
    ("layer", "state"),
    [
        (layers.GRU(UNITS, **WITH_STATE), "h"),
        (layers.LSTM(UNITS, **WITH_STATE), "h"),
        (layers.LSTM(UNITS, **WITH_STATE), "c"),
        (RecurrentLayer(LSTMCell(UNITS, projection=2, dtype="float64"), **WITH_STATE), "h"),
        (RecurrentLayer(LSTMCell(UNITS, projection=2, dtype="float64"), **WITH_STATE), "c"),
        (
            RecurrentLayer(
                PhasedLSTMCell(UNITS, open_ratio=0.9, longest_period=20, dtype="float64"),
                **WITH_STATE,
            ),
            "c",
        ),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_gated_cells_agree_with_central_differences(layer: layers.RNN, state: str) -> None:
    randomised(layer)
    x = random(TIMESTEPS, FEATURES, seed=9)
    initial = [np.round(random(size, seed=8), 1) for size in layer.state_size]
    if len(initial) == 3:
        initial[2] = np.zeros(3)  # a phased LSTM's time
    i = ["h", "c"].index(state)
    expected = by_differences(layer, x, initial, i)
    flow = gradient_flow(layer, x, initial_state=initial, state=state)
    np.testing.assert_allclose(flow, expected, rtol=1e-6, atol=1e-9)


def test_a_layer_that_reads_backwards_sees_the_last_input_first() -> None:
    recurrent, x = random(UNITS, UNITS), random(TIMESTEPS, FEATURES)
    backwards = gradient_flow(simple_rnn(recurrent, "tanh", go_backwards=True), x)
    forwards = simple_rnn(recurrent, "tanh")
    np.testing.assert_allclose(backwards, gradient_flow(forwards, x[::-1]), rtol=1e-6)
    assert not np.allclose(backwards, gradient_flow(forwards, x))


def test_a_state_that_the_layer_lacks_is_an_error() -> None:
    gru = layers.GRU(UNITS, name="gru_0")
    gru.build((None, None, FEATURES))
    with pytest.raises(ValueError, match="gru_0 has no state 'c', only h"):
        gradient_flow(gru, random(2, FEATURES), state="c")
    stack = layers.RNN([layers.GRUCell(2), layers.GRUCell(2)])
    with pytest.raises(ValueError, match="stack of cells"):
        gradient_flow(stack, random(2, FEATURES))


DEAD = (np.eye(2), "relu", -1e3)


def test_a_dead_network_has_zero_flow_and_an_overflowing_one_none() -> None:
    x = random(3, FEATURES)
    np.testing.assert_array_equal(gradient_flow(simple_rnn(*DEAD), x), [1, 0, 0])
    overflowing = simple_rnn(np.full((2, 2), np.inf))
    np.testing.assert_array_equal(gradient_flow(overflowing, x), [1, np.nan, np.nan])


def test_the_mean_is_geometric_over_the_lags_of_every_sequence() -> None:
    layer = simple_rnn(random(UNITS, UNITS), "tanh")
    long, short = random(5, FEATURES), random(3, FEATURES, seed=1)
    expected = np.sqrt(gradient_flow(layer, long)[:3] * gradient_flow(layer, short))
    np.testing.assert_allclose(mean_gradient_flow(layer, [long, short]), expected, rtol=1e-6)
    dead = mean_gradient_flow(simple_rnn(*DEAD), [short, short])
    np.testing.assert_array_equal(dead, [1, 0, 0])


VOCABULARY = 9
IDS = np.array([3, 1, 4, 1, 5], np.int32)


def embedding() -> layers.Embedding:
    return embedding_layer(VOCABULARY, FEATURES, random(VOCABULARY, FEATURES), True)


def bidirectional(cell: str, depth: int) -> keras.Model:
    parameters = ClassifierParameters(cell=cell, units=UNITS, layers=depth, bidirectional=True)
    return classifier(embedding(), parameters, labels=2)


def test_layers_are_found_inside_their_wrappers_with_what_they_receive() -> None:
    network = bidirectional("gru", 2)
    found = recurrent_layers(network)
    first, second = (network.get_layer(f"bidirectional_{i}") for i in range(2))
    assert found == {
        "bidirectional_0": first.forward_layer,
        "bidirectional_1": second.forward_layer,
    }
    received = random(VOCABULARY, FEATURES).astype(np.float32)[IDS]
    np.testing.assert_array_equal(layer_inputs(network, "bidirectional_0", IDS), received)
    hidden = first(received[None])
    np.testing.assert_allclose(
        layer_inputs(network, "bidirectional_1", IDS), hidden[0], rtol=1e-6, atol=1e-7
    )


def test_weight_drop_is_a_wrapper_too() -> None:
    ids = keras.Input((None,), dtype="int32")
    inner = layers.Bidirectional(layers.LSTM(UNITS))
    network = keras.Model(ids, WeightDrop(inner, 0.5, name="dropped")(embedding()(ids)))
    assert recurrent_layers(network) == {"dropped": inner.forward_layer}
    assert layer_inputs(network, "dropped", IDS).shape == (len(IDS), FEATURES)


def test_a_language_models_states_start_at_zero() -> None:
    parameters = LanguageModelParameters(cell="lstm", units=UNITS, layers=2)
    network = language_model(embedding(), parameters)
    scorer(network)  # another model that calls this one
    hidden, *_ = network.get_layer("lstm_0")(random(VOCABULARY, FEATURES)[IDS][None])
    assert list(recurrent_layers(network)) == ["lstm_0", "lstm_1"]
    np.testing.assert_allclose(
        layer_inputs(network, "lstm_1", IDS), hidden[0], rtol=1e-6, atol=1e-7
    )


EXAMPLES = [(IDS,), (IDS[::-1],)]


def test_curves_of_a_network_before_and_after_training_make_a_picture(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    network = bidirectional("lstm", 1)
    curves = network_gradient_flow(network, EXAMPLES, "fresh")
    objective = Objective(network)
    objective.compile(optimizer=keras.optimizers.SGD(1.0), loss=None)
    objective.train_on_batch(IDS[None], np.ones(1, np.int32), sample_weight=np.ones(1, np.float32))
    curves |= network_gradient_flow(network, EXAMPLES, "trained")
    fresh, trained = curves.values()
    assert fresh[0] == trained[0] == 1
    assert not np.allclose(fresh, trained, rtol=1e-3)

    curves["dead"] = np.array([1.0, 0.0])
    figure = gradient_flow_picture(curves, "title")
    save(figure, tmp_path / "flow.png")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[0] > min(fresh.min(), trained.min()) / 10  # a zero has no place
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(curves)
    rows = gradient_flow_rows(curves)
    assert rows[0] == {"curve": "bidirectional_0, fresh", "lag": 0, "norm": 1.0}
    assert len(rows) == 2 * len(IDS) + 2


def computed() -> dict[str, np.ndarray]:
    """Curves from fixed weights on this process's backend."""
    flows = {}
    for kind in (layers.SimpleRNN, layers.GRU, layers.LSTM):
        layer = randomised(kind(UNITS))
        flows[kind.__name__] = gradient_flow(layer, random(TIMESTEPS, FEATURES))
    flows["c"] = gradient_flow(layer, random(TIMESTEPS, FEATURES), state="c")
    network = bidirectional("gru", 1)
    network.set_weights([random(*w.shape) for w in network.get_weights()])
    return flows | network_gradient_flow(network, EXAMPLES, "fixed")


@pytest.mark.exhaustive
def test_every_installed_backend_gives_the_same_curves(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
