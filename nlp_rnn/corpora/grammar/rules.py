"""The notation in which the grammars are written: weighted rewrite rules with features.

A grammar is a text of statements. A statement starts at the left margin and continues on the
indented lines below it; ``#`` starts a comment. ::

    feature num = 3 sg | 2 pl               # a feature, its values and their weights
    start sentence                          # or: start review[label], one start for each value
    persist 0.9                             # P(the next unit keeps the start symbol)
    noise NOUN = VERB 0.01 | ADJ 0.01       # the annotator's mistakes
    untagged O                              # the tag of words written without one

    sentence -> 4 subject[num] verb[num] "."/PUNCT
              | 1 "there"/PRON verb[sg] subject[sg] "."/PUNCT
    subject[num] -> <det.num>/DET <adj>/ADJ?0.3 <noun.num>/NOUN

``"word"`` is itself, ``<class.value>`` is a word of a lexicon class, other names are symbols;
several words between one pair of quotes stand for as many items. ``/TAG`` is the gold tag and
``?p`` makes an item optional, present with probability p. A feature's name in brackets, in a class
or in a tag stands for its value. If the left side lists the feature, the rule holds for each of its
values; otherwise a value is drawn by the feature's weights, once for the whole alternative. ``~f``
is the other value of the two-valued feature f. The weights of alternatives are relative: they are
scaled to sum to 1.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

Bindings = Mapping[str, str]


class GrammarError(ValueError):
    """A rule text that is ill-formed, incomplete or recursive; the message quotes the place."""


@dataclass(frozen=True)
class Item:
    """One item of a right side, as written (features not yet replaced by values).

    Attributes:
        form: "word", "class" or "symbol".
        name: the word, the dotted class name, or the symbol's name.
        arguments: the contents of a symbol's brackets.
        tag: gold tag, possibly with features between hyphens; "" if there is none.
        presence: the probability that the item is present.
    """

    form: str
    name: str
    arguments: tuple[str, ...] = ()
    tag: str = ""
    presence: float = 1.0


@dataclass(frozen=True)
class Alternative:
    """A weighted right side."""

    weight: float
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Rule:
    """All alternatives for a symbol, with the features or values that its left side lists."""

    symbol: str
    parameters: tuple[str, ...]
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class RuleSet:
    """A parsed grammar.

    Attributes:
        features: feature -> value -> probability.
        start: the start symbol with its arguments.
        persist: the probability that a unit keeps the start symbol of the unit before it.
        untagged: the gold tag of items written without one.
        noise: tag or label -> what the annotator writes instead -> probability.
        rules: symbol -> its rules.
    """

    features: dict[str, dict[str, float]]
    start: Item
    persist: float
    untagged: str
    noise: dict[str, dict[str, float]]
    rules: dict[str, list[Rule]]

    def resolve(self, name: str, bindings: Bindings) -> str:
        """The value of ``name``: that of a bound feature, the opposite of one, or ``name``
        itself."""
        if name.startswith("~"):
            feature = name[1:]
            values = list(self.features.get(feature, ()))
            if len(values) != 2 or feature not in bindings:
                raise GrammarError(f"'{name}': '{feature}' is not a two-valued feature in scope")
            return values[1 - values.index(bindings[feature])]
        return bindings.get(name, name)

    def bindings(
        self, alternative: Alternative, bound: Bindings
    ) -> Iterator[tuple[float, Bindings]]:
        """All assignments of values to an alternative's features, with their probabilities."""
        free = sorted(
            name
            for item in alternative.items
            for name in _mentions(item)
            if name in self.features and name not in bound
        )
        free = list(dict.fromkeys(free))
        for values in product(*(self.features[name] for name in free)):
            p = prod(self.features[name][value] for name, value in zip(free, values, strict=True))
            yield p, {**bound, **dict(zip(free, values, strict=True))}

    def find(self, symbol: str, arguments: tuple[str, ...]) -> tuple[Rule, Bindings]:
        """The only rule for ``symbol[arguments]``, with the bindings of its left side.

        Raises:
            GrammarError: there is no such rule, or there are several.
        """
        found = []
        for rule in self.rules.get(symbol, ()):
            bound = self._match(rule.parameters, arguments)
            if bound is not None:
                found.append((rule, bound))
        shown = f"{symbol}[{', '.join(arguments)}]" if arguments else symbol
        if not found:
            raise GrammarError(f"no rule for '{shown}'")
        if len(found) > 1:
            raise GrammarError(f"{len(found)} rules for '{shown}': write one, with alternatives")
        return found[0]

    def _match(self, parameters: tuple[str, ...], arguments: tuple[str, ...]) -> Bindings | None:
        if len(parameters) != len(arguments):
            return None
        bound: dict[str, str] = {}
        for parameter, argument in zip(parameters, arguments, strict=True):
            if parameter in self.features:
                if argument not in self.features[parameter]:
                    return None
                bound[parameter] = argument
            elif parameter != argument:
                return None
        return bound


def _mentions(item: Item) -> Iterator[str]:
    """Names in an item that may be features, without the ``~`` of an opposite."""
    names = (*item.arguments, *item.tag.split("-"))
    if item.form == "class":
        names += tuple(item.name.split("."))
    for name in names:
        yield name.removeprefix("~")


