"""Attributions: how much each token of a text supports a label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.backend import compiled, gradient
from nlp_rnn.inspection.saliency import occluded
from nlp_rnn.layers.crf import FORBIDDEN, log_partition
from nlp_rnn.linear_chain import Transitions
from nlp_rnn.models.encoder import real_tokens
from nlp_rnn.models.tagger import crf_of
from nlp_rnn.runtime.forward import TAGS
from nlp_rnn.text.batches import Encoded, padded
from nlp_rnn.text.bounds import padded_length

Rows = NDArray[np.int32]
"""A number for each token of each text ``(rows, steps)``."""

REPRESENTATIONS = ("terms", "word", "embedding_dropout", "embedding")
"""The layers whose output represents a token, the most complete one first: with the pairs of a
classifier without recurrence, with the spelling of a tagger's words, or the vector alone."""

PREDICATES = "predicates"
"""The input of a network of semantic roles that says where the predicate is."""

POINTS = (16, 64, 256)
"""The numbers of points on the path of integrated gradients that are tried."""

INCOMPLETE = 0.01
"""The share of a difference that the attributions may miss before more points are tried."""

AT_ONCE = 32
"""The number of rows in one backward pass, which bounds memory."""

TINY = 1e-30
"""Keeps the logarithm of a probability finite."""


@dataclass(frozen=True)
class Attribution:
    """How much each token supports a label, in nats of ``ln P(label)``.

    Attributes:
        log_probability: ``ln P(label)``.
        integrated_gradients: the integral of the gradient along the straight path from a text of
            zero vectors to the text, times the vectors (Sundararajan et al. 2017), ``(tokens,)``.
        missing: their sum less ``ln P(label)`` of the text and plus that of zero vectors, which is
            0 for an exact integral (*completeness*).
        occlusion: how much ``ln P`` falls when the token's vector is zero (Li, Monroe & Jurafsky
            2016), ``(tokens,)``.
    """

    log_probability: float
    integrated_gradients: Floats
    missing: float
    occlusion: Floats


class Explainer:
    """Explains the predictions of a classifier or a tagger, also of semantic roles.

    Args:
        network: the Keras model, with ids as its first input.
        meaning: the label that each output represents ``(outputs,)``.
        temperature: the divisor of the scores.
        independent: whether a text may have any number of labels, each by itself.
        head: the number of the network's output that is explained.
    """

    def __init__(
        self,
        network: keras.Model,
        meaning: Ints,
        temperature: float = 1.0,
        independent: bool = False,
        head: int = 0,
    ) -> None:
        self._network = network
        self._meaning = np.asarray(meaning)
        self._temperature = temperature
        self._independent = independent
        self._head = head

    def attribution(self, text: Encoded, label: int, place: int = 0) -> Attribution:
        """How much each token of a text supports a label.

        Args:
            text: the tokens, one or more.
            label: the index of the label, or of the tag.
            place: the token that a tagger gives the tag.
        """
        beside, vectors = self._represented(text)
        log_p = self._log_probability(beside, label, place)
        empty, full = _values(log_p, np.stack([np.zeros_like(vectors), vectors]))
        integrated: Floats = np.zeros(len(vectors))
        for points in POINTS:
            integrated = integrated_gradients(log_p, vectors, points)
            missing = float(integrated.sum() - (full - empty))
            if abs(missing) <= INCOMPLETE * abs(full - empty):
                break
        _, *without = np.concatenate([_values(log_p, rows) for rows in occluded(vectors)])
        tokens = slice(len(text.ids))
        fall = full - np.array(without)
        return Attribution(float(full), integrated[tokens], missing, fall[tokens])

    def fall(self, text: Encoded, label: int, removed: Sequence[NDArray[np.intp]]) -> Floats:
        """How much the probability of a classifier's label falls without some tokens.

        Args:
            removed: sets of places in the text, not all of them; the tokens there are deleted.

        Returns:
            The fall of ``P(label)`` for each set.
        """
        beside, vectors = self._represented(text)
        [[ids]] = beside
        kept = [np.delete(np.arange(len(text.ids)), places) for places in removed]
        rows = np.zeros((len(removed), *vectors.shape), vectors.dtype)
        shorter = np.zeros((len(removed), len(ids)), np.int32)
        for i, places in enumerate(kept):
            rows[i, : len(places)] = vectors[places]
            shorter[i, : len(places)] = ids[places]
        full = _values(self._log_probability(beside, label, 0), vectors[None])
        return np.exp(full) - np.exp(_values(self._log_probability([shorter], label, 0), rows))

    def _represented(self, text: Encoded) -> tuple[list[Rows], Floats]:
        """What the network reads beside the vectors that represent tokens, and the vectors.

        Both are padded to one of few lengths, because each is compiled.
        """
        ids, characters, predicates = padded([text], padded_length(len(text)))
        spelled = [ids] if characters is None else [ids, characters]
        vectors = _lower(self._network)(spelled, training=False)
        beside = [ids] if predicates is None else [ids, predicates]
        return beside, ops.convert_to_numpy(vectors)[0]

    def _log_probability(
        self, beside: Sequence[Rows], label: int, place: int
    ) -> Callable[[Any], Any]:
        """``ln P(label)`` of rows of vectors ``(rows, steps, width)`` that the network reads beside
        other inputs, those of each row or of one for all."""
        means = ops.convert_to_tensor(self._meaning == label)
        images = ops.convert_to_tensor(np.eye(self._meaning.max() + 1, dtype="f")[self._meaning])

        def log_p(vectors: Any) -> Any:
            inputs = [ops.broadcast_to(each, (len(vectors), each.shape[-1])) for each in beside]
            where, which = (ops.convert_to_tensor(i, "int32") for i in (place, label))
            upper = _upper(self._network, self._temperature, self._independent, self._head)
            return upper(inputs, vectors, where, which, means, images)

        return log_p


