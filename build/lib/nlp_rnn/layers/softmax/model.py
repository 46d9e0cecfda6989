"""A network with one of the softmax layers as a Keras model: ``compile``, ``fit``, ``predict``."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn.layers.softmax.full import cross_entropy
from nlp_rnn.layers.softmax.output import OutputLayer


@keras.saving.register_keras_serializable("nlp_rnn")
class SoftmaxModel(keras.Model):
    """Trains a network through an output layer whose loss does not need all logits.

    In training only the loss of the targets is computed, which is how an adaptive, hierarchical or
    sampled softmax saves time; ``predict`` returns logits over the whole vocabulary.

    Args:
        network: maps the inputs to hidden states ``(..., width)``.
        output: turns hidden states into a distribution over the vocabulary.

    Call arguments:
        inputs: the inputs of ``network``. The targets of ``fit`` are indices ``(...)``;
            ``sample_weight``, of the same shape, is 0 at padding.

    Returns:
        Logits ``(..., vocabulary)``; in training, the hidden states.

    >>> import keras, numpy as np
    >>> from nlp_rnn import layers
    >>> network = keras.Sequential([keras.layers.Embedding(50, 8), layers.LSTM(8)])
    >>> model = layers.SoftmaxModel(network, layers.AdaptiveSoftmax(50, cutoffs=[10]))
    >>> model.compile("adam")
    >>> words, following = np.array([[1, 2, 3], [4, 2, 0]]), np.array([7, 42])
    >>> _ = model.fit(words, following, epochs=1, verbose=0)
    >>> model.predict(words, verbose=0).shape
    (2, 50)
    """

    def __init__(self, network: keras.Model, output: OutputLayer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.output_layer = output

    def build(self, inputs_shape: Any) -> None:
        if not self.network.built:
            self.network.build(inputs_shape)
        self.output_layer.build(self.network.compute_output_shape(inputs_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        hidden = self.network(inputs, training=training)
        return hidden if training else self.output_layer(hidden)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        if training:
            losses = self.output_layer(y_pred, y, training=True)
        else:
            losses = cross_entropy(y_pred, y)
        weights = ops.ones_like(losses)
        if sample_weight is not None:
            weights = ops.cast(sample_weight, losses.dtype)
        return ops.sum(losses * weights) / ops.sum(weights) + sum(self.losses)

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "network": serialize(self.network),
            "output": serialize(self.output_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SoftmaxModel:
        network, output = (
            keras.saving.deserialize_keras_object(config.pop(key), custom_objects=custom_objects)
            for key in ("network", "output")
        )
        return cls(network, output, **config)
