"""A probabilistic context-free grammar read off training trees, and its best parses by CKY.

The probability of a rule is its relative frequency (Charniak 1996). A constituent is annotated with
the label of its parent, and its children are generated from left to right by a Markov process that
knows the last of them (Johnson 1998; Klein & Manning 2003, with ``v = 2`` and ``h = 1``)::

    S -> NP VP .      becomes      S -> NP^S  @S[NP]      @S[NP] -> VP^S  .

Chains of unary rules become one label, such as ``S+VP``, so that every rule has two children and
CKY is exact. Words that occur once in training stand for unknown ones: each becomes a class that
tells its spelling, such as ``<cap-ing>``, and so does every word that training lacks.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.corpora.trees import Tree

RARE = 1
"""Words that occur at most this often in training are replaced by their classes."""

UNKNOWN = "<unknown>"
"""The class of all rare words, for words whose own class training lacks."""

ENDINGS = ("ing", "ed", "ly", "er", "est", "ion", "able", "al", "ive", "ous", "y", "s")

Chain = tuple[str, ...]
"""The labels of a chain of unary rules from the top; a word's ends with its part of speech."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A node of a binary tree.

    Attributes:
        label: of the grammar.
        below: two nodes, or none over a word.
        word: of a node over one.
    """

    label: str
    below: tuple[_Node, ...] = ()
    word: str = ""


def word_class(word: str) -> str:
    """The class of an unknown word: digits, capitals, hyphens and the ending.

    >>> [word_class(word) for word in ("Rowing", "1,000", "well-known", "cats")]
    ['<cap-ing>', '<number>', '<hyphen>', '<lower-s>']
    """
    if re.fullmatch(r"[\d.,:/$%-]*\d[\d.,:/$%-]*", word):
        return "<number>"
    if not any(character.isalpha() for character in word):
        return "<symbol>"
    if "@" in word or "://" in word or word.startswith("www."):
        return "<address>"
    if any(character.isdigit() for character in word):
        return "<mixed>"
    case = "upper" if word.isupper() else "cap" if word[0].isupper() else "lower"
    if case == "lower" and "-" in word:
        return "<hyphen>"
    ending = next((e for e in ENDINGS if word.lower().endswith(e) and len(word) > len(e) + 1), "")
    return f"<{case}{'-' + ending if ending else ''}>"


class PCFG:
    """The grammar of a collection of trees.

    Args:
        trees: of the training sentences.
        parents: whether constituents are annotated with the labels of their parents.
        siblings: how many previous children the next one depends on.
    """

    def __init__(self, trees: Iterable[Tree], *, parents: bool = True, siblings: int = 1) -> None:
        trees = list(trees)
        self._parents, self._siblings = parents, siblings
        words = Counter(leaf.word for tree in trees for leaf in tree.leaves())
        self._known = {word for word, count in words.items() if count > RARE}
        self._chains: dict[str, Chain] = {}
        roots: Counter[str] = Counter()
        rules: Counter[tuple[str, str, str]] = Counter()
        lexical: Counter[str] = Counter()
        for tree in trees:
            top = self._binary(tree, "")
            roots[top.label] += 1
            for node in _nodes(top):
                if node.below:
                    rules[node.label, node.below[0].label, node.below[1].label] += 1
                else:
                    lexical[node.label] += 1
        self._emissions = self._count_words(trees)
        # Labels over words come first, then those over several; a label may be both.
        over_words = sorted(lexical)
        self.labels = [*over_words, *sorted({rule[0] for rule in rules} - lexical.keys())]
        self._index = {label: i for i, label in enumerate(self.labels)}
        self._of_tag: dict[str, list[int]] = defaultdict(list)
        for label in over_words:
            self._of_tag[self._chains[label][-1]].append(self._index[label])
        uses = lexical.copy()
        for rule, count in rules.items():
            uses[rule[0]] += count
        self._over_word = np.log([lexical[label] / uses[label] for label in over_words])
        self._root = np.full(len(self.labels), -np.inf)
        for label, count in roots.items():
            self._root[self._index[label]] = np.log(count / len(trees))
        self._rules = self._arrays(rules, uses)

    # --- reading off ----------------------------------------------------------------------

    def _binary(self, tree: Tree, parent: str) -> _Node:
        """A tree with unary chains as single labels and no more than two children a node."""
        chain = [tree.label]
        while len(tree.children) == 1:
            [tree] = tree.children
            chain.append(tree.label)
        if tree.word:
            return _Node(self._label(chain, ""), word=tree.word)
        label = self._label(chain, parent)
        children = [self._binary(child, tree.label) for child in tree.children]
        return self._grouped(label, [child.label for child in tree.children], children)

    def _label(self, chain: Sequence[str], parent: str) -> str:
        """The grammar's name of a chain, which it remembers."""
        label = "+".join(chain) + (f"^{parent}" if self._parents and parent else "")
        self._chains[label] = tuple(chain)
        return label

    def _grouped(self, label: str, names: Sequence[str], children: Sequence[_Node]) -> _Node:
        """Children one by one, each beside a node for those after it."""
        base = label.removeprefix("@").partition("[")[0]
        if len(children) == 2:
            return _Node(label, tuple(children))
        done = self._done(label, names[0])
        rest = f"@{base}[{' '.join(done)}]"
        self._chains[rest] = ()
        return _Node(label, (children[0], self._grouped(rest, names[1:], children[1:])))

    def _done(self, label: str, name: str) -> list[str]:
        """The children that the next one depends on."""
        before = label.partition("[")[2].removesuffix("]").split() if label[0] == "@" else []
        return [*before, name][-self._siblings :] if self._siblings else []

    def _count_words(self, trees: Iterable[Tree]) -> dict[str, list[tuple[str, float]]]:
        """For each word or class, the parts of speech with ``ln P(word | part of speech)``."""
        pairs: Counter[tuple[str, str]] = Counter()
        unknown: Counter[str] = Counter()
        tags: Counter[str] = Counter()
        for tree in trees:
            for leaf in tree.leaves():
                tags[leaf.label] += 1
                pairs[self._form(leaf.word), leaf.label] += 1
                unknown[leaf.label] += leaf.word not in self._known
        emissions = defaultdict(list)
        for (form, tag), count in pairs.items():
            emissions[form].append((tag, float(np.log(count / tags[tag]))))
        for tag, count in unknown.items():
            if count:
                emissions[UNKNOWN].append((tag, float(np.log(count / tags[tag]))))
        return dict(emissions)

    def _form(self, word: str) -> str:
        return word if word in self._known else word_class(word)

    def _arrays(self, rules: Mapping[tuple[str, str, str], int], uses: Mapping[str, int]) -> _Rules:
        """The rules, ordered by the label on their left side."""
        index = self._index
        ordered = sorted(rules, key=lambda rule: tuple(index[label] for label in rule))
        rows = np.array([[index[label] for label in rule] for rule in ordered], np.int64)
        parent, left, right = rows.reshape(-1, 3).T
        logs = np.log([rules[rule] / uses[rule[0]] for rule in ordered])
        return _Rules(parent, left, right, logs, len(self.labels))

    # --- parsing --------------------------------------------------------------------------

    def log_probability_of_words(self, word: str) -> Floats:
        """``ln P(word | label)`` of each label ``(labels,)``; -inf for those not over words."""
        scores = np.full(len(self.labels), -np.inf)
        form = self._form(word)
        for tag, log in self._emissions.get(form, self._emissions.get(UNKNOWN, [])):
            for label in self._of_tag[tag]:
                scores[label] = self._over_word[label] + log
        return scores

    def parse(self, words: Sequence[str]) -> tuple[Tree, float]:
        """The most probable tree of a sentence of one word or more, and the logarithm of its
        probability. If the grammar gives the sentence no tree, it is a flat tree with -inf."""
        chart = self._chart(words)
        whole = self._root + chart[0, len(words)]
        best = int(whole.argmax())
        if np.isneginf(whole[best]):
            return self.flat(words), -np.inf
        [tree] = self._read(chart, words, 0, len(words), best)
        return tree, float(whole[best])

    def flat(self, words: Sequence[str]) -> Tree:
        """A constituent of the most frequent kind of root, right over all the words."""
        root = self._chains[self.labels[int(self._root.argmax())]][0]
        return Tree(root, tuple(Tree(UNKNOWN, word=word) for word in words))

    def _chart(self, words: Sequence[str]) -> Floats:
        """``ln`` of the best probability of each label over the words from ``start`` to before
        ``end`` ``(words, words + 1, labels)`` (Kasami 1965; Younger 1967)."""
        size = len(words)
        chart = np.full((size, size + 1, len(self.labels)), -np.inf)
        for start, word in enumerate(words):
            chart[start, start + 1] = self.log_probability_of_words(word)
        for width in range(2, size + 1):
            for start in range(size - width + 1):
                end = start + width
                left = chart[start, start + 1 : end]
                right = chart[start + 1 : end, end]
                chart[start, end] = self._rules.best(left, right)
        return chart

    def _read(
        self, chart: Floats, words: Sequence[str], start: int, end: int, label: int
    ) -> list[Tree]:
        """The trees below a node of the best parse: one, or the children of a grouping node."""
        chain = self._chains[self.labels[label]]
        if end == start + 1:
            return [_chained(chain[:-1], [Tree(chain[-1], word=words[start])])]
        splits = range(start + 1, end)
        rules = self._rules.of_parent(label)
        left, right = self._rules.left[rules], self._rules.right[rules]
        scores = chart[start, start + 1 : end][:, left] + chart[start + 1 : end, end][:, right]
        split, rule = np.unravel_index((scores + self._rules.logs[rules]).argmax(), scores.shape)
        middle = splits[split]
        below = [
            *self._read(chart, words, start, middle, int(left[rule])),
            *self._read(chart, words, middle, end, int(right[rule])),
        ]
        return [_chained(chain, below)] if chain else below


