"""Transfer of embeddings and recurrent layers, by number, from one network to another.

Dai & Le (2015) initialise a classifier with the weights of a language model; Howard & Ruder (2018)
then train it group by group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from nlp_rnn.errors import UserError
from nlp_rnn.layers.weight_drop import WeightDrop

Weights = dict[str, NDArray[np.float32]]


def _number(layer: keras.layers.Layer) -> int | None:
    """The number of a layer of the recurrent stack, counted from 0; None for any other."""
    match = re.fullmatch(r"[a-z_]+_(\d+)", layer.name)
    return int(match[1]) if match and layer.variables else None


def layer_groups(network: keras.Model) -> list[list[keras.Variable]]:
    """The trainable weights from the bottom up: embeddings, each recurrent layer, the head.

    The embeddings are everything below the first recurrent layer, the head everything above the
    last. A weight that two layers share belongs to the lower one. Empty groups are left out.
    """
    numbers = [_number(layer) for layer in network.layers]
    first = next((i for i, number in enumerate(numbers) if number is not None), len(numbers))
    head = 1 + max((number + 1 for number in numbers if number is not None), default=0)
    groups: list[list[keras.Variable]] = [[] for _ in range(head + 1)]
    taken: set[int] = set()
    for i, (layer, number) in enumerate(zip(network.layers, numbers, strict=True)):
        if number is None:
            level = 0 if i < first and layer.name != "logits" else head
        else:
            level = number + 1
        for weight in layer.trainable_variables:
            if id(weight) not in taken:
                taken.add(id(weight))
                groups[level].append(weight)
    return [group for group in groups if group]


def _recurrent_weights(network: keras.Model) -> dict[str, keras.Variable]:
    """The weights of the recurrent stack by layer and position, also inside weight drop."""
    found = {}
    for layer in network.layers:
        if _number(layer) is not None:
            inner = layer.layer if isinstance(layer, WeightDrop) else layer
            for i, weight in enumerate(inner.trainable_variables):
                found[f"{inner.name}.{i}.{weight.name}"] = weight
    return found


def recurrent_weights(network: keras.Model) -> Weights:
    """The weights that :func:`start_from` copies into another network."""
    return {
        name: np.asarray(keras.ops.convert_to_numpy(weight), np.float32)
        for name, weight in _recurrent_weights(network).items()
    }


def start_from(network: keras.Model, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Give the recurrent layers of ``network`` the weights of another network.

    Raises:
        UserError: the layers differ.
    """
    own = _recurrent_weights(network)
    shapes = {name: tuple(weight.shape) for name, weight in own.items()}
    given = {name: value.shape for name, value in weights.items()}
    for name in sorted(shapes.keys() | given.keys()):
        if shapes.get(name) != given.get(name):
            layer = name.partition(".")[0]
            raise UserError(
                f"the encoder that the network starts from has a different layer {layer}: "
                f"{given.get(name)} against {shapes.get(name)}; make model.cell, units, layers "
                "and connection and embeddings.dimension those of its language model, and leave "
                "out whatever else the first layer reads"
            )
    for name, weight in own.items():
        weight.assign(weights[name])
