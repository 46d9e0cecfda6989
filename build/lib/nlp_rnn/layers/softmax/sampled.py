"""Sampled softmax: in training the target competes with only a few other types."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from nlp_rnn.layers.softmax import zipf
from nlp_rnn.layers.softmax.full import Softmax, cross_entropy

NOT_A_CANDIDATE = -1e9
"""The logit of a candidate that is the target itself or was drawn already."""


@keras.saving.register_keras_serializable("nlp_rnn")
class SampledSoftmax(Softmax):
    """A full softmax that in training normalises over a set of candidates only.

    Candidates are drawn for the whole batch from ``q``, Zipf's law, and each counts once. A type
    is among them with probability ``Q(w) = 1 - (1 - q(w))^samples``; its logit, including the
    target's, is lowered by ``ln Q(w)``. The optimal logits are therefore ``ln P(w | h)`` up to a
    constant, as in the full softmax, whatever the number of samples (Bengio & Senecal 2008; Jean et
    al. 2015). The training loss is that of the choice among candidates, not ``-ln P(target)``.
    Outside training the softmax is full and exact.

    Args:
        samples: the number of draws, with replacement.
    """

    def __init__(self, vocabulary: int, samples: int, **kwargs: Any) -> None:
        super().__init__(vocabulary, **kwargs)
        self.samples = samples
        self.seeds = keras.random.SeedGenerator()

    def call(self, hidden: Any, targets: Any = None, training: bool | None = None) -> Any:
        if targets is None or not training:
            return super().call(hidden, targets)
        targets = ops.cast(targets, "int32")
        uniform = keras.random.uniform((self.samples,), dtype="float32", seed=self.seeds)
        candidates = ops.sort(zipf.draws(uniform, self.vocabulary))
        again = ops.pad(ops.equal(candidates[1:], candidates[:-1]), [(1, 0)])
        among = -np.expm1(self.samples * np.log1p(-zipf.probabilities(self.vocabulary)))
        vectors, bias = self.weights_by_type, self.bias - ops.cast(np.log(among), hidden.dtype)
        of_target = ops.sum(hidden * ops.take(vectors, targets, axis=0), axis=-1)
        of_target += ops.take(bias, targets)
        others = ops.matmul(hidden, ops.transpose(ops.take(vectors, candidates, axis=0)))
        others += ops.take(bias, candidates)
        is_target = ops.equal(ops.expand_dims(targets, -1), candidates)
        others = ops.where(ops.logical_or(is_target, again), NOT_A_CANDIDATE, others)
        logits = ops.concatenate([ops.expand_dims(of_target, -1), others], axis=-1)
        return cross_entropy(logits, ops.zeros_like(targets))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "samples": self.samples}
