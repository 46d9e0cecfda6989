"""A CRF tagger as a Keras model: ``compile``, ``fit``, ``predict``, ``save``."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nlp_rnn import linear_chain
from nlp_rnn.layers.crf import CRF
from nlp_rnn.linear_chain import Transitions


@keras.saving.register_keras_serializable("nlp_rnn")
class RealSteps(keras.layers.Layer):
    """1 where the mask of a sequence is true, 0 at padding; 1 everywhere without a mask.

    Call arguments:
        sequences: ``(batch, timesteps, features)``.
        mask: bool ``(batch, timesteps)``; Keras passes it on from layers such as
            ``Embedding(mask_zero=True)``.

    Returns:
        int32 ``(batch, timesteps)``.

    >>> import numpy as np
    >>> real = RealSteps()(np.zeros((1, 3, 2)), mask=np.array([[True, True, False]]))
    >>> np.asarray(real).tolist()
    [[1, 1, 0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, sequences: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.ones(ops.shape(sequences)[:2], "int32")
        return ops.cast(mask, "int32")

    def compute_output_spec(self, sequences: Any, mask: Any = None) -> Any:
        return keras.KerasTensor(sequences.shape[:2], dtype="int32")


@keras.saving.register_keras_serializable("nlp_rnn")
class CRFModel(keras.Model):
    """Trains a network that ends in a :class:`~nlp_rnn.layers.crf.CRF`, and predicts with it.

    ``fit`` and ``evaluate`` minimise and report ``-ln P`` of whole tag sequences, in nats per word;
    ``predict`` finds the most likely sequence of each sentence by the Viterbi algorithm. The mask
    of the network's input, such as that of ``Embedding(mask_zero=True)``, tells which steps are
    words; padding is on the right.

    Args:
        network: a functional or sequential model from token indices to the output of a CRF,
            ``(batch, timesteps, tags)``.

    Call arguments:
        inputs: the inputs of ``network``. The targets of ``fit`` are tag indices
            ``(batch, timesteps)``; those at padding are ignored. ``sample_weight`` is one weight
            per sentence ``(batch,)``.

    Returns:
        A call returns the emissions ``(batch, timesteps, tags)`` and which steps are words
        ``(batch, timesteps)``; ``predict`` returns tag indices, int32 ``(batch, timesteps)``, 0 at
        padding.

    Raises:
        ValueError: the last layer of ``network`` is not a CRF.

    >>> import keras, numpy as np
    >>> from nlp_rnn import layers
    >>> network = keras.Sequential([
    ...     keras.layers.Embedding(5, 8, mask_zero=True),
    ...     layers.Bidirectional(layers.LSTM(8, return_sequences=True)),
    ...     keras.layers.Dense(3),
    ...     layers.CRF(3),
    ... ])
    >>> words, tags = np.array([[1, 2, 3], [4, 2, 0]]), np.array([[0, 1, 2], [0, 1, 0]])
    >>> _ = network(words)
    >>> model = layers.CRFModel(network)
    >>> model.compile("adam")
    >>> _ = model.fit(words, tags, epochs=1, verbose=0)
    >>> model.predict(words, verbose=0).shape
    (2, 3)
    """

    def __init__(self, network: keras.Model, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        crf = network.layers[-1]
        if not isinstance(crf, CRF):
            raise ValueError(f"expected a network that ends in a CRF, found {crf.name}")
        self.network = network
        self.crf = crf
        (emissions,) = network.outputs
        self._with_steps = keras.Model(network.inputs, [emissions, RealSteps()(emissions)])

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self._with_steps(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        emissions, steps = y_pred
        losses = -self.crf.log_likelihood(emissions, ops.cast(y, "int32"), ops.cast(steps, "bool"))
        words = ops.cast(ops.sum(steps, axis=1), losses.dtype)
        if sample_weight is not None:
            weights = ops.cast(ops.reshape(sample_weight, (-1,)), losses.dtype)
            losses, words = losses * weights, words * weights
        return ops.sum(losses) / ops.sum(words) + sum(self.losses)

    def predict(self, x: Any, **kwargs: Any) -> NDArray[np.int32]:
        """The most likely tags of each sentence; takes the arguments of ``keras.Model.predict``."""
        emissions, steps = super().predict(x, **kwargs)
        scores = Transitions(*map(ops.convert_to_numpy, self.crf.scores))
        paths, _ = linear_chain.viterbi(emissions, steps.sum(axis=1), scores)
        return paths[:, 0]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> CRFModel:
        network = keras.saving.deserialize_keras_object(
            config.pop("network"), custom_objects=custom_objects
        )
        return cls(network, **config)
