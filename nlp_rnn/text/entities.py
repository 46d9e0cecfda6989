"""BIO and BIOES tags: entity spans, allowed transitions between tags, and recoding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.example import TAGGED_KINDS

Bools = NDArray[np.bool_]


def entity_spans(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The entities of a BIO or BIOES sequence: type, first token, one past the last token.

    As in conlleval, a tag that does not continue an entity begins one.

    >>> list(entity_spans(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"]))
    [('PER', 0, 2), ('LOC', 3, 4), ('LOC', 4, 5)]
    >>> list(entity_spans(["B-PER", "E-PER", "S-PER"]))
    [('PER', 0, 2), ('PER', 2, 3)]
    """
    start, current = 0, ""
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        if current and (prefix not in ("I", "E") or kind != current):
            yield current, start, i
            current = ""
        if prefix in ("B", "I", "E", "S") and not current:
            start, current = i, kind
        if current and prefix in ("E", "S"):
            yield current, start, i + 1
            current = ""


def continuing(tags: Sequence[str]) -> Bools:
    """Whether the column's tag continues the entity of the row's tag, ``(tags, tags)``."""
    kinds = np.array([tag[2:] for tag in tags])
    same = kinds[:, None] == kinds
    return same & _with_prefix(tags, "B-", "I-")[:, None] & _with_prefix(tags, "I-", "E-")


def in_types(tags: Sequence[str], types: Sequence[str]) -> Bools:
    """Whether each tag (column) is one of an entity of each type (row), ``(types, tags)``.

    >>> in_types(["O", "B-PER", "I-PER", "B-LOC"], ["PER", "LOC"]).tolist()
    [[False, True, True, False], [False, False, False, True]]
    """
    kinds = np.array([tag[2:] for tag in tags])
    return (np.array(types)[:, None] == kinds) & _with_prefix(tags, "B-", "I-", "E-", "S-")


def are_entities(card: Mapping[str, Any], labels: Sequence[str]) -> bool:
    """Whether the labels of a data set mark entity spans, according to its data card.

    For an older card without this entry, the names of the tags decide.

    Args:
        card: the data card.
        labels: labels or tags of the data set.
    """
    if card.get("kind", "tagged") not in TAGGED_KINDS:
        return False
    return bool(card.get("entities", is_entity_scheme(labels)))


def is_entity_scheme(tags: Sequence[str]) -> bool:
    """Whether tags look like they mark entity spans (BIO or BIOES).

    Names only suggest it: ask :func:`are_entities` wherever there is a data card.
    """
    return any(tag.startswith("B-") for tag in tags)


def allowed_transitions(tags: Sequence[str], entities: bool = True) -> tuple[Bools, Bools, Bools]:
    """Which tags may begin a sentence, follow another and end a sentence.

    In BIO, ``I-`` must follow ``B-`` or ``I-`` of its type. In BIOES, recognised by an ``E-`` or
    ``S-``, the same holds for ``E-``, and an entity opened by ``B-`` or ``I-`` must be continued.
    If tags do not mark entities, everything is allowed.

    Args:
        tags: the tags of a data set, or those learned in their place.
        entities: whether they mark entities.

    Returns:
        ``(tags,)``, ``(tags, tags)`` from the row's tag to the column's, ``(tags,)``.

    >>> start, between, end = allowed_transitions(["O", "B-PER", "I-PER"])
    >>> start.tolist(), between[0].tolist(), end.tolist()
    ([True, True, False], [True, True, False], [True, True, True])
    """
    everything = np.ones(len(tags), bool)
    if not (entities and is_entity_scheme(tags)):
        return everything, np.ones((len(tags), len(tags)), bool), everything
    opening, inside = _with_prefix(tags, "B-", "I-"), _with_prefix(tags, "I-", "E-")
    goes_on = continuing(tags)
    if _with_prefix(tags, "E-", "S-").any():
        return ~inside, goes_on | ~(opening[:, None] | inside), ~opening
    return ~inside, goes_on | ~inside, everything


def _with_prefix(tags: Sequence[str], *prefixes: str) -> Bools:
    return np.array([tag[:2] in prefixes for tag in tags], bool)


LAST = {"B-": "S-", "I-": "E-"}
"""The BIOES prefix of an entity's last word, by its BIO prefix."""


class LearnedTags:
    """The tags that a network learns, and the tags of its data that they represent.

    With the scheme BIOES, ``B-`` and ``I-`` become ``S-`` and ``E-`` at the last word of an
    entity. Each learned tag represents one tag of the data, whatever its neighbours are. A
    prediction is therefore meaningful even if it breaks the scheme, and the probability of a tag is
    the sum over the learned tags that represent it.

    Args:
        labels: the tags of the data.
        scheme: None leaves the tags unchanged, as does data that is in BIOES already.

    Attributes:
        tags: the learned tags: the labels, then their ``S-`` and ``E-`` variants.
        labels: the tags of the data.
        meaning: the index of the label that each represents ``(tags,)``.

    >>> learned = LearnedTags(["O", "B-PER", "I-PER"], "BIOES")
    >>> learned.tags, learned.meaning.tolist()
    (['O', 'B-PER', 'I-PER', 'S-PER', 'E-PER'], [0, 1, 2, 1, 2])
    >>> [learned.tags[i] for i in learned.encode(np.array([1, 2, 0, 1]))]
    ['B-PER', 'E-PER', 'O', 'S-PER']
    """

    def __init__(self, labels: Sequence[str], scheme: Literal["BIOES"] | None) -> None:
        plain = scheme is None or bool(_with_prefix(labels, *LAST.values()).any())
        split = [] if plain else np.flatnonzero(_with_prefix(labels, *LAST)).tolist()
        self.labels = list(labels)
        self.tags = [*labels, *(LAST[labels[i][:2]] + labels[i][2:] for i in split)]
        self.meaning = np.array([*range(len(labels)), *split], np.int32)
        self._last = np.arange(len(labels), dtype=np.int32)
        self._last[split] = np.arange(len(labels), len(self.tags))
        self._continuing = continuing(labels)
        self._images = np.eye(len(labels))[self.meaning]

    @property
    def meant(self) -> list[str]:
        """The label that each learned tag represents."""
        return [self.labels[i] for i in self.meaning.tolist()]

    def encode(self, labels: Ints, ends: Ints | None = None) -> Ints:
        """The learned tags of concatenated sentences ``(words,)``.

        Args:
            labels: label indices ``(words,)``.
            ends: one past the last word of each sentence; None means one sentence.
        """
        goes_on = np.zeros(len(labels), bool)
        goes_on[:-1] = self._continuing[labels[:-1], labels[1:]]
        if ends is not None:
            goes_on[ends - 1] = False
        return np.where(goes_on, labels, self._last[labels])

    def of_labels(self, probabilities: Floats) -> Floats:
        """The probabilities of the labels ``(..., labels)`` from those of the learned tags."""
        return probabilities @ self._images
