"""Entity spans in sequences of BIO tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


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
