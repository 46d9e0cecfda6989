"""Compare the neighbours and clusters of word vectors with known word classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError


@dataclass(frozen=True)
class ClassReport:
    """The agreement of word vectors with word classes.

    Attributes:
        neighbour_accuracy: the share of words whose nearest neighbour is of the same class.
        purity: the share of words that belong to the most frequent class of their cluster, with as
            many clusters as classes (Manning, Raghavan & Schütze 2008, section 16.3).
        neighbour_chance: the expected ``neighbour_accuracy`` if neighbours were random.
        purity_chance: the mean ``purity`` of random clusters of the same sizes.
        words: the number of words compared.
        classes: the number of their classes.
    """

    neighbour_accuracy: float
    purity: float
    neighbour_chance: float
    purity_chance: float
    words: int
    classes: int

    def __str__(self) -> str:
        return (
            f"nearest neighbour of the same class: {self.neighbour_accuracy:.1%} "
            f"(by chance {self.neighbour_chance:.1%}); purity of clusters: {self.purity:.1%} "
            f"(by chance {self.purity_chance:.1%}); {self.words} words, {self.classes} classes"
        )


def evaluate_classes(
    vectors: WordVectors, classes: Mapping[str, str], seed: int = 1
) -> ClassReport:
    """Compare the neighbours (by cosine) and clusters (k-means of unit vectors) with classes.

    Args:
        vectors: words without a class are left out.
        classes: the class of each word.
        seed: the seed of k-means.

    Raises:
        UserError: fewer than two words have both a vector and a class.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    words = [word for word in classes if word in vectors]
    if len(words) < 2:
        raise UserError(
            f"only {len(words)} of {len(classes)} words with a known class have vectors; were "
            "the vectors learned from another corpus?"
        )
    _, of = np.unique([classes[word] for word in words], return_inverse=True)
    counts = np.bincount(of)
    matrix = np.stack([vectors[word] for word in words])
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-30)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    with threadpool_limits(1):  # with several threads the order of additions varies
        clusters = KMeans(len(counts), n_init=10, random_state=seed).fit_predict(unit)
    rng = np.random.default_rng(seed)
    n = len(words)
    return ClassReport(
        float((of[cosines.argmax(axis=1)] == of).mean()),
        purity(clusters, of),
        float((counts * (counts - 1)).sum() / (n * (n - 1))),
        float(np.mean([purity(rng.permutation(clusters), of) for _ in range(20)])),
        n,
        len(counts),
    )


def purity(clusters: np.ndarray, classes: np.ndarray) -> float:
    """The share of items that belong to the most frequent class of their cluster.

    >>> purity(np.array([0, 0, 0, 1, 1]), np.array([5, 5, 6, 6, 6]))
    0.8
    """
    sizes = Counter(zip(clusters.tolist(), classes.tolist(), strict=True))
    best = Counter[int]()
    for (cluster, _), size in sizes.items():
        best[cluster] = max(best[cluster], size)
    return best.total() / len(classes)
