"""Compile a rule set to a finite-state automaton: a hidden Markov model.

Because no symbol rewrites to itself, even indirectly, the rules unfold to finitely many leaves.
Each occurrence of a leaf is a state that emits one word and has one gold tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nlp_rnn.arrays import Floats, Ints

from .emission import WordClass
from .rules import Alternative, Bindings, GrammarError, Item, Rule, RuleSet, parse

END = ""  # emitted by the end states: the padding after the last word of a sentence


@dataclass(frozen=True)
class Automaton:
    """A hidden Markov model with S states, the last K of which are the end states of K starts.

    An end state emits ``END`` and loops to itself, so that a sentence padded with ``END`` has the
    probability of the sentence, and the end state that it reaches identifies its start symbol.

    Attributes:
        initial: P(first state), shape (S,), summed over starts.
        transitions: P(next state | state), sparse, shape (S, S); rows sum to 1.
        classes: the emission classes, shape (C,).
        class_of: index of each state's emission class, shape (S,).
        tags: names of the gold tags, shape (G,).
        tag_given_state: P(observed tag | state), shape (S, G): the gold tag and the annotator's
            mistakes.
        starts: values of the start symbol's features (a label, a topic; "" if it has none), shape
            (K,).
        start_of: index of the start symbol from which each state unfolds, shape (S,).
        prior: P(start), shape (K,).
        chain: P(start of the next unit | start of this one), shape (K, K).
        label_given_start: P(observed label | start), shape (K, K).
    """

    initial: Floats
    transitions: Any
    classes: tuple[WordClass, ...]
    class_of: npt.NDArray[np.int64]
    tags: tuple[str, ...]
    tag_given_state: Floats
    starts: tuple[str, ...]
    start_of: npt.NDArray[np.int64]
    prior: Floats
    chain: Floats
    label_given_start: Floats

    @property
    def states(self) -> int:
        """S, including end states."""
        return len(self.class_of)


class _Border(NamedTuple):
    """Where a fragment is entered or left: states, and a probability for each."""

    states: Ints
    p: Floats

    def scaled(self, factor: float) -> _Border:
        return _Border(self.states, self.p * factor) if factor else NOWHERE

    def shifted(self, offset: int) -> _Border:
        return _Border(self.states + offset, self.p)


NOWHERE = _Border(np.zeros(0, np.int64), np.zeros(0))


class _Arcs(NamedTuple):
    """Transitions from ``rows`` to ``columns``, and a probability for each."""

    rows: Ints
    columns: Ints
    p: Floats

    def shifted(self, offset: int) -> _Arcs:
        return _Arcs(self.rows + offset, self.columns + offset, self.p)


NO_ARCS = _Arcs(NOWHERE.states, NOWHERE.states, NOWHERE.p)


@dataclass(frozen=True)
class _Fragment:
    """A piece of the automaton, whose states are counted from 0.

    Entry probabilities and ``skip`` sum to 1.

    Attributes:
        classes: the number of each state's emission class, shape (states,).
        tags: the number of each state's gold tag, shape (states,).
        arcs: the transitions inside.
        entry: P(the fragment begins there).
        exit: P(leave the fragment | state); transitions have the remaining probability.
        skip: P(the fragment is empty).
    """

    classes: Ints
    tags: Ints
    arcs: _Arcs
    entry: _Border
    exit: _Border
    skip: float

    def present(self, presence: float) -> _Fragment:
        """The fragment, or nothing with the remaining probability."""
        skip = presence * self.skip + (1.0 - presence)
        return replace(self, entry=self.entry.scaled(presence), skip=skip)


NOTHING = _Fragment(NOWHERE.states, NOWHERE.states, NO_ARCS, NOWHERE, NOWHERE, 1.0)


def _in_turn(first: _Fragment, second: _Fragment) -> _Fragment:
    """One fragment after the other."""
    offset = len(first.classes)
    entry = second.entry.shifted(offset)
    between = _Arcs(
        np.repeat(first.exit.states, len(entry.states)),
        np.tile(entry.states, len(first.exit.states)),
        np.outer(first.exit.p, entry.p).ravel(),
    )
    return _Fragment(
        np.concatenate([first.classes, second.classes]),
        np.concatenate([first.tags, second.tags]),
        _joined([first.arcs, between, second.arcs.shifted(offset)]),
        _joined([first.entry, entry.scaled(first.skip)]),
        _joined([first.exit.scaled(second.skip), second.exit.shifted(offset)]),
        first.skip * second.skip,
    )


def _one_of(weighted: list[tuple[float, _Fragment]]) -> _Fragment:
    """Either of some fragments, each with its weight; the weights sum to 1."""
    placed, offset, skip = [], 0, 0.0
    for weight, fragment in weighted:
        placed.append((weight, fragment, offset))
        offset += len(fragment.classes)
        skip += weight * fragment.skip
    return _Fragment(
        np.concatenate([f.classes for _, f, _ in placed]),
        np.concatenate([f.tags for _, f, _ in placed]),
        _joined([f.arcs.shifted(offset) for _, f, offset in placed]),
        _joined([f.entry.scaled(weight).shifted(offset) for weight, f, offset in placed]),
        _joined([f.exit.shifted(offset) for _, f, offset in placed]),
        skip,
    )


Part = TypeVar("Part", _Border, _Arcs)


def _joined(parts: list[Part]) -> Part:
    return type(parts[0])(*map(np.concatenate, zip(*parts, strict=True)))


class _Compiler:
    """Unfolds each symbol with its arguments once, and copies what it became."""

    def __init__(self, rules: RuleSet, lexicon: Mapping[str, WordClass]) -> None:
        self.rules = rules
        self.lexicon = lexicon
        self.classes: dict[str, tuple[int, WordClass]] = {}
        self.tags: dict[str, int] = {}
        self.unfolded: dict[str, _Fragment] = {}
        self.path: list[str] = []

    def state(self, name: str, word_class: WordClass, tag: str) -> _Fragment:
        """A fragment of one state."""
        number, _ = self.classes.setdefault(name, (len(self.classes), word_class))
        of_tag = self.tags.setdefault(tag, len(self.tags))
        here = _Border(np.zeros(1, np.int64), np.ones(1))
        return _Fragment(np.array([number]), np.array([of_tag]), NO_ARCS, here, here, 0.0)

    def symbol(self, name: str, arguments: tuple[str, ...]) -> _Fragment:
        """Weighted alternation of a symbol's right-hand sides."""
        shown = f"{name}[{', '.join(arguments)}]" if arguments else name
        if shown in self.path:
            cycle = " -> ".join([*self.path[self.path.index(shown) :], shown])
            raise GrammarError(f"recursive rules, which have no finite unfolding: {cycle}")
        if shown not in self.unfolded:
            self.path.append(shown)
            self.unfolded[shown] = self.alternation(*self.rules.find(name, arguments))
            self.path.pop()
        return self.unfolded[shown]

    def alternation(self, rule: Rule, bound: Bindings) -> _Fragment:
        total = sum(alternative.weight for alternative in rule.alternatives)
        return _one_of(
            [
                (p * alternative.weight / total, self.sequence(alternative, bindings))
                for alternative in rule.alternatives
                for p, bindings in self.rules.bindings(alternative, bound)
            ]
        )

    def sequence(self, alternative: Alternative, bindings: Bindings) -> _Fragment:
        items = (self.item(item, bindings) for item in alternative.items)
        return reduce(_in_turn, items, NOTHING)

    def item(self, item: Item, bindings: Bindings) -> _Fragment:
        if item.form == "symbol":
            arguments = tuple(self.rules.resolve(name, bindings) for name in item.arguments)
            return self.symbol(item.name, arguments).present(item.presence)
        return self.leaf(item, bindings).present(item.presence)

    def leaf(self, item: Item, bindings: Bindings) -> _Fragment:
        written = item.tag or self.rules.untagged
        tag = "-".join(self.rules.resolve(part, bindings) for part in written.split("-"))
        if item.form == "word":
            return self.state(f'"{item.name}"', single(item.name), tag)
        name = ".".join(self.rules.resolve(part, bindings) for part in item.name.split("."))
        if name not in self.lexicon:
            raise GrammarError(f"no class '{name}' in the lexicon (written '<{item.name}>')")
        return self.state(name, self.lexicon[name], tag)


