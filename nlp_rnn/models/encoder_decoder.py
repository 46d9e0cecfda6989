"""Encoder-decoders: recurrent layers read the source, others write the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import layers

from nlp_rnn.config import AttentionParameters, EncoderDecoderParameters
from nlp_rnn.layers.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    Memory,
)
from nlp_rnn.layers.attention_decoder import AttentionDecoder
from nlp_rnn.layers.conditioning import BesideEachStep, FirstStep, Zeros
from nlp_rnn.layers.dropout import Dropout
from nlp_rnn.layers.pointer import CopiedTypes, PointerGenerator
from nlp_rnn.layers.pooling import LastPooling, MeanPooling
from nlp_rnn.layers.softmax.full import Softmax
from nlp_rnn.models.cells import bare_cell, states
from nlp_rnn.models.encoder import embedded, real_tokens, recurrent_stack

ENCODER, DECODER = "encoder", "decoder"
"""The names of the two parts of the network."""

MEMORY, SOURCE_MASK = "memory", "source_mask"
"""What a decoder with attention reads of the source: its states, and which of them are real."""

COPIED = "copied"
"""What a decoder that copies reads beside: the type of targets that each token becomes."""

FED, SUMMARY, FIRST = "fed", "summary", "first"
"""States of a decoder beside those of its layers: the output of attention that it is fed with, the
vector of the source that it reads at every step, and the vector of features until the first step
has read it."""


def encoder_decoder(
    source: layers.Embedding,
    target: layers.Embedding,
    parameters: EncoderDecoderParameters,
    features: int = 0,
) -> keras.Model:
    """Build an encoder-decoder.

    Args:
        source: the embedding of source tokens.
        target: that of target tokens; it may be the same layer.
        features: the width of a vector that is read beside the source; 0 for none.

    Returns:
        A model that maps ``[ids, target_ids]``, and ``features`` ``(batch, features)`` if there are
        any, to logits ``(batch, target steps, types)``. Both ids are int32, padded on the right
        with 0; each target begins with the end symbol. Its layers ``encoder`` and ``decoder`` are
        models: see :func:`_encoder` and :func:`_decoder`.
    """
    encoder = _encoder(source, parameters, features)
    decoder = _decoder(target, parameters, features)
    target_ids = keras.Input((None,), dtype="int32", name="target_ids")
    of_source = [
        keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
        for tensor in encoder.inputs
    ]
    ids, *vectors = of_source
    read, states = _read_source(encoder, decoder, of_source)
    logits, *_ = decoder([target_ids, *read, *states])
    return keras.Model([ids, target_ids, *vectors], logits, name="encoder_decoder")


def begun_decoder(
    network: keras.Model, ids: Any, vectors: Sequence[Any]
) -> tuple[keras.Model, list[Any], list[Any]]:
    """The decoder, what it reads of sources beside its tokens, and its first states, as in
    predictions."""
    encoder, decoder = network.get_layer(ENCODER), network.get_layer(DECODER)
    return decoder, *_read_source(encoder, decoder, [ids, *vectors], training=False)


def _read_source(
    encoder: keras.Model, decoder: keras.Model, of_source: Sequence[Any], **options: Any
) -> tuple[list[Any], list[Any]]:
    """What a decoder reads of sources beside its tokens, and its first states."""
    inputs = [tensor.name for tensor in decoder.inputs]
    found = encoder(list(of_source), **options)
    states = list(found) if isinstance(found, list | tuple) else [found]
    read = [states.pop(0) for name in (MEMORY, COPIED) if name in inputs]
    if MEMORY in inputs:
        read.insert(1, real_tokens(of_source[0]))
    return read, states


def state_widths(parameters: EncoderDecoderParameters, features: int = 0) -> dict[str, int]:
    """The name and width of each state of the decoder."""
    decoder = parameters.decoder
    found = {
        f"{state}_{i}": width
        for i in range(decoder.layers)
        for state, width in states(decoder).items()
    }
    if parameters.attention and parameters.attention.input_feeding:
        found[FED] = decoder.units
    if parameters.conditioning == "every_step":
        found[SUMMARY] = parameters.source_width
    return found | ({FIRST: features} if features else {})


# --- the encoder ----------------------------------------------------------------------


def _encoder(
    embedding: layers.Embedding, parameters: EncoderDecoderParameters, features: int
) -> keras.Model:
    """The model from ``ids``, and ``features`` if there are any, to what a decoder starts from.

    Its outputs are the states of the source ``(batch, timesteps, width)``, if there is attention;
    the types that its tokens become when copied ``(batch, timesteps)``, if they can be; and the
    first state of the decoder for each of :func:`state_widths`, ``(batch, width)``.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    vectors = [keras.Input((features,), name="features")] if features else []
    mask = real_tokens(ids)
    memory, final = recurrent_stack(
        embedded(embedding, ids, parameters),
        parameters,
        parameters.bidirectional,
        mask,
        final_states=parameters.bridge == "last_state",
    )
    pooling = (
        MeanPooling(name="mean")
        if parameters.bridge == "mean"
        else LastPooling(parameters.bidirectional, name="last")
    )
    summary = pooling(memory, mask=mask)
    first = _bridged(summary, final, parameters)
    if parameters.attention and parameters.attention.input_feeding:
        first.append(Zeros(parameters.decoder.units, name=FED)(summary))
    if parameters.conditioning == "every_step":
        first.append(summary)
    outputs = [Memory(name=MEMORY)(memory, mask=mask)] if parameters.attention else []
    if parameters.copying:
        outputs.append(CopiedTypes(embedding.input_dim, name=COPIED)(ids))
    return keras.Model([ids, *vectors], [*outputs, *first, *vectors], name=ENCODER)


