"""Compile a rule set to a finite-state automaton: a hidden Markov model.

Because no symbol rewrites to itself, even indirectly, the rules unfold to finitely many leaves.
Each occurrence of a leaf is a state that emits one word and has one gold tag.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from nlp_rnn.arrays import Floats

from .emission import WordClass
from .rules import Alternative, Bindings, GrammarError, Item, RuleSet, parse

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


@dataclass
class _Fragment:
    """A piece of the automaton. Entry probabilities and ``skip`` sum to 1.

    Attributes:
        entry: state -> P(the fragment begins there).
        exit: state -> P(leave the fragment | state); transitions have the remaining probability.
        skip: P(the fragment is empty).
    """

    entry: dict[int, float]
    exit: dict[int, float]
    skip: float


class _Compiler:
    def __init__(self, rules: RuleSet, lexicon: Mapping[str, WordClass]) -> None:
        self.rules = rules
        self.lexicon = lexicon
        self.classes: dict[str, WordClass] = {}
        self.state_class: list[str] = []
        self.state_tag: list[str] = []
        self.transitions: dict[tuple[int, int], float] = {}
        self.path: list[str] = []

    def state(self, name: str, word_class: WordClass, tag: str) -> int:
        self.classes.setdefault(name, word_class)
        self.state_class.append(name)
        self.state_tag.append(tag)
        return len(self.state_class) - 1

    def symbol(self, name: str, arguments: tuple[str, ...]) -> _Fragment:
        """Weighted alternation of a symbol's right-hand sides."""
        shown = f"{name}[{', '.join(arguments)}]" if arguments else name
        if shown in self.path:
            cycle = " -> ".join([*self.path[self.path.index(shown) :], shown])
            raise GrammarError(f"recursive rules, which have no finite unfolding: {cycle}")
        self.path.append(shown)
        rule, bound = self.rules.find(name, arguments)
        total = sum(alternative.weight for alternative in rule.alternatives)
        result = _Fragment({}, {}, 0.0)
        for alternative in rule.alternatives:
            for p, bindings in self.rules.bindings(alternative, bound):
                weight = p * alternative.weight / total
                fragment = self.sequence(alternative, bindings)
                result.entry |= _scaled(fragment.entry, weight)
                result.exit |= fragment.exit
                result.skip += weight * fragment.skip
        self.path.pop()
        return result

    def sequence(self, alternative: Alternative, bindings: Bindings) -> _Fragment:
        result = _Fragment({}, {}, 1.0)
        for item in alternative.items:
            result = self.concatenate(result, self.item(item, bindings))
        return result

    def concatenate(self, first: _Fragment, second: _Fragment) -> _Fragment:
        for i, leave in first.exit.items():
            for j, enter in second.entry.items():
                self.transitions[i, j] = leave * enter
        return _Fragment(
            first.entry | _scaled(second.entry, first.skip),
            _scaled(first.exit, second.skip) | second.exit,
            first.skip * second.skip,
        )

    def item(self, item: Item, bindings: Bindings) -> _Fragment:
        if item.form == "symbol":
            arguments = tuple(self.rules.resolve(name, bindings) for name in item.arguments)
            fragment = self.symbol(item.name, arguments)
        else:
            fragment = self.leaf(item, bindings)
        absent = 1.0 - item.presence
        return _Fragment(
            _scaled(fragment.entry, item.presence),
            fragment.exit,
            item.presence * fragment.skip + absent,
        )

    def leaf(self, item: Item, bindings: Bindings) -> _Fragment:
        written = item.tag or self.rules.untagged
        tag = "-".join(self.rules.resolve(part, bindings) for part in written.split("-"))
        if item.form == "word":
            state = self.state(f'"{item.name}"', single(item.name), tag)
        else:
            name = ".".join(self.rules.resolve(part, bindings) for part in item.name.split("."))
            if name not in self.lexicon:
                raise GrammarError(f"no class '{name}' in the lexicon (written '<{item.name}>')")
            state = self.state(name, self.lexicon[name], tag)
        return _Fragment({state: 1.0}, {state: 1.0}, 0.0)


def _scaled(distribution: dict[int, float], factor: float) -> dict[int, float]:
    return {state: p * factor for state, p in distribution.items()} if factor else {}


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
    starts: list[str] = []
    prior: list[float] = []
    start_of: list[int] = []
    initial: dict[int, float] = {}
    exits = []
    whole = Alternative(1.0, (rules.start,))
    for p, bindings in rules.bindings(whole, {}):
        fragment = compiler.sequence(whole, bindings)
        if fragment.skip > 0.0:
            raise GrammarError(f"the start symbol '{rules.start.name}' can be empty")
        start_of += [len(starts)] * (len(compiler.state_class) - len(start_of))
        starts.append(" ".join(bindings.values()))
        prior.append(p)
        initial |= _scaled(fragment.entry, p)
        exits.append(fragment.exit)
    for index, leaving in enumerate(exits):
        end = compiler.state(END, single(END), "")
        start_of.append(index)
        compiler.transitions |= {(state, end): p for state, p in leaving.items()}
        compiler.transitions[end, end] = 1.0
    return _automaton(compiler, starts, prior, start_of, initial)


def _automaton(
    compiler: _Compiler,
    starts: list[str],
    prior: list[float],
    start_of: list[int],
    initial: dict[int, float],
) -> Automaton:
    rules, size = compiler.rules, len(compiler.state_class)
    first = np.zeros(size)
    first[list(initial)] = list(initial.values())
    rows, columns = np.array(list(compiler.transitions)).T
    values = np.array(list(compiler.transitions.values()))
    names = list(compiler.classes)
    gold = list(dict.fromkeys(compiler.state_tag))
    tags = tuple(sorted({*gold, *(tag for t in gold for tag in rules.noise.get(t, ()))}))
    stay = rules.persist * np.eye(len(starts))
    return Automaton(
        initial=first,
        transitions=sparse.csr_array((values, (rows, columns)), shape=(size, size)),
        classes=tuple(compiler.classes.values()),
        class_of=np.array([names.index(name) for name in compiler.state_class]),
        tags=tags,
        tag_given_state=np.stack([_confused(tag, tags, rules.noise) for tag in compiler.state_tag]),
        starts=tuple(starts),
        start_of=np.array(start_of),
        prior=np.array(prior),
        chain=stay + (1.0 - rules.persist) * np.array(prior)[None, :],
        label_given_start=np.stack([_confused(s, tuple(starts), rules.noise) for s in starts]),
    )


def _confused(
    name: str, names: tuple[str, ...], noise: Mapping[str, Mapping[str, float]]
) -> Floats:
    """P(what the annotator writes | ``name``), over ``names``."""
    mistakes = noise.get(name, {})
    p = np.array([mistakes.get(other, 0.0) for other in names])
    p[names.index(name)] += 1.0 - p.sum()
    return p
