"""Projection of vectors to two dimensions."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.embeddings.vectors import TINY, WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.process import log

Method = Literal["pca", "tsne"]
Points = NDArray[np.float64]


def project(
    vectors: WordVectors, method: Method = "pca", perplexity: float = 30.0, seed: int = 1
) -> Points:
    """Project word vectors, scaled to unit length, to points ``(words, 2)``.

    Distances between unit vectors rank neighbours as cosines do.

    Args:
        vectors: the vectors of the words to show.
        method: ``pca``, the two directions of greatest variance: points far apart in the plot are
            far apart, but not the other way round; or ``tsne`` (van der Maaten & Hinton 2008),
            which keeps near neighbours together, while the sizes of clusters and the distances
            between them mean nothing.
        perplexity: for t-SNE, roughly the number of neighbours that each point considers.
        seed: the seed of t-SNE.

    Raises:
        UserError: there are too few words for a plot or for the perplexity.
    """
    if len(vectors) < 3:
        raise UserError(f"a plot needs three vectors at least, and there are {len(vectors)}")
    unit = _unit(vectors)
    if method == "pca":
        return principal_components(unit)
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


def caption(
    vectors: WordVectors, points: Points, method: Method, perplexity: float, seed: int
) -> str:
    """Explain how the points of :func:`project` were made, and what their distances mean."""
    words = f"{len(vectors):,} words, their vectors scaled to unit length."
    if method == "pca":
        share = points.var(axis=0).sum() / max(_unit(vectors).var(axis=0).sum(), TINY)
        return (
            f"{words} PCA: this plane holds {share:.0%} of the variance. Words far apart here are "
            "far apart; words close together need not be close."
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
