"""Answers that need no model of language: a copy, the most frequent one, that of a neighbour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.baselines.bag_of_words import term_counts

SOURCES_AT_ONCE = 256
"""How many sources are compared with all training sources at a time, which bounds memory."""


def most_frequent(targets: Sequence[str]) -> str:
    """The most frequent target; of several, the one that comes first."""
    return Counter(targets).most_common(1)[0][0]


def nearest_neighbours(train: Sequence[Sequence[str]], sources: Sequence[Sequence[str]]) -> Ints:
    """The index of the training source nearest to each source ``(sources,)``.

    Sources are compared by the cosine of their tf-idf vectors ``(1 + ln tf) idf`` (Salton & Buckley
    1988). Of several equally near ones, the first counts; so it does where no word is shared.

    Args:
        train: the tokens of each training source.
        sources: the tokens of those to look up.
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    counts = term_counts([*train, *sources], 1)
    known = counts[: len(train)]
    transformer = TfidfTransformer(sublinear_tf=True).fit(known)
    vectors, wanted = transformer.transform(known), transformer.transform(counts[len(train) :])
    return np.concatenate(
        [
            np.asarray((wanted[start : start + SOURCES_AT_ONCE] @ vectors.T).argmax(axis=1)).ravel()
            for start in range(0, len(sources), SOURCES_AT_ONCE)
        ]
    )
