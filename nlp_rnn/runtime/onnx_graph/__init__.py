"""Networks as ONNX files, which run without Keras.

The batch and time axes may have any size but 0; padding, id 0, is on the right. The inputs of a
file are

- ``ids``, int32 ``(batch, timesteps)``;
- ``lengths``, int32 ``(batch,)``: the number of real tokens in each row, at least one; not for
  language models, which see no padding;
- ``characters``, int32 ``(batch, timesteps, characters)``, for a tagger that reads them;
- ``predicates``, int32 ``(batch, timesteps)``, for semantic roles: 1 at the predicate whose
  arguments are tagged, 0 elsewhere; all 0 to find the predicates;
- the states of a language model, float32 ``(batch, width)``, named like the network's inputs.

The outputs, all float32, are

- ``logits``, ``(batch, labels)`` for a classifier, ``(batch, timesteps, tags)`` for a tagger;
- ``label_logits``, ``(batch, labels)``, beside the ``logits`` of tags, for intents and slots;
- ``crf_start``, ``crf_transitions`` and ``crf_end`` for a tagger with a CRF, see
  :class:`~nlp_rnn.linear_chain.Transitions`: constants for decoding the logits;
- ``log_probabilities``, ``(batch, timesteps, vocabulary)``, for a language model, and ``next_...``,
  its states after the last step.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import onnx
from keras import ops, tree
from onnxruntime import InferenceSession

from nlp_rnn.backend import predicted_once
from nlp_rnn.errors import UserError
from nlp_rnn.layers.casing import Casing
from nlp_rnn.layers.characters import CharacterEncoder
from nlp_rnn.models.feed_forward import CONTEXT
from nlp_rnn.runtime.network import NO_STATES
from nlp_rnn.runtime.onnx_graph.converters import LENGTHS, convert
from nlp_rnn.runtime.onnx_graph.graph import Graph, Unsupported

__all__ = ["TOLERANCE", "Unsupported", "check", "converted", "onnx_model"]

TOLERANCE = 1e-4
"""The largest difference allowed between a file's output and Keras's, relative to values above 1.
Rounding alone reaches 1e-5 in networks with many units; a misplaced weight gives 1e-2."""


def converted(
    graph: Graph, network: keras.Model, given: Mapping[str, str] | None = None
) -> dict[int, str]:
    """Add the computation of a network to a graph.

    Args:
        given: the values of inputs, by name, that are in the graph already.

    Returns:
        The value of each of the network's tensors, by ``id``.

    Raises:
        Unsupported: ONNX has no operator for a layer or one of its options.
    """
    values: dict[int, str] = {}
    for operation in network.operations:
        graph.scope = operation.name
        inputs = (values[id(tensor)] for tensor in tree.flatten(operation.input))
        try:
            results = (
                [given[operation.name]]
                if given and operation.name in given
                else convert(graph, operation, *inputs)
            )
        except Unsupported as error:
            raise Unsupported(f"{operation.name}: ONNX has no {error}") from None
        outputs = map(id, tree.flatten(operation.output))
        values.update(zip(outputs, results, strict=True))
    graph.scope = "output"
    return values


def onnx_model(network: keras.Model) -> onnx.ModelProto:
    """The network as it predicts, its weights in float32.

    Args:
        network: as built by :func:`nlp_rnn.models.network.build_network`.

    Raises:
        Unsupported: ONNX has no operator for a layer or one of its options.
    """
    graph = Graph()
    values = converted(graph, network)
    prediction, *others = (values[id(tensor)] for tensor in network.outputs)
    names = ["logits", "label_logits"][: 1 + len(others)]
    if states := _states(network):
        prediction = graph.node("LogSoftmax", prediction, axis=-1)
        names = ["log_probabilities", *(f"next_{state}" for state in states)]
    else:
        graph.input(LENGTHS, "int32", (None,))  # even if nothing needs it
    for name, value, tensor in zip(names, [prediction, *others], network.outputs, strict=True):
        graph.output(name, value, tensor.shape)
    return graph.model()


def _states(network: keras.Model) -> list[str]:
    """The names of a language model's states; empty for other networks."""
    return [tensor.name for tensor in network.inputs if tensor.name not in NO_STATES]


def check(model: onnx.ModelProto, network: keras.Model, seed: int) -> float:
    """Compare a file with the network it was made from, on random rows of unequal lengths.

    Returns:
        The largest difference at real tokens, relative to values above 1.

    Raises:
        UserError: the difference is above :data:`TOLERANCE`.
    """
    feeds = _random_inputs(model, network, np.random.default_rng(seed))
    expected = predicted_once(network, [feeds[tensor.name] for tensor in network.inputs])
    if _states(network):
        expected[0] = ops.log_softmax(expected[0], axis=-1)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in model.graph.output if not output.name.startswith("crf_")]
    found = session.run(names, feeds)
    worst = np.float64(0)
    for ours, tensor in zip(found, expected, strict=True):
        keras_values = ops.convert_to_numpy(tensor)
        difference = abs(ours - keras_values) / np.maximum(1, abs(keras_values))
        if difference.ndim == 3:
            difference *= feeds["ids"][:, :, None] > 0
        worst = np.maximum(worst, difference.max())
    if not worst <= TOLERANCE:  # also catches NaN
        raise UserError(
            f"the ONNX file differs from the network by {worst:.1e}, more than {TOLERANCE:.0e}"
        )
    return float(worst)


def _random_inputs(
    model: onnx.ModelProto, network: keras.Model, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Rows of unequal lengths if the file has ``lengths``, otherwise of equal lengths."""
    rows, steps, longest = 4, 12, 7
    vocabulary = network.get_layer("embedding").input_dim
    lengths = np.array([steps, 1, *rng.integers(1, steps + 1, rows - 2)], np.int32)
    feeds = {}
    for value in model.graph.input:
        if value.name == "ids":
            feeds["ids"] = rng.integers(1, vocabulary, (rows, steps), np.int32)
        elif value.name == LENGTHS:
            feeds["ids"] *= np.arange(steps) < lengths[:, None]
            feeds[LENGTHS] = lengths
        elif value.name == "characters":
            readers = (CharacterEncoder, Casing)
            letters = next(x.characters for x in network.layers if isinstance(x, readers))
            of_word = rng.integers(1, longest + 1, (rows, steps, 1))
            spelling = rng.integers(1, letters, (rows, steps, longest), np.int32)
            feeds["characters"] = spelling * (np.arange(longest) < of_word)
        elif value.name == "predicates":
            flagged = rng.integers(0, lengths)  # in some rows none
            feeds["predicates"] = (np.arange(steps) == flagged[:, None] - 1).astype(np.int32)
        else:
            shape = rows, value.type.tensor_type.shape.dim[1].dim_value
            feeds[value.name] = (
                rng.integers(0, vocabulary, shape).astype(np.float32)
                if value.name == CONTEXT
                else rng.standard_normal(shape, np.float32)
            )
    return feeds
