"""Panels as a plot: lines of text on a coloured background."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.drawing import blank_figure
from nlp_rnn.inspection.panel import NEGATIVE, POSITIVE, STRONGEST, Panel, Piece

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLUMNS = 90
"""The maximum line length in characters."""

NARROWEST = 60
"""The number of columns that a title needs."""

LINES = 10
"""The number of lines that a panel shows: the plot is an overview, the page has the whole text."""

FONT_SIZE = 9
"""The font size in points, as Matplotlib defines it."""

CHARACTER_WIDTH = 0.602 * FONT_SIZE / 72
"""The size in inches of a character of DejaVu Sans Mono, Matplotlib's monospaced font."""

LINE_HEIGHT = 0.19
"""A size in inches, like the following."""

TITLE_HEIGHT = 0.25
MARGIN = 0.15
BAR_WIDTH = 0.1
BAR_LABELS = 0.6


Line = list[tuple[str, Piece]]
"""Characters, each with the piece of the text to which it belongs."""


def lines_of(panel: Panel, columns: int = COLUMNS) -> list[Line]:
    """Break the text into lines of at most ``columns`` characters.

    A line end is shown as ``↵``.
    """
    lines: list[Line] = [[]]
    for piece in panel.pieces:
        for character in piece.text:
            if len(lines[-1]) == columns:
                lines.append([])
            shown = "↵" if character == "\n" else character if character.isprintable() else " "
            lines[-1].append((shown, piece))
            if character == "\n":
                lines.append([])
    return [line for line in lines if line]


def _shown(panel: Panel) -> list[Line]:
    """The lines before the explained token, or the first lines if there is none."""
    lines = lines_of(panel)
    return lines[-LINES:] if any(piece.target for piece in panel.pieces) else lines[:LINES]


def picture(panels: Sequence[Panel]) -> Figure:
    """Plot the beginning of each panel's text, one panel below the other."""
    contents = [_shown(panel) for panel in panels]
    columns = max((len(line) for lines in contents for line in lines), default=0)
    columns = max(columns, NARROWEST)
    titles = [textwrap.wrap(panel.title, columns) for panel in panels]
    heights = [max(len(lines), 1) * LINE_HEIGHT for lines in contents]
    # Every grid cell is as wide as a character, so no automatic layout may change the sizes.
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
        middle = [0.0] if len(lines) > 2 else []
        ticks = sorted({panel.lowest, *middle, panel.scale})
        right = (text_width + 1.5 * MARGIN) / width
        scale = figure.add_axes((right, low, BAR_WIDTH / width, high))
        bar = figure.colorbar(image, cax=scale, ticks=ticks, format="%.2g")
        bar.ax.set_ylim(panel.lowest, panel.scale)
        bar.ax.tick_params(labelsize=7)
    return figure


def _draw(axes: Axes, panel: Panel, lines: Sequence[Line], columns: int) -> AxesImage:
    """Draw letters on coloured cells; underline where a feature is on, outline the target."""
    from matplotlib.patches import Rectangle

    grid = np.full((max(len(lines), 1), columns), np.nan)
    for row, line in enumerate(lines):
        grid[row, : len(line)] = [np.nan if p.value is None else p.value for _, p in line]
    axes.set_axis_off()
    image = axes.imshow(grid, cmap=_colours(), vmin=-panel.scale, vmax=panel.scale, aspect="auto")
    axes.autoscale(False)
    for row, line in enumerate(lines):
        text = "".join(character for character, _ in line)
        for word in re.finditer(r"\S{1,8}", text):  # short, to keep every letter in its place
            axes.text(
                word.start() - 0.5,
                row,
                word[0],
                family="monospace",
                fontsize=FONT_SIZE,
                va="center_baseline",
                parse_math=False,
            )
        on = np.array([column for column, (_, piece) in enumerate(line) if piece.on])
        axes.hlines(np.full(len(on), row + 0.42), on - 0.5, on + 0.5, "black", linewidth=0.8)
        target = [column for column, (_, piece) in enumerate(line) if piece.target]
        if target:
            corner = (target[0] - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, len(target), 1, fill=False, clip_on=False))
    return image


def _colours() -> LinearSegmentedColormap:
    """A colour map from blue through white to orange, as on the page."""
    from matplotlib.colors import LinearSegmentedColormap

    blue, orange = (1 - STRONGEST * (1 - np.array(c) / 255) for c in (NEGATIVE, POSITIVE))
    return LinearSegmentedColormap.from_list("blue-orange", np.stack([blue, np.ones(3), orange]))
