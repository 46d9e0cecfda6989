"""Vectors from counts: pointwise mutual information and truncated SVD."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.config import CooccurrenceSvdVectors, PmiSvdVectors
from nlp_rnn.embeddings.learning.cooccurrence import cooccurrences
from nlp_rnn.embeddings.learning.corpus import TokenCorpus
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError


def pmi(counts: Any, shift: float = 1.0, smoothing: float = 1.0, positive: bool = True) -> Any:
    """The pointwise mutual information of words and contexts that occur together.

    ``PMI(w, c) = ln P(w, c) / (P(w) P(c)) - ln shift`` (Church & Hanks 1990), where
    ``P(c) = #(c)^smoothing / sum #(c')^smoothing``. A smoothing of 0.75 lowers the values of rare
    contexts, which are otherwise too high, and a shift of k gives the matrix that skip-gram with k
    negative samples factorises (Levy et al. 2015, sections 3.1 and 3.2).

    Args:
        counts: sparse ``(words, contexts)``.
        shift: at least 1.
        smoothing: above 0, at most 1.
        positive: PPMI, ``max(0, PMI)``. Pairs that never occur, whose PMI is minus infinity, are
            0 in either case.

    Returns:
        A ``scipy.sparse.csr_array`` of the shape of ``counts``.
    """
    values = counts.tocoo(copy=True)
    rows, columns = values.coords
    of_word = np.asarray(counts.sum(axis=1)).ravel()
    of_context = np.asarray(counts.sum(axis=0)).ravel() ** smoothing
    expected = of_word[rows] * of_context[columns] / of_context.sum()
    values.data = np.log(values.data / expected) - np.log(shift)
    if positive:
        values.data = np.maximum(values.data, 0)
    result = values.tocsr()
    result.eliminate_zeros()
    return result


def truncated_svd(matrix: Any, dimension: int, power: float, seed: int) -> NDArray[np.float32]:
    """``U S^power`` of the ``dimension`` largest singular values, ``(words, dimension)``.

    The SVD is randomised (Halko et al. 2011), by scikit-learn. A power of 1 preserves the dot
    products of rows; 0.5 or 0 works better for word similarity (Levy et al. 2015, section 3.3).
    """
    from sklearn.utils.extmath import randomized_svd

    left, singular, _ = randomized_svd(matrix, dimension, random_state=seed)
    return (left * singular**power).astype(np.float32)


def svd_vectors(
    corpus: TokenCorpus, parameters: PmiSvdVectors | CooccurrenceSvdVectors, seed: int
) -> WordVectors:
    """Word vectors by truncated SVD of the counts or of their mutual information.

    Raises:
        UserError: there are no more words than dimensions.
    """
    if parameters.dimension >= len(corpus.words):
        raise UserError(
            f"vectors.dimension is {parameters.dimension}, but an SVD of {len(corpus.words)} words "
            f"has fewer dimensions; set it to {len(corpus.words) - 1} or less"
        )
    matrix = cooccurrences(
        corpus, parameters.window, parameters.distance_weighting, parameters.symmetric
    )
    if isinstance(parameters, PmiSvdVectors):
        matrix = pmi(matrix, parameters.shift, parameters.smoothing, parameters.positive)
    vectors = truncated_svd(matrix, parameters.dimension, parameters.singular_value_power, seed)
    return WordVectors(corpus.words, vectors)
