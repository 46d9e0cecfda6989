"""Entity spans in sequences of BIO tags, and which tags may follow which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def entity_spans(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The entities of a BIO sequence: type, first token, one past the last token.

    As in conlleval, an ``I-`` tag that continues nothing begins an entity.

    >>> list(entity_spans(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"]))
    [('PER', 0, 2), ('LOC', 3, 4), ('LOC', 4, 5)]
    """
    start, current = 0, ""
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        if current and (prefix != "I" or kind != current):
            yield current, start, i
            current = ""
        if prefix in ("B", "I") and not current:
            start, current = i, kind


def is_entity_scheme(tags: Sequence[str]) -> bool:
    """Whether tags mark entity spans (BIO or BIOES) rather than classes of words."""
    return any(tag.startswith("B-") for tag in tags)


def allowed_transitions(tags: Sequence[str]) -> tuple[Bools, Bools, Bools]:
    """Which tags may begin a sentence, follow another and end a sentence.

    In BIO ``I-`` goes on after ``B-`` or ``I-`` of its type. In BIOES, told by an ``E-`` or
    ``S-``, ``E-`` does likewise, and what ``B-`` or ``I-`` leaves open must go on. Where tags
    mark no entities everything is allowed.

    Returns:
        ``(tags,)``, ``(tags, tags)`` from the row's tag to the column's, ``(tags,)``.

    >>> start, between, end = allowed_transitions(["O", "B-PER", "I-PER"])
    >>> start.tolist(), between[0].tolist(), end.tolist()
    ([True, True, False], [True, True, False], [True, True, True])
    """
    everything = np.ones(len(tags), bool)
    if not is_entity_scheme(tags):
        return everything, np.ones((len(tags), len(tags)), bool), everything
    prefixes, kinds = [tag[:2] for tag in tags], np.array([tag[2:] for tag in tags])
    opening, inside = np.isin(prefixes, ["B-", "I-"]), np.isin(prefixes, ["I-", "E-"])
    continuing = opening[:, None] & inside & (kinds[:, None] == kinds)
    if np.isin(prefixes, ["E-", "S-"]).any():
        return ~inside, continuing | ~(opening[:, None] | inside), ~opening
    return ~inside, continuing | ~inside, everything
