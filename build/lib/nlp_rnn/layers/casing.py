"""Embeddings of word casing: lower case, an initial capital, digits and so on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from nlp_rnn.text.spelling import BOUNDARY_INDEX
from nlp_rnn.text.vocabulary import PAD_INDEX

CASINGS = (
    "digits",
    "mainly digits",
    "some digits",
    "no case",
    "lower case",
    "capitals",
    "initial capital",
    "mixed",
)
"""Casing classes; a word belongs to the first that fits. ``no case`` means that no letter has a
case; ``initial capital`` means that there is no other capital."""


@keras.saving.register_keras_serializable("nlp_rnn")
class Casing(layers.Layer):
    """The embedding of each word's class in :data:`CASINGS`, derived from its characters.

    It keeps the information that word vectors of a lower-case vocabulary lose (Collobert et al.
    2011; Huang et al. 2015; the classes are close to those of Reimers & Gurevych 2017). Embeddings
    are initialised uniformly in ``±sqrt(3 / dimension)``, like those of characters.

    Args:
        types: every character, the special ones first. ``<unk>`` counts as one without case.
        dimension: the dimension of the embeddings.

    Call arguments:
        ids: spellings, int32 ``(batch, timesteps, characters_per_word)``, as returned by
            :func:`nlp_rnn.text.spelling.spell`.

    Returns:
        ``(batch, timesteps, dimension)``.
    """

    def __init__(self, types: Sequence[str], dimension: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.types, self.dimension = list(types), dimension
        self.counted = _counted(self.types)
        bound = math.sqrt(3 / dimension)
        self.embedding = layers.Embedding(
            len(CASINGS),
            dimension,
            embeddings_initializer=keras.initializers.RandomUniform(-bound, bound),
            dtype=self.dtype_policy,
        )

    @property
    def characters(self) -> int:
        """The number of character indices, padding included."""
        return len(self.types)

    def build(self, ids_shape: tuple[int | None, ...]) -> None:
        self.embedding.build((None, None))

    def classes(self, ids: Any) -> Any:
        """The index of each word's class in :data:`CASINGS`, int32 ``(batch, timesteps)``."""
        of_each = ops.take(self.counted, ops.cast(ids, "int32"), axis=0)
        # The first or second character is the boundary, which has no case.
        initial = ops.sum(of_each[:, :, :2, 2], axis=2)
        counts = ops.sum(of_each, axis=2)
        characters, lower, upper, digits = (counts[..., i] for i in range(4))
        tests = (
            ops.equal(digits, characters),
            ops.greater(2 * digits, characters),
            ops.greater(digits, 0),
            ops.equal(lower + upper, 0),
            ops.equal(upper, 0),
            ops.equal(lower, 0),
            ops.equal(upper, initial),
        )
        found = len(tests) * ops.ones_like(characters)
        for i, test in reversed(list(enumerate(tests))):
            found = ops.where(test, i, found)
        return found

    def call(self, ids: Any) -> Any:
        return self.embedding(self.classes(ids))

    def compute_output_shape(self, ids_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*ids_shape[:2], self.dimension)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"types": self.types, "dimension": self.dimension}


def _counted(types: Sequence[str]) -> np.ndarray:
    """What each type adds to a word's counts of characters, lower-case letters, capitals and
    digits, int32 ``(types, 4)``."""
    counted = np.zeros((len(types), 4), np.int32)
    for row, character in zip(counted, types, strict=True):
        if len(character) == 1:
            row[1:] = character.islower(), character.isupper(), character.isdigit()
    counted[:, 0] = 1
    counted[[PAD_INDEX, BOUNDARY_INDEX]] = 0
    return counted
