"""Co-occurrence counts: how often words occur near each other."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from nlp_rnn.embeddings.learning.corpus import TokenCorpus

PAIRS = 1 << 24
"""The number of token pairs held at once: about 400 MB while they are summed."""


def cooccurrences(
    corpus: TokenCorpus,
    window: int,
    distance_weighting: Literal["none", "harmonic"] = "none",
    symmetric: bool = True,
) -> Any:
    """Count the pairs of words that are at most ``window`` tokens apart in a sentence.

    ``X[i, j]`` sums, over the occurrences of word ``i``, the weights of the words ``j`` before it
    (with ``symmetric`` also after it). A pair ``d`` tokens apart weighs 1, or 1 / d as in GloVe
    (Pennington et al. 2014, section 4.2).

    Returns:
        A ``scipy.sparse.csr_array`` of float64, ``(words, words)``.

    >>> from nlp_rnn.embeddings.learning.corpus import TokenCorpus
    >>> ids, offsets = np.array([0, 1, 2, 0], np.int32), np.array([0, 3, 4])
    >>> corpus = TokenCorpus(["a", "b", "c"], np.array([2, 1, 1]), ids, offsets)
    >>> cooccurrences(corpus, window=2, distance_weighting="harmonic").toarray()
    array([[0. , 1. , 0.5],
           [1. , 0. , 1. ],
           [0.5, 1. , 0. ]])
    """
    from scipy.sparse import coo_array, csr_array

    size = len(corpus.words)
    total = csr_array((size, size))
    block = max(1, PAIRS // window)
    for start in range(0, len(corpus.ids), block):
        tokens = np.arange(start, min(start + block, len(corpus.ids)))
        sentence = np.searchsorted(corpus.offsets, tokens, side="right") - 1
        before = tokens - corpus.offsets[sentence]
        rows, columns, weights = [], [], []
        for distance in range(1, window + 1):
            words = tokens[before >= distance]
            rows.append(corpus.ids[words])
            columns.append(corpus.ids[words - distance])
            weight = 1 / distance if distance_weighting == "harmonic" else 1.0
            weights.append(np.full(len(words), weight))
        pairs = np.concatenate(rows), np.concatenate(columns)
        total = total + coo_array((np.concatenate(weights), pairs), (size, size)).tocsr()
    return total + total.T.tocsr() if symmetric else total
