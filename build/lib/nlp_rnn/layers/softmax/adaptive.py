"""Adaptive softmax: full cost for the few frequent types, a fraction for the many rare ones."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import keras
from keras import layers, ops

from nlp_rnn.layers.softmax import zipf
from nlp_rnn.layers.softmax.full import cross_entropy
from nlp_rnn.layers.softmax.output import OutputLayer

ROOM = 1.5
"""Slots reserved for the targets of a cluster, relative to the number that Zipf's law predicts. A
batch with more targets is scored without this optimisation."""


@keras.saving.register_keras_serializable("nlp_rnn")
class AdaptiveSoftmax(OutputLayer):
    """A first softmax over frequent types and clusters of rare ones, and a second in each cluster.

    ``P(w | h) = softmax(h W + b)_w`` for frequent types; ``P(w | h) = P(cluster | h) P(w | h,
    cluster)`` for others, with ``P(w | h, cluster) = softmax(h P_c W_c + b_c)_w`` (Grave et al.
    2017, "Efficient softmax approximation for GPUs"). It is an exact distribution, not an estimate.
    Most targets are frequent, so most steps need only the first softmax. Its logits are ``ln P``.

    Args:
        cutoffs: the first index of each cluster, in ascending order.
        divisor: cluster ``c``, counted from 1, sees ``h`` projected to ``width / divisor^c``; with
            1 nothing is projected.
        embedding: the embedding layer whose rows serve as weight vectors (tied weights); it needs
            ``divisor`` 1. None learns weights of its own.
    """

    def __init__(
        self,
        vocabulary: int,
        cutoffs: Sequence[int],
        divisor: int = 4,
        embedding: layers.Embedding | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary, **kwargs)
        if cutoffs[0] <= 0 or sorted({*cutoffs, vocabulary}) != [*cutoffs, vocabulary]:
            raise ValueError(
                f"cutoffs must rise from above 0 to below {vocabulary}, the size of the "
                f"vocabulary; found {list(cutoffs)}"
            )
        if embedding is not None and divisor != 1:
            raise ValueError("tied weights need divisor 1")
        self.cutoffs = list(cutoffs)
        self.divisor = divisor
        self.embedding = embedding
        self.clusters = list(zip(cutoffs, [*cutoffs[1:], vocabulary], strict=True))

    def build(self, hidden_shape: tuple[int | None, ...], *_: Any) -> None:
        width = hidden_shape[-1]
        assert width is not None
        frequent, clusters = self.cutoffs[0], len(self.clusters)
        if self.embedding is None:
            self.kernel = self.add_weight(shape=(width, frequent), name="kernel")
        self.cluster_kernel = self.add_weight(shape=(width, clusters), name="cluster_kernel")
        self.bias = self.add_weight(shape=(frequent + clusters,), initializer="zeros", name="bias")
        self.projections, self.kernels, self.biases = [], [], []
        for c, (first, end) in enumerate(self.clusters, start=1):
            narrow = max(1, width // self.divisor**c)
            if self.divisor > 1:
                self.projections.append(
                    self.add_weight(shape=(width, narrow), name=f"projection_{c}")
                )
            if self.embedding is None:
                self.kernels.append(
                    self.add_weight(shape=(narrow, end - first), name=f"kernel_{c}")
                )
            self.biases.append(
                self.add_weight(shape=(end - first,), initializer="zeros", name=f"bias_{c}")
            )

    def call(self, hidden: Any, targets: Any = None, training: bool | None = None) -> Any:
        return self._of_all(hidden) if targets is None else self._of_targets(hidden, targets)

    @property
    def first_kernel(self) -> Any:
        """The first softmax's kernel: frequent types, then clusters,
        ``(width, types + clusters)``."""
        frequent = self.kernel if self.embedding is None else self._tied(0, self.cutoffs[0])
        return ops.concatenate([frequent, self.cluster_kernel], axis=-1)

    def kernel_within(self, c: int) -> Any:
        """The kernel of a cluster, counted from 0, ``(narrow, types)``."""
        return self.kernels[c] if self.embedding is None else self._tied(*self.clusters[c])

    def _tied(self, first: int, end: int) -> Any:
        assert self.embedding is not None
        return ops.transpose(ops.convert_to_tensor(self.embedding.embeddings)[first:end])

    def _first_logits(self, hidden: Any) -> Any:
        return ops.matmul(hidden, self.first_kernel) + self.bias

    def _logits_within(self, c: int, hidden: Any) -> Any:
        if self.divisor > 1:
            hidden = ops.matmul(hidden, self.projections[c])
        return ops.matmul(hidden, self.kernel_within(c)) + self.biases[c]

    def _of_all(self, hidden: Any) -> Any:
        """``ln P`` of every type."""
        first = ops.log_softmax(self._first_logits(hidden), axis=-1)
        frequent = self.cutoffs[0]
        parts = [first[..., :frequent]]
        for c in range(len(self.clusters)):
            within = ops.log_softmax(self._logits_within(c, hidden), axis=-1)
            parts.append(first[..., frequent + c : frequent + c + 1] + within)
        return ops.concatenate(parts, axis=-1)

    def _of_targets(self, hidden: Any, targets: Any) -> Any:
        """``-ln P(target)``."""
        shape = ops.shape(targets)
        targets = ops.reshape(ops.cast(targets, "int32"), (-1,))
        hidden = ops.reshape(hidden, (-1, hidden.shape[-1]))
        first = targets
        for c in range(len(self.clusters)):
            first = ops.where(self._inside(c, targets), self.cutoffs[0] + c, first)
        losses = cross_entropy(self._first_logits(hidden), first)
        for c in range(len(self.clusters)):
            losses += self._of_targets_within(c, hidden, targets)
        return ops.reshape(losses, shape)

    def _inside(self, c: int, targets: Any) -> Any:
        start, end = self.clusters[c]
        return ops.logical_and(targets >= start, targets < end)

    def _of_targets_within(self, c: int, hidden: Any, targets: Any) -> Any:
        """``-ln P(target | cluster)``, 0 for targets outside the cluster."""
        start, end = self.clusters[c]
        inside = self._inside(c, targets)

        def of(rows: Any) -> Any:
            losses = cross_entropy(
                self._logits_within(c, ops.take(hidden, rows, axis=0)),
                ops.clip(ops.take(targets, rows) - start, 0, end - start - 1),
            )
            return ops.where(ops.take(inside, rows), losses, 0.0)

        everything = ops.arange(ops.shape(targets)[0])
        room = self._room(c, targets.shape[0])
        if room is None:
            return of(everything)
        # Targets in the cluster come first; the sort is stable.
        order = ops.argsort(ops.cast(ops.logical_not(inside), "int32"))
        placed = ops.scatter(
            ops.expand_dims(order[:room], -1), of(order[:room]), (targets.shape[0],)
        )
        fits = ops.sum(ops.cast(inside, "int32")) <= room
        return ops.cond(fits, lambda: placed, lambda: of(everything))

    def _room(self, c: int, targets: int | None) -> int | None:
        """The number of slots for the targets of a cluster; None if no slot would be saved, or if
        the number of targets is not known in advance."""
        if targets is None:
            return None
        expected = zipf.share(*self.clusters[c], self.vocabulary)
        room = ceil(ROOM * expected * targets) + 8
        return room if room < targets else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cutoffs": self.cutoffs, "divisor": self.divisor}
