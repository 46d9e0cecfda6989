"""Files of ONNX: as Keras predicts, for every layer and option that ONNX knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession

from helpers.experiments import small_experiment, with_units
from helpers.grids import grid
from nlp_rnn.config import AnyExperiment
from nlp_rnn.errors import UserError
from nlp_rnn.layers.crf import FORBIDDEN
from nlp_rnn.models.network import build_network
from nlp_rnn.models.tagger import crf_of
from nlp_rnn.runtime.onnx_graph import Unsupported, check, onnx_model
from nlp_rnn.runtime.onnx_int8 import quantized

VOCABULARY, UNITS, TAGS = 11, 6, ("O", "B-X", "I-X")
CHARACTERS = ("<pad>", "<unk>", "<eos>", "a", "b", "A", "B", "1", ".")
LETTERS = len(CHARACTERS)
CLASSIFIER, TAGGER, LANGUAGE_MODEL = "classification", "tagging", "language_modelling"

RAGGED = [[3, 4, 5, 6, 7], [8, 2], [9]]
WIDTH = 7
"""More than the longest row has."""


CONTEXT = {"vectors": "any/folder", "dimension": 4, "layers": 2, "trainable": True}


def experiment(task: str, in_context: bool = False, **model: Any) -> AnyExperiment:
    dimension = model.get("units", UNITS)
    embeddings = {"kind": "learned", "dimension": dimension}
    if in_context:
        embeddings["contextual"] = CONTEXT
    return small_experiment(task, with_units(model, UNITS), embeddings=embeddings)


def build(task: str, **model: Any) -> keras.Model:
    """A network whose weights are all random: biases, peepholes and a CRF's, too."""
    keras.utils.set_random_seed(0)
    built = build_network(experiment(task, **model), VOCABULARY, TAGS, CHARACTERS)
    rng = np.random.default_rng(0)
    for variable in built.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.4, variable.shape))
    return built


def by_keras(model: keras.Model, *inputs: np.ndarray) -> list[np.ndarray]:
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)]


