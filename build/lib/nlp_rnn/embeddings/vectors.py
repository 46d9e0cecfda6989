"""Word vectors in memory: look words up, compare them, reason by analogy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.config import LookupStep
from nlp_rnn.embeddings.lookup import forms
from nlp_rnn.errors import UserError

Measure = Literal["cosine", "euclidean", "dot"]
AnalogyMethod = Literal["3cosadd", "3cosmul"]

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

BLOCK = 4096
"""The number of rows whose differences from a vector are held at once."""

TINY = float(np.finfo(np.float32).tiny)

EPSILON = np.float32(0.001)
"""Keeps 3CosMul's denominator from zero; the value is Levy & Goldberg's."""


class WordVectors:
    """Words and their vectors.

    Args:
        words: one for each row; of duplicates the first is looked up.
        matrix: ``(words, dimension)``.
        lookup: the steps to try for a word that has no vector in its own form; see
            :func:`~nlp_rnn.embeddings.lookup.forms`.

    >>> vectors = WordVectors(["north", "east", "south"], np.array([[0, 2], [3, 0], [0, -1.0]]))
    >>> vectors.similarity("north", "south")
    -1.0
    >>> vectors.neighbours("north", n=1)
    [('east', 0.0)]
    """

    def __init__(
        self, words: Sequence[str], matrix: NDArray[np.floating], lookup: Sequence[LookupStep] = ()
    ) -> None:
        if matrix.ndim != 2 or len(matrix) != len(words):
            raise ValueError(f"{len(words)} words, but a matrix of shape {matrix.shape}")
        self.words = words
        self.matrix: Matrix = matrix.astype(np.float32, copy=False)
        self.lookup = tuple(lookup)

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each word."""
        rows: dict[str, int] = {}
        for row, word in enumerate(self.words):
            rows.setdefault(word, row)
        return rows

    @cached_property
    def norms(self) -> Matrix:
        """The vectors' lengths ``(words,)``; tiny for a zero vector, so that its cosines are 0."""
        squares = np.einsum("wd,wd->w", self.matrix, self.matrix)
        return np.maximum(np.sqrt(squares), np.float32(TINY))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return self.find(word) is not None

    def __getitem__(self, word: str) -> Matrix:
        """The vector ``(dimension,)`` of a word; raises UserError if it has none."""
        return self.matrix[self.row(word)]

    def find(self, word: str) -> tuple[int, str] | None:
        """The row of a word and the lookup step that found it; None if it has no vector."""
        for step, form in forms(word, self.lookup):
            if form in self.rows:
                return self.rows[form], step
        return None

    def row(self, word: str) -> int:
        """The row of a word; raises UserError if it has no vector."""
        found = self.find(word)
        if found is None:
            raise UserError(f"'{word}' has no vector; check its spelling and case")
        return found[0]

    def head(self, n: int) -> WordVectors:
        """The first ``n`` words: in most files the most frequent ones."""
        return WordVectors(self.words[:n], self.matrix[:n], self.lookup)

    def similarity(self, word: str, other: str, by: Measure = "cosine") -> float:
        """The cosine, Euclidean distance or dot product of two words.

        Raises:
            UserError: one of them has no vector.
        """
        rows = np.array([self.row(other)])
        return float(self._compared(self[word], by, rows)[0])

    def neighbours(
        self, query: str | NDArray[np.floating], n: int = 10, by: Measure = "cosine"
    ) -> list[tuple[str, float]]:
        """The words nearest to a vector or to a word, which is itself excluded.

        Args:
            query: a word, or a vector ``(dimension,)``.
            n: the number of words to return.
            by: ``cosine`` and ``dot`` put the greatest first, ``euclidean`` the smallest.

        Returns:
            Words with their cosine, distance or dot product; ties are in row order.

        Raises:
            UserError: the word has no vector.
        """
        excluded = [self.row(query)] if isinstance(query, str) else []
        vector = self[query] if isinstance(query, str) else query.astype(np.float32)
        values = self._compared(vector, by)
        return self._best(-values if by == "euclidean" else values, values, n, excluded)

    def analogy(
        self, a: str, b: str, c: str, n: int = 10, method: AnalogyMethod = "3cosadd"
    ) -> list[tuple[str, float]]:
        """The words that are to ``c`` what ``b`` is to ``a``, best first.

        ``a``, ``b`` and ``c`` are not among the answers.

        Args:
            a: for example "man" in "man is to king as woman is to queen".
            b: "king" in this example.
            c: "woman" in this example.
            n: the number of words to return.
            method: see :meth:`analogy_scores`.

        Returns:
            Words and their scores.

        Raises:
            UserError: a word has no vector.
        """
        rows = [self.row(word) for word in (a, b, c)]
        scores = self.analogy_scores(np.array([rows]), method)[0]
        return self._best(scores, scores, n, rows)

    def analogy_scores(self, questions: Rows, method: AnalogyMethod) -> Matrix:
        """How well each word completes each question.

        Levy & Goldberg 2014, "Linguistic Regularities in Sparse and Explicit Word
        Representations". 3CosAdd is cos(d, b) - cos(d, a) + cos(d, c); 3CosMul is
        cos(d, b) cos(d, c) / (cos(d, a) + 0.001), with cosines moved to [0, 1] by (cos + 1) / 2.

        Args:
            questions: ``(questions, 3)``, the rows of a, b and c.
            method: ``3cosadd`` or ``3cosmul``.

        Returns:
            ``(questions, words)``.
        """
        a, b, c = (self.matrix[rows] / self.norms[rows, None] for rows in questions.T)
        if method == "3cosadd":
            return self._cosines(b - a + c)
        to_a, to_b, to_c = ((self._cosines(unit) + 1) / np.float32(2) for unit in (a, b, c))
        return to_b * to_c / (to_a + EPSILON)

    def _cosines(self, targets: Matrix) -> Matrix:
        """``(targets, words)``, cosines times the lengths of the targets."""
        return targets @ self.matrix.T / self.norms

    def _compared(self, vector: Matrix, by: Measure, rows: Rows | None = None) -> Matrix:
        """One value per row, for all rows or the given ones."""
        matrix = self.matrix if rows is None else self.matrix[rows]
        if by == "euclidean":
            # Differences, not |x|² - 2xy + |y|², which loses the digits of small distances.
            blocks = range(0, max(len(matrix), 1), BLOCK)
            return np.concatenate(
                [np.linalg.norm(matrix[i : i + BLOCK] - vector, axis=1) for i in blocks]
            )
        products = matrix @ vector
        if by == "dot":
            return products
        norms = self.norms if rows is None else self.norms[rows]
        return products / norms / max(float(np.linalg.norm(vector)), TINY)

    def _best(
        self, scores: Matrix, values: Matrix, n: int, excluded: Collection[int]
    ) -> list[tuple[str, float]]:
        """The words with the greatest scores and their values."""
        order = np.argsort(-scores, kind="stable")[: n + len(excluded)]
        rows = [row for row in order.tolist() if row not in excluded][:n]
        return [(self.words[row], float(values[row])) for row in rows]
