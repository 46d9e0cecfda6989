"""Bracket F1 against counts by hand and against a recursion over trees."""

from __future__ import annotations

import numpy as np
import pytest

from nlp_rnn.evaluation.brackets import constituents, is_tree_over
from nlp_rnn.evaluation.sequences import TREES, sequence_figures, sequence_metrics

Tree = tuple[str, list["Tree | None"]]
"""A label with its children; None is a word."""

GOLD = "(TOP (S (NP XX XX )NP (VP XX (NP XX )NP )VP XX )S )TOP"


def random_tree(rng: np.random.Generator, depth: int) -> Tree:
    children: list[Tree | None] = [
        random_tree(rng, depth - 1) if depth and rng.random() < 0.5 else None
        for _ in range(rng.integers(1, 4))
    ]
    return str(rng.choice(["S", "NP", "VP"])), children


def linear(tree: Tree | None) -> str:
    if tree is None:
        return "XX"
    label, children = tree
    return " ".join([f"({label}", *map(linear, children), f"){label}"])


def spans(tree: Tree | None, start: int) -> tuple[int, list[tuple[str, int, int]]]:
    """The word after a tree that begins at ``start``, and its constituents, children first."""
    if tree is None:
        return start + 1, []
    found, end = [], start
    for child in tree[1]:
        end, below = spans(child, end)
        found += below
    return end, [*found, (tree[0], start, end)]


def test_constituents_are_those_of_the_tree() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        tree = random_tree(rng, 4)
        end, expected = spans(tree, 0)
        assert constituents(linear(tree)) == expected
        assert is_tree_over(linear(tree), end) and not is_tree_over(linear(tree), end + 1)


@pytest.mark.parametrize(
    "tree",
    [
        "",
        "XX",
        "(S XX",
        "XX )S",
        "(S XX )NP",
        "(S (NP )NP XX )S",
        "(S XX )S (S XX )S",
        "(S XX )S XX",
        ")S",
        "(S (NP XX )S )NP",
    ],
)
def test_what_is_no_tree_is_malformed(tree: str) -> None:
    assert constituents(tree) is None


def test_f1_by_hand() -> None:
    # S and VP are right; NP is one word too short and its second NP is missing.
    guess = "(S (NP XX )NP XX (VP XX XX )VP XX )S"
    found = sequence_metrics([guess], [[GOLD]], TREES)
    assert found["bracket_f1"] == pytest.approx(2 * 2 / (4 + 3))
    assert found["malformed"] == 0 and found["exact_match"] == 0


def test_labels_count() -> None:
    guess = GOLD.replace("(VP", "(PP").replace(")VP", ")PP")
    found = sequence_metrics([guess], [[GOLD]], TREES)
    assert found["bracket_f1"] == pytest.approx(3 / 4)


def test_one_constituent_twice_must_be_found_twice() -> None:
    found = sequence_metrics(["(S (S XX )S )S"], [["(S XX )S"]], TREES)
    assert found["bracket_f1"] == pytest.approx(2 * 1 / 3)


def test_a_malformed_output_is_missed_as_a_whole() -> None:
    short = GOLD.replace(" XX )S", " )S")  # well-formed, but over a word too few
    figures = sequence_figures([GOLD, short, "(S XX"], [[GOLD]] * 3, TREES)
    assert figures["malformed"].value == pytest.approx(2 / 3)
    assert figures["bracket_f1"].value == pytest.approx(2 * 4 / (3 * 4 + 4))
