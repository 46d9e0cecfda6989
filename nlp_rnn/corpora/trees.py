"""Constituency trees in brackets, and the same trees as sequences without their words.

``(S (NP (DT the) (NN cat)) (VP (VBZ sleeps)))`` becomes the source ``the cat sleeps`` and, as by
Vinyals et al. (2015), the target ``(S (NP XX XX )NP (VP XX )VP )S``, with ``XX`` for each word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp_rnn.corpora.lines import BadBytes, numbered_lines
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

WORD = "XX"
"""What stands for each word in a linearised tree."""

ROOT = "TOP"
"""The label of a bracket without one, which encloses the trees of the Penn Treebank."""

EMPTY = "-NONE-"
"""The part of speech of traces, which are no words of the sentence."""

ESCAPES = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
}
"""How treebanks write brackets that are words."""

DEEPEST = 200
"""The largest depth of a tree; deeper nesting is a fault of the file."""

_TOKENS = re.compile(r"[()]|[^\s()]+")


@dataclass(frozen=True, slots=True)
class Tree:
    """A constituent with its parts, or a part of speech over its word.

    Attributes:
        label: of the constituent, without function tags; or the part of speech.
        children: the parts of a constituent, one or more.
        word: the word of a part of speech; empty for a constituent.
    """

    label: str
    children: tuple[Tree, ...] = ()
    word: str = ""

    def leaves(self) -> Iterator[Tree]:
        """The parts of speech with their words, in order."""
        if self.word:
            yield self
        for child in self.children:
            yield from child.leaves()


def read_trees(path: Path, bad_bytes: BadBytes) -> Iterator[Example]:
    """Stream the trees of a file as pairs; their ``tags`` are the parts of speech of the words."""
    for tree in bracketed_trees(path, bad_bytes):
        leaves = list(tree.leaves())
        yield Example(
            text=" ".join(leaf.word for leaf in leaves),
            target=linearised(tree),
            tags=tuple(leaf.label for leaf in leaves),
        )


def linearised(tree: Tree) -> str:
    """The tokens of a tree without its words; a root that has one constituent is left out, and a
    word without any gets one."""
    if tree.word:
        tree = Tree(ROOT, (tree,))
    elif tree.label == ROOT and len(tree.children) == 1 and not tree.children[0].word:
        tree = tree.children[0]
    return " ".join(_linear(tree))


def _linear(tree: Tree) -> Iterator[str]:
    if tree.word:
        yield WORD
        return
    yield f"({tree.label}"
    for child in tree.children:
        yield from _linear(child)
    yield f"){tree.label}"


def with_words(target: str, words: Sequence[str], tags: Sequence[str]) -> Tree:
    """The tree of a well-formed :func:`linearised` one over its words and their parts of speech.

    >>> tree = with_words("(S (NP XX )NP XX )S", ["she", "sleeps"], ["PRP", "VBZ"])
    >>> linearised(tree), [leaf.word for leaf in tree.leaves()]
    ('(S (NP XX )NP XX )S', ['she', 'sleeps'])
    """
    leaves = (Tree(tag, word=word) for tag, word in zip(tags, words, strict=True))
    open_brackets: list[tuple[str, list[Tree]]] = [("", [])]
    for token in target.split():
        if token.startswith("("):
            open_brackets.append((token[1:], []))
        elif token.startswith(")"):
            label, children = open_brackets.pop()
            open_brackets[-1][1].append(Tree(label, tuple(children)))
        else:
            open_brackets[-1][1].append(next(leaves))
    [(_, [tree])] = open_brackets
    return tree


# --- brackets ---------------------------------------------------------------------------


def bracketed_trees(path: Path, bad_bytes: BadBytes) -> Iterator[Tree]:
    """Stream the trees of a file: one in each line, or with continuation lines that are indented.

    Function tags and indices are cut from labels (``NP-SBJ=2`` becomes ``NP``), traces are left
    out, and words that stand for brackets become these.

    Raises:
        UserError: brackets do not match, a bracket is empty, or words stand beside constituents.
    """
    for number, text in _whole_trees(numbered_lines(path, bad_bytes), path):
        tree = _without_traces(_parsed(text, f"{path}, line {number}"))
        if tree is None:
            raise UserError(f"{path}, line {number}: the tree has no words")
        yield tree


def _whole_trees(lines: Iterable[tuple[int, str]], path: Path) -> Iterator[tuple[int, str]]:
    """Join indented lines with the line before; the number is that of the first."""
    begun, parts = 0, list[str]()
    for number, line in lines:
        if not line.strip():
            continue
        if line[0].isspace() and parts:
            parts.append(line)
            continue
        if parts:
            yield begun, " ".join(parts)
        begun, parts = number, [line]
    if parts:
        yield begun, " ".join(parts)


def _parsed(text: str, where: str) -> Tree:
    """The one tree of a text."""
    open_brackets: list[list[str | Tree]] = []
    tree: Tree | None = None
    for token in _TOKENS.findall(text):
        if tree is not None:
            raise UserError(f"{where}: '{token}' stands after the end of the tree")
        if token == "(":
            open_brackets.append([])
            if len(open_brackets) > DEEPEST:
                raise UserError(f"{where}: the tree is deeper than {DEEPEST} brackets")
        elif not open_brackets:
            raise UserError(f"{where}: '{token}' stands outside brackets; expected (LABEL …)")
        elif token != ")":
            open_brackets[-1].append(token)
        else:
            closed = _closed(open_brackets.pop(), where)
            if open_brackets:
                open_brackets[-1].append(closed)
            else:
                tree = closed
    if tree is None:
        raise UserError(f"{where}: the tree is not closed; {len(open_brackets)} ) are missing")
    return tree


def _closed(parts: list[str | Tree], where: str) -> Tree:
    """The tree of what stands between two brackets: a label and a word, or constituents."""
    label = parts.pop(0) if parts and isinstance(parts[0], str) else ROOT
    children = tuple(part for part in parts if isinstance(part, Tree))
    if children and len(children) == len(parts):
        return Tree(_plain(str(label)), children)
    if len(parts) == 1:
        return Tree(str(label), word=ESCAPES.get(str(parts[0]), str(parts[0])))
    found = " ".join(part if isinstance(part, str) else "(…)" for part in parts)
    raise UserError(
        f"{where}: expected a label with one word or with constituents, found '({label} {found})'"
    )


def _plain(label: str) -> str:
    """A label without function tags and indices; ``-LRB-`` is no such tag."""
    return label if label.startswith("-") else re.split(r"[-=]", label, maxsplit=1)[0]


def _without_traces(tree: Tree) -> Tree | None:
    """A tree without empty categories and the constituents that hold nothing else."""
    if tree.word:
        return None if tree.label == EMPTY else tree
    kept = tuple(child for part in tree.children if (child := _without_traces(part)) is not None)
    return Tree(tree.label, kept) if kept else None
