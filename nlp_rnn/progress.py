"""Progress bars, where somebody watches: on a terminal, and on standard error alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from threading import RLock
from typing import Any, TypeVar, overload

from tqdm import tqdm

tqdm.set_lock(RLock())  # its own is for several processes, and takes a tenth of a second to import

T = TypeVar("T")


@overload
def progress(
    items: Iterable[T], description: str, unit: str, total: int | None = ..., **options: Any
) -> tqdm[T]: ...


@overload
def progress(
    items: None, description: str, unit: str, total: int | None = ..., **options: Any
) -> tqdm[Any]: ...


def progress(
    items: Iterable[T] | None,
    description: str,
    unit: str,
    total: int | None = None,
    **options: Any,
) -> tqdm[Any]:
    """The items with a bar that follows them; without items a bar to ``update``.

    Args:
        description: what is going on.
        unit: what is counted.
        total: how many there are, if it is known and ``items`` does not say it.
        **options: of :class:`tqdm.tqdm`. The bar disappears at its end unless ``leave`` is set.
    """
    return tqdm(
        items,
        desc=description,
        unit=f" {unit}",
        total=total,
        disable=not sys.stderr.isatty(),
        **{"leave": False, **options},
    )
