"""Baselines that only count: majority class, most frequent tag of a word, unigrams."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.text.prepared import Ints, Split
from nlp_rnn.text.vocabulary import PAD_INDEX, Vocabulary

BLOCK = 1 << 20
"""Tokens counted at a time, so that memory does not grow with the corpus."""


def majority_class(split: Split) -> int:
    """The most frequent label or tag of the split."""
    if split.labels is None:
        raise ValueError("running text has no labels")
    return int(np.bincount(split.labels).argmax())


def most_frequent_tags(split: Split, vocabulary_size: int, tags: int) -> NDArray[np.intp]:
    """The most frequent tag of each type, ``(vocabulary_size,)``.

    Unknown words get the most frequent tag of the types that became ``<unk>`` in training,
    types never seen the most frequent tag of all.
    """
    if split.labels is None:
        raise ValueError("running text has no tags")
    counts = np.zeros((vocabulary_size, tags), np.int64)
    for start in range(0, len(split.ids), BLOCK):
        np.add.at(
            counts, (split.ids[start : start + BLOCK], split.labels[start : start + BLOCK]), 1
        )
    best = counts.argmax(axis=1)
    best[counts.sum(axis=1) == 0] = counts.sum(axis=0).argmax()
    return best


def unigram_loss(ids: Ints, vocabulary: Vocabulary) -> float:
    """The sum of ``-ln P`` of ``ids`` under add-one smoothed unigram counts, nats.

    ``P(w) = (count(w) + 1) / (tokens + types)``; ``<pad>`` is no type.
    """
    counts: NDArray[Any] = np.array(vocabulary.counts, np.float64) + 1
    counts[PAD_INDEX] = 0
    log_probability = np.log(np.maximum(counts, 1e-300) / counts.sum())
    return float(
        sum(
            -log_probability[ids[start : start + BLOCK]].sum()
            for start in range(0, len(ids), BLOCK)
        )
    )
