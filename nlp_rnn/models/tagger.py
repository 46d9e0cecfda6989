"""Taggers: an encoder, then a softmax at every token or a CRF over the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from nlp_rnn.config import (
    AnyCharacterEncoder,
    AnyTagger,
    CharacterCNNParameters,
    ContextualParameters,
    RoleTaggerParameters,
    TaggerParameters,
)
from nlp_rnn.layers.casing import Casing
from nlp_rnn.layers.characters import CharacterBiLSTM, CharacterCNN
from nlp_rnn.layers.crf import CRF
from nlp_rnn.layers.dropout import Dropout
from nlp_rnn.layers.predicates import BesidePredicate
from nlp_rnn.models.contextual import contextual_vectors
from nlp_rnn.models.encoder import embedded, real_tokens, recurrent_stack
from nlp_rnn.models.fixed_view import fixed_view
from nlp_rnn.text.entities import LearnedTags, allowed_transitions


def character_encoder(parameters: AnyCharacterEncoder, characters: int) -> layers.Layer:
    """The layer that reads a word's spelling; ``characters`` is the number of character types."""
    options: dict[str, Any] = {"dropout": parameters.dropout, "name": "spelling"}
    if isinstance(parameters, CharacterCNNParameters):
        return CharacterCNN(
            characters, parameters.dimension, parameters.units, parameters.window, **options
        )
    return CharacterBiLSTM(characters, parameters.dimension, parameters.units, **options)


def tagger(
    embedding: layers.Embedding,
    parameters: AnyTagger,
    labels: Sequence[str],
    characters: Sequence[str] = (),
    entities: bool = True,
    context: ContextualParameters | None = None,
) -> keras.Model:
    """Build a tagger.

    Args:
        labels: names of the data's tags; a constrained CRF derives from them what the tagging
            scheme allows.
        characters: every character type, the special ones first; ignored if the network reads none.
        entities: whether tags that look like BIO mark entities; if not, they are plain classes and
            no transition between them is forbidden.
        context: the contextual word vectors that it reads beside those of ``embedding``.

    Returns:
        A model that maps token indices, int32 ``(batch, timesteps)`` padded on the right with 0, to
        logits ``(batch, timesteps, tags)`` of :class:`~nlp_rnn.text.entities.LearnedTags`; with a
        CRF these are its emissions. With a character encoder or casing there is a further input,
        the characters of each word, int32 ``(batch, timesteps, characters)``; for semantic roles
        also ``predicates``, int32 ``(batch, timesteps)``: 1 at the predicate, 0 elsewhere.
    """
    inputs, states, mask = encoded_words(embedding, parameters, characters, context)
    logits = tag_logits(states, mask, parameters, labels, entities)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], logits, name="tagger")


def encoded_words(
    embedding: layers.Embedding,
    parameters: AnyTagger,
    characters: Sequence[str],
    context: ContextualParameters | None = None,
) -> tuple[list[Any], Any, Any]:
    """The inputs of a tagger, what its head sees of each word ``(batch, timesteps, width)``, and
    the mask of real words; see :func:`tagger`."""
    inputs = [keras.Input((None,), dtype="int32", name="ids")]
    mask = real_tokens(inputs[0])
    vectors = [embedded(embedding, inputs[0], parameters)]
    if parameters.longest:
        inputs.append(keras.Input((None, None), dtype="int32", name="characters"))
    if parameters.characters:
        vectors.append(character_encoder(parameters.characters, len(characters))(inputs[1]))
    if parameters.casing:
        vectors.append(Casing(characters, parameters.casing, name="casing")(inputs[1]))
    if context is not None:
        vectors.append(contextual_vectors(inputs[0], mask, embedding.input_dim, context))
    word = layers.Concatenate(name="word")(vectors) if len(vectors) > 1 else vectors[0]
    if isinstance(parameters, RoleTaggerParameters):
        inputs.append(keras.Input((None,), dtype="int32", name="predicates"))
        beside = BesidePredicate(
            parameters.predicate_dimension, parameters.predicate_word, name="predicate"
        )
        word = beside(word, inputs[-1])
    return inputs, _encoded(word, parameters, mask), mask


def tag_logits(
    states: Any, mask: Any, parameters: AnyTagger, labels: Sequence[str], entities: bool
) -> Any:
    """The head of a tagger; see :func:`tagger`."""
    tags = LearnedTags(labels, parameters.tag_scheme).tags
    logits = layers.Dense(len(tags), name="logits")(states)
    if parameters.output == "crf":
        allowed = allowed_transitions(tags, entities) if parameters.constrained else None
        logits = CRF(len(tags), allowed, name="crf")(logits, mask=mask)
    return logits


def _encoded(words: Any, parameters: AnyTagger, mask: Any) -> Any:
    """What the head sees of each word, ``(batch, timesteps, width)``."""
    if isinstance(parameters, TaggerParameters):
        states, _ = recurrent_stack(words, parameters, parameters.bidirectional, mask)
        return states
    views = fixed_view(words, parameters, mask)
    return Dropout(parameters.dropout, name="dropout_output")(views)


def crf_of(network: keras.Model) -> CRF | None:
    """The CRF of a tagger; None if it has a softmax."""
    return next((layer for layer in network.layers if isinstance(layer, CRF)), None)
