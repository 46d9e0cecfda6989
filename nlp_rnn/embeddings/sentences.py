"""Sentence vectors from word vectors: their mean, SIF, and an LSTM that nobody has trained.

Words without a vector are left out. A sentence without any word that has one gets a zero vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.config import TokenizerParameters
from nlp_rnn.embeddings.vectors import TINY, Matrix, WordVectors
from nlp_rnn.text.tokenizers import make_tokenizer

Way = Literal["mean", "sif", "lstm"]
WAYS: tuple[Way, ...] = ("mean", "sif", "lstm")

Unit = Literal["word", "whitespace"]

SMOOTHING = 1e-3
"""``a`` of SIF, as in the paper."""

UNITS = 512
"""The width of each direction of the untrained LSTM."""

BATCH = 64
"""The number of sentences that the LSTM reads at a time."""

Sentence = NDArray[np.int64]
"""The rows of a sentence's words in the matrix of word vectors."""


def rows_of(texts: Sequence[str], vectors: WordVectors, unit: Unit = "word") -> list[Sentence]:
    """The words of each text that have a vector, in their order.

    Args:
        unit: ``whitespace`` takes texts whose tokens are separated by spaces as they are.
    """
    tokenizer = make_tokenizer(TokenizerParameters(unit=unit, lowercase=False))
    found = ((vectors.find(word) for word in tokenizer.tokens(text)) for text in texts)
    return [np.array([row for row, _ in filter(None, of_text)], np.int64) for of_text in found]


def sentence_vectors(
    sentences: Sequence[Sentence],
    vectors: WordVectors,
    way: Way = "mean",
    units: int = UNITS,
    seed: int = 1,
) -> Matrix:
    """A vector for each sentence.

    Args:
        way: ``mean``, ``sif`` (:func:`sif_vectors`) or ``lstm`` (:func:`lstm_vectors`).
        units: of each direction of the LSTM.
        seed: of the LSTM's weights.

    Returns:
        ``(sentences, dimension)``, or ``(sentences, 2 * units)`` of an LSTM.
    """
    if way == "lstm":
        return lstm_vectors(sentences, vectors.matrix, units, seed)
    if way == "sif":
        return sif_vectors(sentences, vectors.matrix)
    return _weighted_means(sentences, vectors.matrix, np.ones(len(vectors), np.float32))


def side_by_side(first: Matrix, second: Matrix) -> Matrix:
    """Two vectors of each sentence as one, both scaled to length 1; a zero vector stays zero."""
    return np.concatenate(
        [
            matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), np.float32(TINY))
            for matrix in (first, second)
        ],
        axis=1,
    )


def _weighted_means(sentences: Sequence[Sentence], matrix: Matrix, weights: Floats) -> Matrix:
    """``(1/n) Σ_i weight_i v_i`` over the ``n`` words of each sentence."""
    found = np.zeros((len(sentences), matrix.shape[1]), np.float32)
    for number, rows in enumerate(sentences):
        if len(rows):
            found[number] = weights[rows] @ matrix[rows] / len(rows)
    return found


def sif_vectors(sentences: Sequence[Sentence], matrix: Matrix, a: float = SMOOTHING) -> Matrix:
    """Smooth inverse frequency (Arora, Liang & Ma 2017, algorithm 1).

    A word weighs ``a / (a + p(w))``, ``p(w)`` its share of all words of the sentences. What the
    means then have in common, their first singular vector ``u``, is taken out: ``v - (v·u) u``.
    """
    counts = Counter(row for rows in sentences for row in rows.tolist())
    weights = np.ones(len(matrix), np.float32)
    for row, times in counts.items():
        weights[row] = a / (a + times / counts.total())
    means = _weighted_means(sentences, matrix, weights)
    _, directions = np.linalg.eigh((means.T @ means).astype(np.float64))
    common = directions[:, -1].astype(np.float32)  # of the largest singular value
    return means - np.outer(means @ common, common)


def lstm_vectors(sentences: Sequence[Sentence], matrix: Matrix, units: int, seed: int) -> Matrix:
    """The largest outputs over time of an LSTM in both directions with random weights.

    Wieting & Kiela (2019, section 2.1.2): whatever trained encoders gain should be measured against
    this one. All weights and biases are drawn uniformly from ``±1 / sqrt(units)``.
    """
    rng, bound = np.random.default_rng(seed), units**-0.5
    shapes = ((matrix.shape[1], 4 * units), (units, 4 * units), (4 * units,))
    directions = [
        [rng.uniform(-bound, bound, shape).astype(np.float32) for shape in shapes] for _ in "fb"
    ]
    found = np.zeros((len(sentences), 2 * units), np.float32)
    for numbers in batches_of_one_length(sentences):
        words = matrix[np.stack([sentences[number] for number in numbers])]
        forward, backward = (
            _largest_outputs(steps, *weights)
            for steps, weights in zip((words, words[:, ::-1]), directions, strict=True)
        )
        found[numbers] = np.concatenate([forward, backward], axis=1)
    return found


def batches_of_one_length(sentences: Sequence[Sentence]) -> Iterator[list[int]]:
    """The numbers of sentences in batches that need no padding, without the empty ones."""
    by_length: dict[int, list[int]] = {}
    for number, rows in enumerate(sentences):
        by_length.setdefault(len(rows), []).append(number)
    by_length.pop(0, None)
    for numbers in by_length.values():
        yield from (numbers[i : i + BATCH] for i in range(0, len(numbers), BATCH))


def _largest_outputs(words: Matrix, kernel: Matrix, recurrent: Matrix, bias: Matrix) -> Matrix:
    """``max_t h_t`` of an LSTM over ``words (batch, steps, dimension)``; gates are ``i, f, c, o``,
    as in Keras."""
    h = c = np.zeros((len(words), len(recurrent)), np.float32)
    largest = np.full_like(h, -1)  # every output is above
    for step in range(words.shape[1]):
        i, f, g, o = np.split(words[:, step] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        largest = np.maximum(largest, h)
    return largest


def sigmoid(x: Matrix) -> Matrix:
    """``1 / (1 + exp(-x))``, which never overflows."""
    half: Matrix = np.float32(0.5) * (1 + np.tanh(x * np.float32(0.5)))
    return half
