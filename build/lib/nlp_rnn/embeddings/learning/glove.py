"""GloVe: global vectors, weighted least squares of the logarithms of counts."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.config import GloveVectors
from nlp_rnn.embeddings.learning.cooccurrence import cooccurrences
from nlp_rnn.embeddings.learning.corpus import Save, State, TokenCorpus
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.process import log, processors
from nlp_rnn.progress import progress

BLOCKS = 8
"""The number of groups of words and of contexts; no two threads ever share a group. The vectors
depend on this number, so it must not depend on the machine."""

Array = NDArray[Any]


def weights(counts: Array, x_max: float, alpha: float) -> NDArray[np.float32]:
    """``f(X) = min(1, (X / x_max)^alpha)`` (Pennington et al. 2014, equation 9)."""
    return np.minimum(1, (counts / x_max) ** alpha).astype(np.float32)


def _descend(
    rows: Array,
    columns: Array,
    logarithms: Array,
    weights: Array,
    words: Array,
    contexts: Array,
    word_biases: Array,
    context_biases: Array,
    word_squares: Array,
    context_squares: Array,
    word_bias_squares: Array,
    context_bias_squares: Array,
    rate: np.float32,
) -> float:
    """AdaGrad steps on some cells of the matrix, one after the other; returns their part of J.

    It is compiled by Numba, so it is written as loops over 32-bit numbers.
    """
    cost = 0.0
    for n in range(len(rows)):
        i, j = rows[n], columns[n]
        w, c, w_squares, c_squares = words[i], contexts[j], word_squares[i], context_squares[j]
        difference = word_biases[i] + context_biases[j] - logarithms[n]
        for k in range(len(w)):
            difference += w[k] * c[k]
        weighted = weights[n] * difference
        cost += weighted * difference
        step = rate * weighted
        for k in range(len(w)):
            of_word, of_context = step * c[k], step * w[k]
            w[k] -= of_word / math.sqrt(w_squares[k])
            c[k] -= of_context / math.sqrt(c_squares[k])
            w_squares[k] += of_word * of_word
            c_squares[k] += of_context * of_context
        word_biases[i] -= step / math.sqrt(word_bias_squares[i])
        context_biases[j] -= step / math.sqrt(context_bias_squares[j])
        word_bias_squares[i] += step * step
        context_bias_squares[j] += step * step
    return cost


@lru_cache(maxsize=1)
def _compiled() -> Any:
    """:func:`_descend` as machine code that lets other threads run in parallel."""
    import numba

    # Sums may be reordered to be vectorised; NaN and infinity keep their meaning.
    fast = {"contract", "nsz", "reassoc"}
    return numba.njit(_descend, nogil=True, fastmath=fast, error_model="numpy")


class Glove:
    """The model of Pennington et al. 2014 (equation 8), trained by AdaGrad.

    ``J = sum over i, j of f(X_ij) (w_i · c_j + b_i + b'_j - ln X_ij)²``

    As in the authors' program, the sums of AdaGrad (Duchi et al. 2011) start at 1 and accumulate
    the squares of ``learning_rate`` times the gradient; the gradient's constant factor 2 is left
    out.

    Cells are visited block by block: words fall into 8 groups and contexts into 8, and in
    each of the 8 rounds of an epoch 8 blocks that share no word and no context are
    visited at once (Gemulla et al. 2011). The result therefore depends neither on the number of
    threads nor on their timing, and no thread waits for a lock.

    Args:
        counts: sparse ``(words, words)``, see
            :func:`~nlp_rnn.embeddings.learning.cooccurrence.cooccurrences`.
        parameters: the section ``vectors:`` of ``params.yaml``.
        seed: the seed of the initial vectors and of the order of cells.
        threads: the number of threads; at most 8 are used.

    Attributes:
        arrays: vectors of words and contexts ``(words, dimension)``, their biases ``(words,)``,
            and AdaGrad's sums for these four.
    """

    def __init__(self, counts: Any, parameters: GloveVectors, seed: int, threads: int) -> None:
        size, dimension = counts.shape[0], parameters.dimension
        rng = np.random.default_rng(seed)
        cells = counts.tocoo()
        order = rng.permutation(cells.nnz)
        rows, columns = (indices[order].astype(np.int32) for indices in cells.coords)
        block = (rows % BLOCKS) * BLOCKS + (columns - rows) % BLOCKS
        by_block = np.argsort(block.astype(np.int8), kind="stable")
        order = order[by_block]
        self._cells = (
            rows[by_block],
            columns[by_block],
            np.log(cells.data[order]).astype(np.float32),
            weights(cells.data[order], parameters.x_max, parameters.alpha),
        )
        self._ends = np.cumsum(np.bincount(block, minlength=BLOCKS**2))
        self._rate = np.float32(parameters.learning_rate)
        self._seed, self._threads = seed, threads
        shapes = [(size, dimension)] * 2 + [(size,)] * 2
        limit = 0.5 / dimension
        self.arrays: list[Array] = [
            *(rng.uniform(-limit, limit, shape).astype(np.float32) for shape in shapes),
            *(np.ones(shape, np.float32) for shape in shapes),
        ]

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Sums of word and context vectors (Pennington et al. 2014, section 4.2)."""
        return self.arrays[0] + self.arrays[1]

    def epoch(self, number: int) -> float:
        """Visit every cell once; returns the mean cost of a cell before its update."""
        rounds = np.random.default_rng([self._seed, number]).permutation(BLOCKS)
        costs: list[float] = []
        with ThreadPoolExecutor(min(self._threads, BLOCKS)) as pool:
            for shift in rounds.tolist():
                blocks = [group * BLOCKS + shift for group in range(BLOCKS)]
                costs += pool.map(self._visit, blocks)
        return math.fsum(costs) / max(len(self._cells[0]), 1)

    def _visit(self, block: int) -> float:
        begin = self._ends[block - 1] if block else 0
        cells = (array[begin : self._ends[block]] for array in self._cells)
        return _compiled()(*cells, *self.arrays, self._rate)


def glove(
    corpus: TokenCorpus, parameters: GloveVectors, seed: int, saved: State | None, save: Save
) -> WordVectors:
    """Learn GloVe vectors.

    Args:
        corpus: the text to learn from.
        parameters: the section ``vectors:`` of ``params.yaml``.
        seed: see :class:`Glove`.
        saved: the state of an interrupted run.
        save: called after each epoch.

    Raises:
        UserError: Numba is not installed; the cost is no longer a number.
    """
    require("numba", "embeddings", "algorithm: glove")

    counts = cooccurrences(
        corpus, parameters.window, parameters.distance_weighting, parameters.symmetric
    )
    log(f"{counts.nnz:,} pairs of {len(corpus.words):,} words")
    model = Glove(counts, parameters, seed, processors())
    done = 0
    if saved:
        done, model.arrays = saved
    epochs = range(done, parameters.epochs)
    for number in progress(epochs, "GloVe", "epochs", parameters.epochs, initial=done, leave=True):
        cost = model.epoch(number)
        if not math.isfinite(cost):
            raise UserError("the cost is no longer a number; lower vectors.learning_rate")
        save(number + 1, model.arrays)
        log(f"epoch {number + 1}/{parameters.epochs}  cost {cost:.5f}")
    return WordVectors(corpus.words, model.vectors)
