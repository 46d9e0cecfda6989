"""The recurrent stack against NumPy: connections between layers, and where dropout falls."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from nlp_rnn.config import EncoderParameters
from nlp_rnn.models.encoder import recurrent_stack

UNITS, RATE = 5, 0.5
VECTORS = np.random.default_rng(0).normal(size=(4, 7, UNITS)).astype(np.float32)

Array = NDArray[Any]


def stack(connection: str) -> keras.Model:
    """Two layers, from their input to what each layer of the stack puts out, by its name."""
    keras.utils.set_random_seed(1)
    parameters = EncoderParameters.model_validate(
        {
            "cell": "simple_rnn",
            "units": UNITS,
            "layers": 2,
            "connection": connection,
            "dropout": RATE,
        }
    )
    vectors = keras.Input((None, UNITS))
    mask = ops.any(ops.not_equal(vectors, 0), axis=-1)
    hidden, _ = recurrent_stack(vectors, parameters, bidirectional=False, mask=mask)
    outputs = {
        layer.name: layer.output[0] if isinstance(layer.output, list | tuple) else layer.output
        for layer in keras.Model(vectors, hidden).layers
    }
    return keras.Model(vectors, outputs | {"stack": hidden})


def run(model: keras.Model, training: bool) -> dict[str, Array]:
    outputs = model(ops.convert_to_tensor(VECTORS), training=training)
    return {name: ops.convert_to_numpy(output) for name, output in outputs.items()}


def simple_rnn(model: keras.Model, number: int, inputs: Array) -> Array:
    """``h_t = tanh(x_t W + h_{t-1} R + b)`` from ``h_0 = 0``."""
    kernel, recurrent_kernel, bias = model.get_layer(f"simple_rnn_{number}").get_weights()
    state, states = np.zeros((len(inputs), UNITS)), []
    for t in range(inputs.shape[1]):
        state = np.tanh(inputs[:, t] @ kernel + state @ recurrent_kernel + bias)
        states.append(state)
    return np.stack(states, axis=1)


def assert_close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("connection", "passed_on"), [("plain", 0), ("residual", 1)])
def test_in_prediction_two_layers_are_the_equations(connection: str, passed_on: int) -> None:
    model = stack(connection)
    for bias in (model.get_layer(f"simple_rnn_{i}").weights[-1] for i in range(2)):
        bias.assign(np.random.default_rng(2).normal(size=UNITS))
    first = simple_rnn(model, 0, VECTORS)
    assert_close(run(model, False)["stack"], passed_on * first + simple_rnn(model, 1, first))


def test_naive_dropout_falls_on_inputs_and_the_output_and_the_residual_passes_by() -> None:
    model = stack("residual")
    found = run(model, True)
    first = simple_rnn(model, 0, found["dropout_0"])
    second = simple_rnn(model, 1, found["dropout_1"])
    assert_close(found["simple_rnn_0"], first)
    assert_close(found["residual_1"], first + second)
    np.testing.assert_array_equal(found["stack"], found["dropout_output"])
    places = {"dropout_0": VECTORS, "dropout_1": first, "dropout_output": first + second}
    masks = []
    for name, before in places.items():
        kept = found[name] != 0
        assert_close(found[name], np.where(kept, before / (1 - RATE), 0))
        assert 0.3 < kept.mean() < 0.7
        masks += list(np.moveaxis(kept, 1, 0))
    assert len({mask.tobytes() for mask in masks}) == len(masks)  # one a step, none a sequence


def test_the_last_layer_may_have_a_width_of_its_own() -> None:
    parameters = EncoderParameters.model_validate(
        {"cell": "lstm", "units": 6, "layers": 3, "last_units": 4}
    )
    hidden, _ = recurrent_stack(keras.Input((None, 5)), parameters, False, None)
    assert [parameters.of_layer(i).units for i in range(3)] == [6, 6, 4]
    assert hidden.shape[-1] == parameters.width == 4


def test_input_and_output_may_have_rates_of_their_own() -> None:
    rates = {"dropout": 0.2, "input_dropout": 0.0, "output_dropout": 0.5}
    parameters = EncoderParameters.model_validate({"units": 6, "layers": 3, **rates})
    inputs = keras.Input((None, 5))
    model = keras.Model(inputs, recurrent_stack(inputs, parameters, False, None)[0])
    names = ["dropout_0", "dropout_1", "dropout_2", "dropout_output"]
    assert [model.get_layer(name).rate for name in names] == [0.0, 0.2, 0.2, 0.5]
