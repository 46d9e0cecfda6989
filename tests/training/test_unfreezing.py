"""Each group of layers at its own learning rate, from its own epoch on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from helpers.backends import assert_all_agree
from helpers.experiments import small_experiment
from nlp_rnn.config import AnyExperiment, Experiment, TrainingParameters
from nlp_rnn.errors import UserError
from nlp_rnn.models.network import build_network
from nlp_rnn.text.batches import Batch
from nlp_rnn.training.checkpoint import Checkpoint
from nlp_rnn.training.fit import fit, train_epoch
from nlp_rnn.training.objective import Objective, compiled
from nlp_rnn.training.optimizer import OPTIMIZERS, optimizer
from nlp_rnn.training.steps import training_steps
from nlp_rnn.training.unfreezing import Pace, paces

pytestmark = pytest.mark.slow

VOCABULARY, EPOCHS, STEPS = 7, 5, 3
RATE, FACTOR, THAWED = 0.1, 0.25, 4
GRADIENTS = np.random.default_rng(0).normal(size=(10, 2, 3)).astype(np.float32)
START = np.array([0.5, -1.0, 2.0], np.float32)


def stepped(optimizer: Any, steps: Iterator[int] | range, factors: Any = None) -> list[np.ndarray]:
    """Two variables after steps with :data:`GRADIENTS`; ``factors`` is called before each."""
    variables = [keras.Variable(START) for _ in range(2)]
    for pace, variable in zip(getattr(optimizer, "paces", []), variables[1:], strict=False):
        pace.weights.append(variable)
    optimizer.build(variables)
    after = []
    for step in steps:
        for variable, value in optimizer.settings(step) if factors else []:
            variable.assign(value)
        gradients = [keras.ops.convert_to_tensor(each) for each in GRADIENTS[step]]
        optimizer.apply(gradients, variables)
        after.append(np.stack([np.array(keras.ops.convert_to_numpy(v)) for v in variables]))
    return after


def paced(name: str, factor: float, frozen: int, **options: Any) -> list[np.ndarray]:
    """The second variable at a pace of its own; an epoch is a step here."""
    training = TrainingParameters(optimizer=name, learning_rate=RATE, **options)  # type: ignore[arg-type]
    return stepped(optimizer(training, [Pace([], factor, frozen)]), range(10), factors=True)


def plain(name: str, rate: float, first: int, **options: Any) -> np.ndarray:
    """What Keras's own optimiser makes of the second variable from the step ``first`` on."""
    made = stepped(OPTIMIZERS[name](learning_rate=rate, **options), range(first, 10))
    return made[-1][1]


def experiment(**training: Any) -> AnyExperiment:
    return TypeAdapter(Experiment).validate_python(
        {
            "task": "classification",
            "dataset": "x",
            "embeddings": {"kind": "learned", "dimension": 4, **training.pop("embeddings", {})},
            "model": {"units": 4, "layers": 2, "pooling": "attention"},
            "training": {"epochs": EPOCHS, "clip_norm": 0.1, "learning_rate": RATE, **training},
        }
    )


def batches(epoch: int) -> list[Batch]:
    rng = np.random.default_rng(epoch)
    return [
        Batch(
            rng.integers(1, VOCABULARY, (3, 8)).astype(np.int32),
            rng.integers(0, 2, 3).astype(np.int32),
            np.ones(3, np.float32),
        )
        for _ in range(STEPS)
    ]


def objective(parameters: AnyExperiment) -> Objective:
    keras.utils.set_random_seed(0)
    net = build_network(parameters, VOCABULARY, ["a", "b"])
    rng = np.random.default_rng(0)
    for weight in net.weights:
        weight.assign(rng.normal(size=weight.shape))
    frozen = parameters.embeddings.frozen_epochs
    return compiled(Objective(net), parameters.training, frozen)


GROUPS = {"embedding": 0, "bidirectional_0": 1, "bidirectional_1": 2, "attention": 3, "logits": 3}


def unfrozen(parameters: AnyExperiment) -> np.ndarray:
    """For each epoch and group of layers, whether all its weights, some or none changed."""
    work = objective(parameters)
    steps = training_steps(work, batches(0)[0])
    moved = np.zeros((EPOCHS, 4))
    for epoch in range(EPOCHS):
        before = {layer.name: layer.get_weights() for layer in work.network.layers}
        train_epoch(steps, batches(epoch), STEPS, epoch, parameters.training, 0)
        changed: dict[int, list[bool]] = {}
        for layer in work.network.layers:
            for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
                changed.setdefault(GROUPS[layer.name], []).append(bool((old != new).any()))
        moved[epoch] = [np.mean(changed[group]) for group in range(4)]
    return moved


def computed() -> dict[str, np.ndarray]:
    made: dict[str, np.ndarray] = {}
    for name in OPTIMIZERS:
        options = {"weight_decay": 0.1} if name in ("adamw", "sgd") else {}
        made[f"slow {name}"] = paced(name, FACTOR, 0, **options)[-1][1]
        made[f"slow reference {name}"] = plain(name, RATE * FACTOR, 0, **options)
        frozen = np.stack([values[1] for values in paced(name, 1.0, THAWED, **options)])
        made[f"frozen {name}"] = frozen[:THAWED]
        if name != "adamw":  # its decay is corrected with the rest, for some steps
            made[f"thawed {name}"] = frozen[-1]
            made[f"thawed reference {name}"] = plain(name, RATE, THAWED, **options)
    adamw = {"optimizer": "adamw", "weight_decay": 0.1}
    made["gradual"] = unfrozen(experiment(unfreezing="gradual", **adamw))
    return made


