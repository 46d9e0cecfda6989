"""Embeddings that are frozen for the first epochs, then fine-tuned."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from helpers.backends import assert_all_agree
from nlp_rnn.config import Experiment
from nlp_rnn.models.network import build_network
from nlp_rnn.text.batches import Batch
from nlp_rnn.training.fit import train_epoch
from nlp_rnn.training.objective import Objective, compiled
from nlp_rnn.training.steps import training_steps

VOCABULARY, EPOCHS, STEPS = 7, 3, 4
VECTORS = np.random.default_rng(1).normal(size=(VOCABULARY, 4)).astype(np.float32)


def batches(epoch: int) -> list[Batch]:
    rng = np.random.default_rng(epoch)
    made = []
    for _ in range(STEPS):
        ids = rng.integers(1, VOCABULARY, (3, 5)).astype(np.int32)
        targets = rng.integers(0, 2, 3).astype(np.int32)
        made.append(Batch(ids, targets, np.ones(3, np.float32)))
    return made


def parameters(trainable: Any, **training: Any) -> dict[str, Any]:
    return {
        "task": "classification",
        "dataset": "x",
        "embeddings": {"kind": "mine", "dimension": 4, "trainable": trainable},
        "model": {"units": 4, "pooling": "max"},
        "training": {"epochs": EPOCHS, "clip_norm": 0.1, "learning_rate": 0.1, **training},
    }


def trained(trainable: Any, **training: Any) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """The embeddings, the other weights and the gradient's norm after each epoch."""
    experiment = TypeAdapter(Experiment).validate_python(parameters(trainable, **training))
    keras.utils.set_random_seed(0)
    net = build_network(experiment, VOCABULARY, ["a", "b"], vectors=VECTORS)
    rng = np.random.default_rng(0)
    embedding, *others = net.weights
    for weight in others:
        weight.assign(rng.normal(size=weight.shape))
    objective = compiled(Objective(net), experiment.training, experiment.embeddings.frozen_epochs)
    steps = training_steps(objective, batches(0)[0])
    after = []
    for epoch in range(EPOCHS):
        row = train_epoch(steps, batches(epoch), STEPS, epoch, experiment.training, 0)
        values = [keras.ops.convert_to_numpy(weight).ravel() for weight in others]
        table = np.array(keras.ops.convert_to_numpy(embedding))
        after.append((table, np.concatenate(values), row["gradient_norm"]))
    return after


def computed() -> dict[str, np.ndarray]:
    # Adam turns the rounding errors of gradients near 0 into steps, so it is not compared.
    sgd, adamw = {"optimizer": "sgd", "weight_decay": 0.1}, {"optimizer": "adamw"}
    thawing = {
        name: trained({"after": 2}, **options)
        for name, options in {"sgd": sgd, "random adamw": adamw}.items()
    }
    results = {}
    for name, after in thawing.items():
        results[f"{name}: embeddings"] = np.stack([table for table, *_ in after])
        results[f"{name}: others"] = np.stack([others for _, others, _ in after])
    frozen = trained(False, **adamw)
    results["random frozen: others"] = np.stack([others for _, others, _ in frozen])
    results["random norms"] = np.array([norm for *_, norm in thawing["random adamw"]])
    results["random frozen: norms"] = np.array([norm for *_, norm in frozen])
    return results


@pytest.mark.parametrize("optimizer", ["sgd", "random adamw"])
def test_embeddings_are_frozen_for_the_epochs_asked_for_and_then_learned(
    on_backends: dict[str, dict[str, np.ndarray]], optimizer: str
) -> None:
    for backend, results in on_backends.items():
        tables = results[f"{optimizer}: embeddings"]
        np.testing.assert_array_equal(tables[0], VECTORS, err_msg=backend)
        np.testing.assert_array_equal(tables[1], VECTORS, err_msg=backend)
        assert np.abs(tables[2] - VECTORS)[1:].max() > 0.01, backend


def test_until_then_everything_else_is_trained_as_if_they_were_frozen_for_good(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for backend, results in on_backends.items():
        for one, other in (
            ("random adamw: others", "random frozen: others"),
            ("random norms", "random frozen: norms"),
        ):
            apart = np.abs(results[one] - results[other])
            assert apart[:2].max() < 1e-5, (backend, one)
            assert apart[2].max() > 1e-4, (backend, one)


def test_all_backends_thaw_alike(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    assert_all_agree(on_backends)


@pytest.mark.slow
def test_averages_of_weights_begin_with_frozen_ones() -> None:
    options = {"optimizer": "sgd", "averaging": {"non_monotone": 1}, "weight_decay": 0.1}
    tables = [table for table, *_ in trained({"after": 2}, **options)]
    np.testing.assert_array_equal(tables[1], VECTORS)
    assert (tables[2] != VECTORS).any()


def test_what_would_never_thaw_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"after is 3, so that none of the 3 epochs"):
        TypeAdapter(Experiment).validate_python(parameters({"after": 3}))
