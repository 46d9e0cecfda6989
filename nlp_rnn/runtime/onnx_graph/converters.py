"""A function for each layer, which maps the values that Keras passes to it to the value it returns.

Values have Keras's shapes, except that a mask of real tokens becomes their number in each row,
int32 ``(batch,)``, which ONNX's recurrent operators take.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers
from onnx import TensorProto

from nlp_rnn.layers.activity import (
    ActivationRegularization,
    NormStabilizer,
    TemporalActivationRegularization,
)
from nlp_rnn.layers.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    Memory,
)
from nlp_rnn.layers.attention_decoder import AttentionDecoder
from nlp_rnn.layers.bidirectional import Bidirectional
from nlp_rnn.layers.casing import Casing
from nlp_rnn.layers.characters import CharacterBiLSTM, CharacterCNN
from nlp_rnn.layers.conditioning import BesideEachStep, FirstStep, Zeros
from nlp_rnn.layers.context import ContextTokens, JoinedNeighbours
from nlp_rnn.layers.contextual import ReverseSequence, ScalarMix
from nlp_rnn.layers.convolution import Convolutions, Windows
from nlp_rnn.layers.crf import CRF
from nlp_rnn.layers.dropout import Dropout, EmbeddingDropout
from nlp_rnn.layers.highway import HighwayConnection
from nlp_rnn.layers.pairs import STRIDE, PairBuckets
from nlp_rnn.layers.pointer import TINY, CopiedTypes, PointerGenerator
from nlp_rnn.layers.pooling import AttentionPooling, LastPooling, MaxPooling, MeanPooling
from nlp_rnn.layers.predicates import BesidePredicate
from nlp_rnn.layers.softmax.adaptive import AdaptiveSoftmax
from nlp_rnn.layers.softmax.full import Softmax
from nlp_rnn.layers.softmax.hierarchical import HierarchicalSoftmax
from nlp_rnn.layers.softmax.sampled import SampledSoftmax
from nlp_rnn.layers.weight_drop import WeightDrop
from nlp_rnn.runtime.onnx_graph.graph import Graph, Unsupported, array
from nlp_rnn.runtime.onnx_graph.recurrent import OneCell, activation, recurrent

Converter = Callable[..., str | list[str]]

LENGTHS = "lengths"
"""The input with the number of real tokens in each row."""

LOWEST = np.float32(-1e4)
"""The value of padding in a maximum or a softmax, as in :mod:`nlp_rnn.layers.pooling`."""


def _input(graph: Graph, layer: layers.InputLayer) -> str:
    return graph.input(layer.name, layer.dtype, layer.batch_shape)


def _mask(graph: Graph, not_equal: Any, ids: str) -> str:
    return LENGTHS


def _identity(graph: Graph, layer: layers.Layer, values: str, *others: str) -> str:
    return values


def _embedding(graph: Graph, layer: layers.Embedding, ids: str) -> str:
    return graph.node("Gather", array(layer.embeddings), ids)


def _dense(graph: Graph, layer: layers.Dense, x: str) -> str:
    product = graph.node("MatMul", x, array(layer.kernel))
    z = graph.node("Add", product, array(layer.bias))
    operator = activation(layer.activation)
    return z if operator == "Affine" else graph.node(operator, z)


# --- connections ----------------------------------------------------------------------


def _add(graph: Graph, layer: layers.Add, x: str, h: str) -> str:
    return graph.node("Add", x, h)


def _concatenate(graph: Graph, layer: layers.Concatenate, *parts: str) -> str:
    return graph.node("Concat", *parts, axis=layer.axis)


def _highway(graph: Graph, layer: HighwayConnection, x: str, h: str) -> str:
    gate = _dense(graph, layer.transform_gate, x)
    carry = graph.node("Sub", np.float32(1), gate)
    return graph.node("Add", graph.node("Mul", gate, h), graph.node("Mul", carry, x))


# --- contexts of fixed width ----------------------------------------------------------


def _steps(graph: Graph, values: str, first: int, end: int = np.iinfo(np.int64).max) -> str:
    return graph.node("Slice", values, *map(np.array, ([first], [end], [1])))


def _context_tokens(graph: Graph, layer: ContextTokens, before: str, ids: str) -> list[str]:
    earlier = graph.node("Cast", before, to=TensorProto.INT32)
    tokens = graph.node("Concat", earlier, ids, axis=1)
    last = _steps(graph, tokens, -layer.context)
    return [_steps(graph, tokens, 1), graph.node("Cast", last, to=TensorProto.FLOAT)]


def _joined_neighbours(graph: Graph, layer: JoinedNeighbours, vectors: str) -> str:
    most = layer.size - 1
    parts = [_steps(graph, vectors, i, i - most) for i in range(most)]
    return graph.node("Concat", *parts, _steps(graph, vectors, most), axis=-1)


def _along_time(
    graph: Graph, operator: str, vectors: str, *weights: np.ndarray, **attributes: Any
) -> str:
    """An operator over channels and steps, whose order is reversed in ONNX."""
    channels = graph.node("Transpose", vectors, perm=[0, 2, 1])
    return graph.node(
        "Transpose", graph.node(operator, channels, *weights, **attributes), perm=[0, 2, 1]
    )


def _average(graph: Graph, layer: layers.AveragePooling1D, vectors: str) -> str:
    return _along_time(graph, "AveragePool", vectors, kernel_shape=list(layer.pool_size))


def _convolution(graph: Graph, layer: layers.Conv1D, vectors: str) -> str:
    (window,), (dilation,) = layer.kernel_size, layer.dilation_rate
    beyond = dilation * (window - 1) if layer.padding == "same" else 0
    z = _along_time(
        graph,
        "Conv",
        vectors,
        array(layer.kernel).transpose(2, 1, 0),
        array(layer.bias),
        dilations=[dilation],
        pads=[beyond // 2, beyond - beyond // 2],
    )
    operator = activation(layer.activation)
    return z if operator == "Affine" else graph.node(operator, z)


def _convolutions(graph: Graph, layer: Convolutions, vectors: str, lengths: str) -> str:
    within = graph.node("Where", _real(graph, vectors, lengths), vectors, np.float32(0))
    parts = [_convolution(graph, convolution, within) for convolution in layer.convolutions]
    return graph.node("Concat", *parts, axis=-1)


def _windows(graph: Graph, layer: Windows, vectors: str, lengths: str) -> str:
    beyond = array(layer.beyond)
    vectors = graph.node("Where", _real(graph, vectors, lengths), vectors, beyond)
    none = graph.node("Mul", _steps(graph, vectors, 0, 1), np.float32(0))
    sides = [graph.node("Add", none, beyond)] * (layer.window // 2)
    padded = graph.node("Concat", *sides, vectors, *sides, axis=1)
    return _joined_neighbours(graph, layer.joined, padded)


def _pair_buckets(graph: Graph, layer: PairBuckets, ids: str) -> str:
    first = _steps(graph, ids, 0, 1)
    right = graph.node("Concat", _steps(graph, ids, 1), graph.node("Sub", first, first), axis=1)
    left = graph.node("Mul", ids, np.int32(STRIDE))
    return graph.node("Mod", graph.node("Add", left, right), np.int32(layer.buckets))


# --- recurrent layers -----------------------------------------------------------------


def _recurrent(graph: Graph, layer: layers.Layer, sequences: str, *others: str) -> list[str]:
    """``others`` is the mask, or the initial states."""
    directions = [layer]
    if isinstance(layer, layers.Bidirectional):
        if layer.merge_mode != "concat":
            raise Unsupported(f"merge_mode {layer.merge_mode}")
        directions = [layer.forward_layer, layer.backward_layer]
    if others == (LENGTHS,):
        results = recurrent(graph, directions, sequences, LENGTHS)
    else:
        results = recurrent(graph, directions, sequences, initial_states=others)
    return results if layer.return_state else results[:1]


def _weight_drop(graph: Graph, layer: WeightDrop, *values: str) -> list[str]:
    return convert(graph, layer.layer, *values)


def _reverse_sequence(graph: Graph, layer: ReverseSequence, vectors: str, lengths: str) -> str:
    counts = graph.node("Cast", lengths, to=TensorProto.INT64)
    return graph.node("ReverseSequence", vectors, counts, batch_axis=0, time_axis=1)


def _scalar_mix(graph: Graph, layer: ScalarMix, states: str) -> str:
    by_layer = graph.node("Reshape", states, np.array([0, 0, layer.count, layer.width]))
    weighted = graph.node("Mul", by_layer, array(layer.weights_of_layers)[:, None])
    return graph.node("ReduceSum", weighted, np.array([2]), keepdims=0)


# --- pooling --------------------------------------------------------------------------


def _real(graph: Graph, states: str, lengths: str) -> str:
    """Whether ``states`` belong to real tokens, bool ``(batch, timesteps, 1)``."""
    timesteps = graph.node("Gather", graph.node("Shape", states), np.array(1))
    count = graph.node("Cast", timesteps, to=TensorProto.INT32)
    steps = graph.node("Range", np.int32(0), count, np.int32(1))
    return graph.node(
        "Less",
        graph.node("Unsqueeze", steps, np.array([1])),
        graph.node("Unsqueeze", lengths, np.array([1, 2])),
    )


def _last_pooling(graph: Graph, layer: LastPooling, states: str, lengths: str) -> str:
    backward = None
    if layer.bidirectional:
        states, backward = graph.nodes("Split", 2, states, axis=-1)
    place = graph.node("Sub", graph.node("Cast", lengths, to=TensorProto.INT64), np.array([1]))
    place = graph.node("Unsqueeze", place, np.array([1]))
    last = graph.node("GatherND", states, place, batch_dims=1)
    if backward is None:
        return last
    return graph.node("Concat", last, graph.node("Gather", backward, np.array(0), axis=1), axis=-1)


def _mean_pooling(graph: Graph, layer: MeanPooling, states: str, lengths: str) -> str:
    real = graph.node("Cast", _real(graph, states, lengths), to=TensorProto.FLOAT)
    total = graph.node("ReduceSum", graph.node("Mul", states, real), np.array([1]), keepdims=0)
    count = graph.node("Cast", lengths, to=TensorProto.FLOAT)
    return graph.node("Div", total, graph.node("Unsqueeze", count, np.array([1])))


def _max_pooling(graph: Graph, layer: MaxPooling, states: str, lengths: str) -> str:
    real = graph.node("Where", _real(graph, states, lengths), states, LOWEST)
    return graph.node("ReduceMax", real, axes=[1], keepdims=0)


def _attention_pooling(graph: Graph, layer: AttentionPooling, states: str, lengths: str) -> str:
    product = graph.node("MatMul", states, array(layer.kernel))
    u = graph.node("Tanh", graph.node("Add", product, array(layer.bias)))
    scores = graph.node("MatMul", u, array(layer.context)[:, None])
    scores = graph.node("Where", _real(graph, states, lengths), scores, LOWEST)
    attention = graph.node("Softmax", scores, axis=1)
    weighted = graph.node("Mul", attention, states)
    return graph.node("ReduceSum", weighted, np.array([1]), keepdims=0)


# --- attention ------------------------------------------------------------------------


def _attention(
    graph: Graph, layer: Attention, queries: str, memory: str, lengths: str
) -> list[str]:
    """The contexts of queries ``(batch, steps, units)``, and the weights."""
    distances = _distances(graph, layer, queries, memory, lengths) if layer.window else ""
    if isinstance(layer, AdditiveAttention):
        of_queries = graph.node("MatMul", queries, array(layer.of_query))
        keys = _affine(graph, memory, layer.of_memory, layer.bias)
        inner = graph.node(
            "Add",
            graph.node("Unsqueeze", of_queries, np.array([2])),
            graph.node("Unsqueeze", keys, np.array([1])),
        )
        scores = graph.node("MatMul", graph.node("Tanh", inner), array(layer.vector))
    else:
        if isinstance(layer, GeneralAttention):
            queries = graph.node("MatMul", queries, array(layer.kernel))
        keys = graph.node("Transpose", memory, perm=[0, 2, 1])
        scores = graph.node("MatMul", queries, keys)
    real = graph.node("Transpose", _real(graph, memory, lengths), perm=[0, 2, 1])
    scores = graph.node("Where", real, scores, LOWEST)
    if layer.window:
        squares = graph.node("Mul", distances, distances)
        outside = graph.node("Greater", squares, np.float32(layer.window**2))
        scores = graph.node("Where", outside, LOWEST, scores)
    weights = graph.node("Softmax", scores, axis=-1)
    if layer.window:
        near = graph.node("Exp", graph.node("Mul", squares, np.float32(-2 / layer.window**2)))
        weights = graph.node("Mul", weights, near)
    return [graph.node("MatMul", weights, memory), weights]


def _distances(graph: Graph, layer: Attention, queries: str, memory: str, lengths: str) -> str:
    """How far each state is from the position that a query predicts ``(batch, steps,
    timesteps)``."""
    hidden = graph.node("Tanh", graph.node("MatMul", queries, array(layer.position_kernel)))
    share = graph.node("Sigmoid", graph.node("MatMul", hidden, array(layer.position_vector)))
    real = graph.node("Unsqueeze", graph.node("Cast", lengths, to=TensorProto.FLOAT), np.array([1]))
    place = graph.node("Unsqueeze", graph.node("Mul", real, share), np.array([2]))
    timesteps = graph.node("Gather", graph.node("Shape", memory), np.array(1))
    count = graph.node("Cast", timesteps, to=TensorProto.FLOAT)
    steps = graph.node("Range", np.float32(0), count, np.float32(1))
    return graph.node("Sub", steps, place)


def _copied_types(graph: Graph, layer: CopiedTypes, ids: str) -> str:
    return graph.node("Gather", np.asarray(array(layer.types), np.int32), ids)


def _pointer_generator(
    graph: Graph,
    layer: PointerGenerator,
    logits: str,
    weights: str,
    readout: str,
    before: str,
    copied: str,
) -> str:
    joined = graph.node("Concat", readout, before, axis=-1)
    generating = graph.node("Sigmoid", _affine(graph, joined, layer.gate.kernel, layer.gate.bias))
    types = np.arange(layer.types, dtype=np.int32)
    equal = graph.node("Equal", graph.node("Unsqueeze", copied, np.array([2])), types)
    places = graph.node("Cast", equal, to=TensorProto.FLOAT)
    generated = graph.node("Mul", generating, graph.node("Softmax", logits, axis=-1))
    copying = graph.node("Sub", np.float32(1), generating)
    pointed = graph.node("Mul", copying, graph.node("MatMul", weights, places))
    return graph.node("Log", graph.node("Sum", generated, pointed, np.float32(TINY)))


def _memory(graph: Graph, layer: Memory, states: str, lengths: str) -> str:
    real = graph.node("Cast", _real(graph, states, lengths), to=TensorProto.FLOAT)
    return graph.node("Mul", states, real)


def _attention_decoder(
    graph: Graph, layer: AttentionDecoder, y: str, memory: str, lengths: str, *states: str
) -> list[str]:
    """One step of a decoder whose attention is in the loop."""
    before = list(states)
    fed = before.pop() if layer.placement == "after" else None
    if fed is None:
        top = before[-len(layer.sizes) // len(layer.cells)]
        query = graph.node("Unsqueeze", top, np.array([1]))
        read, weights = _attention(graph, layer.attention, query, memory, lengths)
    else:
        read, weights = graph.node("Unsqueeze", fed, np.array([1])), ""
    s, after = graph.node("Concat", y, read, axis=-1), []
    count = len(before) // len(layer.cells)
    for i, cell in enumerate(layer.cells):
        own = before[i * count : (i + 1) * count]
        s, *new = recurrent(graph, [OneCell(cell)], s, initial_states=own)
        after += new
    if fed is not None:
        read, weights = _attention(graph, layer.attention, s, memory, lengths)
    r = _dense(graph, layer.readout, graph.node("Concat", s, read, axis=-1))
    if fed is not None:
        after.append(graph.node("Gather", r, np.array(0), axis=1))
    return [r, weights, *after]


def _beside_each_step(graph: Graph, layer: BesideEachStep, sequences: str, vector: str) -> str:
    column = graph.node("Slice", sequences, *map(np.array, ([0], [1], [2])))
    none = graph.node("Mul", column, np.float32(0))
    every = graph.node("Add", none, graph.node("Unsqueeze", vector, np.array([1])))
    return graph.node("Concat", sequences, every, axis=-1)


def _beside_predicate(graph: Graph, layer: BesidePredicate, vectors: str, flags: str) -> str:
    parts = [vectors, graph.node("Gather", array(layer.embeddings), flags)]
    if layer.word:
        chosen = graph.node("Cast", flags, to=TensorProto.FLOAT)
        chosen = graph.node("Unsqueeze", chosen, np.array([2]))
        product = graph.node("Mul", chosen, vectors)
        predicate = graph.node("ReduceSum", product, np.array([1]), keepdims=1)
        none = graph.node("Mul", vectors, np.float32(0))
        parts.append(graph.node("Add", none, predicate))
    return graph.node("Concat", *parts, axis=-1)


def _first_step(graph: Graph, layer: FirstStep, sequences: str, vector: str) -> list[str]:
    read = graph.node("MatMul", vector, array(layer.kernel))
    read = graph.node("Unsqueeze", read, np.array([1]))
    first = graph.node("Add", _steps(graph, sequences, 0, 1), read)
    joined = graph.node("Concat", first, _steps(graph, sequences, 1), axis=1)
    return [joined, graph.node("Mul", vector, np.float32(0))]


def _zeros(graph: Graph, layer: Zeros, rows: str) -> str:
    column = graph.node("Slice", rows, *map(np.array, ([0], [1], [1])))
    none = graph.node("Mul", column, np.float32(0))
    return graph.node("Add", none, np.zeros((1, layer.size), np.float32))


# --- output layers --------------------------------------------------------------------


def _affine(graph: Graph, x: str, kernel: Any, bias: Any) -> str:
    # Tied weights are written a second time in the layout of products: quantisation cannot share
    # them.
    return graph.node("Add", graph.node("MatMul", x, array(kernel)), array(bias))


def _softmax(graph: Graph, layer: Softmax, hidden: str) -> str:
    return _affine(graph, hidden, array(layer.weights_by_type).T, layer.bias)


def _adaptive_softmax(graph: Graph, layer: AdaptiveSoftmax, hidden: str) -> str:
    scores = _affine(graph, hidden, layer.first_kernel, layer.bias)
    first = graph.node("LogSoftmax", scores, axis=-1)
    frequent = layer.cutoffs[0]
    parts = [graph.node("Slice", first, *map(np.array, ([0], [frequent], [-1])))]
    for c in range(len(layer.clusters)):
        narrow = hidden
        if layer.divisor > 1:
            narrow = graph.node("MatMul", hidden, array(layer.projections[c]))
        scores = _affine(graph, narrow, layer.kernel_within(c), layer.biases[c])
        place = ([frequent + c], [frequent + c + 1], [-1])
        cluster = graph.node("Slice", first, *map(np.array, place))
        parts.append(graph.node("Add", cluster, graph.node("LogSoftmax", scores, axis=-1)))
    return graph.node("Concat", *parts, axis=-1)


def _hierarchical_softmax(graph: Graph, layer: HierarchicalSoftmax, hidden: str) -> str:
    scores = _affine(graph, hidden, array(layer.kernel).T, layer.bias)
    levels = []
    for nodes, turns in zip(layer.nodes.T, layer.turns.T, strict=True):
        turned = graph.node("Mul", graph.node("Gather", scores, nodes, axis=-1), -turns)
        surprise = graph.node("Softplus", turned)  # -ln sigmoid(turn * score)
        levels.append(graph.node("Mul", surprise, -abs(turns)))
    return graph.node("Sum", *levels)


# --- characters -----------------------------------------------------------------------

Encode = Callable[[Graph, Any, str, str], str]


def _character_encoder(graph: Graph, layer: layers.Layer, ids: str, encode: Encode) -> str:
    words = graph.node("Flatten", ids, axis=2)
    lengths = graph.node("ReduceSum", graph.node("Sign", words), np.array([1]), keepdims=0)
    vectors = encode(graph, layer, _embedding(graph, layer.embedding, words), lengths)
    by_word = graph.node("Concat", graph.node("Shape", ids, end=2), np.array([-1]), axis=0)
    return graph.node("Reshape", vectors, by_word)


def _convolved(graph: Graph, layer: CharacterCNN, embedded: str, lengths: str) -> str:
    within = graph.node("Where", _real(graph, embedded, lengths), embedded, np.float32(0))
    features = _convolution(graph, layer.convolution, within)
    return _max_pooling(graph, layer.pooling, features, lengths)


def _last_states(graph: Graph, layer: CharacterBiLSTM, embedded: str, lengths: str) -> str:
    directions = [layer.bilstm.forward_layer, layer.bilstm.backward_layer]
    _, forward, _, backward, _ = recurrent(graph, directions, embedded, lengths)
    return graph.node("Concat", forward, backward, axis=-1)


def _casing(graph: Graph, layer: Casing, ids: str) -> str:
    of_each = graph.node("Gather", layer.counted, ids)
    counts = graph.node("ReduceSum", of_each, np.array([2]), keepdims=0)
    first = graph.node("Slice", of_each, *map(np.array, ([0], [2], [2])))
    capitals = graph.node("Gather", first, np.array(2), axis=3)
    initial = graph.node("ReduceSum", capitals, np.array([2]), keepdims=0)
    characters, lower, upper, digits = (
        graph.node("Gather", counts, np.array(i), axis=2) for i in range(4)
    )
    none = np.int32(0)
    tests = (
        graph.node("Equal", digits, characters),
        graph.node("Greater", graph.node("Add", digits, digits), characters),
        graph.node("Greater", digits, none),
        graph.node("Equal", graph.node("Add", lower, upper), none),
        graph.node("Equal", upper, none),
        graph.node("Equal", lower, none),
        graph.node("Equal", upper, initial),
    )
    found: Any = np.int32(len(tests))
    for i, test in reversed(list(enumerate(tests))):
        found = graph.node("Where", test, np.int32(i), found)
    return _embedding(graph, layer.embedding, found)


# --------------------------------------------------------------------------------------


def _crf(graph: Graph, layer: CRF, emissions: str, lengths: str) -> str:
    """The CRF's scores are constant outputs, because decoding happens outside the graph."""
    names = ("crf_start", "crf_transitions", "crf_end")
    for name, scores in zip(names, map(array, layer.scores), strict=True):
        graph.output(name, graph.constant(scores), scores.shape)
    return emissions


