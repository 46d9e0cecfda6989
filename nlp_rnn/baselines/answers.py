"""Answers that need no model of language: a copy, the most frequent one, that of a neighbour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nlp_rnn.arrays import Floats, Ints
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


def nearest_vectors(
    train_texts: Sequence[str], train: Floats, texts: Sequence[str], vectors: Floats
) -> Ints:
    """The index of the training vector nearest to each vector, by the Euclidean distance.

    Only pairs with the same text are compared, such as the same question about another picture; for
    a text that training lacks, all are.

    Args:
        train_texts: the text beside each training vector.
        train: ``(training pairs, width)``.
        texts: the text beside each vector.
        vectors: those to look up ``(pairs, width)``.
    """
    by_text: dict[str, list[int]] = {}
    for index, text in enumerate(train_texts):
        by_text.setdefault(text, []).append(index)
    everything = np.arange(len(train))
    nearest = np.zeros(len(vectors), np.int64)
    wanted: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        wanted.setdefault(text, []).append(index)
    for text, indices in wanted.items():
        known = np.array(by_text.get(text, everything))
        squares = (train[known] ** 2).sum(axis=1)
        for start in range(0, len(indices), SOURCES_AT_ONCE):
            block = indices[start : start + SOURCES_AT_ONCE]
            distances = squares - 2 * vectors[block] @ train[known].T
            nearest[block] = known[distances.argmin(axis=1)]
    return nearest
