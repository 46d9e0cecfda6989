"""The predicate beside each word, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from nlp_rnn.layers import BesidePredicate


@pytest.mark.parametrize("word", [True, False])
def test_the_predicate_stands_beside_each_word(word: bool) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2, 3, 4)).astype(np.float32)
    flags = np.array([[0, 1, 0], [0, 0, 0]], np.int32)
    layer = BesidePredicate(5, word)
    found = ops.convert_to_numpy(layer(vectors, flags))
    table = ops.convert_to_numpy(layer.embeddings)
    predicate = np.stack([np.tile(vectors[0, 1], (3, 1)), np.zeros((3, 4))])
    parts = [vectors, table[flags], *([predicate] if word else [])]
    np.testing.assert_allclose(found, np.concatenate(parts, axis=-1), atol=1e-6)
    assert BesidePredicate.from_config(layer.get_config()).word is word
