"""What an ONNX file may hold, checked before a runtime sees it.

A graph is a program. One with a loop may never end, one with ``ConstantOfShape`` may take all
memory, and tensors may be read from any other file. So a file may hold only the operators that this
package writes, no graphs within graphs, and tensors whose values it holds itself.

Files are protocol buffers (https://protobuf.dev/programming-guides/encoding/) of the messages in
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, read here without the library ``onnx``,
which predictions do not need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from nlp_rnn.errors import UserError

OPERATORS = {
    *("Add", "AveragePool", "Cast", "Concat", "Conv", "Div", "Equal", "Exp", "Flatten", "GRU"),
    *("Gather", "GatherND", "Greater", "Identity", "LSTM", "Less", "Log", "LogSoftmax", "MatMul"),
    *("Mod", "Mul"),
    *("RNN", "Range", "ReduceMax", "ReduceSum", "Relu", "Reshape", "ReverseSequence", "Shape"),
    *("Sigmoid", "Sign"),
    *("Slice", "Softmax", "Softplus", "Split", "Sub", "Sum", "Tanh", "Transpose", "Unsqueeze"),
    "Where",
}
"""The operators that converters write (:mod:`nlp_rnn.runtime.onnx_graph`)."""

OPERATORS_OF_INT8 = {
    *("ConvInteger", "DequantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeLinear"),
    *("MatMulInteger", "QuantizeLinear"),
}
"""The operators that rounding to 8 bits adds (:mod:`nlp_rnn.runtime.onnx_int8`)."""

DOMAINS = ("", "ai.onnx", "com.microsoft")
"""The vocabularies of operators: those of ONNX, and of ONNX Runtime for 8 bits."""

Field = tuple[int, int | memoryview]
"""The number of a field of a message, and its value: a number, or bytes."""


class _Forbidden(Exception):
    """The file holds something that this package does not write."""


def check_graph(file: Path) -> None:
    """Raise UserError unless a file is an ONNX graph that this package could have written."""
    try:
        _check_model(memoryview(file.read_bytes()))
    except (_Forbidden, ValueError) as error:
        raise UserError(
            f"{file}: cannot be read as an ONNX graph ({error}); export it again"
        ) from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); export it again") from None


# --- messages ---------------------------------------------------------------------------

GRAPH, TRAINING, FUNCTIONS = 7, 20, 25
"""Fields of a model."""

NODE, INITIALIZER, SPARSE_INITIALIZER = 1, 5, 15
"""Fields of a graph."""

OPERATOR, ATTRIBUTE, DOMAIN = 4, 5, 7
"""Fields of a node."""

TENSOR, INNER_GRAPH, TENSORS, INNER_GRAPHS, SPARSE, SPARSES = 5, 6, 10, 11, 22, 23
"""Fields of an attribute."""

DIMENSIONS, EXTERNAL, LOCATION = 1, 13, 14
"""Fields of a tensor."""


def _check_model(model: memoryview) -> None:
    graphs = 0
    for field, value in _fields(model):
        if field in (TRAINING, FUNCTIONS):
            raise _Forbidden("it holds functions, which this package never writes")
        if field == GRAPH:
            graphs += 1
            _check_nodes(_message(value))
    if graphs != 1:
        raise ValueError(f"it holds {graphs} graphs, expected one")


def _check_nodes(graph: memoryview) -> None:
    for field, value in _fields(graph):
        if field == NODE:
            _check_node(_message(value))
        elif field == INITIALIZER:
            _check_tensor(_message(value))
        elif field == SPARSE_INITIALIZER:
            raise _Forbidden("it holds a sparse tensor, which this package never writes")


def _check_node(node: memoryview) -> None:
    for field, value in _fields(node):
        if field == OPERATOR:
            operator = _text(value)
            if operator not in OPERATORS | OPERATORS_OF_INT8:
                raise _Forbidden(f"its operator {operator!r:.60} is none that this package writes")
        elif field == DOMAIN and (domain := _text(value)) not in DOMAINS:
            raise _Forbidden(f"its operators are of {domain!r:.60}")
        elif field == ATTRIBUTE:
            _check_attribute(_message(value))


def _check_attribute(attribute: memoryview) -> None:
    for field, value in _fields(attribute):
        if field in (INNER_GRAPH, INNER_GRAPHS, SPARSE, SPARSES):
            raise _Forbidden("it holds a graph within a graph, which this package never writes")
        if field in (TENSOR, TENSORS):
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    """Raise unless the file holds all values of a tensor: each takes half a byte at least."""
    dimensions: list[int] = []
    for field, value in _fields(tensor):
        if field == DIMENSIONS:
            dimensions += [value] if isinstance(value, int) else _numbers(value)
        elif field in (EXTERNAL, LOCATION) and value:
            raise _Forbidden("it keeps values in another file, which this package never does")
    if math.prod(dimensions) > 2 * len(tensor):
        raise ValueError(f"it lacks the values of a tensor of {math.prod(dimensions):.0e}")


# --- protocol buffers -------------------------------------------------------------------

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
"""How the value of a field is written."""


def _fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order.

    Raises:
        ValueError: it ends within a field, or is no message.
    """
    place = 0
    while place < len(message):
        key, place = _number(message, place)
        written = key & 7
        if written == VARINT:
            number, place = _number(message, place)
            yield key >> 3, number
            continue
        if written == LENGTH:
            length, place = _number(message, place)
        elif written in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if written == EIGHT_BYTES else 4
        else:
            raise ValueError("it is no message")
        place += length
        if place > len(message):
            raise ValueError("it ends too early")
        yield key >> 3, message[place - length : place]


def _number(message: memoryview, place: int) -> tuple[int, int]:
    """The variable-length number at a place, and the place behind it."""
    value = 0
    for position, byte in enumerate(message[place : place + 10]):
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value, place + position + 1
    raise ValueError("it ends too early")


def _numbers(packed: memoryview) -> Iterator[int]:
    place = 0
    while place < len(packed):
        value, place = _number(packed, place)
        yield value


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is no message")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)).decode("utf-8")