def single(word: str) -> WordClass:
    """The class that emits nothing but ``word``."""
    return WordClass((word,), np.ones(1))


def compile_grammar(text: str, lexicon: Mapping[str, WordClass]) -> Automaton:
    """Compile a rule text (see ``rules``) whose ``<classes>`` are those of ``lexicon``.

    Raises:
        GrammarError: the rules are ill-formed, incomplete or recursive, name a class that the
            lexicon lacks, or let the start symbol be empty.
    """
    rules = parse(text)
    compiler = _Compiler(rules, lexicon)
    whole = Alternative(1.0, (rules.start,))
    starts = [
        (p, " ".join(bindings.values()), compiler.sequence(whole, bindings))
        for p, bindings in rules.bindings(whole, {})
    ]
    if any(fragment.skip > 0.0 for _, _, fragment in starts):
        raise GrammarError(f"the start symbol '{rules.start.name}' can be empty")
    return _automaton(compiler, starts)


def _automaton(compiler: _Compiler, starts: list[tuple[float, str, _Fragment]]) -> Automaton:
    """The fragments of all starts side by side, and their end states behind them."""
    rules, (prior, names, fragments) = compiler.rules, zip(*starts, strict=True)
    body = _one_of([(p, fragment) for p, _, fragment in starts])
    end = compiler.state(END, single(END), "")
    ends = len(body.classes) + np.arange(len(starts))
    size = len(body.classes) + len(ends)
    first = np.zeros(size)
    first[body.entry.states] = body.entry.p
    to_end = np.repeat(ends, [len(fragment.exit.states) for fragment in fragments])
    arcs = _joined(
        [
            body.arcs,
            _Arcs(body.exit.states, to_end, body.exit.p),
            _Arcs(ends, ends, np.ones(len(ends))),
        ]
    )
    gold = list(compiler.tags)
    tags = tuple(sorted({*gold, *(tag for t in gold for tag in rules.noise.get(t, ()))}))
    confused = np.stack([_confused(tag, tags, rules.noise) for tag in gold])
    stay = rules.persist * np.eye(len(starts))
    return Automaton(
        initial=first,
        transitions=sparse.csr_array((arcs.p, (arcs.rows, arcs.columns)), shape=(size, size)),
        classes=tuple(word_class for _, word_class in compiler.classes.values()),
        class_of=np.concatenate([body.classes, np.repeat(end.classes, len(ends))]),
        tags=tags,
        tag_given_state=confused[np.concatenate([body.tags, np.repeat(end.tags, len(ends))])],
        starts=names,
        start_of=np.concatenate(
            [
                np.repeat(np.arange(len(starts)), [len(f.classes) for f in fragments]),
                np.arange(len(starts)),
            ]
        ),
        prior=np.array(prior),
        chain=stay + (1.0 - rules.persist) * np.array(prior)[None, :],
        label_given_start=np.stack([_confused(s, names, rules.noise) for s in names]),
    )


def _confused(
    name: str, names: tuple[str, ...], noise: Mapping[str, Mapping[str, float]]
) -> Floats:
    """P(what the annotator writes | ``name``), over ``names``."""
    mistakes = noise.get(name, {})
    p = np.array([mistakes.get(other, 0.0) for other in names])
    p[names.index(name)] += 1.0 - p.sum()
    return p
