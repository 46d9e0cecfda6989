"""Analogies and similarities read from users' files and counted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from helpers.real import real_data
from nlp_rnn.embeddings import intrinsic
from nlp_rnn.embeddings.intrinsic import (
    AnalogyReport,
    evaluate_analogies,
    evaluate_similarity,
    read_analogies,
    read_pairs,
    spearman,
)
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError

# Royalty, gender and number are dimensions of their own, so that analogies hold exactly.
VECTORS = WordVectors(
    ["man", "woman", "king", "queen", "men", "women", "kings"],
    np.array(
        [
            [1, 0, 0, 1],
            [1, 1, 0, 1],
            [1, 0, 1, 1],
            [1, 1, 1, 1],
            [1, 0, 0, -1],
            [1, 1, 0, -1],
            [1, 0, 1, -1],
        ]
    )
    * 1.0,
    lookup=["lowercase"],
)

QUESTIONS = """\
: family
man king woman queen
Man Woman King Queen
man woman king men
man woman duke duchess
man woman king duchess

: gram8-plural
man men woman women
man men king kings
"""


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
@pytest.mark.parametrize("scores", [1, 1 << 24])
def test_analogies_are_counted_by_section_and_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, scores: int
) -> None:
    monkeypatch.setattr(intrinsic, "SCORES", scores)
    (tmp_path / "questions-words.txt").write_text(QUESTIONS)
    sections = read_analogies(tmp_path / "questions-words.txt")
    report = evaluate_analogies(VECTORS, sections, method)  # type: ignore[arg-type]
    counts = [(r.name, r.questions, r.answered, r.correct) for r in report.sections]
    assert counts == [("family", 5, 3, 2), ("gram8-plural", 2, 2, 2)]
    assert report.semantic.accuracy == 2 / 3
    assert report.syntactic.accuracy == 1
    assert report.total.accuracy == 4 / 5
    assert "semantic: 66.7% of 3 analogies; 2 left out" in str(report)


def test_the_words_of_a_question_are_no_answers() -> None:
    # The word nearest to king - man + man is king itself.
    vectors = WordVectors(["man", "king", "prince"], np.array([[1, 0], [0, 1], [0.1, 0.9]]))
    for expected, correct in (("king", 0), ("prince", 1)):
        report = evaluate_analogies(vectors, {"x": [("man", "king", "man", expected)]})
        assert report.total.correct == correct


def test_without_any_answer_the_accuracy_is_no_number() -> None:
    assert math.isnan(AnalogyReport(()).total.accuracy)


def test_analogies_without_sections_are_named_for_their_file(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a b c d\n")
    assert read_analogies(tmp_path / "mine.txt") == {"mine": [("a", "b", "c", "d")]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (": x\na b c d\na b c\n", "q.txt, line 3: 3 words, expected 4"),
        (": x\n", "q.txt: no analogies"),
    ],
)
def test_a_file_of_no_analogies_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "q.txt").write_text(content)
    with pytest.raises(UserError, match=message):
        read_analogies(tmp_path / "q.txt")


LAYOUTS = {
    "WordSim-353, commas": "Word 1,Word 2,Human (mean)\nlove,sex,6.77\ntiger,cat,7.35\n",
    "WordSim-353, one rater a column": "Word 1\tWord 2\tHuman (mean)\t1\t2\nlove\tsex\t6.77\t9\t6\n"
    "tiger\tcat\t7.35\t9\t7\n",
    "WordSim-353, comments": "# rated by\n# 13 people\nlove\tsex\t6.77\ntiger\tcat\t7.35\n",
    "SimLex-999": "word1\tword2\tPOS\tSimLex999\tconc(w1)\nlove\tsex\tN\t6.77\t2.1\n"
    "tiger\tcat\tN\t7.35\t4.9\n",
    "MEN": "love sex 6.77\r\ntiger cat 7.35\r\n",
}


@pytest.mark.parametrize("content", LAYOUTS.values(), ids=LAYOUTS)
def test_every_usual_layout_of_judgements_is_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "pairs").write_bytes(content.encode())
    assert read_pairs(tmp_path / "pairs") == [("love", "sex", 6.77), ("tiger", "cat", 7.35)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,1\n\na,c\nb,c,2\n", "pairs, line 3: expected two words and, in column 3, a number"),
        ("a\tb\t1\na\t\t2\nb\tc\t3\n", "pairs, line 2"),
        ("a,b,1\na,c\n", "pairs: no pairs"),
        ("a,b,c\n", "pairs: no pairs"),
    ],
)
def test_a_file_of_no_judgements_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "pairs").write_text(content)
    with pytest.raises(UserError, match=message):
        read_pairs(tmp_path / "pairs")


def test_spearman_is_scipys_with_ties_and_without() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(4)
    for values in (3, 10, 10_000):
        x, y = rng.integers(values, size=(2, 50)).astype(float)
        y += x
        assert spearman(x.tolist(), y.tolist()) == pytest.approx(spearmanr(x, y).statistic)
    assert math.isnan(spearman([1.0, 1.0], [1.0, 2.0]))


def test_pairs_with_unknown_words_are_left_out_and_counted() -> None:
    pairs = [
        ("Man", "king", 9.0),
        ("man", "queen", 6.0),
        ("men", "queen", 1.0),
        ("duke", "king", 5.0),
        ("man", "duke", 4.0),
    ]
    report = evaluate_similarity(VECTORS, pairs)
    assert (report.correlation, report.pairs, report.answered) == (1.0, 5, 3)
    assert str(report) == "Spearman 1.000 over 3 pairs; 2 left out, with a word that has no vector"
    assert evaluate_similarity(VECTORS, pairs, by="euclidean").correlation == 1.0
    with pytest.raises(UserError, match="only 0 of 2 pairs"):
        evaluate_similarity(VECTORS, pairs[3:])


def test_no_analogy_that_can_be_judged_is_said_plainly() -> None:
    vectors = WordVectors(["a", "b"], np.eye(2, dtype=np.float32))
    questions = {"capital": [("Rome", "Italy", "Oslo", "Norway")], "gram1": [("a", "b", "b", "x")]}
    found = str(evaluate_analogies(vectors, questions))
    assert found.startswith("no analogies to evaluate: none of 2 has vectors for all its words")
    assert "\n" not in found and "nan" not in found


def test_a_section_without_answers_has_no_percentage() -> None:
    vectors = WordVectors(["a", "b", "c", "d"], np.eye(4, dtype=np.float32))
    questions = {"one": [("a", "b", "c", "d")], "two": [("a", "b", "c", "x")]}
    found = str(evaluate_analogies(vectors, questions)).splitlines()
    assert "two: none of 1 analogies has vectors for all its words" in found
    assert "syntactic: no analogies" in found
    assert "nan" not in "".join(found)


def test_judgements_that_are_all_equal_have_no_correlation() -> None:
    vectors = WordVectors(["a", "b", "c"], np.eye(3, dtype=np.float32))
    found = evaluate_similarity(vectors, [("a", "b", 1.0), ("a", "c", 1.0)])
    assert str(found).startswith("no correlation over 2 pairs")


@pytest.mark.parametrize(
    ("name", "pairs"), [("EN-WS-353-ALL", 353), ("EN-SIMLEX-999", 999), ("EN-RG-65", 65)]
)
def test_the_usual_pairs_are_read_without_loss(name: str, pairs: int) -> None:
    found = read_pairs(real_data(f"word-similarity/{name}.txt"))
    assert len(found) == pairs
    assert all(0 <= judgement <= 10 and " " not in first for first, _, judgement in found)


def test_the_google_analogies_are_read_without_loss() -> None:
    sections = read_analogies(real_data("word-similarity/questions-words.txt"))
    counts = {name: len(questions) for name, questions in sections.items()}
    assert len(counts) == 14 and sum(counts.values()) == 19_544
    assert sum(n for name, n in counts.items() if name.startswith("gram")) == 10_675
