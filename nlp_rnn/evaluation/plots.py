"""Plots: loss curves, confusion matrices, results next to their optima."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.drawing import blank_figure

if TYPE_CHECKING:
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


def results_picture(rows: Sequence[dict[str, Any]]) -> Figure:
    """Plot each experiment's metric between its baseline and its optimum.

    Args:
        rows: the rows, with ``experiment``, ``metric``, ``baseline``, ``test`` and ``optimum`` (or
            None).
    """
    figure = blank_figure(8, 1.1 * len(rows) + 0.8)
    panels = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axes, row in zip(panels, rows, strict=True):
        points = [("baseline", "tab:gray"), ("test", "tab:blue"), ("optimum", "tab:green")]
        for place, (name, colour) in enumerate(points):
            if row[name] is None:
                continue
            axes.barh(place, row[name], color=colour, height=0.8)
            axes.text(row[name], place, f" {row[name]:.4g}", va="center", fontsize=8)
        axes.set_yticks(range(3), ["baseline", "model", "optimum"], fontsize=8)
        axes.invert_yaxis()
        axes.set_title(f"{row['experiment']}: {row['metric']}", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.12)
        axes.tick_params(axis="x", labelsize=8)
    return figure
