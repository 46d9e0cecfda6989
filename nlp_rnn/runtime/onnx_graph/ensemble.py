"""Several networks as one ONNX file, which averages what they say.

A file of an ensemble has the inputs and outputs of a single network, so that whatever predicts with
one predicts with the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx

from nlp_rnn.arrays import Ints
from nlp_rnn.runtime.onnx_graph.graph import Graph
from nlp_rnn.runtime.onnx_network import CRF_OUTPUTS

Mean = Literal["labels", "label_sets", "scores"]
"""What is averaged: the probabilities of labels or tags, of which one applies; the probability of
each label, of which any number applies; or the scores of CRFs."""


@dataclass(frozen=True)
class Part:
    """A network of an ensemble.

    Attributes:
        model: its file.
        words: its index of each type of the ensemble's vocabulary ``(types,)``.
        characters: likewise for characters, where it reads any.
        tags: its index of each label or learned tag of the ensemble ``(tags,)``.
    """

    model: onnx.ModelProto
    words: Ints
    characters: Ints | None
    tags: Ints


def ensemble_model(parts: Sequence[Part], mean: Mean) -> onnx.ModelProto:
    """One graph of several classifiers or taggers.

    Probabilities are averaged, and the logits are such that they give the mean. The scores of CRFs
    are averaged, so that the result is a CRF again: the normalised geometric mean of their
    distributions over sequences (a logarithmic opinion pool; Smith, Cohn & Osborne 2005).

    Args:
        parts: two networks or more with the same inputs and outputs.
    """
    graph = Graph()
    first = parts[0].model.graph
    for value in first.input:
        graph.input(value.name, "int32", (None,) * len(value.type.tensor_type.shape.dim))
    outputs = [_included(graph, part, f"member_{i}") for i, part in enumerate(parts, start=1)]
    graph.scope = "mean"
    logits = [found["logits"] for found in outputs]
    combined = {"labels": _of_labels, "label_sets": _of_label_sets, "scores": _arithmetic_mean}
    graph.output("logits", combined[mean](graph, logits), _shape(first, "logits"))
    if mean == "scores":
        for name in CRF_OUTPUTS:
            scores = _arithmetic_mean(graph, [found[name] for found in outputs])
            graph.output(name, scores, _shape(first, name))
    return graph.model()


def _included(graph: Graph, part: Part, scope: str) -> dict[str, str]:
    """Add a network, whose indices of words and tags become those of the ensemble; its outputs."""
    graph.scope = scope
    tables = {"ids": part.words, "characters": part.characters}
    given = {value.name: value.name for value in part.model.graph.input}
    for name in given:
        table = tables.get(name)
        if table is not None and not _is_identity(table):
            given[name] = graph.node("Gather", table.astype(np.int32), name)
    found = graph.include(part.model, given)
    if not _is_identity(part.tags):
        for name in found:
            for axis in (0, 1) if name == "crf_transitions" else (-1,):
                found[name] = graph.node("Gather", found[name], part.tags, axis=axis)
    return found


def _is_identity(table: Ints) -> bool:
    return bool((table == np.arange(len(table))).all())


def _shape(graph: onnx.GraphProto, output: str) -> tuple[int | None, ...]:
    """The sizes of the axes of an output; None for those that vary."""
    (found,) = (value for value in graph.output if value.name == output)
    return tuple(axis.dim_value or None for axis in found.type.tensor_type.shape.dim)


def _of_labels(graph: Graph, logits: Sequence[str]) -> str:
    """``ln`` of the mean probabilities of labels of which one applies."""
    return _log_mean(graph, [graph.node("LogSoftmax", each, axis=-1) for each in logits])


def _of_label_sets(graph: Graph, logits: Sequence[str]) -> str:
    """The logits of the mean probabilities of labels that apply independently of one another."""
    zero = np.float32(0)
    negative = [graph.node("Sub", zero, each) for each in logits]
    # ln sigmoid(z) = -softplus(-z), and that of the opposite event is -softplus(z).
    applies, not_applies = (
        _log_mean(graph, [graph.node("Sub", zero, graph.node("Softplus", z)) for z in each])
        for each in (negative, logits)
    )
    return graph.node("Sub", applies, not_applies)


def _log_mean(graph: Graph, logs: Sequence[str]) -> str:
    """``ln`` of the mean of ``exp`` of values, without overflow."""
    first = np.array([0])
    stacked = graph.node("Concat", *(graph.node("Unsqueeze", x, first) for x in logs), axis=0)
    top = graph.node("ReduceMax", stacked, axes=[0], keepdims=1)
    shares = graph.node("Exp", graph.node("Sub", stacked, top))
    mean = graph.node(
        "Div", graph.node("ReduceSum", shares, first, keepdims=0), np.float32(len(logs))
    )
    highest = graph.node("ReduceMax", stacked, axes=[0], keepdims=0)
    return graph.node("Add", highest, graph.node("Log", mean))


def _arithmetic_mean(graph: Graph, values: Sequence[str]) -> str:
    return graph.node("Div", graph.node("Sum", *values), np.float32(len(values)))
