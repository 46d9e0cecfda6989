"""Dropout of features, and of whole word types.

Variational dropout of features, one mask per sequence (Gal & Ghahramani 2016), needs no layer of
its own; use ``Dropout(rate, noise_shape=(None, 1, None))``.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from nlp_rnn import backend


@keras.saving.register_keras_serializable("nlp_rnn")
class Dropout(layers.Dropout):
    """``keras.layers.Dropout`` (Srivastava et al. 2014) with masks that cost little on JAX, and
    that its own generator draws on PyTorch.

    A drop-in replacement: the same arguments, and masks of the same distribution.

    Example:
        >>> features = keras.ops.ones((2, 3))
        >>> bool(keras.ops.all(Dropout(0.5)(features) == features))
        True
    """

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        if not training or not 0 < self.rate < 1:
            return super().call(inputs, training=training)
        given = self.noise_shape or (None,) * len(inputs.shape)
        if keras.backend.backend() != "jax":
            # On PyTorch, Keras draws masks without a shape from PyTorch's generator, whose state
            # no checkpoint holds.
            return keras.random.dropout(inputs, self.rate, given, self.seed_generator)
        shape = [own or size for own, size in zip(given, inputs.shape, strict=True)]
        mask = backend.kept(self.seed_generator.next(), shape, self.rate)
        return ops.where(mask, inputs / (1 - self.rate), ops.zeros((), inputs.dtype))


@keras.saving.register_keras_serializable("nlp_rnn")
class EmbeddingDropout(layers.Layer):
    """Drops word types during training: a dropped type is missing wherever it occurs.

    There is one draw per type and call, shared by all occurrences of the type in the batch, as if
    rows of the embedding matrix were zero (Gal & Ghahramani 2016, section 4.2; Merity, Keskar &
    Socher 2017, section 4.3). The vectors that are kept are scaled by ``1 / (1 - rate)``.

    Args:
        vocabulary_size: number of types.
        rate: the probability of dropping a type.
        seed: an integer, or None for one drawn from the global seed.

    Call arguments:
        embedded: ``(batch, timesteps, dimension)``, the vectors of ``ids``.
        ids: integers ``(batch, timesteps)`` in ``[0, vocabulary_size)``.

    Returns:
        ``(batch, timesteps, dimension)``.

    Raises:
        ValueError: ``rate`` is not a probability.
    """

    def __init__(
        self, vocabulary_size: int, rate: float, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.rate = rate
        self.seed = seed
        self.dropout = Dropout(rate, seed=seed, dtype=self.dtype_policy)
        self.supports_masking = True

    def call(self, embedded: Any, ids: Any, training: bool | None = None) -> Any:
        if not training:
            return embedded
        types = self.dropout(ops.ones((self.vocabulary_size,), embedded.dtype), training=True)
        return embedded * ops.expand_dims(ops.take(types, ids, axis=0), -1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "rate": self.rate,
            "seed": self.seed,
        }
