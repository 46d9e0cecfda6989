"""Hierarchical softmax: a type's probability is that of its path down a binary tree."""

from __future__ import annotations

import heapq
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nlp_rnn.layers.softmax import zipf
from nlp_rnn.layers.softmax.output import OutputLayer


def huffman(weights: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The paths from the root of a Huffman tree to its leaves.

    Args:
        weights: the weights of the leaves, two or more.

    Returns:
        ``nodes``, the inner nodes on the path to each leaf, numbered from 0, ``(leaves, depth)``,
        and ``turns``, +1 or -1 for the branch taken at each, 0 after the leaf is reached.
    """
    leaves = len(weights)
    queue = [(float(weight), i) for i, weight in enumerate(weights)]
    heapq.heapify(queue)
    parent: dict[int, tuple[int, float]] = {}
    for node in range(leaves, 2 * leaves - 1):
        (light, a), (heavy, b) = heapq.heappop(queue), heapq.heappop(queue)
        parent[a], parent[b] = (node, -1.0), (node, 1.0)
        heapq.heappush(queue, (light + heavy, node))
    ways = []
    for leaf in range(leaves):
        way, at = [], leaf
        while at in parent:
            at, turn = parent[at]
            way.append((at - leaves, turn))
        ways.append(way[::-1])
    depth = max(map(len, ways))
    nodes, turns = np.zeros((leaves, depth), np.int32), np.zeros((leaves, depth), np.float32)
    for leaf, way in enumerate(ways):
        nodes[leaf, : len(way)], turns[leaf, : len(way)] = zip(*way, strict=True)
    return nodes, turns


@keras.saving.register_keras_serializable("nlp_rnn")
class HierarchicalSoftmax(OutputLayer):
    """``P(w | h)`` as a product over the inner nodes ``n`` on the path to ``w``.

    ``P(w | h) = prod_n sigmoid(±(v_n h + b_n))``, with the sign of the branch taken at ``n`` (Morin
    & Bengio 2005, eq. 5; Mnih & Hinton 2009). The tree is the Huffman tree for Zipf's law, so that
    frequent types have short paths. A target costs ``log2(vocabulary)`` products instead of
    ``vocabulary``; computing the distribution over all types saves nothing. Its logits are
    ``ln P``.
    """

    def __init__(self, vocabulary: int, **kwargs: Any) -> None:
        super().__init__(vocabulary, **kwargs)
        self.nodes, self.turns = huffman(zipf.probabilities(vocabulary))

    def build(self, hidden_shape: tuple[int | None, ...], *_: Any) -> None:
        inner = self.vocabulary - 1
        self.kernel = self.add_weight(shape=(inner, hidden_shape[-1]), name="kernel")
        self.bias = self.add_weight(shape=(inner,), initializer="zeros", name="bias")

    def call(self, hidden: Any, targets: Any = None, training: bool | None = None) -> Any:
        if targets is None:
            return self._of_all(hidden)
        targets = ops.cast(targets, "int32")
        nodes, turns = (ops.take(table, targets, axis=0) for table in (self.nodes, self.turns))
        vectors = ops.take(self.kernel, nodes, axis=0)
        scores = ops.einsum("...d,...nd->...n", hidden, vectors) + ops.take(self.bias, nodes)
        return -ops.sum(_log_turn(scores, ops.cast(turns, hidden.dtype)), axis=-1)

    def _of_all(self, hidden: Any) -> Any:
        """``ln P`` of every type, level by level of the tree."""
        scores = ops.matmul(hidden, ops.transpose(self.kernel)) + self.bias
        return sum(
            _log_turn(ops.take(scores, nodes, axis=-1), ops.cast(turns, hidden.dtype))
            for nodes, turns in zip(self.nodes.T, self.turns.T, strict=True)
        )


def _log_turn(scores: Any, turns: Any) -> Any:
    """``ln sigmoid(turn * score)``, and 0 where there is no turn."""
    return ops.log_sigmoid(turns * scores) * ops.abs(turns)
