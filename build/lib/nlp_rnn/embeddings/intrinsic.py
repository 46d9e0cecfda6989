"""Intrinsic evaluation: analogies, and similarity compared with human judgements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.corpora.lines import numbered_lines
from nlp_rnn.embeddings.vectors import AnalogyMethod, Measure, WordVectors
from nlp_rnn.errors import UserError

SCORES = 1 << 24
"""The number of analogy scores held at once: 64 MiB."""

Question = tuple[str, str, str, str]
Pair = tuple[str, str, float]


@dataclass(frozen=True)
class AnalogyResult:
    """How many analogies of one kind are completed correctly.

    Attributes:
        name: the name of the section.
        questions: the number of questions in the file.
        answered: the number of questions whose four words all have vectors.
        correct: the number of questions whose best answer is the fourth word.
    """

    name: str
    questions: int
    answered: int
    correct: int

    @property
    def accuracy(self) -> float:
        """The share of correct answers among those given; nan if there are none."""
        return self.correct / self.answered if self.answered else float("nan")

    def __str__(self) -> str:
        if not self.questions:
            return f"{self.name}: no analogies"
        if not self.answered:
            return f"{self.name}: none of {self.questions} analogies has vectors for all its words"
        return (
            f"{self.name}: {self.accuracy:.1%} of {self.answered} analogies; "
            f"{self.questions - self.answered} left out, with a word that has no vector"
        )


@dataclass(frozen=True)
class AnalogyReport:
    """The results of all sections of a file."""

    sections: tuple[AnalogyResult, ...]

    @property
    def syntactic(self) -> AnalogyResult:
        """The sections whose names begin with ``gram``, as questions-words calls them."""
        return _sum("syntactic", (s for s in self.sections if s.name.startswith("gram")))

    @property
    def semantic(self) -> AnalogyResult:
        """All other sections."""
        return _sum("semantic", (s for s in self.sections if not s.name.startswith("gram")))

    @property
    def total(self) -> AnalogyResult:
        """All sections."""
        return _sum("total", self.sections)

    def __str__(self) -> str:
        if not self.total.answered:
            return (
                f"no analogies to evaluate: none of {self.total.questions} has vectors for all its "
                "words; give --analogies FILE with words that have vectors, or for vectors of a "
                "built-in corpus use --grammar"
            )
        return "\n".join(map(str, (*self.sections, self.semantic, self.syntactic, self.total)))


def _sum(name: str, results: Iterable[AnalogyResult]) -> AnalogyResult:
    chosen = list(results)
    return AnalogyResult(
        name,
        sum(result.questions for result in chosen),
        sum(result.answered for result in chosen),
        sum(result.correct for result in chosen),
    )


def read_analogies(file: Path) -> dict[str, list[Question]]:
    """Read analogies in the format of questions-words (Mikolov et al. 2013).

    A line ``: name`` begins a section, any other holds the four words of a question. Questions
    before the first section are in one that is named for the file.

    Raises:
        UserError: the file cannot be read or has no question; a line has not four words.
    """
    sections: dict[str, list[Question]] = {}
    section = file.stem
    for number, line in numbered_lines(file, "replace"):
        if line.startswith(":"):
            section = line.removeprefix(":").strip()
            continue
        words = line.split()
        if len(words) not in (0, 4):
            raise UserError(f"{file}, line {number}: {len(words)} words, expected 4 or ': section'")
        if words:
            sections.setdefault(section, []).append((words[0], words[1], words[2], words[3]))
    if not sections:
        raise UserError(f"{file}: no analogies, expected four words a line")
    return sections


def evaluate_analogies(
    vectors: WordVectors,
    sections: dict[str, list[Question]],
    method: AnalogyMethod = "3cosadd",
) -> AnalogyReport:
    """Complete analogies with the highest-scoring word, excluding the three given words.

    Questions with a word that has no vector are skipped and counted. Published results often search
    for answers among frequent words only: for that, pass ``vectors.head(30_000)``.

    Args:
        vectors: the vectors; their ``lookup`` decides about case.
        sections: the result of :func:`read_analogies`.
        method: see :meth:`WordVectors.analogy_scores`.
    """
    results = []
    for name, questions in sections.items():
        found = [[vectors.find(word) for word in question] for question in questions]
        rows = np.array(
            [[hit[0] for hit in hits if hit] for hits in found if all(hits)], np.int64
        ).reshape(-1, 4)
        correct = _correct(vectors, rows, method)
        results.append(AnalogyResult(name, len(questions), len(rows), correct))
    return AnalogyReport(tuple(results))


def _correct(vectors: WordVectors, rows: NDArray[np.int64], method: AnalogyMethod) -> int:
    """How many of the questions ``rows``, ``(questions, 4)``, are completed correctly."""
    size = max(1, SCORES // max(len(vectors), 1))
    correct = 0
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        scores = vectors.analogy_scores(batch[:, :3], method)
        np.put_along_axis(scores, batch[:, :3], -np.inf, axis=1)
        correct += int((scores.argmax(axis=1) == batch[:, 3]).sum())
    return correct


@dataclass(frozen=True)
class SimilarityReport:
    """How vectors rank pairs of words, compared with how people do.

    Attributes:
        correlation: Spearman's correlation over the pairs whose two words have vectors.
        pairs: the number of pairs in the file.
        answered: the number of pairs whose two words have vectors.
    """

    correlation: float
    pairs: int
    answered: int

    def __str__(self) -> str:
        if np.isnan(self.correlation):
            return (
                f"no correlation over {self.answered} pairs: all their similarities, or all "
                "judgements, are equal"
            )
        return (
            f"Spearman {self.correlation:.3f} over {self.answered} pairs; "
            f"{self.pairs - self.answered} left out, with a word that has no vector"
        )


def read_pairs(file: Path) -> list[Pair]:
    """Read pairs of words with human similarity judgements.

    The first two columns are the words, and the first column of numbers after them holds the
    judgements, so WordSim-353, SimLex-999 (which has the part of speech in between), MEN and Rare
    Words are all read unchanged. Columns are separated by tabs, or if there are none by commas, or
    else by spaces. The first line may be a header; lines that begin with ``#`` are comments.

    Raises:
        UserError: the file cannot be read or has no pair, or a line lacks two words and a number.
    """
    rows = [
        (number, _columns(line))
        for number, line in numbered_lines(file, "replace")
        if line.strip() and not line.startswith("#")
    ]
    # Decided by the last line, because a header may have numbers too, as in WordSim-353.
    last = rows[-1][1] if rows else []
    column = next((i for i, field in enumerate(last) if i > 1 and _is_decimal(field)), None)
    if column is None:
        raise UserError(f"{file}: no pairs, expected two words and a number per line")
    pairs: list[Pair] = []
    for i, (number, fields) in enumerate(rows):
        if len(fields) > column and fields[0] and fields[1] and _is_decimal(fields[column]):
            pairs.append((fields[0], fields[1], float(fields[column])))
        elif i > 0:
            raise UserError(
                f"{file}, line {number}: expected two words and, in column {column + 1}, a number"
            )
    return pairs


def _columns(line: str) -> list[str]:
    separator = "\t" if "\t" in line else "," if "," in line else None
    return [field.strip() for field in line.split(separator)]


def _is_decimal(field: str) -> bool:
    return re.fullmatch(r"-?\d+\.?\d*", field) is not None


def evaluate_similarity(
    vectors: WordVectors, pairs: Sequence[Pair], by: Measure = "cosine"
) -> SimilarityReport:
    """Spearman's correlation between the similarity of vectors and human judgements.

    Pairs with a word that has no vector are skipped and counted.

    Args:
        vectors: the vectors; their ``lookup`` decides about case.
        pairs: the result of :func:`read_pairs`.
        by: ``euclidean`` counts as a similarity when it is small.

    Raises:
        UserError: fewer than two pairs can be compared.
    """
    known = [pair for pair in pairs if pair[0] in vectors and pair[1] in vectors]
    if len(known) < 2:
        raise UserError(
            f"only {len(known)} of {len(pairs)} pairs of words have vectors; are the vectors of "
            "another language, or their words written differently?"
        )
    sign = -1 if by == "euclidean" else 1
    ours = [sign * vectors.similarity(first, second, by) for first, second, _ in known]
    theirs = [judgement for _, _, judgement in known]
    return SimilarityReport(spearman(ours, theirs), len(pairs), len(known))


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rank correlation: Pearson's of the ranks; equal values get their mean rank.

    Returns:
        A value from -1 to 1; nan if all values of ``x`` or of ``y`` are equal.

    >>> spearman([1, 2, 3, 4], [10, 20, 40, 30])
    0.8
    """
    deviations = [ranks - ranks.mean() for ranks in (_ranks(x), _ranks(y))]
    length = float(np.prod([np.linalg.norm(deviation) for deviation in deviations]))
    if length == 0:
        return float("nan")
    return round(float(deviations[0] @ deviations[1]) / length, 12)


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """The ranks of values, counted from 1; equal values get their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
