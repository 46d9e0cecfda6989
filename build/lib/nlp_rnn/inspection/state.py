"""Names of a network's states."""

from __future__ import annotations

from typing import NamedTuple


class State(NamedTuple):
    """A state of a network: the number of its recurrent layer, from 0, and its name, such as
    ``h``."""

    layer: int
    name: str
