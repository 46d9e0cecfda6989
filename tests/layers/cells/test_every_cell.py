"""Each cell and each switch: the paper's equations, gradients, masks, sizes, saving, precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.cell_reference import (
    FEATURES,
    MASK,
    VARIANTS,
    Weights,
    draw_weights,
    recurrent_layer,
    reference,
    sequences,
    weights_of,
)
from helpers.grids import grid
from nlp_rnn.layers.recurrent import RecurrentLayer

pytestmark = pytest.mark.slow

every_variant = pytest.mark.parametrize("name", VARIANTS)

USUAL = grid(
    VARIANTS,
    *("Elman LN", "CIFG peepholes", "NIG", "LSTM all", "LSTMP", "phased", "GRU before"),
    *("zoneout FGR", "zoneout Elman of Keras"),
)


def arrays(tensors: Any) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


@every_variant
def test_outputs_and_states_are_the_papers(name: str) -> None:
    layer = recurrent_layer(name)
    outputs, *states = arrays(layer(sequences(), mask=MASK))
    expected_outputs, expected_states = reference(name, weights_of(layer), sequences())
    np.testing.assert_allclose(outputs, expected_outputs, atol=1e-5)
    for state, expected in zip(states, expected_states, strict=True):
        np.testing.assert_allclose(state, expected, atol=1e-5)


@every_variant
def test_gradients_are_the_papers_equations_numerical_ones(name: str) -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradient is taken by TensorFlow's tape")
    import tensorflow as tf

    layer = recurrent_layer(name, "float64")
    inputs, coefficients = sequences("float64"), np.random.default_rng(1)
    outputs, _ = reference(name, weights_of(layer), inputs)
    upstream = coefficients.normal(size=outputs.shape)
    variables = {w.name: w.value for w in layer.trainable_weights}
    x = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, mask=MASK)[0] * upstream)
    computed = tape.gradient(loss, {"inputs": x, **variables})

    parameters: Weights = {"inputs": inputs, **weights_of(layer)}

    def expected_loss() -> float:
        return float((reference(name, parameters, parameters["inputs"])[0] * upstream).sum())

    for parameter, gradient in computed.items():
        values = parameters[parameter] = parameters[parameter].copy()
        numerical = np.empty(values.shape)
        for index in np.ndindex(*values.shape):
            old = values[index]
            around = []
            for values[index] in (old + 1e-6, old - 1e-6):
                around.append(expected_loss())
            values[index] = old
            numerical[index] = (around[0] - around[1]) / 2e-6
        np.testing.assert_allclose(gradient, numerical, rtol=1e-5, atol=1e-7, err_msg=parameter)


@every_variant
def test_masked_steps_might_as_well_be_absent(name: str) -> None:
    layer = recurrent_layer(name)
    together = arrays(layer(sequences(), mask=MASK))
    for row, real in enumerate(MASK):
        alone = arrays(layer(sequences()[row : row + 1, real]))
        np.testing.assert_allclose(together[0][row, real], alone[0][0], atol=1e-6)
        for state, expected in zip(together[1:], alone[1:], strict=True):
            np.testing.assert_allclose(state[row], expected[0], atol=1e-6)


@every_variant
def test_carried_states_go_on_as_in_one_pass(name: str) -> None:
    layer = recurrent_layer(name)
    whole, *final = arrays(layer(sequences()))
    first, *states = layer(sequences()[:, :4])
    second, *last = arrays(layer(sequences()[:, 4:], initial_state=states))
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-6)
    for state, expected in zip(last, final, strict=True):
        np.testing.assert_allclose(state, expected, atol=1e-6)


@every_variant
def test_parameter_counts_are_the_papers(name: str) -> None:
    assert recurrent_layer(name).count_params() == VARIANTS[name].parameters


@pytest.mark.parametrize("name", [name for name in VARIANTS if not name.startswith("GRU")])
def test_states_have_names_and_sizes(name: str) -> None:
    cell = VARIANTS[name].cell("float32")
    _, *states = recurrent_layer(name)(sequences())
    assert cell.state_names[0] == "h" and len(set(cell.state_names)) == len(states)
    assert cell.state_size == [state.shape[-1] for state in states]


@pytest.mark.parametrize("name", USUAL)
def test_a_saved_model_is_the_same_after_loading(name: str, tmp_path: Path) -> None:
    layer = RecurrentLayer(VARIANTS[name].cell("float32"), return_sequences=True)
    inputs = keras.Input((None, FEATURES))
    mask = keras.Input((None,), dtype="bool")
    outputs = keras.layers.Bidirectional(layer)(inputs, mask=mask)
    model = keras.Model([inputs, mask], outputs)
    draw_weights(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    (before,) = arrays([model([sequences(), MASK])])
    (after,) = arrays([loaded([sequences(), MASK])])
    np.testing.assert_array_equal(after, before)
    assert np.ptp(before) > 0.01


@pytest.mark.parametrize("name", USUAL)
def test_half_precision_stays_near_single(name: str) -> None:
    single, half = recurrent_layer(name), recurrent_layer(name, "mixed_bfloat16")
    expected = arrays(single(sequences(), mask=MASK))[0]
    outputs = half(sequences(), mask=MASK)[0]
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    (outputs,) = arrays([keras.ops.cast(outputs, "float32")])
    np.testing.assert_allclose(outputs, expected, atol=0.06)
