"""Metrics of sequences against sacrebleu and brute force."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from nlp_rnn.evaluation.bootstrap import interval
from nlp_rnn.evaluation.sequences import (
    alternatives,
    levenshtein,
    sequence_figures,
    sequence_metrics,
)
from nlp_rnn.evaluation.significance import compared

WORDS = ["the", "The", "cat", "sat", "on", "a", "mat", "today,", "(now)", "1.5"]


def noisy_pairs(seed: int, count: int = 60) -> tuple[list[str], list[list[str]]]:
    """Outputs with two references each, of which they share some words; some outputs are empty."""
    rng = np.random.default_rng(seed)
    references = [
        [" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(2)] for _ in range(count)
    ]
    outputs = [
        " ".join(word for word in each[0].split() if rng.random() < 0.8) for each in references
    ]
    return outputs, references


def recursive_distance(a: Sequence[str], b: Sequence[str]) -> int:
    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        replaced = distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(replaced, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(a), len(b))


def test_the_edit_distance_is_the_recursion() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = ("".join(rng.choice(list("abc"), rng.integers(0, 9))) for _ in range(2))
        assert levenshtein(a, b) == recursive_distance(a, b)


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_bleu_and_chrf_are_sacrebleus(lowercase: bool, count: int) -> None:
    outputs, references = noisy_pairs(1)
    references = [each[:count] for each in references]
    found = sequence_metrics(outputs, references, ("bleu", "chrf"), lowercase=lowercase)
    columns = [list(column) for column in zip(*references, strict=True)]
    for name, metric in (("bleu", BLEU(lowercase)), ("chrf", CHRF(lowercase=lowercase))):
        assert found[name] == pytest.approx(metric.corpus_score(outputs, columns).score)
        assert found["signature"][name] == str(metric.get_signature())


@pytest.mark.parametrize(
    ("output", "reference"), [("", "a b c d e"), ("a b", "a b"), ("x y z w v", "a"), ("a", "")]
)
def test_bleu_and_chrf_of_little_text_are_sacrebleus(output: str, reference: str) -> None:
    found = sequence_metrics([output], [[reference]], ("bleu", "chrf"))
    assert found["bleu"] == pytest.approx(BLEU().corpus_score([output], [[reference]]).score)
    assert found["chrf"] == pytest.approx(CHRF().corpus_score([output], [[reference]]).score)


def test_metrics_of_resamples_are_those_of_the_drawn_examples() -> None:
    outputs, references = noisy_pairs(2)
    figures = sequence_figures(outputs, references)
    drawn = np.random.default_rng(3).integers(0, len(outputs), len(outputs))
    again = sequence_metrics([outputs[i] for i in drawn], [references[i] for i in drawn])
    for name, figure in figures.items():
        value = figure.of_sums(figure.terms[drawn].sum(axis=0))
        assert float(value) == pytest.approx(again[name]), name


@pytest.mark.slow
def test_intervals_and_tests_of_bleu() -> None:
    outputs, references = noisy_pairs(4, 200)
    better = sequence_figures(outputs, references)["bleu"]
    worse = sequence_figures([output[: len(output) // 2] for output in outputs], references)["bleu"]
    low, high = interval(better, resamples=200)
    assert low < better.value < high
    assert compared(better, worse, resamples=200).p < 0.02
    assert compared(better, better, resamples=200).p == 1.0


def test_distances_by_hand() -> None:
    metrics = sequence_metrics(
        ["a b d", "x"], [["a b c", "a b d e f g"], ["x"]], ("exact_match", "token_error_rate")
    )
    # One of the three tokens of the nearer reference is wrong; the second output is right.
    assert metrics == {"exact_match": 0.5, "token_error_rate": 1 / 4}
    metrics = sequence_metrics(["ab", ""], [["abcd"], [""]], ("edit_distance",))
    assert metrics == {"edit_distance": (2 / 4 + 0) / 2}


def test_lower_case_counts_where_asked() -> None:
    outputs, references = ["A Cat"], [["a cat"]]
    assert sequence_metrics(outputs, references, ("exact_match",))["exact_match"] == 0
    found = sequence_metrics(outputs, references, ("exact_match", "bleu"), lowercase=True)
    assert found["exact_match"] == 1 and "case:lc" in found["signature"]["bleu"]


def test_every_target_of_a_source_is_right() -> None:
    found = alternatives(["READ", "CAT", "READ"], ["R EH D", "K AE T", "R IY D"])
    assert found == [["R EH D", "R IY D"], ["K AE T"], ["R EH D", "R IY D"]]


def test_distance_of_all_short_sequences_is_a_metric() -> None:
    words = ["".join(letters) for n in range(4) for letters in product("ab", repeat=n)]
    for a, b in product(words, repeat=2):
        assert (levenshtein(a, b) == 0) == (a == b)
        assert levenshtein(a, b) == levenshtein(b, a)