def test_a_factor_is_a_smaller_learning_rate(on_backends: dict[str, dict[str, Any]]) -> None:
    for backend, made in on_backends.items():
        for name in OPTIMIZERS:
            np.testing.assert_allclose(
                made[f"slow {name}"],
                made[f"slow reference {name}"],
                atol=1e-6,
                err_msg=f"{name} on {backend}",
            )


def test_frozen_weights_keep_every_bit_whatever_their_decay(
    on_backends: dict[str, dict[str, Any]],
) -> None:
    for backend, made in on_backends.items():
        for name in OPTIMIZERS:
            for values in made[f"frozen {name}"]:
                np.testing.assert_array_equal(values, START, err_msg=f"{name} on {backend}")


def test_a_thawed_weight_is_trained_as_if_training_began_then(
    on_backends: dict[str, dict[str, Any]],
) -> None:
    """Adam's correction counts the steps in which it was trained."""
    for backend, made in on_backends.items():
        for name in OPTIMIZERS.keys() - {"adamw"}:
            np.testing.assert_allclose(
                made[f"thawed {name}"],
                made[f"thawed reference {name}"],
                atol=1e-5,
                err_msg=f"{name} on {backend}",
            )


def test_gradual_unfreezing_adds_a_group_each_epoch_from_the_head_down(
    on_backends: dict[str, dict[str, Any]],
) -> None:
    """Embeddings of words that do not occur stay, so theirs is one matrix that changes or not."""
    for backend, made in on_backends.items():
        expected = [[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
        np.testing.assert_array_equal(made["gradual"], expected, err_msg=backend)


def test_all_backends_agree(on_backends: dict[str, dict[str, Any]]) -> None:
    assert_all_agree(on_backends)


def test_discriminative_rates_fall_from_group_to_group() -> None:
    parameters = experiment(optimizer="sgd", discriminative=2.0, clip_norm=None)
    plain = experiment(optimizer="sgd", clip_norm=None)
    moves = []
    for each in (parameters, plain):
        work = objective(each)
        before = {layer.name: layer.get_weights() for layer in work.network.layers}
        steps = training_steps(work, batches(0)[0])
        train_epoch(steps, batches(0)[:1], 1, 0, each.training, 0)
        moves.append(
            {
                layer.name: [
                    new - old
                    for old, new in zip(before[layer.name], layer.get_weights(), strict=True)
                ]
                for layer in work.network.layers
            }
        )
    for name, group in GROUPS.items():
        for slow, fast in zip(moves[0][name], moves[1][name], strict=True):
            np.testing.assert_allclose(slow, fast * 2.0 ** (group - 3), atol=1e-6)
            assert name == "attention" or np.abs(fast).max() > 1e-4


class Killed(Exception):
    pass


def test_a_training_killed_in_the_middle_of_unfreezing_ends_as_if_it_was_not(
    tmp_path: Path,
) -> None:
    parameters = experiment(unfreezing="gradual", discriminative=2.6, optimizer="adam")

    def run(folder: Path, kill_after: int) -> list[np.ndarray]:
        work = objective(parameters)
        counted = SimpleNamespace(loss=10.0)

        def validate() -> dict[str, float]:
            counted.loss -= 1.0
            return {"validation/loss": counted.loss}

        def on_epoch(epoch: int, row: dict[str, float]) -> None:
            if epoch == kill_after:
                raise Killed

        fit(
            work,
            lambda epoch: (batches(epoch), STEPS),
            validate,
            parameters.training,
            Checkpoint(folder, "same"),
            on_epoch,
        )
        return list(work.network.get_weights())

    whole = run(tmp_path / "whole", 0)
    with pytest.raises(Killed):
        run(tmp_path / "killed", 2)
    # Losses begin anew in the second process, so that its last epoch is the best one too.
    for one, other in zip(whole, run(tmp_path / "killed", 0), strict=True):
        assert np.array_equal(one, other)


def test_too_few_epochs_for_all_groups_are_refused() -> None:
    with pytest.raises(ValidationError, match="takes 4 epochs for the 4 groups of layers"):
        experiment(unfreezing="gradual", epochs=3)
    frozen = {"embeddings": {"kind": "mine", "trainable": False}}
    assert experiment(unfreezing="gradual", epochs=3, **frozen)


@pytest.mark.parametrize(
    ("task", "model", "groups"),
    [
        ("semantic_roles", {"units": 4, "layers": 1}, 3),  # its flags of predicates are learned
        ("language_modelling", {"kind": "feed_forward", "units": 4}, 2),
        ("tagging", {"units": 4}, 2),
    ],
)
def test_every_group_is_trained_in_the_last_epoch(
    task: str, model: dict[str, Any], groups: int
) -> None:
    def of(epochs: int) -> AnyExperiment:
        training = {"epochs": epochs, "unfreezing": "gradual"}
        vectors = {"kind": "pretrained", "file": "v.txt", "dimension": 4, "trainable": False}
        return small_experiment(task, model, training, embeddings=vectors)

    with pytest.raises(UserError, match=f"takes {groups} epochs"):
        of(groups - 1)
    network = build_network(of(groups), VOCABULARY, ["O", "B-V"], (), None, True)
    found = paces(network, of(groups).training, 0)
    assert max(pace.frozen_epochs for pace in found) == groups - 1
