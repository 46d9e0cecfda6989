"""Models: shapes, sizes, real masks, gradients everywhere, carried state, every backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.backends import assert_all_agree
from helpers.grids import grid
from helpers.networks import DIMENSION, LABELS, UNITS, VOCABULARY, build, run
from nlp_rnn.config import LanguageModelTrainingParameters
from nlp_rnn.models.language_model import scorer
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.training.objective import Objective, TruncatedBPTT

pytestmark = pytest.mark.slow

RAGGED = [[3, 4, 5, 6, 7], [8, 2], [9]]


def padded(width: int) -> np.ndarray:
    return np.array([row + [0] * (width - len(row)) for row in RAGGED], np.int32)


CELLS = ["simple_rnn", "lstm", "gru"]
ENCODERS: dict[str, dict[str, Any]] = {
    "irnn": {
        "cell": {"kind": "simple_rnn", "activation": "relu", "recurrent_initializer": "identity"}
    },
    "leaky": {"cell": {"kind": "simple_rnn", "leaking_rate": 0.5, "layer_normalization": True}},
    "penalised": {"cell": {"kind": "simple_rnn", "vanishing_gradient_penalty": 0.1}},
    "lstm of 1997": {"cell": {"kind": "lstm", "forget_gate": False}},
    "lstm, forget bias 2": {"cell": {"kind": "lstm", "forget_bias": 2.0}},
    "peepholes": {"cell": {"kind": "lstm", "peepholes": True, "coupled_gates": True}},
    "full gate recurrence": {"cell": {"kind": "lstm", "full_gate_recurrence": True}},
    "layer-norm lstm": {"cell": {"kind": "lstm", "layer_normalization": True}},
    "projection": {"cell": {"kind": "lstm", "projection": 3}},
    "phased": {"cell": {"kind": "phased_lstm", "longest_period": 4.0, "open_ratio": 0.5}},
    "gru, reset before": {"cell": {"kind": "gru", "reset_after": False}},
    "zoneout": {"cell": "lstm", "zoneout": {"hidden": 0.1, "cell": 0.5}},
    "zoneout gru": {"cell": "gru", "zoneout": {"hidden": 0.1}},
    "residual": {"cell": "gru", "layers": 3, "connection": "residual"},
    "highway": {"cell": "lstm", "layers": 3, "connection": "highway"},
    "variational": {
        "dropout": 0.3,
        "variational": True,
        "recurrent_dropout": 0.3,
        "embedding_dropout": 0.2,
    },
    "awd": {
        "weight_drop": 0.5,
        "dropout": 0.2,
        "activation_regularization": 2.0,
        "temporal_activation_regularization": 1.0,
        "norm_stabilizer": 0.1,
    },
}
"""Encoders with every option of the textbooks."""

FIXED_VIEWS: dict[str, dict[str, Any]] = {
    "window": {"kind": "window", "window": 3, "dropout": 0.1},
    "convolution": {"kind": "convolutional", "filters": 16},
    "convolutions of several widths": {"kind": "convolutional", "windows": [2, 3, 7]},
    "stacked convolutions": {"kind": "convolutional", "layers": 3, "dilation": 2, "filters": 16},
}
"""Encoders of classifiers and taggers without states."""

USUAL_ENCODERS = grid(
    ENCODERS | FIXED_VIEWS,
    *("leaky", "peepholes", "phased", "zoneout", "highway", "awd"),
    *("window", "convolutions of several widths"),
)
USUAL_STATES = grid(ENCODERS, "leaky", "projection", "phased", "highway", "zoneout")

GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_parameter_counts_are_the_textbooks(cell: str, bidirectional: bool) -> None:
    m, n, directions = DIMENSION, UNITS, 1 + bidirectional
    bias = 2 if cell == "gru" else 1  # Keras's GRU has a bias for each of its two products
    model = build("tagging", cell=cell, bidirectional=bidirectional)
    recurrent = directions * GATES[cell] * n * (m + n + bias)
    assert model.count_params() == VOCABULARY * m + recurrent + (directions * n + 1) * len(LABELS)


def test_concatenated_pooling_is_the_three_poolings_side_by_side() -> None:
    model = build("classification", pooling="concatenated")
    outputs = [model.get_layer(name).output for name in ("pooled", "last", "max", "mean")]
    pooled, *parts = run(keras.Model(model.inputs, outputs), [padded(7)])
    np.testing.assert_array_equal(pooled, np.concatenate(parts, axis=-1))


@pytest.mark.parametrize("cell", grid(CELLS, "lstm"))
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "concatenated"])
def test_padding_changes_no_classification(cell: str, bidirectional: bool, pooling: str) -> None:
    model = build(
        "classification", cell=cell, bidirectional=bidirectional, pooling=pooling, layers=2
    )
    together = run(model, padded(8))
    assert together.shape == (3, len(LABELS))
    for row, logits in zip(RAGGED, together, strict=True):
        alone = run(model, np.array([row], np.int32))
        np.testing.assert_allclose(alone[0], logits, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_no_tag(cell: str) -> None:
    model = build("tagging", cell=cell, layers=2)
    together = run(model, padded(8))
    for row, logits in zip(RAGGED, together, strict=True):
        alone = run(model, np.array([row], np.int32))
        np.testing.assert_allclose(alone[0], logits[: len(row)], atol=1e-5)


@pytest.mark.parametrize("encoder", USUAL_ENCODERS)
def test_every_encoder_ignores_padding_and_learns(encoder: str) -> None:
    model = build("tagging", **(ENCODERS | FIXED_VIEWS)[encoder])
    ids = padded(8)
    together = run(model, ids)
    for row, logits in zip(RAGGED, together, strict=True):
        alone = run(model, np.array([row], np.int32))
        np.testing.assert_allclose(alone[0], logits[: len(row)], atol=1e-5)
    # A tag depends on its own word: one direction learns it, and is compiled in half the time. That
    # of a phased LSTM sees every word only if all its cells are open then.
    if encoder in ENCODERS and encoder != "phased":
        model = build("tagging", bidirectional=False, **ENCODERS[encoder])
    objective = Objective(model)
    objective.compile(optimizer=keras.optimizers.Adam(0.05), loss=None)
    targets, weights = ids % len(LABELS), (ids > 0).astype(np.float32)
    for _ in range(60):
        objective.train_on_batch(ids, targets, sample_weight=weights)
    right = run(model, ids).argmax(axis=-1) == targets
    assert right[ids > 0].all()


@pytest.mark.parametrize("encoder", USUAL_ENCODERS)
def test_every_encoder_is_saved_and_read_again(encoder: str, tmp_path: Path) -> None:
    model, other = (build("classification", **(ENCODERS | FIXED_VIEWS)[encoder]) for _ in range(2))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(run(model, padded(8)), run(other, padded(8)))


@pytest.mark.parametrize(
    "encoder", grid(ENCODERS, "leaky", "projection", "phased", "highway", "zoneout")
)
def test_every_encoder_carries_its_state(encoder: str) -> None:
    model = build("language_modelling", **ENCODERS[encoder])
    ids = np.random.default_rng(0).integers(1, VOCABULARY, (2, 9)).astype(np.int32)
    zeros = KerasNetwork(model).zero_states(2)
    whole, *final = run(model, [ids, *zeros])
    first, *states = run(model, [ids[:, :4], *zeros])
    second, *after = run(model, [ids[:, 4:], *states])
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-5)
    for one, other in zip(after, final, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_state_carried_across_windows_equals_one_long_pass(cell: str) -> None:
    model = build("language_modelling", cell=cell, layers=2)
    ids = np.random.default_rng(0).integers(1, VOCABULARY, (2, 12)).astype(np.int32)
    zeros = [np.zeros((2, UNITS), np.float32) for _ in model.inputs[1:]]
    whole, *final = run(model, [ids, *zeros])
    states, parts = zeros, []
    for start in range(0, 12, 5):
        logits, *states = run(model, [ids[:, start : start + 5], *states])
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)
    np.testing.assert_allclose(states, final, atol=1e-5)


def truncated(model: keras.Model, rows: int, **training: Any) -> TruncatedBPTT:
    objective = TruncatedBPTT(model, rows, LanguageModelTrainingParameters(**training))
    objective.compile(optimizer=keras.optimizers.SGD(1.0), loss=None)
    return objective


def test_the_objective_carries_the_state_of_each_row_until_it_starts_anew() -> None:
    model = build("language_modelling", cell="lstm")
    objective = truncated(model, 2)
    ids = np.random.default_rng(0).integers(1, VOCABULARY, (2, 8)).astype(np.int32)

    def losses(start: int, *starts: float) -> list[float]:
        """The loss of each row alone: of both windows, only the states are together."""
        window, found = ids[:, start : start + 4], []
        before = [np.array(state) for state in objective.states]
        for row in range(2):
            for state, value in zip(objective.states, before, strict=True):
                state.assign(value)
            weights = np.zeros((2, 4), np.float32)
            weights[row] = 1
            inputs = [window, np.array(starts, np.float32)]
            figures = objective.test_on_batch(
                inputs, window, sample_weight=weights, return_dict=True
            )
            found.append(float(figures["cross_entropy"]))
        return found

    first, second = losses(0, 1, 1), losses(4, 0, 0)
    assert losses(0, 1, 1) == pytest.approx(first, abs=1e-6)
    assert losses(4, 0, 0) == pytest.approx(second, abs=1e-6)
    losses(0, 1, 1)
    mixed = losses(4, 1, 0)
    assert mixed[1] == pytest.approx(second[1], abs=1e-6)
    assert abs(mixed[0] - second[0]) > 1e-5


def test_the_gradient_stops_at_the_windows_start() -> None:
    """Truncated BPTT's step depends on the carried state, not on how it came about."""
    ids = np.random.default_rng(0).integers(1, VOCABULARY, (2, 8)).astype(np.int32)
    steps = []
    for window in (ids[:, :4], ids[::-1, :4]):
        model = build("language_modelling", cell="gru")
        objective = truncated(model, 2)
        weights = np.ones((2, 4), np.float32)
        objective.test_on_batch([window, np.ones(2, np.float32)], window, sample_weight=weights)
        for state in objective.states:
            state.assign(np.full(state.shape, 0.1, np.float32))
        before = [np.array(w) for w in model.get_weights()]
        inputs = [ids[:, 4:], np.zeros(2, np.float32)]
        objective.train_on_batch(inputs, ids[:, 4:], sample_weight=weights)
        steps.append([a - b for a, b in zip(model.get_weights(), before, strict=True)])
    for one, other in zip(*steps, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


def test_scorer_gives_minus_log_softmax() -> None:
    model = build("language_modelling", cell="gru", tied=True)
    rng = np.random.default_rng(0)
    ids, targets = (rng.integers(1, VOCABULARY, (2, 5)).astype(np.int32) for _ in range(2))
    zeros = [np.zeros((2, UNITS), np.float32)]
    logits = run(model, [ids, *zeros])[0].astype(np.float64)
    expected = np.log(np.exp(logits).sum(axis=-1)) - np.take_along_axis(
        logits, targets[..., None], axis=-1
    ).squeeze(-1)
    losses, *_ = run(scorer(model), [ids, targets, *zeros])
    np.testing.assert_allclose(losses, expected, atol=1e-5)


OUTPUTS: dict[str, Any] = {
    "full": "softmax",
    "adaptive": {"kind": "adaptive_softmax", "cutoffs": [3, 6], "divisor": 2},
    "sampled": {"kind": "sampled_softmax", "samples": 8},
    "hierarchical": "hierarchical_softmax",
}


@pytest.mark.parametrize("output", grid(OUTPUTS, "adaptive", "hierarchical"))
def test_every_output_layer_learns_a_markov_chain(output: str) -> None:
    """Whose optimum is known: the entropy of the next type given the last."""
    rng = np.random.default_rng(0)
    chain = rng.dirichlet(np.full(VOCABULARY - 1, 0.3), VOCABULARY - 1)
    text = [0]
    while len(text) < 20 * 1301:
        text.append(int(rng.choice(len(chain), p=chain[text[-1]])))
    streams = np.array(text, np.int32).reshape(20, -1) + 1
    model = build("language_modelling", cell="simple_rnn", units=16, output=OUTPUTS[output])
    objective = truncated(model, 20)
    objective.compile(optimizer=keras.optimizers.Adam(0.03), loss=None)
    for start in range(0, 1000, 5):
        ids, targets = (streams[:, start + i : start + i + 10] for i in (0, 1))
        inputs = [ids, np.zeros(20, np.float32)]
        objective.train_on_batch(inputs, targets, sample_weight=np.ones((20, 10), np.float32))
    ids, targets = streams[:, 1000:1300], streams[:, 1001:1301]
    losses, _ = KerasNetwork(model).losses(ids, targets, [np.zeros((20, 16), np.float32)])
    optimum = -np.log(chain[ids - 1, targets - 1]).mean()
    unigram = np.bincount(streams[:, :1000].ravel(), minlength=VOCABULARY) / streams[:, :1000].size
    assert losses.mean() < optimum + 0.2 * (-np.log(unigram[targets]).mean() - optimum)


def test_tied_weights_share_the_embedding_matrix() -> None:
    free, tied = (build("language_modelling", cell="lstm", tied=tied) for tied in (False, True))
    assert free.count_params() - tied.count_params() == VOCABULARY * UNITS


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("classification", {"pooling": "attention", "layers": 2}),
        ("classification", {"kind": "window"}),
        ("classification", {"kind": "convolutional", "windows": [2, 5], "filters": 8}),
        ("tagging", {"layers": 2}),
        ("language_modelling", {"layers": 2}),
    ],
)
def test_every_parameter_gets_a_gradient(task: str, model: dict[str, Any]) -> None:
    net = build(task, **model)
    language = task == "language_modelling"
    objective = truncated(net, 3) if language else Objective(net)
    objective.compile(optimizer=keras.optimizers.SGD(1.0), loss=None)
    ids = np.tile(np.arange(1, VOCABULARY, dtype=np.int32), (3, 1))
    targets = np.zeros(3, np.int32) if task == "classification" else ids % len(LABELS)
    before = [np.array(w) for w in net.get_weights()]
    inputs = [ids, np.ones(3, np.float32)] if language else ids
    objective.train_on_batch(inputs, targets, sample_weight=np.ones(targets.shape, np.float32))
    for variable, old, new in zip(net.weights, before, net.get_weights(), strict=True):
        assert not np.allclose(old, new, atol=0), variable.path


