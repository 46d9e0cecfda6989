"""Models: shapes, sizes, real masks, gradients everywhere, carried state, every backend."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nlp_rnn.config import parse
from nlp_rnn.models.language_model import scorer
from nlp_rnn.models.network import AnyExperiment, network
from nlp_rnn.training.objective import Objective, TruncatedBPTT

VOCABULARY, DIMENSION, UNITS, LABELS = 11, 6, 6, 3
KINDS = {"classification": "labelled", "tagging": "tagged", "language_modelling": "text"}


def experiment(task: str, **model: Any) -> AnyExperiment:
    data = {
        "datasets": {"d": {"source": "tfds", "name": "x", "kind": KINDS[task]}},
        "experiments": {
            "e": {
                "task": task,
                "dataset": "d",
                "embeddings": {"kind": "learned", "dimension": DIMENSION},
                "model": {"units": UNITS, **model},
                "training": {},
            }
        },
    }
    return parse(data, Path("params.yaml")).experiment("e")


def build(task: str, **model: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return network(experiment(task, **model), VOCABULARY, LABELS)


def run(model: keras.Model, inputs: Any) -> Any:
    """The model's outputs as NumPy arrays, without compiling it for each shape."""
    outputs = model(inputs, training=False)
    if isinstance(outputs, list):
        return [keras.ops.convert_to_numpy(output) for output in outputs]
    return keras.ops.convert_to_numpy(outputs)


RAGGED = [[3, 4, 5, 6, 7], [8, 2], [9]]


def padded(width: int) -> np.ndarray:
    return np.array([row + [0] * (width - len(row)) for row in RAGGED], np.int32)


CELLS = ["simple_rnn", "lstm", "gru"]
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_parameter_counts_are_the_textbooks(cell: str, bidirectional: bool) -> None:
    m, n, directions = DIMENSION, UNITS, 1 + bidirectional
    bias = 2 if cell == "gru" else 1  # Keras's GRU has a bias for each of its two products
    model = build("tagging", cell=cell, bidirectional=bidirectional)
    recurrent = directions * GATES[cell] * n * (m + n + bias)
    assert model.count_params() == VOCABULARY * m + recurrent + (directions * n + 1) * LABELS


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_padding_changes_no_classification(cell: str, bidirectional: bool, pooling: str) -> None:
    model = build(
        "classification", cell=cell, bidirectional=bidirectional, pooling=pooling, layers=2
    )
    together = run(model, padded(8))
    assert together.shape == (3, LABELS)
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


def test_the_objective_carries_the_state_too() -> None:
    model = build("language_modelling", cell="lstm")
    objective = TruncatedBPTT(model, 2)
    objective.compile(optimizer="sgd", loss=None)
    ids = np.random.default_rng(0).integers(1, VOCABULARY, (2, 8)).astype(np.int32)
    weights = np.ones((2, 4), np.float32)

    def loss(start: int) -> float:
        window = ids[:, start : start + 4]
        figures = objective.test_on_batch(window, window, sample_weight=weights, return_dict=True)
        return float(figures["cross_entropy"])

    first, second = loss(0), loss(4)
    objective.reset_states()
    assert loss(0) == pytest.approx(first, abs=1e-6)
    assert loss(4) == pytest.approx(second, abs=1e-6)
    objective.reset_states()
    assert abs(loss(4) - second) > 1e-6


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


def test_tied_weights_share_the_embedding_matrix() -> None:
    free, tied = (build("language_modelling", cell="lstm", tied=tied) for tied in (False, True))
    assert free.count_params() - tied.count_params() == VOCABULARY * UNITS


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("classification", {"pooling": "attention", "layers": 2}),
        ("tagging", {"layers": 2}),
        ("language_modelling", {"layers": 2}),
    ],
)
def test_every_parameter_gets_a_gradient(task: str, model: dict[str, Any]) -> None:
    net = build(task, **model)
    objective = TruncatedBPTT(net, 3) if task == "language_modelling" else Objective(net)
    objective.compile(optimizer=keras.optimizers.SGD(1.0), loss=None)
    ids = np.tile(np.arange(1, VOCABULARY, dtype=np.int32), (3, 1))
    targets = np.zeros(3, np.int32) if task == "classification" else ids % LABELS
    before = [np.array(w) for w in net.get_weights()]
    objective.train_on_batch(ids, targets, sample_weight=np.ones(targets.shape, np.float32))
    for variable, old, new in zip(net.weights, before, net.get_weights(), strict=True):
        assert not np.allclose(old, new, atol=0), variable.path


BACKENDS = [b for b in ("tensorflow", "jax", "torch") if importlib.util.find_spec(b)]


def computed_on(backend: str, folder: Path) -> dict[str, np.ndarray]:
    """What ``on_backend.py`` computes for each task on ``backend``."""
    file = folder / f"{backend}.npz"
    subprocess.run(
        [sys.executable, str(Path(__file__).parent / "on_backend.py"), str(file)],
        env=os.environ | {"KERAS_BACKEND": backend},
        check=True,
    )
    with np.load(file) as arrays:
        return dict(arrays)


def test_every_installed_backend_computes_and_learns_the_same(tmp_path: Path) -> None:
    if len(BACKENDS) < 2:
        pytest.skip("only one backend is installed; the extras jax and torch add others")
    first, *others = (computed_on(backend, tmp_path) for backend in BACKENDS)
    for other in others:
        assert other.keys() == first.keys()
        for name, values in first.items():
            np.testing.assert_allclose(other[name], values, atol=1e-5, err_msg=name)
