"""A graph of ONNX as it is written: values have names, nodes go from values to a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from keras import ops
from numpy.typing import ArrayLike
from onnx import helper, numpy_helper

OPSET, IR_VERSION = 17, 9
"""Of the format: old enough for every runtime of the last years."""

AXES = ("batch", "timesteps", "characters")
"""What an axis whose size is not known is called."""


class Unsupported(Exception):
    """The network has something that no operator of ONNX computes; the message says what."""


class Graph:
    """Nodes in the order of computation, and the arrays that they read.

    Attributes:
        scope: what new values are named after, such as the layer that computes them.
    """

    def __init__(self) -> None:
        self.scope = ""
        self._nodes: list[onnx.NodeProto] = []
        self._arrays: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, shape: tuple[int | None, ...]) -> str:
        """Something that whoever runs the graph gives it."""
        self._inputs.append(_typed(name, dtype, shape))
        return name

    def output(self, name: str, value: str, shape: tuple[int | None, ...]) -> None:
        """Something of float32 that the graph answers."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name))
        self._outputs.append(_typed(name, "float32", shape))

    def constant(self, values: ArrayLike) -> str:
        """An array that is part of the file."""
        name = f"{self.scope}/array_{len(self._arrays)}"
        self._arrays.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator: str, *inputs: str | ArrayLike, **attributes: Any) -> str:
        """The value of an operator at ``inputs``: names of values, or constants; "" for none."""
        return self.nodes(operator, 1, *inputs, **attributes)[0]

    def nodes(
        self, operator: str, outputs: int, *inputs: str | ArrayLike, **attributes: Any
    ) -> list[str]:
        """As :meth:`node`, of an operator with several ``outputs``."""
        name = f"{self.scope}/{operator}_{len(self._nodes)}"
        results = [name] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        values = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self._nodes.append(helper.make_node(operator, values, results, name, **attributes))
        return results

    def model(self) -> onnx.ModelProto:
        """The graph without what no output needs, as a file of ONNX.

        Raises:
            onnx.checker.ValidationError: it is none.
        """
        needed = {value.name for value in self._outputs}
        nodes = []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                nodes.append(node)
        graph = helper.make_graph(
            nodes[::-1],
            "network",
            self._inputs,
            self._outputs,
            [values for values in self._arrays if values.name in needed],
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(
            graph, producer_name="nlp_rnn", opset_imports=[opset], ir_version=IR_VERSION
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def array(values: Any) -> np.ndarray:
    """A variable or tensor of Keras as float32."""
    return np.asarray(ops.convert_to_numpy(values), np.float32)


def _typed(name: str, dtype: str, shape: tuple[int | None, ...]) -> onnx.ValueInfoProto:
    axes = [size or AXES[axis] for axis, size in enumerate(shape)]
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), axes
    )
