"""YAML whose size, once its aliases stand for what they name, is known before it is read.

A file of 700 bytes can name a list of lists nine times, and that one nine times again, until no
machine holds it.
"""

from __future__ import annotations

import re
from typing import Any

LARGEST = 1 << 18
"""The characters of a file; a project with a hundred experiments has a fifth of them."""

MOST_NODES = 100_000
"""The values of a file, each as often as aliases repeat it."""

DEEPEST = 50
"""How deep mappings and lists may lie within one another."""

_LONG_NUMBER = re.compile(r"[-+.]?[0-9][0-9a-fA-FoOxX_.:+-]{99,}")


class TooLarge(ValueError):
    """The file is larger, deeper or more repetitive than one that a person writes."""


def load_yaml(text: str) -> Any:
    """What a YAML document holds: mappings, lists, texts, numbers, dates, true, false and null.

    Raises:
        TooLarge: it holds too much.
        ruamel.yaml.error.YAMLError: it is not valid.
        ValueError: it holds a date that does not exist, or the like.
    """
    from ruamel.yaml import YAML

    if len(text) > LARGEST:
        raise TooLarge(f"more than {LARGEST:,} characters; take some of them out")
    _check_size(YAML(typ="safe", pure=True).parse(text))
    return YAML(typ="safe", pure=True).load(text)


def _check_size(events: Any) -> None:
    """Raise TooLarge unless the document that ``events`` describe is small."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

    sizes: dict[str, int] = {}  # of what each anchor names
    open_anchors: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        if isinstance(event, AliasEvent):
            total += sizes.get(event.anchor, 0)
        elif isinstance(event, CollectionStartEvent):
            open_anchors.append((event.anchor, total))
            total += 1
            if len(open_anchors) > DEEPEST:
                raise TooLarge(f"nested too deeply, more than {DEEPEST} deep; remove brackets")
        elif isinstance(event, CollectionEndEvent):
            anchor, before = open_anchors.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, ScalarEvent):
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
            if event.implicit[0] and _LONG_NUMBER.fullmatch(event.value):
                raise TooLarge(f"a number of {len(event.value):,} characters; shorten it")
        if total > MOST_NODES:
            raise TooLarge(
                f"more than {MOST_NODES:,} values, as aliases (*) repeat them; remove some"
            )
