"""The inputs of predictions: texts, or sentences that are already split into words."""

from __future__ import annotations

from collections.abc import Sequence

Item = str | Sequence[str]
"""A raw text, or a list of words."""

CHUNK = 2048
"""The number of items taken at a time."""


def as_text(item: Item) -> str:
    """An item as one text, with the words of a sentence joined by spaces."""
    return item if isinstance(item, str) else " ".join(item)
