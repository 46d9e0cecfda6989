"""An encoder-decoder as two ONNX files: one reads the source, the other steps of the target.

The inputs of the first are ``ids`` and ``lengths`` as in :mod:`nlp_rnn.runtime.onnx_graph`, and
``features``, float32 ``(batch, width)``, if the network reads any. Its outputs are, with attention,
``memory``, float32 ``(batch, timesteps, width)``; if it copies, ``copied``, int32 ``(batch,
timesteps)``; and the decoder's first states, ``first_...``.

The inputs of the second are ``target_ids``, int32 ``(batch, steps)``; with attention ``memory`` and
``lengths``; ``copied``, if the encoder gives it; and the states, float32 ``(batch, width)``. Its
outputs are ``log_probabilities``, ``(batch, steps, types)``; ``next_...``, the states afterwards;
and with attention its ``weights``, ``(batch, steps, timesteps)``. A decoder whose attention changes
what the next step reads takes one step at a time.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx

from nlp_rnn.arrays import Floats
from nlp_rnn.errors import UserError
from nlp_rnn.layers.attention_decoder import AttentionDecoder
from nlp_rnn.models.encoder_decoder import COPIED, DECODER, ENCODER, MEMORY, SOURCE_MASK
from nlp_rnn.runtime.network import KerasNetwork, Network
from nlp_rnn.runtime.onnx_graph import TOLERANCE, converted
from nlp_rnn.runtime.onnx_graph.converters import LENGTHS
from nlp_rnn.runtime.onnx_graph.graph import Graph
from nlp_rnn.runtime.onnx_network import OnnxNetwork


def encoder_model(network: keras.Model) -> onnx.ModelProto:
    """The encoder of an encoder-decoder.

    Raises:
        Unsupported: ONNX has no operator for a layer or one of its options.
    """
    encoder, states = network.get_layer(ENCODER), _states(network)
    graph = Graph()
    graph.input(LENGTHS, "int32", (None,))
    values = converted(graph, encoder, _inputs(graph, encoder))
    names = [f"first_{name}" for name in states]
    read = [tensor.name for tensor in network.get_layer(DECODER).inputs]
    names[:0] = [name for name in (MEMORY, COPIED) if name in read]
    for name, tensor in zip(names, encoder.outputs, strict=True):
        graph.output(name, values[id(tensor)], tensor.shape, tensor.dtype)
    return graph.model()


def decoder_model(network: keras.Model) -> onnx.ModelProto:
    """The decoder of an encoder-decoder; see :func:`encoder_model`."""
    decoder = network.get_layer(DECODER)
    graph = Graph()
    one_step = any(isinstance(layer, AttentionDecoder) for layer in decoder.layers)
    steps = 1 if one_step else "steps"
    attends = any(tensor.name == MEMORY for tensor in decoder.inputs)
    values = converted(graph, decoder, _inputs(graph, decoder, steps))
    logits, *others = decoder.outputs
    log_p = graph.node("LogSoftmax", values[id(logits)], axis=-1)
    graph.output("log_probabilities", log_p, (None, steps, logits.shape[-1]))
    for name, tensor in zip(_states(network), others, strict=False):
        graph.output(f"next_{name}", values[id(tensor)], tensor.shape)
    if attends:
        graph.output("weights", values[id(others[-1])], (None, steps, None))
    return graph.model()


def _inputs(graph: Graph, part: keras.Model, steps: int | str = "steps") -> dict[str, str]:
    """The inputs of a part of the network, in its order; a mask of the source is its lengths."""
    found = {}
    for tensor in part.inputs:
        shape = (None, steps) if tensor.name == "target_ids" else tensor.shape
        if tensor.name == SOURCE_MASK:
            found[tensor.name] = graph.input(LENGTHS, "int32", (None,))
        else:
            found[tensor.name] = graph.input(tensor.name, tensor.dtype, shape)
    return found


def _states(network: keras.Model) -> list[str]:
    """The names of the decoder's states."""
    others = ("target_ids", MEMORY, SOURCE_MASK, COPIED)
    inputs = network.get_layer(DECODER).inputs
    return [tensor.name for tensor in inputs if tensor.name not in others]


def check_pairs(encoder: Path, decoder: Path, network: keras.Model, seed: int) -> float:
    """Compare two files with the network they were made from, on random sources and targets.

    Returns:
        The largest difference of a log-probability, relative to values above 1.

    Raises:
        UserError: the difference is above :data:`~nlp_rnn.runtime.onnx_graph.TOLERANCE`.
    """
    rng = np.random.default_rng(seed)
    rows, timesteps, steps = 4, 8, 8
    ours, theirs = network.get_layer(ENCODER), network.get_layer(DECODER)
    lengths = np.array([timesteps, 1, *rng.integers(1, timesteps + 1, rows - 2)], np.int32)
    ids = rng.integers(1, _types(ours), (rows, timesteps), np.int32)
    ids *= np.arange(timesteps) < lengths[:, None]
    targets = rng.integers(1, _types(theirs), (rows, steps), np.int32)
    features = None
    if len(ours.inputs) > 1:
        features = rng.standard_normal((rows, ours.inputs[1].shape[-1])).astype(np.float32)

    def log_p(network: Network) -> Floats:
        source, states = network.encode(ids, lengths, features)
        return network.decode(targets, source, states).log_probabilities

    expected = log_p(KerasNetwork(network))
    found = log_p(OnnxNetwork(encoder, decoder))
    worst = float((abs(found - expected) / np.maximum(1, abs(expected))).max())
    if not worst <= TOLERANCE:  # also catches NaN
        raise UserError(
            f"the ONNX files differ from the network by {worst:.1e}, more than {TOLERANCE:.0e}"
        )
    return worst


def _types(part: keras.Model) -> int:
    """The number of types that an encoder or a decoder reads."""
    embeddings = (x for x in part.layers if isinstance(x, keras.layers.Embedding))
    return int(next(embeddings).input_dim)