def learned(task: str) -> dict[str, np.ndarray]:
    """Weights after two clipped steps from fixed weights, and then the logits of real tokens."""
    net = build(task, layers=2, cell="lstm" if task == "tagging" else "gru")
    rng = np.random.default_rng(0)
    net.set_weights([rng.normal(0, 0.3, w.shape) for w in net.get_weights()])
    ids = padded(8)
    language = task == "language_modelling"
    objective = truncated(net, len(RAGGED)) if language else Objective(net)
    objective.compile(optimizer=keras.optimizers.SGD(0.1, global_clipnorm=0.5), loss=None)
    targets = np.zeros(3, np.int32) if task == "classification" else ids % 3
    weights = np.ones(3) if task == "classification" else (ids > 0) * 1.0
    for _ in range(2):
        inputs = [ids, np.zeros(3, np.float32)] if language else ids
        objective.train_on_batch(inputs, targets, sample_weight=weights.astype(np.float32))
    arrays = {f"{task} weight {i}": np.asarray(w) for i, w in enumerate(net.get_weights())}
    if task != "language_modelling":
        logits = np.asarray(net.predict_on_batch(ids))
        arrays[f"{task} logits"] = logits if task == "classification" else logits[ids > 0]
    return arrays


def computed() -> dict[str, np.ndarray]:
    tasks = ("classification", "tagging", "language_modelling")
    return {name: array for task in tasks for name, array in learned(task).items()}


def test_every_installed_backend_computes_and_learns_the_same(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
