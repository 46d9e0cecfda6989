"""Plots: loss curves, confusion matrices, results next to their optima."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.drawing import blank_figure
from nlp_rnn.evaluation.report import HIGHER_IS_BETTER, Row, number, with_spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 40
"""The maximum number of classes in a confusion plot; with more, no label would be legible."""

LONGEST_LABEL = 30
"""The maximum number of characters of a label in a plot."""


def loss_curves(history: Sequence[dict[str, float]], best_epoch: int, title: str) -> Figure:
    """Plot training and validation loss by epoch, with the kept epoch marked."""
    figure = blank_figure(6, 4)
    axes = figure.subplots()
    epochs = range(1, len(history) + 1)
    for key in ("train/loss", "validation/loss"):
        axes.plot(epochs, [row[key] for row in history], marker="o", label=key)
    axes.axvline(best_epoch, color="gray", linestyle=":", label=f"kept: epoch {best_epoch}")
    axes.set(title=title, xlabel="epoch", ylabel="cross-entropy (nats per target)")
    axes.legend()
    return figure


def attention_picture(alignments: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Plot the weights of attention of some outputs, one heat map below the other.

    Args:
        alignments: mappings of ``source``, ``output`` and ``weights``, as predictions have them.
    """
    heights = [1.5 + 0.28 * len(alignment["output"]) for alignment in alignments]
    width = 2 + 0.38 * max(len(alignment["source"]) for alignment in alignments)
    figure = blank_figure(max(4.0, width), sum(heights) + 0.3)
    every = figure.subplots(len(alignments), squeeze=False, height_ratios=heights)
    for axes, alignment in zip(every[:, 0], alignments, strict=True):
        axes.imshow(np.array(alignment["weights"]), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for set_ticks, side in ((axes.set_xticks, "source"), (axes.set_yticks, "output")):
            tokens = [_short(token) for token in alignment[side]]
            set_ticks(range(len(tokens)), tokens, parse_math=False)
        axes.tick_params(axis="x", rotation=90)
    figure.suptitle(title)
    return figure


def confusion_picture(matrix: NDArray[np.int64], labels: Sequence[str], title: str) -> Figure:
    """Plot the confusion matrix with gold labels as rows, coloured by each row's shares."""
    order = np.argsort(-matrix.sum(axis=1), kind="stable")[:MOST_CLASSES]
    matrix, labels = matrix[np.ix_(order, order)], [_short(labels[i]) for i in order]
    size = max(4.0, 0.45 * len(labels) + 2)
    figure = blank_figure(size + 1, size)
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=90, parse_math=False)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    if len(labels) <= 20:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(
                    column, row, str(count), ha="center", va="center", color=colour, fontsize=7
                )
    axes.set(title=title, xlabel="predicted", ylabel="gold")
    figure.colorbar(image, label="share of the gold label")
    return figure


def _short(label: str) -> str:
    """A label short enough to leave room for the plot."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def results_picture(rows: Sequence[Row]) -> Figure:
    """Each experiment's metric on the axis from its best baseline to its optimum.

    The better is always at the right, also where a lower value is better.

    Args:
        rows: as :func:`nlp_rnn.evaluation.report.result_rows` finds them.
    """
    figure = blank_figure(8, 1.05 * len(rows) + 0.2)
    apart = {"hspace": 0.4}
    panels = figure.subplots(len(rows), 1, squeeze=False, gridspec_kw=apart)[:, 0]
    for axes, row in zip(panels, rows, strict=True):
        _draw_between(axes, row)
    return figure


BASELINE, TEST, OPTIMUM = "#6a5a52", "#0067a8", "#00735a"
"""Colours that people who are colour-blind tell apart."""


def _draw_between(axes: Axes, row: Row) -> None:
    """One experiment: the axis, its interval, and what stands at its ends."""
    baseline, test, optimum = row["baseline"], row["test"], row["optimum"]
    limits = row["range"] or (test, test)
    if optimum is not None:
        axes.plot([baseline, optimum], [0, 0], color="0.85", linewidth=6, solid_capstyle="butt")
        axes.plot(optimum, 0, "D", color=OPTIMUM, markersize=9)
    axes.plot(baseline, 0, "s", color=BASELINE, markersize=9)
    axes.errorbar(
        test, 0, xerr=[[test - limits[0]], [limits[1] - test]], fmt="o", color=TEST, capsize=5
    )
    known = "no optimum is known" if optimum is None else f"optimum {number(optimum)} ◆"
    told: dict[str, Any] = {"fontsize": 9, "transform": axes.transAxes, "va": "top"}
    axes.text(0, 0, f"■ {row['best']} {number(baseline)}", color=BASELINE, ha="left", **told)
    axes.text(1, 0, known, color=OPTIMUM, ha="right", **told)
    axes.set_title(f"{row['experiment']}: {row['metric']}", fontsize=10, loc="left")
    axes.set_title(f"● {with_spread(row)}", fontsize=10, loc="right", color=TEST)
    axes.margins(x=0.03)
    axes.set(ylim=(-1, 0.7))
    axes.axis("off")
    if not HIGHER_IS_BETTER[row["metric"]]:
        axes.invert_xaxis()
