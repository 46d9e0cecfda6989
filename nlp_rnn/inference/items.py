"""What a model predicts for: texts, or sentences that are segmented into words already."""

from __future__ import annotations

from collections.abc import Sequence

Item = str | Sequence[str]
"""A raw text, or words that are segmented already."""

CHUNK = 2048
"""Items taken at a time."""


def as_text(item: Item) -> str:
    """An item as one text: the words of a segmented sentence joined by spaces."""
    return item if isinstance(item, str) else " ".join(item)
