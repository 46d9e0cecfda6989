"""Adversarial training of a classifier, against its equations in NumPy."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from backends import INSTALLED
from keras import ops
from pydantic import TypeAdapter, ValidationError

from nlp_rnn.config import AnyExperiment, Experiment
from nlp_rnn.models.network import network
from nlp_rnn.tasks.classification import Classification
from nlp_rnn.text.batches import Batch
from nlp_rnn.training.adversarial import AdversarialObjective
from nlp_rnn.training.objective import Objective, compiled
from nlp_rnn.training.steps import training_steps

VOCABULARY, DIMENSION, EPSILON = 9, 3, 0.7
IDS = np.array([[2, 5, 5, 8], [3, 4, 0, 0], [7, 0, 0, 0]], np.int32)
LABELS = np.array([1, 0, 1], np.int32)
ONES = np.ones(3, np.float32)

AVERAGED = {"kind": "averaged", "pairs": 0, "dropout": 0.0}
RECURRENT = {"units": 4, "pooling": "max", "dropout": 0.0}


def experiment(model: dict[str, Any], **training: Any) -> AnyExperiment:
    return TypeAdapter(Experiment).validate_python(
        {
            "task": "classification",
            "dataset": "x",
            "embeddings": {"kind": "learned", "dimension": DIMENSION},
            "model": model,
            "training": {"learning_rate": 0.05, **training},
        }
    )


def weights(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def objective(model: dict[str, Any], epsilon: float = EPSILON) -> AdversarialObjective:
    net = network(experiment(model), VOCABULARY, ["bad", "good"])
    net.set_weights(weights([tuple(weight.shape) for weight in net.weights]))
    return AdversarialObjective(net, epsilon)


def losses(model: dict[str, Any]) -> dict[str, np.ndarray]:
    work = objective(model)
    logits = work(IDS)
    return {
        "adversarial": work.adversarial_loss(IDS, LABELS),
        "in training": work.compute_loss(IDS, LABELS, logits, ops.convert_to_tensor(ONES), True),
        "in validation": work.compute_loss(IDS, LABELS, logits, ops.convert_to_tensor(ONES), False),
    }


def computed() -> dict[str, np.ndarray]:
    made = {}
    for name, model in {"averaged": AVERAGED, "recurrent": RECURRENT}.items():
        for what, loss in losses(model).items():
            made[f"{name}, {what}"] = ops.convert_to_numpy(loss)
    work = compiled(objective(RECURRENT), experiment(RECURRENT).training)
    steps = training_steps(work, Batch(IDS, LABELS, ONES))
    for _ in range(3):
        steps.run(Batch(IDS, LABELS, ONES), [])
    steps.finish()
    trained = work.network.weights
    made["trained"] = np.concatenate([np.ravel(ops.convert_to_numpy(w)) for w in trained])
    return made


def mean_cross_entropy(vectors: list[np.ndarray], kernel: np.ndarray, bias: np.ndarray) -> float:
    """Of the averaged embeddings of each text, ``(tokens, dimension)``."""
    logits = np.stack([text.mean(axis=0) @ kernel + bias for text in vectors])
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(3), LABELS].mean())


def by_hand() -> tuple[float, float]:
    """The plain and the adversarial loss of the averaged embeddings."""
    matrix, kernel, bias = weights([(VOCABULARY, DIMENSION), (DIMENSION, 2), (2,)])
    plain = [matrix[row[row > 0]] for row in IDS]
    scale = np.sqrt(np.mean(np.concatenate(plain) ** 2))
    shifted = []
    for s, label in zip(plain, LABELS, strict=True):
        exponentials = np.exp(s.mean(axis=0) @ kernel + bias)
        error = exponentials / exponentials.sum() - np.eye(2)[label]
        g = np.tile(kernel @ error / len(s), (len(s), 1))
        shifted.append(s + EPSILON * scale * g / np.linalg.norm(g))
    return mean_cross_entropy(plain, kernel, bias), mean_cross_entropy(shifted, kernel, bias)


@pytest.mark.parametrize("backend", INSTALLED)
def test_the_perturbation_is_the_papers(
    backend: str, on_backends: dict[str, dict[str, np.ndarray]]
) -> None:
    plain, adversarial = by_hand()
    made = on_backends[backend]
    np.testing.assert_allclose(made["averaged, adversarial"], adversarial, rtol=1e-5)
    np.testing.assert_allclose(made["averaged, in training"], plain + adversarial, rtol=1e-5)
    np.testing.assert_allclose(made["averaged, in validation"], plain, rtol=1e-5)


@pytest.mark.parametrize("backend", INSTALLED)
def test_every_backend_trains_a_recurrent_network_alike(
    backend: str, on_backends: dict[str, dict[str, np.ndarray]]
) -> None:
    first, made = on_backends[INSTALLED[0]], on_backends[backend]
    assert made["recurrent, adversarial"] > made["recurrent, in validation"]
    for name, values in first.items():
        np.testing.assert_allclose(made[name], values, atol=1e-4, err_msg=name)


def test_padding_changes_nothing() -> None:
    work = objective(RECURRENT)
    longer = np.pad(IDS, ((0, 0), (0, 5)))
    np.testing.assert_allclose(
        float(work.adversarial_loss(longer, LABELS)),
        float(work.adversarial_loss(IDS, LABELS)),
        rtol=1e-5,
    )


def noisy_texts(rng: np.random.Generator, texts: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts of random words, of which word 2 speaks for the one label and 3 for the other."""
    labels = rng.integers(0, 2, texts).astype(np.int32)
    ids = rng.integers(4, VOCABULARY, (texts, 6)).astype(np.int32)
    ids[np.arange(texts), rng.integers(0, 6, texts)] = 2 + labels
    return ids, labels


def test_it_makes_a_network_withstand_perturbations() -> None:
    """The loss under a perturbation, of a network trained with it and of one without."""
    held_out = noisy_texts(np.random.default_rng(1), 200)
    under_attack = {}
    for name, kind in {"with": AdversarialObjective, "without": Objective}.items():
        keras.utils.set_random_seed(0)
        net = network(experiment(RECURRENT), VOCABULARY, ["bad", "good"])
        work = kind(net, 1.0) if kind is AdversarialObjective else kind(net)
        steps = training_steps(
            compiled(work, experiment(RECURRENT).training),
            Batch(*noisy_texts(np.random.default_rng(0), 32), np.ones(32, np.float32)),
        )
        rng = np.random.default_rng(2)
        for _ in range(60):
            steps.run(Batch(*noisy_texts(rng, 32), np.ones(32, np.float32)), [])
        steps.finish()
        plain = Objective(net).compute_loss(
            None, held_out[1], net(held_out[0]), ops.convert_to_tensor(np.ones(200, "float32"))
        )
        assert float(plain) < 0.1  # both have learned the two words; chance is 0.69
        under_attack[name] = float(AdversarialObjective(net, 1.0).adversarial_loss(*held_out))
    assert under_attack["with"] < 0.5 * under_attack["without"]


def test_the_parameter_decides() -> None:
    for training, kind in (({"adversarial": 5.0}, AdversarialObjective), ({}, Objective)):
        parameters = experiment(RECURRENT, **training)
        net = network(parameters, VOCABULARY, ["bad", "good"])
        task = Classification(parameters, None, 1)  # type: ignore[arg-type]
        assert type(task.objective(net)) is kind
    with pytest.raises(ValidationError, match="greater than 0"):
        experiment(RECURRENT, adversarial=0.0)
