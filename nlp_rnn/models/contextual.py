"""Contextual word vectors: the layers of a forward and a backward language model (ELMo).

Peters et al. (2018), over words. With the vector ``x_t`` of word ``t``, both directions of layer
``j``::

    f_{0,t} = b_{0,t} = x_t
    f_{j,t} = LSTM(f_{j-1,1}, ..., f_{j-1,t})       plus f_{j-1,t} for j > 1
    b_{j,t} = LSTM(b_{j-1,n}, ..., b_{j-1,t})       plus b_{j-1,t} for j > 1
    h_{j,t} = [f_{j,t}; b_{j,t}]

So ``f_{j,t}`` has read the words up to and including ``t``, and predicts the next; ``b_{j,t}`` has
read those from the end down to and including ``t``, and predicts the one before. States start at
zero at both ends of a sentence. The directions share the word vectors and the softmax.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from nlp_rnn.arrays import Floats
from nlp_rnn.config import ContextualParameters, ElmoVectors
from nlp_rnn.layers.contextual import ReverseSequence, ScalarMix
from nlp_rnn.layers.dropout import Dropout
from nlp_rnn.layers.lstm import LSTM
from nlp_rnn.layers.softmax.full import Softmax
from nlp_rnn.layers.softmax.sampled import SampledSoftmax
from nlp_rnn.models.encoder import embedding_layer, real_tokens

DROPOUT = 0.1
"""The rate while language models are learned: on the input of every LSTM, and on the last output,
as in the paper."""

EMBEDDING, STATES = "context_embedding", "context"
"""The names of the layers with word vectors, and with the states of all layers."""


class Directions:
    """The layers of both language models, named alike wherever they are built.

    Args:
        dimension: the width of each direction.
        count: the number of LSTM layers of each.
        trainable: whether a task trains them.
        dropout: the rate on the input of each LSTM.
    """

    def __init__(self, dimension: int, count: int, trainable: bool, dropout: float = 0.0) -> None:
        self.dropout = dropout
        self.stacks = [
            [
                LSTM(
                    dimension,
                    return_sequences=True,
                    trainable=trainable,
                    name=f"context_{way}{number}",
                )
                for number in range(count)
            ]
            for way in ("forward", "backward")
        ]

    def layers(self, words: Any, real: Any) -> list[tuple[Any, Any]]:
        """``f_j`` and ``b_j`` of every layer, from ``x`` on, each ``(batch, timesteps, width)``.

        Args:
            words: ``x``.
            real: bool ``(batch, timesteps)``.
        """
        forward, backward = self.stacks
        reverse = ReverseSequence(name="context_reverse")
        found = self._stack(words, forward)
        _, *others = self._stack(reverse(words, real), backward)
        restored = [
            ReverseSequence(name=f"context_restore{number}")(b, real)
            for number, b in enumerate(others)
        ]
        return list(zip(found, [words, *restored], strict=True))

    def _stack(self, words: Any, stack: list[LSTM]) -> list[Any]:
        """``x`` and the states of each layer of one direction."""
        found = [words]
        for layer in stack:
            below = found[-1]
            dropped = Dropout(self.dropout)(below) if self.dropout else below
            hidden = layer(dropped)
            if len(found) > 1:
                hidden = layers.Add(name=f"{layer.name}_residual")([below, hidden])
            found.append(hidden)
        return found


def contextual_vectors(ids: Any, real: Any, size: int, parameters: ContextualParameters) -> Any:
    """The mixture of the layers at each word ``(batch, timesteps, width)``.

    Args:
        ids: int32 ``(batch, timesteps)``.
        real: bool ``(batch, timesteps)``.
        size: the number of types of the task's vocabulary.
    """
    trainable = parameters.trainable
    words = embedding_layer(size, parameters.dimension, None, trainable, EMBEDDING)(ids)
    both = Directions(parameters.dimension, parameters.layers, trainable).layers(words, real)
    states = layers.Concatenate(name=STATES)([state for pair in both for state in pair])
    return ScalarMix(len(both), name="context_mix")(states)


def cached(network: keras.Model) -> keras.Model:
    """A network as a function of the states of its language models, which are computed elsewhere.

    Returns:
        A model with the same layers and the inputs of ``network``, then the states of all layers
        side by side ``(batch, timesteps, layers * width)``.
    """
    states = network.get_layer(STATES).output
    return keras.Model([*network.inputs, states], network.output, name="cached")


def states_model(network: keras.Model) -> keras.Model:
    """From ids ``(batch, timesteps)`` to the states that :func:`cached` reads."""
    return keras.Model(network.inputs[0], network.get_layer(STATES).output, name="states")


def context_weights(network: keras.Model) -> dict[str, Any]:
    """The weights of the language models' LSTMs in a network, by layer and position."""
    return {
        f"{layer.name}.{weight.name}": weight
        for layer in network.layers
        if isinstance(layer, LSTM) and layer.name.startswith("context_")
        for weight in layer.weights
    }


def take_context(network: keras.Model, vectors: Floats, weights: Mapping[str, Floats]) -> None:
    """Give a network the word vectors ``(types, dimension)`` and LSTMs of language models.

    Raises:
        ValueError: their shapes differ.
    """
    network.get_layer(EMBEDDING).set_weights([vectors])
    for name, weight in context_weights(network).items():
        weight.assign(weights[name])


def bidirectional_language_model(size: int, parameters: ElmoVectors) -> keras.Model:
    """Both language models as one network, which is trained.

    Returns:
        A model from ids ``(batch, timesteps)`` to the last layer of both directions one after the
        other, ``(batch, 2 * timesteps, width)``: first the states from which the next words are
        predicted, then those for the words before. Its layer ``logits`` predicts them.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedding = embedding_layer(size, parameters.dimension, None, True, "embedding")
    both = Directions(parameters.dimension, parameters.layers, True, DROPOUT)
    last = layers.Concatenate(axis=1)(both.layers(embedding(ids), real_tokens(ids))[-1])
    hidden = Dropout(DROPOUT, name="hidden")(last)
    if parameters.samples is None:
        output: Softmax = Softmax(size, name="logits")
    else:
        output = SampledSoftmax(size, parameters.samples, name="logits")
    return keras.Model(ids, output(hidden), name="bidirectional_language_model")


def neighbour_losses(network: keras.Model) -> keras.Model:
    """``-ln P`` of the neighbours of each word, by the whole softmax.

    Args:
        network: of :func:`bidirectional_language_model`.

    Returns:
        A model from ids and targets ``(batch, 2 * timesteps)`` to losses in nats, in the shape of
        the targets.
    """
    targets = keras.Input((None,), dtype="int32", name="targets")
    losses = network.get_layer("logits")(network.get_layer("hidden").output, targets)
    return keras.Model([network.inputs[0], targets], losses, name="neighbour_losses")
