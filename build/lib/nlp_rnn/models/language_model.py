"""Language models: a one-directional encoder, then an output layer over the next token."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import keras
from keras import layers

from nlp_rnn.config import AnyLanguageModel, FeedForwardParameters
from nlp_rnn.errors import UserError
from nlp_rnn.layers.softmax.adaptive import AdaptiveSoftmax
from nlp_rnn.layers.softmax.full import Softmax
from nlp_rnn.layers.softmax.hierarchical import HierarchicalSoftmax
from nlp_rnn.layers.softmax.output import OutputLayer
from nlp_rnn.layers.softmax.sampled import SampledSoftmax
from nlp_rnn.models.cells import states
from nlp_rnn.models.encoder import embedded, real_tokens, recurrent_stack
from nlp_rnn.models.feed_forward import CONTEXT, feed_forward_stack


def output_layer(embedding: layers.Embedding, parameters: AnyLanguageModel) -> OutputLayer:
    """The layer from the encoder's outputs to the vocabulary, named ``logits``."""
    output = parameters.output
    vocabulary = embedding.input_dim
    tied = embedding if parameters.tied else None
    if output.kind == "adaptive_softmax":
        if output.cutoffs[-1] >= vocabulary:
            raise UserError(
                f"params.yaml: model.output.cutoffs: {output.cutoffs[-1]} is not below the size "
                f"of the vocabulary, {vocabulary}; choose lower cutoffs, or output: softmax"
            )
        return AdaptiveSoftmax(
            vocabulary, output.cutoffs, output.divisor, embedding=tied, name="logits"
        )
    if output.kind == "sampled_softmax":
        return SampledSoftmax(vocabulary, output.samples, embedding=tied, name="logits")
    if output.kind == "hierarchical_softmax":
        return HierarchicalSoftmax(vocabulary, name="logits")
    return Softmax(vocabulary, embedding=tied, name="logits")


def _state_widths(parameters: AnyLanguageModel) -> dict[str, int]:
    """The name and width of each state of a language model."""
    if isinstance(parameters, FeedForwardParameters):
        return {CONTEXT: parameters.context}
    return {
        f"{state}_{i}": width
        for i in range(parameters.layers)
        for state, width in states(parameters.of_layer(i)).items()
    }


def language_model(embedding: layers.Embedding, parameters: AnyLanguageModel) -> keras.Model:
    """Build a language model with explicit state.

    Returns:
        A model that maps ``[ids, *states]`` to ``[logits, *states]``: token indices int32
        ``(batch, timesteps)``, logits of each next token ``(batch, timesteps, vocabulary)``, states
        ``(batch, width)`` each. The states of recurrent layers come layer by layer, named as in
        :func:`~nlp_rnn.models.cells.states`; the state of a feed-forward network holds the last
        tokens that it has read. Zeros start a text.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    initial = [
        keras.Input((width,), name=name) for name, width in _state_widths(parameters).items()
    ]
    if isinstance(parameters, FeedForwardParameters):
        hidden, final = feed_forward_stack(embedding, ids, initial, parameters)
    else:
        hidden, final = recurrent_stack(
            embedded(embedding, ids, parameters),
            parameters,
            bidirectional=False,
            mask=real_tokens(ids),
            initial_states=initial,
        )
    # Named so that hidden_states can find it.
    hidden = layers.Identity(name="hidden")(hidden)
    logits = output_layer(embedding, parameters)(hidden)
    return keras.Model([ids, *initial], [logits, *final], name="language_model")


@lru_cache(maxsize=1)  # so that a network's model is compiled only once
def hidden_states(network: keras.Model) -> keras.Model:
    """A language model up to its output layer, ``network.get_layer("logits")``.

    Returns:
        A model that maps ``[ids, *states]`` to ``[hidden, *states]``, with ``hidden``
        ``(batch, timesteps, width)``.
    """
    hidden = network.get_layer("hidden").output
    return keras.Model(network.inputs, [hidden, *network.outputs[1:]], name="hidden_states")


class Scorer(keras.Model):
    """A language model that returns the probability of given tokens instead of all logits.

    It maps ``[ids, targets, *states]`` to ``[losses, *states]``, where ``losses`` is
    ``-ln P(target)`` in nats, ``(batch, timesteps)``. It is exact even in training mode, so that
    passes with dropout do not use the estimate of a sampled softmax.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="scorer")
        self.hidden_states = hidden_states(network)
        self.output_layer = network.get_layer("logits")
        self.built = network.built

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        ids, targets, *states = inputs
        hidden, *final = self.hidden_states([ids, *states], training=training)
        return [self.output_layer(hidden, targets, training=False), *final]


@lru_cache(maxsize=1)  # so that a network's scorer is compiled only once
def scorer(network: keras.Model) -> Scorer:
    """The :class:`Scorer` of a language model."""
    return Scorer(network)
