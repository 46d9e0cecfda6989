"""Grids of tests: which cases ``make test`` runs, and which ``make test-all`` alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def grid(cases: Iterable[str], *usual: str) -> list[Any]:
    """The cases of a grid, for ``parametrize``: those that are not ``usual`` are exhaustive.

    The usual cases run the code that all cases share, and most of what is a case's own. The others
    differ from them in an option that tests of its layer cover by themselves.
    """
    names = list(cases)
    assert set(usual) < set(names), set(usual) - set(names)
    return [
        pytest.param(name, marks=() if name in usual else pytest.mark.exhaustive) for name in names
    ]