def _bridged(summary: Any, final: Sequence[Any], parameters: EncoderDecoderParameters) -> list[Any]:
    """The first states of the decoder's layers."""
    decoder = parameters.decoder
    widths = states(decoder)
    if parameters.bridge == "last_state":
        if not parameters.bidirectional:
            return list(final)
        count = len(widths)
        forward = [2 * i * count + j for i in range(decoder.layers) for j in range(count)]
        join = layers.Concatenate
        return [
            join(name=f"bridge_{i}")([final[place], final[place + count]])
            for i, place in enumerate(forward)
        ]
    return [
        layers.Dense(width, "tanh", name=f"bridge_{state}_{i}")(summary)
        for i in range(decoder.layers)
        for state, width in widths.items()
    ]


# --- the decoder ----------------------------------------------------------------------


def attention_layer(parameters: AttentionParameters, units: int) -> Attention:
    """The attention that parameters describe, of a decoder of so many ``units``."""
    window = parameters.window
    if parameters.kind == "dot":
        return DotAttention(window, name="attention")
    if parameters.kind == "general":
        return GeneralAttention(window, name="attention")
    return AdditiveAttention(parameters.units or units, window, name="attention")


def _decoder(
    embedding: layers.Embedding, parameters: EncoderDecoderParameters, features: int
) -> keras.Model:
    """The model of any number of steps of the target.

    Its inputs are ``target_ids`` ``(batch, steps)``; with attention the ``memory`` of the source
    ``(batch, timesteps, width)`` and the bool ``source_mask`` ``(batch, timesteps)``; the types
    ``copied`` ``(batch, timesteps)``, if it copies; and the states before, each ``(batch, width)``.
    Its outputs are logits ``(batch, steps, types)``; the states after; and with attention its
    weights ``(batch, steps, timesteps)``.
    """
    ids = keras.Input((None,), dtype="int32", name="target_ids")
    before = {
        name: keras.Input((width,), name=name)
        for name, width in state_widths(parameters, features).items()
    }
    source = []
    if parameters.attention:
        source = [
            keras.Input((None, parameters.source_width), name=MEMORY),
            keras.Input((None,), dtype="bool", name=SOURCE_MASK),
        ]
    copied = [keras.Input((None,), dtype="int32", name=COPIED)] if parameters.copying else []
    vectors, kept = _read(embedded(embedding, ids, parameters), before)
    of_layers = [tensor for name, tensor in before.items() if name not in kept]
    written = _in_the_loop if _is_looped(parameters) else _after_the_stack
    hidden, after, weights = written(vectors, source, of_layers, before.get(SUMMARY), parameters)
    if parameters.tied and hidden.shape[-1] != embedding.output_dim:
        hidden = layers.Dense(embedding.output_dim, name="to_embedding")(hidden)
    tied = embedding if parameters.tied else None
    logits = Softmax(embedding.input_dim, embedding=tied, name="logits")(hidden)
    if copied:
        pointer = PointerGenerator(name="pointer_generator")
        logits = pointer(logits, *weights, hidden, vectors, *copied)
    outputs = [logits, *after, *kept.values(), *weights]
    return keras.Model([ids, *source, *copied, *before.values()], outputs, name=DECODER)


