"""An ONNX graph under construction: values have names, and nodes map values to values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from keras import ops
from numpy.typing import ArrayLike
from onnx import helper, numpy_helper

from nlp_rnn.runtime.onnx_file import OPERATORS

OPSET, IR_VERSION = 17, 9
"""The version of the format: old enough for every runtime of recent years."""

AXES = ("batch", "timesteps", "characters")
"""The name of an axis whose size is unknown."""

Shape = tuple[int | str | None, ...]
"""Sizes of axes: numbers, names, or None for the usual name of the axis."""


class Unsupported(Exception):
    """The network has a part that no ONNX operator computes; the message names it."""


class Graph:
    """Nodes in computation order, and the arrays that they read.

    Attributes:
        scope: a prefix for the names of new values, such as the layer that computes them.
    """

    def __init__(self) -> None:
        self.scope = ""
        self._nodes: list[onnx.NodeProto] = []
        self._arrays: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, shape: Shape) -> str:
        """Add an input of the graph."""
        self._inputs.append(_typed(name, dtype, shape))
        return name

    def output(self, name: str, value: str, shape: Shape, dtype: str = "float32") -> None:
        """Add an output of the graph."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name))
        self._outputs.append(_typed(name, dtype, shape))

    def constant(self, values: ArrayLike) -> str:
        """Add an array that is part of the file."""
        name = f"{self.scope}/array_{len(self._arrays)}"
        self._arrays.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator: str, *inputs: str | ArrayLike, **attributes: Any) -> str:
        """Apply an operator to ``inputs``: names of values, or constants; "" stands for none."""
        return self.nodes(operator, 1, *inputs, **attributes)[0]

    def nodes(
        self, operator: str, outputs: int, *inputs: str | ArrayLike, **attributes: Any
    ) -> list[str]:
        """Like :meth:`node`, for an operator with several ``outputs``."""
        if operator not in OPERATORS:
            raise ValueError(f"add {operator} to OPERATORS, those that a file may hold")
        name = f"{self.scope}/{operator}_{len(self._nodes)}"
        results = [name] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        values = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self._nodes.append(helper.make_node(operator, values, results, name, **attributes))
        return results

    def include(self, model: onnx.ModelProto, given: Mapping[str, str]) -> dict[str, str]:
        """Add all nodes and arrays of a file, below the scope.

        Args:
            given: the values of this graph for the inputs of the file, by their names.

        Returns:
            The values of its outputs, by their names.
        """

        def renamed(name: str) -> str:
            return given.get(name) or (name and f"{self.scope}/{name}")

        for array in model.graph.initializer:
            self._arrays.append(onnx.TensorProto())
            self._arrays[-1].CopyFrom(array)
            self._arrays[-1].name = renamed(array.name)
        for node in model.graph.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = renamed(node.name)
            copy.input[:] = map(renamed, node.input)
            copy.output[:] = map(renamed, node.output)
            self._nodes.append(copy)
        return {output.name: renamed(output.name) for output in model.graph.output}

    def model(self) -> onnx.ModelProto:
        """The graph as an ONNX file, without the parts that no output needs.

        Raises:
            onnx.checker.ValidationError: the graph is invalid.
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
    """Convert a Keras variable or tensor to float32."""
    return np.asarray(ops.convert_to_numpy(values), np.float32)


def _typed(name: str, dtype: str, shape: Shape) -> onnx.ValueInfoProto:
    axes = [size or AXES[axis] for axis, size in enumerate(shape)]
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), axes
    )
