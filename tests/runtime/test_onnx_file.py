"""ONNX files of strangers: nothing but the operators of this package, and no more than is there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nlp_rnn.errors import UserError
from nlp_rnn.runtime.bundle import GRAPH
from nlp_rnn.runtime.onnx_file import OPERATORS, check_graph
from nlp_rnn.runtime.onnx_network import OnnxNetwork

ZEROS = numpy_helper.from_array(np.zeros((1, 2), np.float32), "w")


def tensor(**fields: Any) -> onnx.TensorProto:
    found = TensorProto()
    found.name, found.data_type = "w", TensorProto.FLOAT
    found.dims.extend(fields.pop("dims"))
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def model(
    nodes: Sequence[onnx.NodeProto],
    arrays: Sequence[onnx.TensorProto] = (ZEROS,),
    ids: int = TensorProto.INT32,
    state: str = "",
) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info("ids", ids, ["batch", "timesteps"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
    ]
    if state:
        inputs.append(helper.make_tensor_value_info(state, TensorProto.FLOAT, ["batch", 3]))
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    graph = helper.make_graph(nodes, "network", inputs, [output], arrays)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def node(operator: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, ["logits"], **attributes)


def external() -> onnx.TensorProto:
    found = tensor(dims=[1, 2], data_location=TensorProto.EXTERNAL)
    found.external_data.add(key="location", value="/etc/passwd")
    return found


BODY = helper.make_graph([node("Identity", "w")], "body", [], [])
SPARSE = helper.make_sparse_tensor(
    ZEROS, numpy_helper.from_array(np.zeros(2, np.int64)), [10**5, 10**5]
)

HOSTILE = {
    "a loop": model([node("Loop", "w", "w", "w", body=BODY)]),
    "a graph within": model([node("Identity", "w", hidden=BODY)]),
    "graphs within": model([node("Identity", "w", hidden=[BODY, BODY])]),
    "a large constant": model([node("ConstantOfShape", "w")]),
    "another domain": model([node("Identity", "w", domain="ai.onnx.contrib")]),
    "another file": model([node("Identity", "w")], [external()]),
    "another file in an attribute": model([node("Constant", value=external())]),
    "more than is there": model([node("Identity", "w")], [tensor(dims=[10**5, 10**5])]),
    "a sparse tensor": model([node("Identity", "w", sparse=SPARSE)]),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_this_package_never_writes_is_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(HOSTILE[kind].SerializeToString())
    with pytest.raises(UserError, match=r"model\.onnx: cannot be read as an ONNX graph") as error:
        check_graph(file)
    assert len(str(error.value).splitlines()) == 1


def test_functions_of_a_model_are_refused(tmp_path: Path) -> None:
    found = model([node("Identity", "w")])
    opset = helper.make_opsetid("", 17)
    found.functions.add().CopyFrom(
        helper.make_function("", "Mine", ["x"], ["y"], [helper.make_node("Exp", "x", "y")], [opset])
    )
    (tmp_path / "model.onnx").write_bytes(found.SerializeToString())
    with pytest.raises(UserError, match="functions"):
        check_graph(tmp_path / "model.onnx")


def test_what_is_cut_or_changed_is_one_line(bundles: dict[str, Path], tmp_path: Path) -> None:
    whole, file = (bundles["tagging"] / GRAPH).read_bytes(), tmp_path / "model.onnx"
    rng = np.random.default_rng(1)
    for length in rng.integers(0, len(whole), 60):
        for content in (whole[:length], rng.bytes(length % 300), whole[length:]):
            file.write_bytes(content)
            with suppress(UserError):  # no other error, and no end of memory
                check_graph(file)


@pytest.mark.parametrize(
    "found",
    [
        model([node("Identity", "w")], ids=TensorProto.FLOAT),
        model([node("Identity", "w")], state="<script>`\n# heading"),
    ],
)
def test_inputs_of_other_names_and_types_are_refused(
    tmp_path: Path, found: onnx.ModelProto
) -> None:
    (tmp_path / "model.onnx").write_bytes(found.SerializeToString())
    with pytest.raises(UserError, match="its input") as error:
        OnnxNetwork(tmp_path / "model.onnx")
    assert len(str(error.value).splitlines()) == 1


def test_a_graph_of_known_operators_cannot_take_all_memory(tmp_path: Path) -> None:
    def constant(value: Any, name: str) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(value), name)

    nodes = [
        helper.make_node("Gather", ["sizes", "ids"], ["size"]),
        helper.make_node("ReduceMax", ["size"], ["most"], keepdims=0),
        helper.make_node("Range", ["zero", "most", "one"], ["range"]),
        helper.make_node("Cast", ["range"], ["floats"], to=TensorProto.FLOAT),
        node("Reshape", "floats", "shape"),
    ]
    arrays = [
        constant(np.array([2, 10**11]), "sizes"),
        constant(np.int64(0), "zero"),
        constant(np.int64(1), "one"),
        constant(np.array([-1, 2]), "shape"),
    ]
    (tmp_path / "model.onnx").write_bytes(model(nodes, arrays).SerializeToString())
    network = OnnxNetwork(tmp_path / "model.onnx")
    one = np.ones(1, np.int32)
    assert network.logits(np.array([[0]], np.int32), one).shape == (1, 2)
    with pytest.raises(UserError, match="the graph cannot be computed"):
        network.logits(np.array([[1]], np.int32), one)


@pytest.mark.parametrize("task", ["classification", "tagging", "language_modelling"])
def test_graphs_of_this_package_are_taken(bundles: dict[str, Path], task: str) -> None:
    graph = onnx.load(bundles[task] / GRAPH)
    assert {found.op_type for found in graph.graph.node} <= OPERATORS
    check_graph(bundles[task] / GRAPH)
