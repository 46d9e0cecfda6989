"""Pictures of word vectors: maps as PNG and as a web page, and the parallelogram of an analogy."""

from __future__ import annotations

import html
import json
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.embeddings.projection import Points, principal_components
from nlp_rnn.embeddings.vectors import AnalogyMethod, WordVectors
from nlp_rnn.evaluation.plots import blank_figure
from nlp_rnn.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE = Path(__file__).parent / "word_map.html"

NEIGHBOURS = 10
"""Shown for a word of the web page."""


def map_picture(words: list[str], points: Points, title: str) -> Figure:
    """Words at their points."""
    size = float(np.clip(len(words) ** 0.5, 6, 24))
    figure, axes = _square(size, title)
    axes.scatter(points[:, 0], points[:, 1], s=4, color="tab:blue", alpha=0.4)
    for word, (x, y) in zip(words, points.tolist(), strict=True):
        axes.text(x, y, word, fontsize=7, parse_math=False)
    return figure


def analogy_picture(
    vectors: WordVectors, a: str, b: str, c: str, method: AnalogyMethod = "3cosadd"
) -> Figure:
    """The parallelogram of "a is to b as c is to d", ``d`` being the best answer.

    Unit vectors in the plane of their two principal components; the cross is ``b - a + c``, where
    ``d`` would be if the parallelogram were perfect.

    Raises:
        UserError: a word has no vector.
    """
    d = vectors.analogy(a, b, c, 1, method)[0][0]
    words = [a, b, c, d]
    rows = [vectors.row(word) for word in words]
    unit = (vectors.matrix[rows] / vectors.norms[rows, None]).astype(np.float64)
    sought = unit[1] - unit[0] + unit[2]
    points = principal_components(np.vstack([unit, sought]))
    figure, axes = _square(6, f"{a} : {b} = {c} : {d}")
    axes.scatter(*points[:4].T, color="tab:blue")
    axes.scatter(*points[4], color="tab:red", marker="x", label="b - a + c")
    for start, end in ((0, 1), (2, 3)):
        axes.annotate("", points[end], points[start], arrowprops={"arrowstyle": "->"})
    for start, end in ((0, 2), (1, 4)):
        axes.plot(*points[[start, end]].T, color="gray", linestyle=":")
    axes.plot(*points[[2, 4]].T, color="tab:red", linestyle=":")
    for word, point in zip(words, points, strict=False):
        axes.annotate(word, point, xytext=(5, 5), textcoords="offset points", parse_math=False)
    axes.margins(0.2)
    axes.legend()
    return figure


def _square(size: float, title: str) -> tuple[Figure, Axes]:
    """A figure of one panel without scales, for the coordinates mean nothing by themselves."""
    figure = blank_figure(size, size)
    axes = figure.subplots()
    axes.set_title(title, parse_math=False)
    axes.set_xticks([])
    axes.set_yticks([])
    return figure, axes


def write_page(vectors: WordVectors, points: Points, title: str, file: Path) -> None:
    """Write a web page that needs no other file and no network.

    It shows the words at their points: drag to move, turn the wheel to zoom, point at a word or
    search for one to see its nearest neighbours by cosine among the words shown.

    Raises:
        UserError: the file cannot be written.
    """
    unit = vectors.matrix / vectors.norms[:, None]
    nearest = []
    for row in range(len(vectors)):
        cosines = unit @ unit[row]
        cosines[row] = -np.inf
        best = np.argsort(-cosines, kind="stable")[: min(NEIGHBOURS, len(vectors) - 1)]
        nearest.append([[i, round(float(cosines[i]), 3)] for i in best.tolist()])
    data = {"words": list(vectors.words), "points": points.round(5).tolist(), "nearest": nearest}
    # "</script>" within a word would end the data.
    page = Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
    )
    with whole_file(file) as partial:
        partial.write_text(page, encoding="utf-8")
