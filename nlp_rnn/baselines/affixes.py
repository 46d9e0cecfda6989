"""Inflection by rules that replace the beginning and the end of a lemma.

The method is that of the baseline of SIGMORPHON's shared tasks (Cotterell et al. 2017, section
5.1), without its treatment of languages that inflect at the beginning. Lemma and form are aligned
with as few edits as possible. What the alignment inserts or deletes before the first pair of
characters is the change of a prefix; all the rest ends a word. Of an ending such as ``sagen`` to
``sagte``, the rules are all those of more or less context::

    en> to te>      gen> to gte>      agen> to agte>      sagen> to sagte>
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from nlp_rnn.arrays import Ints

START, END = "<", ">"

GAP = ""
"""What stands in an alignment where one side has no character."""

Rules = dict[str, dict[str, Counter[str]]]
"""Features -> what is replaced -> its replacements, with their counts."""


class AffixRules:
    """Rules for prefixes and endings by the features of the wanted form.

    Args:
        examples: triples of lemma, features and form.
    """

    def __init__(self, examples: Iterable[tuple[str, str, str]]) -> None:
        self._prefixes: Rules = defaultdict(lambda: defaultdict(Counter))
        self._endings: Rules = defaultdict(lambda: defaultdict(Counter))
        for lemma, features, form in examples:
            prefix, rest = _divided(aligned(lemma, form))
            for before, after in _ending_rules(rest):
                self._endings[features][before][after] += 1
            for before, after in _prefix_rules(prefix, rest):
                self._prefixes[features][before][after] += 1

    def inflect(self, lemma: str, features: str) -> str:
        """The form of a lemma by the longest ending that a rule replaces, then by the most frequent
        rule for its beginning. Features that training lacks leave the lemma as it is."""
        word = START + lemma + END
        endings = self._endings.get(features, {})
        for start in range(len(word)):
            if word[start:] in endings:
                word = word[:start] + _most_frequent(endings[word[start:]])
                break
        prefixes = self._prefixes.get(features, {})
        beginnings = [word[:end] for end in range(1, len(word) + 1) if word[:end] in prefixes]
        if beginnings:
            best = max(beginnings, key=lambda beginning: prefixes[beginning].most_common(1)[0][1])
            word = _most_frequent(prefixes[best]) + word[len(best) :]
        return word.removeprefix(START).removesuffix(END)


def _most_frequent(replacements: Counter[str]) -> str:
    """The most frequent replacement; of several the longest, then the first of the alphabet."""
    return min(replacements, key=lambda after: (-replacements[after], -len(after), after))


Alignment = Sequence[tuple[str, str]]


def aligned(first: str, second: str) -> Alignment:
    """Pairs of characters, or of a character and ``GAP``, with the least Levenshtein distance.

    Of several alignments, the one with gaps as late as possible.
    """
    costs = _costs(first, second)
    pairs: list[tuple[str, str]] = []
    i, j = len(first), len(second)
    while i or j:
        if j and costs[i, j] == costs[i, j - 1] + 1:
            j -= 1
            pairs.append((GAP, second[j]))
        elif i and costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
            pairs.append((first[i], GAP))
        else:
            i, j = i - 1, j - 1
            pairs.append((first[i], second[j]))
    return pairs[::-1]


def _costs(first: str, second: str) -> Ints:
    """The Levenshtein distance of every pair of beginnings ``(first + 1, second + 1)``."""
    costs = np.zeros((len(first) + 1, len(second) + 1), np.int64)
    costs[0], costs[:, 0] = np.arange(len(second) + 1), np.arange(len(first) + 1)
    for i, a in enumerate(first, 1):
        for j, b in enumerate(second, 1):
            replaced = costs[i - 1, j - 1] + (a != b)
            costs[i, j] = min(replaced, costs[i - 1, j] + 1, costs[i, j - 1] + 1)
    return costs


def _divided(alignment: Alignment) -> tuple[Alignment, Alignment]:
    """What comes before the first pair without a gap, and the rest."""
    start = next((k for k, pair in enumerate(alignment) if GAP not in pair), 0)
    return alignment[:start], alignment[start:]


def _sides(alignment: Alignment) -> tuple[str, str]:
    return "".join(a for a, _ in alignment), "".join(b for _, b in alignment)


def _ending_rules(rest: Alignment) -> set[tuple[str, str]]:
    """The ends of an aligned lemma and form, from all of it to nothing."""
    ends = (_sides(rest[start:]) for start in range(len(rest) + 1))
    return {(before + END, after + END) for before, after in ends}


def _prefix_rules(prefix: Alignment, rest: Alignment) -> set[tuple[str, str]]:
    """The change of a beginning, with more or less of the form's stem after it."""
    before, after = _sides(prefix)
    _, stem = _sides(rest)
    return {(START + before + stem[:end], START + after + stem[:end]) for end in range(len(stem))}
