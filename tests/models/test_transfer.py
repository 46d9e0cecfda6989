"""Groups of layers from the bottom up, and recurrent layers that go from network to network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter

from nlp_rnn.config import Experiment
from nlp_rnn.errors import UserError
from nlp_rnn.models.language_model import hidden_states
from nlp_rnn.models.network import build_network
from nlp_rnn.models.transfer import layer_groups, recurrent_weights, start_from

VOCABULARY = 9


def built(task: str, model: dict[str, Any], labels: list[str] | None = None) -> keras.Model:
    experiment = TypeAdapter(Experiment).validate_python(
        {
            "task": task,
            "dataset": "x",
            "embeddings": {"kind": "learned", "dimension": 4},
            "model": model,
            "training": {},
        }
    )
    return build_network(experiment, VOCABULARY, labels or ["a", "b"], characters="?ABCDE")


def names(net: keras.Model) -> list[set[str]]:
    """The layers of each group, found by whose weights are in it."""
    return [
        {
            layer.name
            for layer in net.layers
            if any(w is v for w in layer.trainable_variables for v in group)
        }
        for group in layer_groups(net)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "model", "expected"),
    [
        (
            "classification",
            {"layers": 2, "pooling": "attention", "weight_drop": 0.1},
            [{"embedding"}, {"weight_drop_0"}, {"weight_drop_1"}, {"attention", "logits"}],
        ),
        (
            "classification",
            {"kind": "averaged", "pairs": 5},
            [{"embedding", "pair_embedding"}, {"logits"}],
        ),
        (
            "tagging",
            {"layers": 2, "connection": "highway", "characters": {"kind": "cnn"}, "output": "crf"},
            [
                {"embedding", "spelling"},
                {"bidirectional_0"},
                {"bidirectional_1", "highway_1"},
                {"logits", "crf"},
            ],
        ),
        (
            "language_modelling",
            {"units": 4, "cell": "gru", "tied": True},
            [{"embedding", "logits"}, {"gru_0"}, {"logits"}],
        ),
    ],
)
def test_weights_are_grouped_from_the_embeddings_to_the_head(
    task: str, model: dict[str, Any], expected: list[set[str]]
) -> None:
    net = built(task, model, ["O", "B-x", "I-x"])
    assert names(net) == expected
    grouped = [weight for group in layer_groups(net) for weight in group]
    assert len(grouped) == len({id(w) for w in grouped}) == len(net.trainable_variables)


STACK = {"units": 5, "layers": 2, "connection": "residual"}


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru", {"kind": "lstm", "peepholes": True}])
def test_a_classifier_computes_what_the_language_model_computes(cell: Any) -> None:
    model = {**STACK, "cell": cell}
    source = built("language_modelling", {**model, "weight_drop": 0.2})
    for weight in source.weights:
        weight.assign(np.random.default_rng(weight.shape[0]).normal(size=weight.shape))
    target = built("classification", {**model, "bidirectional": False})
    target.get_layer("embedding").set_weights(source.get_layer("embedding").get_weights())
    ids = np.array([[3, 1, 4, 1, 5]], np.int32)
    states = [np.zeros((1, state.shape[-1]), np.float32) for state in source.inputs[1:]]
    hidden = keras.ops.convert_to_numpy(hidden_states(source)([ids, *states])[0])
    last = keras.Model(target.inputs, target.get_layer("dropout_output").output)
    assert np.abs(keras.ops.convert_to_numpy(last([ids])) - hidden).max() > 0.01
    start_from(target, recurrent_weights(source))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(last([ids])), hidden, atol=1e-6)


@pytest.mark.parametrize(
    "model", [{**STACK, "units": 6}, {**STACK, "layers": 3}, {**STACK, "cell": "gru"}]
)
def test_layers_that_differ_are_refused(model: dict[str, Any]) -> None:
    weights = recurrent_weights(built("language_modelling", STACK))
    target = built("classification", {**model, "bidirectional": False})
    before = [np.array(each) for each in target.get_weights()]
    with pytest.raises(
        UserError, match=r"has a different layer .*_\d: .*model\.cell, units, layers"
    ):
        start_from(target, weights)
    for old, new in zip(before, target.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
