"""Projection of vectors to two dimensions."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.embeddings.vectors import TINY, WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.process import log

Method = Literal["pca", "tsne", "lle"]
Points = NDArray[np.float64]


DENSE = 1000
"""The most points for which all eigenvectors are computed, which is exact; for more, only a few."""

NEIGHBOURS = 12
"""The neighbours of each point in LLE, as Roweis & Saul take for faces."""


def project(
    vectors: WordVectors,
    method: Method = "pca",
    perplexity: float = 30.0,
    seed: int = 1,
    neighbours: int = NEIGHBOURS,
) -> Points:
    """Project word vectors, scaled to unit length, to points ``(words, 2)``.

    Distances between unit vectors rank neighbours as cosines do.

    Args:
        vectors: the vectors of the words to show.
        method: ``pca``, the two directions of greatest variance: points far apart in the plot are
            far apart, but not the other way round; ``tsne`` (van der Maaten & Hinton 2008),
            which keeps near neighbours together, while the sizes of clusters and the distances
            between them mean nothing; or ``lle`` (:func:`locally_linear`).
        perplexity: for t-SNE, roughly the number of neighbours that each point considers.
        seed: the seed of t-SNE, and of the solver of LLE.
        neighbours: for LLE, the neighbours that rebuild each point.

    Raises:
        UserError: there are too few words for a plot, for the perplexity, or for the neighbours.
    """
    if len(vectors) < 3:
        raise UserError(f"a plot needs three vectors at least, and there are {len(vectors)}")
    unit = _unit(vectors)
    if method == "pca":
        return principal_components(unit)
    if method == "lle":
        return locally_linear(unit, neighbours, seed)
    if perplexity >= len(vectors):
        raise UserError(
            f"--perplexity {perplexity:g} needs more than {perplexity:g} words, and there are "
            f"{len(vectors)}; give {(len(vectors) - 1) / 3:.0f} or less"
        )
    if 3 * perplexity > len(vectors) - 1:
        log(
            f"caution: perplexity {perplexity:g} is large for {len(vectors)} words: every word "
            "counts most others as neighbours, so clusters merge; use a third of the "
            "number of words at most"
        )

    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    model = TSNE(perplexity=perplexity, init="random", random_state=seed)
    with threadpool_limits(1):  # with several threads the order of additions varies
        return model.fit_transform(unit.astype(np.float32)).astype(np.float64)


def locally_linear(matrix: Points, neighbours: int, seed: int) -> Points:
    """Locally linear embedding of rows in two dimensions (Roweis & Saul 2000).

    First the weights ``W`` that rebuild each row from its nearest ones are found, which minimise
    ``|x_i - sum_j W_ij x_j|^2`` with ``sum_j W_ij = 1``; then the points ``y`` that the same
    weights rebuild best, which minimise ``|y_i - sum_j W_ij y_j|^2``: the eigenvectors of
    ``(I - W)^T (I - W)`` with the second and third smallest eigenvalue. scikit-learn computes both.

    Raises:
        UserError: there are no more rows than neighbours.
    """
    if neighbours >= len(matrix):
        raise UserError(
            f"--neighbours {neighbours} needs more than {neighbours} words, and there are "
            f"{len(matrix)}; give {len(matrix) - 1} or less"
        )

    from sklearn.manifold import LocallyLinearEmbedding

    solver = "dense" if len(matrix) <= DENSE else "arpack"
    model = LocallyLinearEmbedding(
        n_neighbors=neighbours, eigen_solver=solver, random_state=seed, max_iter=1000
    )
    points = model.fit_transform(matrix) * np.sqrt(len(matrix))
    largest = points[np.abs(points).argmax(axis=0), [0, 1]]
    return np.asarray(points * np.where(largest < 0, -1, 1))


def caption(
    vectors: WordVectors,
    points: Points,
    method: Method,
    perplexity: float,
    seed: int,
    neighbours: int = NEIGHBOURS,
) -> str:
    """Explain how the points of :func:`project` were made, and what their distances mean."""
    words = f"{len(vectors):,} words, their vectors scaled to unit length."
    if method == "pca":
        share = points.var(axis=0).sum() / max(_unit(vectors).var(axis=0).sum(), TINY)
        return (
            f"{words} PCA: this plane holds {share:.0%} of the variance. Words far apart here are "
            "far apart; words close together need not be close."
        )
    if method == "lle":
        return (
            f"{words} LLE, {neighbours} neighbours: each word lies where the weights that rebuild "
            "its vector from those of its neighbours place it. Neighbours stay together; other "
            "distances mean nothing."
        )
    return (
        f"{words} t-SNE, perplexity {perplexity:g}, seed {seed}: near neighbours stay together; "
        "sizes of clusters and distances between them mean nothing."
    )


def _unit(vectors: WordVectors) -> Points:
    return (vectors.matrix / vectors.norms[:, None]).astype(np.float64)


def principal_components(matrix: Points) -> Points:
    """The coordinates of rows on their first two principal components, ``(rows, 2)``.

    Their signs, which are arbitrary, are chosen to make the largest entry of each positive.
    """
    centred = matrix - matrix.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(matrix), 2))
    points[:, : min(2, len(singular))] = (left * singular)[:, :2]
    largest = points[np.abs(points).argmax(axis=0), [0, 1]]
    return points * np.where(largest < 0, -1, 1)