CONVERTERS: dict[type, Converter] = {
    layers.InputLayer: _input,
    layers.Embedding: _embedding,
    ContextTokens: _context_tokens,
    JoinedNeighbours: _joined_neighbours,
    layers.AveragePooling1D: _average,
    PairBuckets: _pair_buckets,
    layers.Conv1D: _convolution,
    Convolutions: _convolutions,
    Windows: _windows,
    layers.Dense: _dense,
    layers.Identity: _identity,
    Softmax: _softmax,
    SampledSoftmax: _softmax,
    AdaptiveSoftmax: _adaptive_softmax,
    HierarchicalSoftmax: _hierarchical_softmax,
    layers.Dropout: _identity,
    Dropout: _identity,
    EmbeddingDropout: _identity,
    ActivationRegularization: _identity,
    TemporalActivationRegularization: _identity,
    NormStabilizer: _identity,
    layers.Add: _add,
    layers.Concatenate: _concatenate,
    HighwayConnection: _highway,
    Bidirectional: _recurrent,
    WeightDrop: _weight_drop,
    ReverseSequence: _reverse_sequence,
    ScalarMix: _scalar_mix,
    LastPooling: _last_pooling,
    MeanPooling: _mean_pooling,
    MaxPooling: _max_pooling,
    AttentionPooling: _attention_pooling,
    DotAttention: _attention,
    GeneralAttention: _attention,
    AdditiveAttention: _attention,
    Memory: _memory,
    AttentionDecoder: _attention_decoder,
    CopiedTypes: _copied_types,
    PointerGenerator: _pointer_generator,
    BesideEachStep: _beside_each_step,
    BesidePredicate: _beside_predicate,
    FirstStep: _first_step,
    Zeros: _zeros,
    CharacterCNN: partial(_character_encoder, encode=_convolved),
    CharacterBiLSTM: partial(_character_encoder, encode=_last_states),
    Casing: _casing,
    CRF: _crf,
}
"""Converters by exact class, except for recurrent layers, whose cells determine what they
compute."""


def _converter(operation: keras.Operation) -> Converter:
    if isinstance(operation, layers.RNN):
        return _recurrent
    if type(operation).__name__ == "NotEqual":  # a private class of Keras
        return _mask
    if type(operation) not in CONVERTERS:
        raise Unsupported(type(operation).__name__)
    return CONVERTERS[type(operation)]


def convert(graph: Graph, operation: keras.Operation, *values: str) -> list[str]:
    """Add the computation of a layer, or of another Keras operation, on ``values``.

    Returns:
        The names of the values that it returns.
    """
    results = _converter(operation)(graph, operation, *values)
    return [results] if isinstance(results, str) else results