def by_onnx(model: onnx.ModelProto, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def padded(rows: list[Any], width: int, padding: Any = 0) -> np.ndarray:
    return np.array([row + [padding] * (width - len(row)) for row in rows], np.int32)


def spelled(row: list[int]) -> list[list[int]]:
    """Words of 1 to 5 letters, each its own."""
    return [[1 + (word + i) % (LETTERS - 1) for i in range(1 + word % 5)] for word in row]


LSTM = "lstm"
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "last": (CLASSIFIER, {"pooling": "last"}),
    "last of one direction": (CLASSIFIER, {"pooling": "last", "bidirectional": False}),
    "mean": (CLASSIFIER, {"pooling": "mean", "cell": "gru"}),
    "max": (CLASSIFIER, {"pooling": "max", "bidirectional": False}),
    "concatenated": (CLASSIFIER, {"pooling": "concatenated"}),
    "attention": (CLASSIFIER, {"pooling": "attention", "cell": "simple_rnn"}),
    "window": (CLASSIFIER, {"kind": "window", "pooling": "mean"}),
    "window, letters, crf": (
        TAGGER,
        {"kind": "window", "window": 9, "characters": {"kind": "cnn"}, "output": "crf"},
    ),
    "several windows": (CLASSIFIER, {"kind": "convolutional", "windows": [2, 3, 8]}),
    "dilated": (
        TAGGER,
        {"kind": "convolutional", "windows": [3, 4], "layers": 3, "dilation": 2, "dropout": 0.2},
    ),
    "elman": (TAGGER, {"cell": {"kind": "simple_rnn", "vanishing_gradient_penalty": 0.1}}),
    "irnn": (
        TAGGER,
        {"cell": {"kind": "simple_rnn", "activation": "relu"}, "bidirectional": False},
    ),
    "penalised irnn": (
        TAGGER,
        {"cell": {"kind": "simple_rnn", "activation": "relu", "vanishing_gradient_penalty": 0.1}},
    ),
    "gru, reset before": (TAGGER, {"cell": {"kind": "gru", "reset_after": False}}),
    "peepholes": (TAGGER, {"cell": {"kind": LSTM, "peepholes": True}}),
    "coupled gates": (TAGGER, {"cell": {"kind": LSTM, "coupled_gates": True}}),
    "coupled, peepholes": (
        TAGGER,
        {"cell": {"kind": LSTM, "coupled_gates": True, "peepholes": True}, "bidirectional": False},
    ),
    "no input gate": (TAGGER, {"cell": {"kind": LSTM, "input_gate": False, "peepholes": True}}),
    "no forget gate": (TAGGER, {"cell": {"kind": LSTM, "forget_gate": False}}),
    "no output gate": (TAGGER, {"cell": {"kind": LSTM, "output_gate": False, "peepholes": True}}),
    "no input activation": (TAGGER, {"cell": {"kind": LSTM, "input_activation": False}}),
    "no activations": (
        TAGGER,
        {"cell": {"kind": LSTM, "input_activation": False, "output_activation": False}},
    ),
    "residual": (TAGGER, {"cell": "gru", "layers": 3, "connection": "residual"}),
    "highway": (TAGGER, {"layers": 3, "connection": "highway"}),
    "regularised": (
        TAGGER,
        {
            "layers": 2,
            "weight_drop": 0.5,
            "dropout": 0.2,
            "recurrent_dropout": 0.2,
            "embedding_dropout": 0.2,
            "activation_regularization": 2.0,
            "temporal_activation_regularization": 1.0,
            "norm_stabilizer": 0.1,
        },
    ),
    "letters, even window": (TAGGER, {"characters": {"kind": "cnn", "window": 4, "dropout": 0.2}}),
    "letters, crf": (TAGGER, {"characters": {"kind": "bilstm", "units": 4}, "output": "crf"}),
    "casing": (TAGGER, {"casing": 3}),
    "letters, casing": (TAGGER, {"casing": 3, "characters": {"kind": "cnn"}, "output": "crf"}),
    "in context": (CLASSIFIER, {"in_context": True, "pooling": "max"}),
    "in context, casing, crf": (TAGGER, {"in_context": True, "casing": 3, "output": "crf"}),
    "learned in another scheme": (TAGGER, {"tag_scheme": "BIOES", "output": "crf"}),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    grid(
        NETWORKS,
        *("last", "concatenated", "attention", "window, letters, crf", "several windows"),
        *("dilated", "irnn", "gru, reset before", "coupled, peepholes", "no input gate"),
        *("no forget gate", "no activations", "highway", "residual", "regularised"),
        *("letters, crf", "letters, casing", "in context, casing, crf"),
    ),
)
def test_a_padded_batch_is_predicted_as_keras_predicts_each_row_alone(name: str) -> None:
    task, options = NETWORKS[name]
    model = build(task, **options)
    letters = len(model.inputs) > 1
    inputs = {
        "ids": padded(RAGGED, WIDTH),
        "lengths": np.array([len(row) for row in RAGGED], np.int32),
    }
    if letters:
        spellings = [[padded([word], 5)[0].tolist() for word in spelled(row)] for row in RAGGED]
        inputs["characters"] = padded(spellings, WIDTH, [1, 0, 0, 0, 0])
    found = by_onnx(onnx_model(model), **inputs)["logits"]
    for row, logits in zip(RAGGED, found, strict=True):
        alone = [np.array([row], np.int32)]
        if letters:
            longest = max(map(len, spelled(row)))
            alone.append(padded(spelled(row), longest)[None])
        (expected,) = by_keras(model, *alone)
        logits = logits if task == CLASSIFIER else logits[: len(row)]
        np.testing.assert_allclose(logits, expected[0], atol=1e-5, rtol=1e-5)


