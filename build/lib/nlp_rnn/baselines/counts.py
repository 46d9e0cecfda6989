"""Baselines that only count: majority class, most frequent tag of a word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.text.prepared import Split

BLOCK = 1 << 20
"""The number of tokens counted at a time, so that memory does not grow with the corpus."""


def majority_class(split: Split) -> int:
    """The most frequent label or tag of the split."""
    if split.labels is None:
        raise ValueError("running text has no labels")
    return int(np.bincount(split.labels).argmax())


def most_frequent_tags(split: Split, vocabulary_size: int, tags: int) -> NDArray[np.intp]:
    """The most frequent tag of each type, ``(vocabulary_size,)``.

    Unknown words get the most frequent tag of the types that became ``<unk>`` in training,
    and types never seen get the most frequent tag overall.
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
