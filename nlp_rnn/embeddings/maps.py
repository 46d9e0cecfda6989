"""Plots of word vectors: maps as PNG and as a web page, and the parallelogram of an analogy."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.drawing import any_script, blank_figure
from nlp_rnn.embeddings.projection import Points, principal_components
from nlp_rnn.embeddings.vectors import TINY, AnalogyMethod, WordVectors
from nlp_rnn.files import whole_file
from nlp_rnn.web import policy, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE = Path(__file__).parent / "map.html"

NEIGHBOURS = 10
"""The number of neighbours shown for a word on the web page."""

BLOCK = 1024
"""The number of words whose cosines with all others are held at once."""


def map_picture(words: Sequence[str], points: Points, title: str, note: str) -> Figure:
    """Plot words at their points; a word whose label would cover another stays an unlabelled
    dot."""
    size = float(np.clip(0.5 * len(words) ** 0.5, 6, 14))
    figure, axes = _square(size, title)
    axes.scatter(points[:, 0], points[:, 1], s=5, color="tab:blue", alpha=0.5, linewidths=0)
    axes.margins(0.06)
    lines = int(size * 15)  # characters
    axes.set_xlabel(textwrap.fill(note, lines) + "\n", fontsize=8, parse_math=False)
    named = _name(figure, axes, words, points, fontsize=7)
    if named < len(words):
        note += f" {named:,} words are labelled, the earlier one where labels would overlap."
        axes.set_xlabel(textwrap.fill(note, lines), fontsize=8, parse_math=False)
    return figure


def analogy_picture(
    vectors: WordVectors, a: str, b: str, c: str, method: AnalogyMethod = "3cosadd"
) -> Figure:
    """The parallelogram of "a is to b as c is to d", ``d`` being the best answer.

    It shows unit vectors in the plane of their two principal components; the cross is
    ``b - a + c``, where ``d`` would be if the parallelogram were perfect.

    Raises:
        UserError: a word has no vector.
    """
    d = vectors.analogy(a, b, c, 1, method)[0][0]
    words = [a, b, c, d]
    rows = [vectors.row(word) for word in words]
    unit = (vectors.matrix[rows] / vectors.norms[rows, None]).astype(np.float64)
    sought = unit[1] - unit[0] + unit[2]
    corners = np.vstack([unit, sought])
    points = principal_components(corners)
    figure, axes = _square(6, f"{a} : {b} = {c} : {d}")
    axes.scatter(points[:4, 0], points[:4, 1], s=20, color="tab:blue")
    axes.scatter(*points[4], color="tab:red", marker="x", label="b - a + c")
    for start, end in ((0, 1), (2, 3)):
        axes.annotate("", points[end], points[start], arrowprops={"arrowstyle": "->"})
    for start, end in ((0, 2), (1, 4)):
        axes.plot(*points[[start, end]].T, color="gray", linestyle=":")
    axes.plot(*points[[2, 4]].T, color="tab:red", linestyle=":")
    axes.margins(0.2)
    axes.legend()
    share = points.var(axis=0).sum() / max(corners.var(axis=0).sum(), TINY)
    axes.set_xlabel(
        f"Vectors scaled to unit length, in a plane that holds {share:.0%} of their variance; "
        f"answer by {method}",
        fontsize=8,
    )
    _name(figure, axes, words, points[:4], fontsize=10, every=True)
    return figure


def _square(size: float, title: str) -> tuple[Figure, Axes]:
    """A figure of one panel without axes, because the coordinates have no meaning by themselves."""
    figure = blank_figure(size, size)
    axes = figure.subplots()
    axes.set_title(title, parse_math=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    return figure, axes


def _name(
    figure: Figure,
    axes: Axes,
    words: Sequence[str],
    points: Points,
    fontsize: int,
    every: bool = False,
) -> int:
    """Label points with their words, in order, where there is room.

    Args:
        figure: the figure of the axes.
        axes: the axes, with the points drawn.
        words: the labels.
        points: the points of the words.
        fontsize: the font size in points of 1/72 inch.
        every: label every point, even where there is no room.

    Returns:
        The number of labels drawn.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    gap = 4.0  # between a point and its label
    sides = [
        ((gap, 0.0), "left", "center_baseline"),
        ((-gap, 0.0), "right", "center_baseline"),
        ((0.0, gap), "center", "bottom"),
        ((0.0, -gap), "center", "top"),
    ]
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    with any_script():
        figure.draw_without_rendering()  # determines the position of the axes
        low, high = axes.bbox.extents[:2], axes.bbox.extents[2:]
        space = np.array([-2, 0, 2, 0])  # left and right of a word
        taken = np.empty((0, 4))
        for word, point in zip(words, points, strict=True):
            name = axes.annotate(
                word,
                point,
                (gap, 0),
                textcoords="offset points",
                fontsize=fontsize,
                parse_math=False,
            )
            name.set_in_layout(False)
            for offset, horizontal, vertical in sides:
                name.set(position=offset, ha=horizontal, va=vertical)
                box = name.get_window_extent(renderer).extents
                within = np.all(low <= box[:2]) and np.all(box[2:] <= high)
                upon = np.all((taken[:, :2] < box[2:]) & (box[:2] < taken[:, 2:]), axis=1)
                if within and not upon.any():
                    taken = np.vstack([taken, box + space])
                    break
            else:
                if every:
                    name.set(position=sides[0][0], ha=sides[0][1], va=sides[0][2])
                else:
                    name.remove()
    return len(taken)


def write_page(vectors: WordVectors, points: Points, title: str, note: str, file: Path) -> None:
    """Write a self-contained web page that needs no network.

    It shows the words at their points: drag to move, scroll to zoom, click a word or search for one
    to see its nearest neighbours by cosine among the words shown.

    Args:
        vectors: the vectors of the words to show.
        points: the points of the words, ``(words, 2)``.
        title: the title of the page, plain text.
        note: plain text below the title.
        file: the file to write.

    Raises:
        UserError: the file cannot be written.
    """
    data = {
        "words": list(vectors.words),
        "points": points.round(5).tolist(),
        "nearest": _nearest(vectors),
    }
    # "</script>" within a word would end the data.
    template = PAGE.read_text(encoding="utf-8")
    style, script = (
        template.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("style", "script")
    )
    page = Template(template).substitute(
        policy=policy(style, script),
        title=html.escape(visible(title)),
        note=html.escape(visible(note)),
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    )
    with whole_file(file) as partial:
        partial.write_text(page, encoding="utf-8")


def _nearest(vectors: WordVectors) -> list[list[tuple[int, float]]]:
    """For each word, the rows of its nearest neighbours and their cosines, nearest first."""
    unit = vectors.matrix / vectors.norms[:, None]
    n = min(NEIGHBOURS, len(vectors) - 1)
    found = []
    for start in range(0, len(unit), BLOCK):
        cosines = unit[start : start + BLOCK] @ unit.T
        rows = np.arange(len(cosines))[:, None]
        cosines[rows, start + rows] = -np.inf  # a word is not its own neighbour
        best = np.sort(np.argpartition(-cosines, n, axis=1)[:, :n], axis=1)
        best = best[rows, np.argsort(-cosines[rows, best], axis=1, kind="stable")]
        values = cosines[rows, best].astype(np.float64).round(3)
        found += [
            list(zip(*pair, strict=True))
            for pair in zip(best.tolist(), values.tolist(), strict=True)
        ]
    return found
