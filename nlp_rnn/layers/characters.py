"""Encoders that build word vectors from characters."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers, ops

from nlp_rnn.layers.dropout import Dropout
from nlp_rnn.layers.pooling import MaxPooling
from nlp_rnn.text.vocabulary import PAD_INDEX


class CharacterEncoder(layers.Layer):
    """Character embeddings with dropout, and ``encoder`` from a word's embeddings to its vector.

    Embeddings are initialised uniformly in ``±sqrt(3 / dimension)`` (Ma & Hovy 2016, section 3.1).

    Args:
        characters: the number of character indices, including padding.
        dimension: the dimension of the embeddings.
        dropout: rate at the embeddings.

    Call arguments:
        ids: character indices, int32 ``(batch, timesteps, characters_per_word)``, padded on the
            right with 0; every word, including padding words, has at least one that is not 0.

    Returns:
        ``(batch, timesteps, size)``.
    """

    size: int
    """The size of a word's vector."""

    def __init__(self, characters: int, dimension: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.characters, self.dimension = characters, dimension
        bound = math.sqrt(3 / dimension)
        self.embedding = layers.Embedding(
            characters,
            dimension,
            embeddings_initializer=keras.initializers.RandomUniform(-bound, bound),
            dtype=self.dtype_policy,
        )
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)

    def encode(self, embedded: Any, real: Any) -> Any:
        """Map ``(words, characters_per_word, dimension)`` and its mask to ``(words, size)``."""
        raise NotImplementedError

    def call(self, ids: Any, training: bool | None = None) -> Any:
        _, timesteps, length = ops.shape(ids)
        words = ops.reshape(ids, (-1, length))
        embedded = self.dropout(self.embedding(words), training=training)
        vectors = self.encode(embedded, ops.not_equal(words, PAD_INDEX))
        return ops.reshape(vectors, (-1, timesteps, self.size))

    def compute_output_shape(self, ids_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*ids_shape[:2], self.size)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "characters": self.characters,
            "dimension": self.dimension,
            "dropout": self.dropout.rate,
        }


@keras.saving.register_keras_serializable("nlp_rnn")
class CharacterCNN(CharacterEncoder):
    """A convolution over a word's characters, followed by the maximum of each filter.

    Ma & Hovy (2016, section 2.1): dropout, convolution, max pooling. Windows are centred on the
    word's characters and see zeros beyond its ends, so no word is too short.

    Args:
        characters: the number of character indices, including padding.
        dimension: the dimension of the embeddings.
        filters: the number of filters, which is the size of a word's vector.
        window: the number of characters that a filter sees.
        dropout: rate at the embeddings.

    Call arguments and returns: as :class:`CharacterEncoder`, ``size = filters``.
    """

    def __init__(
        self,
        characters: int,
        dimension: int,
        filters: int,
        window: int,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(characters, dimension, dropout, **kwargs)
        self.size = filters
        self.window = window
        self.convolution = layers.Conv1D(filters, window, padding="same", dtype=self.dtype_policy)
        self.pooling = MaxPooling(dtype=self.dtype_policy)

    def build(self, ids_shape: tuple[int | None, ...]) -> None:
        self.embedding.build((None, None))
        self.convolution.build((None, None, self.dimension))

    def encode(self, embedded: Any, real: Any) -> Any:
        within = ops.where(ops.expand_dims(real, -1), embedded, 0.0)
        return self.pooling(self.convolution(within), real)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"filters": self.size, "window": self.window}


@keras.saving.register_keras_serializable("nlp_rnn")
class CharacterBiLSTM(CharacterEncoder):
    """The last states of a forward and a backward LSTM over a word's characters.

    Lample et al. (2016, section 4.1).

    Args:
        characters: the number of character indices, including padding.
        dimension: the dimension of the embeddings.
        units: the number of units in each direction.
        dropout: rate at the embeddings.

    Call arguments and returns: as :class:`CharacterEncoder`, ``size = 2 * units``.
    """

    def __init__(
        self, characters: int, dimension: int, units: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(characters, dimension, dropout, **kwargs)
        self.size = 2 * units
        self.bilstm = layers.Bidirectional(
            layers.LSTM(units, dtype=self.dtype_policy), dtype=self.dtype_policy
        )

    def build(self, ids_shape: tuple[int | None, ...]) -> None:
        self.embedding.build((None, None))
        self.bilstm.build((None, None, self.dimension))

    def encode(self, embedded: Any, real: Any) -> Any:
        return self.bilstm(embedded, mask=real)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.size // 2}
