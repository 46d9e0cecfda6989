"""Names and values in the form that MLflow accepts."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

_KEY_CHARACTERS = 250


def flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Pairs of dotted key and leaf; an empty mapping is a leaf."""
    for key, value in nested.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{name}.")
        else:
            yield name, value


def flat_metrics(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Pairs of MLflow key and number: the first level of the keys becomes a section.

    What is no number, such as the signature of a metric, is left out.
    """
    for name, value in metrics.items():
        nested = flat(value, f"{name}/") if isinstance(value, Mapping) else [(name, value)]
        yield from ((safe_key(key), leaf) for key, leaf in nested if _is_number(leaf))


def _is_number(leaf: Any) -> bool:
    return leaf not in (None, {}) and not isinstance(leaf, str)


def safe_key(key: str) -> str:
    """``key`` with every character that MLflow forbids spelt out, e.g. ``f1/COMMA``.

    If MLflow would take a key for a path that leaves its folder, its slashes are spelt out too; a
    key that is too long is cut and ends in a hash.
    """

    def spelt(match: re.Match[str]) -> str:
        return unicodedata.name(match[0], f"U+{ord(match[0]):04X}").replace("+", " ")

    safe = re.sub(r"[^/\w.\- :]", spelt, key)
    first, *rest = safe.split("/")
    if any(part.strip(".") == "" for part in rest):
        safe = "/".join([first, "SOLIDUS".join(rest)])
    if len(safe) > _KEY_CHARACTERS:
        digest = hashlib.sha256(key.encode()).hexdigest()[:8]
        safe = f"{safe[: _KEY_CHARACTERS - 9]}-{digest}"
    return safe


def as_text(value: Any) -> str:
    """A string unchanged, anything else as JSON: ``true`` and ``null``, as in ``params.yaml``."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def cut(text: str, characters: int) -> str:
    """``text`` cut to a number of characters, the last three of which are then dots."""
    return text if len(text) <= characters else text[: characters - 3] + "..."


def model_name(name: str) -> str:
    """``name`` without characters that MLflow forbids in logged, but not in registered models."""
    return re.sub(r"""[/:.%"']""", "-", name)


def batches(entries: list[Any], size: int) -> Iterator[list[Any]]:
    """Split ``entries`` into parts that MLflow accepts at a time."""
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
