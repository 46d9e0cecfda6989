"""A PCFG against the enumeration of all trees, and against counts by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import exp, log

import numpy as np
import pytest

from nlp_rnn.baselines.pcfg import PCFG, word_class
from nlp_rnn.corpora.trees import Tree, linearised, with_words

BANK = [
    ("(S (NP XX XX )NP (VP XX (NP XX XX )NP )VP )S", "the cat saw the dog", "D N V D N"),
    ("(S (NP XX XX )NP (VP XX )VP )S", "the dog saw", "D N V"),
    (
        "(S (NP (NP XX XX )NP (PP XX (NP XX )NP )PP )NP (VP XX )VP )S",
        "the cat in it saw",
        "D N P N V",
    ),
    (
        "(S (NP XX )NP (VP XX (NP XX XX )NP (PP XX (NP XX XX )NP )PP )VP )S",
        "it saw a dog in a cat",
        "N V D N P D N",
    ),
    ("(S (VP XX (NP XX )NP )VP )S", "saw it", "V N"),
]
"""Trees whose words all occur twice or more, so that none is rare."""


def trees() -> list[Tree]:
    return [with_words(target, words.split(), tags.split()) for target, words, tags in BANK]


def test_without_annotation_probabilities_are_relative_frequencies() -> None:
    """Each tree's probability is the product over its rules; the best parse is no worse."""
    grammar = PCFG(trees(), parents=False, siblings=9)
    rules: Counter[tuple[str, ...]] = Counter()
    for tree in trees():
        rules.update(_rules(tree))
    totals: Counter[str] = Counter()
    for rule, count in rules.items():
        totals[rule[0]] += count
    for tree, (_, words, _) in zip(trees(), BANK, strict=True):
        best, log_probability = grammar.parse(words.split())
        assert log_probability >= _log_probability(tree, rules, totals) - 1e-9
        assert [leaf.word for leaf in best.leaves()] == words.split()


def _rules(tree: Tree) -> Iterator[tuple[str, ...]]:
    """The rules of a tree after unary chains became single labels, as the grammar has it."""
    chain = tree.label
    while len(tree.children) == 1:
        [tree] = tree.children
        chain += f"+{tree.label}"
    if tree.word:
        yield chain, f"<{tree.label}>"
        yield f"<{tree.label}>", tree.word
        return
    parts = [list(_rules(child)) for child in tree.children]
    yield chain, *(part[0][0] for part in parts)
    for part in parts:
        yield from part


def _log_probability(tree: Tree, rules: Counter[tuple[str, ...]], totals: Counter[str]) -> float:
    root = next(_rules(tree))[0]
    roots = Counter(next(_rules(other))[0] for other in trees())
    each = [log(rules[rule] / totals[rule[0]]) for rule in _rules(tree)]
    return log(roots[root] / len(BANK)) + sum(each)


@pytest.mark.parametrize("parents", [False, True])
@pytest.mark.parametrize("siblings", [0, 1, 2])
def test_cky_finds_the_best_of_all_trees(parents: bool, siblings: int) -> None:
    grammar = PCFG(trees(), parents=parents, siblings=siblings)
    rng = np.random.default_rng(0)
    for _ in range(6):
        words = list(rng.choice(["the", "cat", "dog", "saw", "it", "in", "a"], 6))
        _, found = grammar.parse(words)
        assert exp(found) == pytest.approx(best_of_all_trees(grammar, words))


def best_of_all_trees(grammar: PCFG, words: list[str]) -> float:
    """The probability of the best tree, by trying every rule at every split."""
    rules = grammar._rules
    emitted = [np.exp(grammar.log_probability_of_words(word)) for word in words]

    @cache
    def best(start: int, end: int, label: int) -> float:
        if end == start + 1:
            return float(emitted[start][label])
        mine = rules.of_parent(label)
        children = zip(rules.left[mine], rules.right[mine], rules.logs[mine], strict=True)
        return max(
            (
                exp(log_p) * best(start, split, int(left)) * best(split, end, int(right))
                for left, right, log_p in children
                for split in range(start + 1, end)
            ),
            default=0.0,
        )

    roots = enumerate(np.exp(grammar._root))
    return max(p * best(0, len(words), label) for label, p in roots)


def test_an_unambiguous_tree_is_found_again() -> None:
    grammar = PCFG(trees())
    for tree, (target, words, _) in zip(trees(), BANK, strict=True):
        assert linearised(grammar.parse(words.split())[0]) == target, tree


def test_unknown_words_are_parsed_by_their_class() -> None:
    bank = [
        *trees(),
        *trees(),
        with_words("(S (NP XX )NP (VP XX )VP )S", ["Ann", "sings"], ["N", "V"]),
    ]
    parsed, log_probability = PCFG(bank).parse(["Bob", "sleeps"])
    assert linearised(parsed) == "(S (NP XX )NP (VP XX )VP )S" and log_probability > -np.inf
    assert word_class("Bob") == word_class("Ann") == "<cap>"


def test_what_the_grammar_cannot_write_gets_a_flat_tree() -> None:
    parsed, log_probability = PCFG(trees()).parse(["in", "in", "in"])
    assert linearised(parsed) == "(S XX XX XX )S" and log_probability == -np.inf
