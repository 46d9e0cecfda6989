"""Transfer of weights from one network to another: of recurrent layers, by number, or of all.

Dai & Le (2015) initialise a classifier with the weights of a language model; Howard & Ruder (2018)
then train it group by group. A network that goes on from another one of its kind takes over all
weights, and may have more words, characters and labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.errors import UserError
from nlp_rnn.layers.characters import CharacterBiLSTM, CharacterCNN
from nlp_rnn.layers.crf import CRF
from nlp_rnn.layers.softmax.full import Softmax
from nlp_rnn.layers.softmax.output import OutputLayer
from nlp_rnn.layers.weight_drop import WeightDrop
from nlp_rnn.text.vocabulary import UNK_INDEX

Weights = dict[str, NDArray[np.float32]]

SMALL = 0.1
"""The factor of the initial weights of new labels in the output layer."""


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


def take_over(
    network: keras.Model, source: keras.Model, places: Ints, *, new_as_unknown: bool
) -> None:
    """Give ``network`` all weights of ``source``, another network of the same kind.

    It may have more words and characters, behind those of ``source``, and more labels anywhere. Old
    rows keep their weights. New characters start as ``<unk>``, as which ``source`` read them; so do
    new words in a language model's output layer, where they share the probability of ``<unk>``
    equally. New labels start small: their weights in the output layer are a tenth of those drawn,
    their bias and their transitions 0.

    Args:
        places: the index in ``network`` of each label or tag of ``source`` ``(labels,)``.
        new_as_unknown: whether the vectors of new words start as that of ``<unk>`` too, or stay as
            they are. If they stay and the output layer is tied to them, new words have
            probabilities of their own.

    Raises:
        UserError: the output layer cannot take new words, or another layer differs.
    """
    vocabulary = source.get_layer("embedding").input_dim
    for layer in network.layers:
        given = source.get_layer(layer.name)
        if isinstance(layer, OutputLayer) and layer.vocabulary > vocabulary:
            _take_words(layer, given, vocabulary)
            continue
        for own, old in zip(layer.weights, given.weights, strict=True):
            value = _array(own)
            if layer.name == "embedding":
                value[:vocabulary] = _array(old)
                if new_as_unknown:
                    value[vocabulary:] = _array(old)[UNK_INDEX]
            elif isinstance(layer, CharacterCNN | CharacterBiLSTM) and own.shape != old.shape:
                value[:] = _array(old)[UNK_INDEX]
                value[: old.shape[0]] = _array(old)
            elif isinstance(layer, CRF):
                value = _placed(value, _array(old), [places] * len(old.shape))
            elif layer.name == "logits" and places.size:
                others = [np.arange(size) for size in old.shape[:-1]]
                value = _placed(value, _array(old), [*others, places])
            elif own.shape == old.shape:
                value = _array(old)
            else:
                raise UserError(
                    f"the model that the network starts from has another layer {layer.name}: "
                    f"{tuple(old.shape)} against {tuple(own.shape)}; give both the same model"
                )
            own.assign(value)


def _array(weight: keras.Variable) -> Floats:
    """A copy of the values of a weight."""
    return np.array(keras.ops.convert_to_numpy(weight))


def _placed(own: Floats, old: Floats, places: Sequence[Ints]) -> Floats:
    """The weights ``own``, made small, with ``old`` at the given places of each axis."""
    value = SMALL * own
    value[np.ix_(*places)] = old
    return value


def _take_words(layer: keras.layers.Layer, given: keras.layers.Layer, vocabulary: int) -> None:
    """Take over an output layer over words, with more words than before.

    Raises:
        UserError: it orders its words by their frequency.
    """
    if not isinstance(layer, Softmax):
        raise UserError(
            "model.output: adaptive and hierarchical softmax order words by frequency, so they "
            "cannot take the new words of a model that they start from; use softmax in both"
        )
    sharing = 1 + layer.vocabulary - vocabulary
    bias = np.empty(layer.vocabulary, np.float32)
    bias[:vocabulary] = _array(given.bias)
    bias[[UNK_INDEX, *range(vocabulary, len(bias))]] = bias[UNK_INDEX] - np.log(sharing)
    layer.bias.assign(bias)
    if layer.embedding is None:
        kernel = _array(given.kernel)
        new = np.repeat(kernel[:, [UNK_INDEX]], sharing - 1, axis=1)
        layer.kernel.assign(np.concatenate([kernel, new], axis=1))
