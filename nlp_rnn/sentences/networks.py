"""The networks that learn sentence encoders."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import layers, ops
from numpy.typing import NDArray

from nlp_rnn.config import AnySentences, QuickThoughtSentences, SkipThoughtSentences
from nlp_rnn.embeddings.sentence_encoder import Weights
from nlp_rnn.layers.bidirectional import Bidirectional
from nlp_rnn.layers.gru import GRU
from nlp_rnn.layers.pooling import LastPooling, MaxPooling, MeanPooling
from nlp_rnn.models.encoder import embedding_layer, real_tokens

SPECIAL_WORDS = 2
"""The first predictions of a decoder: the end of the sentence, and any word that is too rare."""

END, RARE = range(SPECIAL_WORDS)


class Learner(NamedTuple):
    """A network that learns, and the part of it that is kept.

    Attributes:
        network: what is trained.
        encoder: from token indices ``(batch, words)``, 0 for padding, to ``(batch, width)``.
        grus: the recurrent layers of the encoder, a layer for each of its parts.
    """

    network: keras.Model
    encoder: keras.Model
    grus: list[Any]

    def weights(self) -> list[list[Weights]]:
        """The weights of the GRUs, each direction by itself."""
        return [[Weights(*gru.get_weights()) for gru in _directions(layer)] for layer in self.grus]


def _directions(layer: Any) -> list[Any]:
    return [layer.forward_layer, layer.backward_layer] if isinstance(layer, Bidirectional) else [
        layer
    ]  # fmt: skip


def learner(parameters: AnySentences, vectors: NDArray[Any]) -> Learner:
    """The network of an algorithm.

    Args:
        vectors: initial vectors of words ``(words, dimension)``, the first that of padding.
    """
    words, dimension = vectors.shape
    embedding = embedding_layer(words, dimension, vectors, _trained(parameters))
    if isinstance(parameters, QuickThoughtSentences):
        return quick_thought(parameters, embedding)
    return skip_thought(parameters, embedding)


def _trained(parameters: AnySentences) -> bool:
    return getattr(parameters.embeddings, "trainable", True) is not False


def sentence_vector(
    parameters: AnySentences, vectors: Any, mask: Any, name: str
) -> tuple[Any, Any]:
    """The vector of each sentence ``(batch, width)``, and the recurrent layer that it comes from.

    Args:
        vectors: of its words, ``(batch, words, dimension)``.
        mask: bool ``(batch, words)``, true at real words.
    """
    layer = GRU(parameters.units, return_sequences=True, name=f"{name}_gru")
    if parameters.bidirectional:
        layer = Bidirectional(layer, name=f"{name}_bidirectional")
    pooling = {
        "last": LastPooling(parameters.bidirectional, name=f"{name}_pooling"),
        "mean": MeanPooling(name=f"{name}_pooling"),
        "max": MaxPooling(name=f"{name}_pooling"),
    }[parameters.pooling]
    return pooling(layer(vectors, mask=mask), mask=mask), layer


def quick_thought(parameters: QuickThoughtSentences, embedding: layers.Embedding) -> Learner:
    """Quick-thought (Logeswaran & Lee 2018): the scores ``f(s_i) · g(s_j)`` of all pairs of
    sentences of a batch, ``(batch, batch)``.

    ``f`` and ``g`` are encoders of the same kind with weights of their own. The vector of a
    sentence is both, one after the other.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    vectors, mask = embedding(ids), real_tokens(ids)
    f, of_f = sentence_vector(parameters, vectors, mask, "f")
    g, of_g = sentence_vector(parameters, vectors, mask, "g")
    scores = ops.matmul(f, ops.transpose(g))
    encoder = keras.Model(ids, ops.concatenate([f, g], axis=-1))
    return Learner(keras.Model(ids, scores), encoder, [of_f, of_g])


def skip_thought(parameters: SkipThoughtSentences, embedding: layers.Embedding) -> Learner:
    """Skip-thought (Kiros et al. 2015): the logits of the words of the sentence before and of the
    one after, ``(batch, 2, words + 1, predictions)``.

    Each decoder is a GRU that reads, at each step, the word before and the vector of the sentence
    that was encoded, so that this vector has weights to every gate. The first word before is a zero
    vector. Both share the matrix from states to words, as in the paper.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    before = keras.Input((2, None), dtype="int32", name="target_ids")
    thought, layer = sentence_vector(parameters, embedding(ids), real_tokens(ids), "encoder")
    real = ops.cast(real_tokens(before), embedding.compute_dtype)
    words = embedding(before) * ops.expand_dims(real, -1)
    softmax = layers.Dense(SPECIAL_WORDS + parameters.predicted_words, name="words")
    logits = []
    for side, name in enumerate(("before", "after")):
        decoder = GRU(parameters.decoder_units, return_sequences=True, name=f"decoder_{name}")
        read = words[:, side]
        repeated = ops.expand_dims(thought, 1) + ops.zeros_like(read[:, :, :1])
        logits.append(softmax(decoder(ops.concatenate([read, repeated], axis=-1))))
    network = keras.Model([ids, before], ops.stack(logits, axis=1))
    return Learner(network, keras.Model(ids, thought), [layer])