def _is_looped(parameters: EncoderDecoderParameters) -> bool:
    return parameters.attention is not None and parameters.attention.in_the_loop


def _read(vectors: Any, before: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What the decoder's layers read at each step, and the states that are about it afterwards."""
    kept = {}
    if SUMMARY in before:
        kept[SUMMARY] = before[SUMMARY]
    if FIRST in before:
        vectors, kept[FIRST] = FirstStep(name="first_step")(vectors, before[FIRST])
    if SUMMARY in before:
        vectors = BesideEachStep(name="conditioned")(vectors, before[SUMMARY])
    return vectors, kept


def _in_the_loop(
    vectors: Any, source: Sequence[Any], before: Sequence[Any], _: Any, parameters: Any
) -> tuple[Any, list[Any], list[Any]]:
    """The decoder whose attention changes what later steps read; see :func:`_after_the_stack`."""
    decoder, attention = parameters.decoder, parameters.attention
    looped = AttentionDecoder(
        [bare_cell(decoder) for _ in range(decoder.layers)],
        attention_layer(attention, decoder.units),
        attention.place,
        decoder.units,
        decoder.dropout,
        name="attention_decoder",
    )
    dropped = Dropout(decoder.dropout, name="dropout_input")(vectors)
    hidden, weights, *after = looped(dropped, *source, list(before))
    hidden = Dropout(decoder.dropout, name="dropout_readout")(hidden)
    return hidden, after, [weights]


def _after_the_stack(
    vectors: Any, source: Sequence[Any], before: Sequence[Any], summary: Any, parameters: Any
) -> tuple[Any, list[Any], list[Any]]:
    """The decoder as a plain stack, whose outputs attend for all steps at once.

    Args:
        vectors: what the layers read, ``(batch, steps, width)``.
        source: the memory and its mask, if there is attention.
        before: the states of the layers.
        summary: the vector of the source that every step reads, or None.

    Returns:
        The input of the output layer ``(batch, steps, units)``, the states after, and the weights
        of attention, if there is any.
    """
    decoder = parameters.decoder
    hidden, after = recurrent_stack(vectors, decoder, False, None, initial_states=before)
    weights: list[Any] = []
    if parameters.attention:
        attention = attention_layer(parameters.attention, decoder.units)
        context, found = attention(hidden, *source)
        weights.append(found)
        hidden = layers.Concatenate(name="state_and_context")([hidden, context])
    elif summary is not None:
        hidden = BesideEachStep(name="state_and_summary")(hidden, summary)
    else:
        return hidden, after, weights
    hidden = layers.Dense(decoder.units, "tanh", name="readout")(hidden)
    return Dropout(decoder.dropout, name="dropout_readout")(hidden), after, weights
