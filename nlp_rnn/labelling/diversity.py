"""Texts that differ from one another: centres of clusters, or a cover of all texts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats

Indices = NDArray[np.intp]


def tf_idf(texts: Sequence[Sequence[str]]) -> Any:
    """Sparse vectors of texts, given as tokens: ``(1 + ln tf) idf``, scaled to length 1 ``(texts,
    types)``."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=lambda tokens: tokens, sublinear_tf=True)
    return vectorizer.fit_transform(texts)


def k_means(vectors: Any, count: int, seed: int) -> Indices:
    """The text nearest to the centre of each of ``count`` clusters (Nguyen & Smeulders 2004).

    Args:
        vectors: ``(texts, width)``, which may be sparse.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    clusters = MiniBatchKMeans(count, n_init=3, random_state=seed, batch_size=max(1024, 3 * count))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct texts than clusters
        distances = clusters.fit(vectors).transform(vectors)
    chosen: list[int] = []
    for cluster in range(count):
        own = np.flatnonzero(clusters.labels_ == cluster)
        if len(own):
            chosen.append(int(own[distances[own, cluster].argmin()]))
    missing = count - len(chosen)
    return np.array([*chosen, *k_centre(vectors, missing, chosen)] if missing else chosen, np.intp)


def k_centre(vectors: Any, count: int, known: Sequence[int] = ()) -> Indices:
    """Texts that cover all others: each is the farthest from those chosen before it.

    This is the greedy 2-approximation of the smallest largest distance (Gonzalez 1985), which
    Sener & Savarese (2018) use to choose what to label. Without ``known`` texts, the first is the
    nearest to the mean.

    Args:
        vectors: ``(texts, width)``, which may be sparse.
        known: texts that are chosen already, or labelled.
    """
    squares = _squares(vectors)
    nearest = np.full(vectors.shape[0], np.inf)
    for place in known:
        nearest = np.minimum(nearest, _distances(vectors, squares, place))
    nearest[list(known)] = -np.inf
    if not len(known):
        mean = np.asarray(vectors.mean(axis=0)).ravel()
        nearest = -(squares - 2 * (vectors @ mean))
    chosen: list[int] = []
    for _ in range(count):
        best = int(nearest.argmax())
        if not chosen and not len(known):
            nearest = np.full(vectors.shape[0], np.inf)
        chosen.append(best)
        nearest = np.minimum(nearest, _distances(vectors, squares, best))
        nearest[chosen] = -np.inf
    return np.array(chosen, np.intp)


def _squares(vectors: Any) -> Floats:
    """The squared length of each vector."""
    squared = vectors.multiply(vectors) if hasattr(vectors, "multiply") else vectors * vectors
    found: Floats = np.asarray(squared.sum(axis=1), np.float64).ravel()
    return found


def _distances(vectors: Any, squares: Floats, place: int) -> Floats:
    """The squared distance of each vector from one of them."""
    one = vectors[[place]]
    products = vectors @ one.T
    if hasattr(products, "toarray"):
        products = products.toarray()
    found: Floats = np.maximum(squares + squares[place] - 2 * np.asarray(products).ravel(), 0)
    return found
