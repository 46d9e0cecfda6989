"""Constituency trees as sequences of tokens, and the labelled F1 of their brackets.

A tree without its words is written as by Vinyals et al. (2015)::

    (S (NP XX )NP (VP XX (NP XX XX )NP )VP XX )S

``(LABEL`` opens a constituent, ``)LABEL`` closes it, and any other token stands for one word of the
sentence. The metric is that of evalb with its defaults, except that punctuation counts like other
words: a constituent is right if its label and both its ends are. Parts of speech (preterminals) are
no constituents, and neither is ``TOP``. A malformed output has no constituent, so its sentence is
missed as a whole; evalb would leave the sentence out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nlp_rnn.evaluation.figure import Figure, quotient

Span = tuple[str, int, int]
"""The label of a constituent, its first word, and the word after its last."""

ROOT = "TOP"


def constituents(tree: str) -> list[Span] | None:
    """The constituents of a linearised tree, ``TOP`` included; None if it is malformed.

    It is malformed if a bracket is never closed or closed under another label, if a constituent has
    no words, or if it is not one tree.

    >>> constituents("(S (NP XX )NP (VP XX )VP )S")
    [('NP', 0, 1), ('VP', 1, 2), ('S', 0, 2)]
    >>> constituents("(S XX )NP") is None
    True
    """
    open_brackets: list[tuple[str, int]] = []
    found: list[Span] = []
    words = 0
    for position, token in enumerate(tree.split()):
        if not open_brackets and position:
            return None
        if token.startswith("(") and len(token) > 1:
            open_brackets.append((token[1:], words))
        elif token.startswith(")") and len(token) > 1:
            label, start = open_brackets.pop() if open_brackets else ("", 0)
            if label != token[1:] or start == words:
                return None
            found.append((label, start, words))
        else:
            words += 1
    return found if found and not open_brackets else None


def words_of(tree: str) -> int:
    """How many words a linearised tree has, well-formed or not."""
    return sum(not (token[0] in "()" and len(token) > 1) for token in tree.split())


def is_tree_over(tree: str, words: int) -> bool:
    """Whether an output is a well-formed tree with as many words as its source."""
    return words_of(tree) == words and constituents(tree) is not None


def bracket_figure(outputs: Sequence[str], references: Sequence[str]) -> Figure:
    """Labelled bracket F1: the constituents found, and those in both sides, ``(examples, 2)``.

    The words of a reference are those of its source.
    """
    counts = []
    for output, reference in zip(outputs, references, strict=True):
        right = _counted(constituents(reference))
        well_formed = is_tree_over(output, words_of(reference))
        guessed = _counted(constituents(output) if well_formed else None)
        counts.append([2 * (right & guessed).total(), right.total() + guessed.total()])
    return Figure(np.array(counts, np.float64), quotient)


def _counted(spans: Sequence[Span] | None) -> Counter[Span]:
    return Counter(span for span in spans or () if span[0] != ROOT)


def malformed_figure(outputs: Sequence[str], references: Sequence[str]) -> Figure:
    """The share of outputs that are no tree over the words of their source."""
    wrong = [
        [not is_tree_over(output, words_of(reference)), 1]
        for output, reference in zip(outputs, references, strict=True)
    ]
    return Figure(np.array(wrong, np.float64), quotient)