def _chained(chain: Chain, children: Sequence[Tree]) -> Tree:
    """Children below a chain of unary rules."""
    for label in reversed(chain):
        children = [Tree(label, tuple(children))]
    [tree] = children
    return tree


def _nodes(node: _Node) -> Iterator[_Node]:
    yield node
    for below in node.below:
        yield from _nodes(below)


class _Rules:
    """Binary rules as arrays, ordered by their left side.

    Args:
        parent: labels ``(rules,)``, ascending.
        left: the first child of each.
        right: the second child of each.
        logs: ``ln P(left, right | parent)``.
        labels: the number of labels.
    """

    def __init__(self, parent: Ints, left: Ints, right: Ints, logs: Floats, labels: int) -> None:
        self.parent, self.left, self.right, self.logs = parent, left, right, logs
        self._labels = labels
        self._narrow = ~np.isin(np.arange(labels), parent)

    def of_parent(self, label: int) -> slice:
        """Where the rules of one left side are."""
        start, stop = np.searchsorted(self.parent, [label, label + 1])
        return slice(int(start), int(stop))

    def best(self, left: Floats, right: Floats) -> Floats:
        """The best score of each label over a span ``(labels,)``.

        Args:
            left: scores of the part before each split ``(splits, labels)``.
            right: scores of the part after each split ``(splits, labels)``.
        """
        scores = np.full(self._labels, -np.inf)
        before, after = (np.isfinite(part.max(axis=0)) for part in (left, right))
        kept = np.flatnonzero(before[self.left] & after[self.right])
        if len(kept):
            found = self._through(left, right, kept) + self.logs[kept]
            parents = self.parent[kept]
            first = np.flatnonzero(np.diff(parents, prepend=-1))
            scores[parents[first]] = np.maximum.reduceat(found, first)
        return scores

    def _through(self, left: Floats, right: Floats, kept: Ints) -> Floats:
        """The best sum of the children of rules over all splits ``(kept,)``.

        A label that is only over words stands beside the first or the last split alone.
        """
        found = np.empty(len(kept))
        narrow_left, narrow_right = self._narrow[self.left[kept]], self._narrow[self.right[kept]]
        for chosen, splits in (
            (narrow_left, slice(0, 1)),
            (narrow_right & ~narrow_left, slice(len(left) - 1, None)),
            (~narrow_left & ~narrow_right, slice(None)),
        ):
            rules = kept[chosen]
            sums = left[splits][:, self.left[rules]] + right[splits][:, self.right[rules]]
            found[chosen] = sums.max(axis=0)
        return found