LANGUAGE_MODELS: dict[str, dict[str, Any]] = {
    "simple_rnn": {"cell": "simple_rnn"},
    "gru, dropped": {"cell": "gru", "layers": 2, "weight_drop": 0.3, "norm_stabilizer": 0.1},
    "lstm, tied": {"layers": 2, "tied": True, "temporal_activation_regularization": 1.0},
    "lstm, peepholes": {"cell": {"kind": LSTM, "peepholes": True, "coupled_gates": True}},
    "adaptive softmax": {"output": {"kind": "adaptive_softmax", "cutoffs": [4, 8], "divisor": 2}},
    "adaptive softmax, tied": {
        "tied": True,
        "output": {"kind": "adaptive_softmax", "cutoffs": [4], "divisor": 1},
    },
    "sampled softmax": {"output": "sampled_softmax"},
    "hierarchical softmax": {"output": "hierarchical_softmax"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_states_carried_over_windows_are_as_one_text_in_keras(name: str) -> None:
    model = build(LANGUAGE_MODEL, **LANGUAGE_MODELS[name])
    rng = np.random.default_rng(1)
    ids = rng.integers(1, VOCABULARY, (3, 8), np.int32)
    names = [tensor.name for tensor in model.inputs[1:]]
    states = {state: rng.standard_normal((3, UNITS), np.float32) for state in names}
    logits, *after = by_keras(model, ids, *states.values())
    expected = log_softmax(logits)

    file = onnx_model(model)
    start = 0
    for width in (5, 1, 2):
        window = ids[:, start : start + width]
        found = by_onnx(file, ids=window, **states)
        np.testing.assert_allclose(
            found["log_probabilities"], expected[:, start : start + width], atol=1e-5
        )
        states = {state: found[f"next_{state}"] for state in names}
        start += width
    for state, value in zip(names, after, strict=True):
        np.testing.assert_allclose(states[state], value, atol=1e-5, err_msg=state)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (CLASSIFIER, {"pooling": "attention"}),
        (CLASSIFIER, {"kind": "convolutional", "windows": [5]}),
        (TAGGER, {"kind": "window"}),
        (TAGGER, {"characters": {"kind": "cnn", "window": 3}, "cell": "gru"}),
        (TAGGER, {"characters": {"kind": "bilstm"}}),
        (TAGGER, {"casing": 2}),
        (LANGUAGE_MODEL, {"tied": True}),
    ],
)
def test_one_row_of_one_step_and_one_letter_runs(task: str, options: dict[str, Any]) -> None:
    model = build(task, **options)
    one = {"ids": [[4]], "characters": [[[2]]], "h_0": [[0.5] * UNITS], "c_0": [[0.5] * UNITS]}
    types = {tensor.name: tensor.dtype for tensor in model.inputs}
    inputs = {name: np.array(one[name], dtype) for name, dtype in types.items()}
    expected = by_keras(model, *inputs.values())[0]
    if task == LANGUAGE_MODEL:
        expected = log_softmax(expected)
        found = by_onnx(onnx_model(model), **inputs)["log_probabilities"]
    else:
        found = by_onnx(onnx_model(model), **inputs, lengths=np.array([1], np.int32))["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_lengths_say_where_the_padding_begins() -> None:
    model = onnx_model(build(CLASSIFIER))
    ids = padded(RAGGED, WIDTH)
    lengths = np.array([len(row) for row in RAGGED], np.int32)
    right = by_onnx(model, ids=ids, lengths=lengths)["logits"]
    wrong = by_onnx(model, ids=ids, lengths=np.full(3, WIDTH, np.int32))["logits"]
    assert (abs(right - wrong).max(axis=1) > 1e-2).all()


def test_a_crf_is_a_constant_of_the_file_with_what_its_scheme_forbids() -> None:
    model = build(TAGGER, output="crf")
    one = {"ids": np.array([[3]], np.int32), "lengths": np.array([1], np.int32)}
    found = by_onnx(onnx_model(model), **one)
    crf = crf_of(model)
    assert crf is not None
    for name, scores in zip(("start", "transitions", "end"), crf.scores, strict=True):
        expected = keras.ops.convert_to_numpy(scores)
        np.testing.assert_array_equal(found[f"crf_{name}"], expected)
    outside, inside = TAGS.index("O"), TAGS.index("I-X")
    assert found["crf_start"][inside] == found["crf_transitions"][outside, inside] == FORBIDDEN


def typed(values: Any) -> dict[str, tuple[Any, ...]]:
    """Each input's or output's axes."""
    return {
        value.name: tuple(
            axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim
        )
        for value in values
    }


def test_a_saved_file_is_whole_and_says_what_it_takes_and_returns(tmp_path: Path) -> None:
    model = build(TAGGER, characters={"kind": "cnn"}, output="crf")
    onnx.save(onnx_model(model), tmp_path / "model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    onnx.checker.check_model(tmp_path / "model.onnx", full_check=True)
    loaded = onnx.load(tmp_path / "model.onnx")
    assert check(loaded, model, seed=1) < 1e-5
    assert typed(loaded.graph.input) == {
        "ids": ("batch", "timesteps"),
        "characters": ("batch", "timesteps", "characters"),
        "lengths": ("batch",),
    }
    assert typed(loaded.graph.output) == {
        "logits": ("batch", "timesteps", 3),
        "crf_start": (3,),
        "crf_transitions": (3, 3),
        "crf_end": (3,),
    }
    assert {opset.version for opset in loaded.opset_import} == {17} and loaded.ir_version == 9


def test_a_language_model_takes_and_returns_named_states_but_no_lengths() -> None:
    model = onnx_model(build(LANGUAGE_MODEL, norm_stabilizer=0.1))
    assert typed(model.graph.input) == {
        "ids": ("batch", "timesteps"),
        "h_0": ("batch", UNITS),
        "c_0": ("batch", UNITS),
    }
    assert typed(model.graph.output) == {
        "log_probabilities": ("batch", "timesteps", VOCABULARY),
        "next_h_0": ("batch", UNITS),
        "next_c_0": ("batch", UNITS),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options", "named"),
    [
        (TAGGER, {"zoneout": {"hidden": 0.1}, "cell": "gru"}, "bidirectional_0.*Zoneout"),
        (TAGGER, {"cell": "phased_lstm", "weight_drop": 0.1}, "weight_drop_0.*PhasedLSTMCell"),
        (
            LANGUAGE_MODEL,
            {"cell": {"kind": LSTM, "layer_normalization": True}},
            "lstm_0.*layer_normalization",
        ),
        (
            LANGUAGE_MODEL,
            {"cell": {"kind": LSTM, "projection": UNITS}},
            "lstm_0.*projection",
        ),
        (
            CLASSIFIER,
            {"cell": {"kind": LSTM, "full_gate_recurrence": True}, "bidirectional": False},
            "lstm_0.*full_gate_recurrence",
        ),
        (
            CLASSIFIER,
            {"cell": {"kind": "simple_rnn", "leaking_rate": 0.5}, "bidirectional": False},
            "simple_rnn_0.*leaking_rate",
        ),
    ],
)
def test_what_onnx_lacks_is_named(task: str, options: dict[str, Any], named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        onnx_model(build(task, **options))


def test_a_layer_that_nobody_has_converted_is_named() -> None:
    ids = keras.Input((None,), dtype="int32", name="ids")
    vectors = keras.layers.Embedding(VOCABULARY, UNITS, name="embedding")(ids)
    model = keras.Model(ids, keras.layers.LayerNormalization(name="scaled")(vectors))
    with pytest.raises(Unsupported, match=r"scaled.*LayerNormalization"):
        onnx_model(model)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options", "weight"),
    [
        (CLASSIFIER, {"pooling": "mean"}, "kernel"),
        (TAGGER, {"characters": {"kind": "bilstm"}}, "bias"),
        (LANGUAGE_MODEL, {"cell": "gru"}, "recurrent_kernel"),
    ],
)
def test_check_finds_a_changed_weight(task: str, options: dict[str, Any], weight: str) -> None:
    model = build(task, **options)
    file = onnx_model(model)
    assert 0 < check(file, model, seed=3) < 1e-5
    changed = next(v for v in model.trainable_variables if v.name == weight)
    changed.assign(changed + 0.01)
    with pytest.raises(UserError, match="differs from the network"):
        check(file, model, seed=3)
    changed.assign(changed * np.nan)
    with pytest.raises(UserError, match="differs from the network by nan"):
        check(onnx_model(model), model, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options", "size"),
    [
        (TAGGER, {"layers": 2, "characters": {"kind": "cnn"}, "casing": 5}, 0.45),
        (TAGGER, {"cell": "gru"}, 1.0),  # whose operator stays as it is
        (TAGGER, {"kind": "window"}, 0.45),
        (TAGGER, {"kind": "convolutional", "layers": 2, "dilation": 2}, 0.45),
        (LANGUAGE_MODEL, {"layers": 2}, 0.45),
        (LANGUAGE_MODEL, {"tied": True}, 0.45),
    ],
)
def test_a_quantized_file_is_smaller_and_mostly_agrees(
    task: str, options: dict[str, Any], size: float
) -> None:
    width = "filters" if options.get("kind") == "convolutional" else "units"
    model = build(task, **{width: 64}, **options)
    exact = onnx_model(model)
    small = quantized(exact)
    rng = np.random.default_rng(5)
    inputs: dict[str, np.ndarray] = {"ids": rng.integers(1, VOCABULARY, (16, 12), np.int32)}
    for tensor in model.inputs[1:]:
        if tensor.name == "characters":
            inputs["characters"] = rng.integers(1, LETTERS, (16, 12, 5), np.int32)
        else:
            inputs[tensor.name] = np.zeros((16, tensor.shape[1]), np.float32)
    if task == TAGGER:
        inputs["lengths"] = np.full(16, 12, np.int32)
    name = "logits" if task == TAGGER else "log_probabilities"
    before, after = by_onnx(exact, **inputs)[name], by_onnx(small, **inputs)[name]
    assert (before.argmax(axis=-1) == after.argmax(axis=-1)).mean() > 0.9
    assert abs(before - after).max() > 0  # so it is quantised
    assert small.ByteSize() < size * exact.ByteSize()