def _representation(network: keras.Model) -> Any:
    names = {layer.name for layer in network.layers}
    name = next(name for name in REPRESENTATIONS if name in names)
    return network.get_layer(name).output


@lru_cache(maxsize=1)  # so that it is built only once for a network
def _lower(network: keras.Model) -> keras.Model:
    """The part of a network from ids, and characters if any, to the vectors of tokens."""
    inputs = [each for each in network.inputs if each.name != PREDICATES]
    return keras.Model(inputs, _representation(network))


@lru_cache(maxsize=2)  # so that it is compiled only once for a network, which may have two heads
def _upper(
    network: keras.Model, temperature: float, independent: bool, head: int
) -> Callable[..., Any]:
    """``ln P`` of a label as a function of the vectors that represent tokens.

    Returns:
        From the ids and, if the network reads them, the predicates, each ``(rows, steps)``; their
        ``vectors (rows, steps, width)``; the ``place`` of a tag; the ``label``; the outputs that
        represent it ``(outputs,)``; and the label that each output represents, one-hot
        ``(outputs, labels)``, to ``(rows,)``.
    """
    beside = [network.inputs[0], *(each for each in network.inputs if each.name == PREDICATES)]
    above = keras.Model([*beside, _representation(network)], network.outputs[head])
    crf = crf_of(network) if head == TAGS else None

    def softmax_of(logits: Any, label: Any, images: Any) -> Any:
        found = ops.log(ops.matmul(ops.softmax(logits), images) + TINY)
        return ops.take(ops.log_softmax(found / temperature), label, axis=-1)

    def marginal_of(emissions: Any, ids: Any, place: Any, means: Any) -> Any:
        mask = real_tokens(ids)
        scores = Transitions(*(each / temperature for each in crf.scores))  # type: ignore[union-attr]
        here = ops.one_hot(place, emissions.shape[1])[:, None]
        penalties = here * ops.where(means, 0.0, FORBIDDEN)
        emissions = emissions / temperature
        through = log_partition(emissions + penalties, mask, scores)
        return through - log_partition(emissions, mask, scores)

    def log_probability(
        inputs: Sequence[Any], vectors: Any, place: Any, label: Any, means: Any, images: Any
    ) -> Any:
        logits = above([*inputs, vectors], training=False)
        if crf is not None:
            return marginal_of(logits, inputs[0], place, means)
        if independent:
            return ops.take(ops.log_sigmoid(logits / temperature), label, axis=-1)
        if len(logits.shape) == 3:
            logits = ops.take(logits, place, axis=1)
        return softmax_of(logits, label, images)

    return compiled(log_probability)


def _values(log_p: Callable[[Any], Any], rows: Floats) -> Floats:
    return ops.convert_to_numpy(log_p(ops.convert_to_tensor(rows)))


def integrated_gradients(log_p: Callable[[Any], Any], vectors: Floats, points: int) -> Floats:
    """Sundararajan et al. (2017), equation 3, with the midpoint rule and a baseline of zeros::

        x_i (1/m) sum_k dF/dx_i(a_k x),    a_k = (k - 1/2) / m

    Args:
        log_p: ``F`` of rows of vectors.
        vectors: ``x``, ``(steps, width)``.
        points: ``m``.

    Returns:
        The sums over the width, ``(steps,)``.
    """
    shares = (np.arange(points, dtype=vectors.dtype) + 0.5) / points
    total = np.zeros_like(vectors)
    for start in range(0, points, AT_ONCE):
        rows = shares[start : start + AT_ONCE, None, None] * vectors
        total += gradient(lambda at: ops.sum(log_p(at)), rows).sum(axis=0)
    return (vectors * total / points).sum(axis=-1)
