"""Panels as a picture: lines of text on a coloured ground."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.evaluation.plots import blank_figure
from nlp_rnn.inspection.panel import NEGATIVE, POSITIVE, STRONGEST, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLUMNS = 90
"""Characters of the longest line."""

NARROWEST = 60
"""Columns that a title needs."""

LINES = 10
"""Lines of text that a panel shows: a picture is for the eye, all of the text is on the page."""

FONT_SIZE = 9
"""In points, as Matplotlib has it."""

CHARACTER_WIDTH = 0.602 * FONT_SIZE / 72
"""In inches, of DejaVu Sans Mono, Matplotlib's own font for what is monospaced."""

LINE_HEIGHT = 0.19
"""In inches, as what follows."""

TITLE_HEIGHT = 0.25
MARGIN = 0.15
BAR_WIDTH = 0.1
BAR_LABELS = 0.6


def lines_of(panel: Panel, columns: int = COLUMNS) -> list[tuple[str, NDArray[np.float64]]]:
    """The text in lines of at most ``columns`` characters, with the value of each, or NaN.

    A line end is shown as ``↵``.
    """
    lines: list[tuple[str, list[float]]] = [("", [])]
    for piece in panel.pieces:
        value = np.nan if piece.value is None else piece.value
        for character in piece.text:
            if len(lines[-1][0]) == columns:
                lines.append(("", []))
            text, values = lines[-1]
            shown = "↵" if character == "\n" else character if character.isprintable() else " "
            lines[-1] = (text + shown, [*values, value])
            if character == "\n":
                lines.append(("", []))
    return [(text, np.array(values)) for text, values in lines if text]


def _shown(panel: Panel) -> list[tuple[str, NDArray[np.float64]]]:
    """The lines before the token that is explained, else the first ones."""
    lines = lines_of(panel)
    return lines[-LINES:] if any(piece.target for piece in panel.pieces) else lines[:LINES]


def picture(panels: Sequence[Panel]) -> Figure:
    """The beginning of the text of each panel, one below the other."""
    contents = [_shown(panel) for panel in panels]
    columns = max((len(text) for lines in contents for text, _ in lines), default=0)
    columns = max(columns, NARROWEST)
    titles = [textwrap.wrap(panel.title, columns) for panel in panels]
    heights = [max(len(lines), 1) * LINE_HEIGHT for lines in contents]
    # Every cell of the grid is as wide as a character, so no layout may change the sizes.
    text_width = columns * CHARACTER_WIDTH
    width = text_width + BAR_WIDTH + BAR_LABELS + 2 * MARGIN
    above = [len(title) * TITLE_HEIGHT + MARGIN for title in titles]
    top = sum(heights) + sum(above) + MARGIN
    figure = blank_figure(width, top)
    figure.set_layout_engine("none")
    bottom = top
    for panel, lines, title, height, space in zip(
        panels, contents, titles, heights, above, strict=True
    ):
        bottom -= height + space
        low, high = bottom / top, height / top
        axes = figure.add_axes((MARGIN / width, low, text_width / width, high))
        axes.set_title("\n".join(title), fontsize=FONT_SIZE, loc="left", parse_math=False)
        image = _draw(axes, panel, lines, columns)
        ticks = [-panel.scale, 0, panel.scale]
        right = (text_width + 1.5 * MARGIN) / width
        scale = figure.add_axes((right, low, BAR_WIDTH / width, high))
        bar = figure.colorbar(image, cax=scale, ticks=ticks, format="%.2g")
        bar.ax.tick_params(labelsize=7)
    return figure


def _draw(
    axes: Axes, panel: Panel, lines: Sequence[tuple[str, NDArray[Any]]], columns: int
) -> AxesImage:
    """Letters on coloured cells."""
    grid = np.full((max(len(lines), 1), columns), np.nan)
    for row, (text, values) in enumerate(lines):
        grid[row, : len(values)] = values
        for word in re.finditer(r"\S{1,8}", text):  # short, so that every letter is in its place
            axes.text(
                word.start() - 0.5,
                row,
                word[0],
                family="monospace",
                fontsize=FONT_SIZE,
                va="center_baseline",
                parse_math=False,
            )
    axes.set_axis_off()
    return axes.imshow(grid, cmap=_colours(), vmin=-panel.scale, vmax=panel.scale, aspect="auto")


def _colours() -> LinearSegmentedColormap:
    """From blue through white to orange, as on the page."""
    from matplotlib.colors import LinearSegmentedColormap

    blue, orange = (1 - STRONGEST * (1 - np.array(c) / 255) for c in (NEGATIVE, POSITIVE))
    return LinearSegmentedColormap.from_list("blue-orange", np.stack([blue, np.ones(3), orange]))