_ITEM = re.compile(
    r"""(?: "(?P<word>[^"]+)" | <(?P<class>[\w.~]+)> | (?P<symbol>[a-z]\w*)
        (?: \[ (?P<arguments>[^\]]*) \] )? )
        (?: / (?P<tag>[\w~-]+) )? (?: \? (?P<presence>[\d.]+) )? (?=\s|$)""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"\d+(\.\d+)?(?=\s)")
_LEFT = re.compile(r"([a-z]\w*)\s*(?:\[([^\]]*)\])?")


def parse(text: str) -> RuleSet:
    """Read a rule text.

    Raises:
        GrammarError: a statement is ill-formed, or the start statement is missing.
    """
    features: dict[str, dict[str, float]] = {}
    noise: dict[str, dict[str, float]] = {}
    rules: dict[str, list[Rule]] = {}
    start: Item | None = None
    persist, untagged = 0.0, ""
    for statement in _statements(text):
        keyword, _, rest = statement.partition(" ")
        if keyword == "feature":
            name, values = _definition(statement, rest)
            pairs = [_weighted(value) for value in values]
            if any(" " in value or not value for _, value in pairs):
                raise GrammarError(f"'{statement}': a value is one word")
            total = sum(weight for weight, _ in pairs)
            features[name] = {value: weight / total for weight, value in pairs}
        elif keyword == "noise":
            name, values = _definition(statement, rest)
            noise[name] = dict(_mistake(statement, value) for value in values)
            if sum(noise[name].values()) > 1.0:
                raise GrammarError(f"'{statement}': probabilities sum to more than 1")
        elif keyword == "persist":
            persist = _probability(statement, rest)
        elif keyword == "untagged":
            untagged = rest.strip()
        elif keyword == "start":
            start = _items(rest)[0]
        else:
            rule = _rule(statement)
            rules.setdefault(rule.symbol, []).append(rule)
    if start is None:
        raise GrammarError("no 'start' statement")
    return RuleSet(features, start, persist, untagged, noise, rules)


def _statements(text: str) -> Iterator[str]:
    lines: list[str] = []
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", raw).rstrip()
        if not line:
            continue
        if not line[0].isspace() and lines:
            yield " ".join(lines)
            lines = []
        lines.append(line.strip())
    if lines:
        yield " ".join(lines)


def _definition(statement: str, rest: str) -> tuple[str, list[str]]:
    name, equals, values = rest.partition("=")
    if not equals or not name.strip() or not values.strip():
        raise GrammarError(f"'{statement}': expected NAME = VALUE | VALUE ...")
    return name.strip(), [value.strip() for value in values.split("|")]


def _probability(statement: str, text: str) -> float:
    try:
        p = float(text)
    except ValueError:
        p = -1.0
    if not 0.0 <= p <= 1.0:
        raise GrammarError(f"'{statement}': '{text}' is not a probability")
    return p


def _mistake(statement: str, text: str) -> tuple[str, float]:
    tag, _, p = text.partition(" ")
    return tag, _probability(statement, p)


def _weighted(text: str) -> tuple[float, str]:
    """A leading relative weight, 1 if there is none, and the rest."""
    match = _NUMBER.match(text)
    if match is None:
        return 1.0, text.strip()
    weight = float(match.group())
    if weight <= 0.0:
        raise GrammarError(f"'{text}': a weight must be above 0")
    return weight, text[match.end() :].strip()


def _rule(statement: str) -> Rule:
    left, arrow, right = statement.partition("->")
    match = _LEFT.fullmatch(left.strip())
    if not arrow or match is None:
        raise GrammarError(f"'{statement}': expected SYMBOL[FEATURES] -> ALTERNATIVES")
    alternatives = []
    for text in re.split(r"\s\|(?=\s|$)", right):
        weight, body = _weighted(text.strip())
        alternatives.append(Alternative(weight, _items(body)))
    return Rule(match.group(1), _names(match.group(2)), tuple(alternatives))


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",")) if text else ()


def _items(text: str) -> tuple[Item, ...]:
    items: list[Item] = []
    position = 0
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None:
            raise GrammarError(f"cannot read '{text[position:]}' in '{text}'")
        items.extend(_item(match))
        position = match.end() + len(text[match.end() :]) - len(text[match.end() :].lstrip())
    if not items:
        raise GrammarError("an alternative is empty: use '?p' for optional items")
    return tuple(items)


def _item(match: re.Match[str]) -> Iterator[Item]:
    shown, tag = match.group(), match["tag"] or ""
    presence = _probability(shown, match["presence"]) if match["presence"] else 1.0
    if match["word"]:
        words = match["word"].split()
        if len(words) > 1 and presence < 1.0:
            raise GrammarError(f"'{shown}': only a single item can be optional")
        yield from (Item("word", word, (), tag, presence) for word in words)
    elif match["class"]:
        yield Item("class", match["class"], (), tag, presence)
    else:
        if tag:
            raise GrammarError(f"'{shown}': a symbol has no tag of its own")
        yield Item("symbol", match["symbol"], _names(match["arguments"]), "", presence)
