"""Small networks, and their outputs as NumPy arrays."""

from __future__ import annotations

from typing import Any

import keras

from helpers.experiments import small_experiment, with_units
from nlp_rnn.config import AnyExperiment
from nlp_rnn.models.network import build_network

VOCABULARY, DIMENSION, UNITS, LABELS = 11, 6, 6, ("a", "b", "c")


def experiment(task: str, **model: Any) -> AnyExperiment:
    return small_experiment(task, with_units(model, UNITS), dimension=DIMENSION)


def build(task: str, **model: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_network(experiment(task, **model), VOCABULARY, LABELS)


def run(model: keras.Model, inputs: Any) -> Any:
    """The model's outputs as NumPy arrays, without compiling it for each shape."""
    outputs = model(inputs, training=False)
    if isinstance(outputs, list):
        return [keras.ops.convert_to_numpy(output) for output in outputs]
    return keras.ops.convert_to_numpy(outputs)
