"""What every plot needs: a blank figure, and a PNG file written completely or not at all."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_rnn.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def blank_figure(width: float, height: float) -> Figure:
    """A figure to draw on, size in inches."""
    # The object-oriented interface: no display, no global state.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


@contextmanager
def any_script() -> Iterator[None]:
    """No warnings about characters that Matplotlib's font lacks; it draws boxes for them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        yield


def save(figure: Figure, file: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with whole_file(file) as partial, any_script():
        figure.savefig(partial, dpi=120, format="png")
