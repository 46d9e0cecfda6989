"""What a search may write: one of several outputs, or a bracketing of as many words as the source.

A constraint is an automaton: each hypothesis has a state, which its tokens change and which says
what may come next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.text.vocabulary import Vocabulary

WORD = "XX"
"""What stands for a word in a linearised tree."""

DEEPEST = 40
"""The most brackets that may be open."""

MOST_IN_A_ROW = 6
"""The most brackets that may be opened one after the other."""


class Constraint(ABC):
    """What may be written, by the token indices of targets."""

    longest: int = 0
    """The tokens of the longest output that must find room, however short its source is."""

    @abstractmethod
    def start(self, words: int) -> Any:
        """The state of an output for a source of so many tokens, before its first token."""

    @abstractmethod
    def after(self, state: Any, token: int) -> Any:
        """The state after one more token; None if it is not allowed."""

    @abstractmethod
    def allowed(self, state: Any) -> Ints:
        """The tokens that may come next, the end symbol among them where the output is whole."""


class OneOf(Constraint):
    """One of a few outputs, such as the known answers; states are the nodes of their trie."""

    def __init__(self, outputs: Iterable[Sequence[int]], end: int) -> None:
        self._root: dict[int, Any] = {}
        for tokens in outputs:
            self.longest = max(self.longest, len(tokens) + 1)
            node = self._root
            for token in (*tokens, end):
                node = node.setdefault(token, {})

    def start(self, words: int) -> Any:
        return self._root

    def after(self, state: Any, token: int) -> Any:
        return None if state is None else state.get(token)

    def allowed(self, state: Any) -> Ints:
        return np.array(list(state or ()), np.int64)


class Bracketing(Constraint):
    """A linearised tree, such as ``(S (NP XX )NP (VP XX )VP )S``, over the words of the source.

    A state holds the open brackets, whether each has a word yet, the words that are still to come,
    and how many brackets were opened last.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._end = np.array([vocabulary.end_index])
        types = list(enumerate(vocabulary.types))
        self._opening = {i: t[1:] for i, t in types if t[0] == "(" and len(t) > 1}
        self._closing = {t[1:]: i for i, t in types if t[0] == ")" and len(t) > 1}
        self._word = next((i for i, t in types if t == WORD), -1)
        closed = [i for i, label in self._opening.items() if label in self._closing]
        self._openings = np.array(closed, np.int64)

    def start(self, words: int) -> Any:
        return ((), words, 0)

    def after(self, state: Any, token: int) -> Any:
        if state is None or token not in self.allowed(state):
            return None
        brackets, words, opened = state
        if token in self._opening:
            return ((*brackets, (self._opening[token], False)), words, opened + 1)
        if token == self._word:
            return (tuple((label, True) for label, _ in brackets), words - 1, 0)
        if token == self._end[0]:
            return None
        return (brackets[:-1], words, 0)

    def allowed(self, state: Any) -> Ints:
        if state is None:
            return np.empty(0, np.int64)
        brackets, words, opened = state
        if not brackets:
            return self._openings if words else self._end
        may_open = words and len(brackets) < DEEPEST and opened < MOST_IN_A_ROW
        found = [self._openings] if may_open else []
        if words:
            found.append(np.array([self._word]))
        label, has_words = brackets[-1]
        # The outermost bracket closes last, over all the words.
        if has_words and (len(brackets) > 1 or not words):
            found.append(np.array([self._closing[label]]))
        return np.concatenate(found) if found else np.empty(0, np.int64)
