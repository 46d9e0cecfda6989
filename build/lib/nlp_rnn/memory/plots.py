"""Plot how far back each network remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.drawing import blank_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nlp_rnn.memory.experiment import Result


def memory_curves(results: Sequence[Result], chance: float, title: str) -> Figure:
    """Plot the share of runs that solve a problem by the distance in steps, one line per network.

    Lines are shifted slightly in height, so that equal ones do not hide each other. A line ends
    where longer distances were not tried.
    """
    figure = blank_figure(9, 5)
    axes = figure.subplots()
    names = list(dict.fromkeys(result.network for result in results))
    for place, name in enumerate(names):
        tried = [r for r in results if r.network == name and r.success is not None]
        apart = 0.015 * (place - (len(names) - 1) / 2)
        axes.plot(
            [result.steps for result in tried],
            [result.success + apart for result in tried if result.success is not None],
            color=f"C{place % 10}",
            linestyle=("-", "--", ":", "-.")[place % 4],
            marker="osD^vP*X<>"[place % 10],
            label=name,
        )
    steps = sorted({result.steps for result in results})
    axes.set_xscale("log")
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.minorticks_off()
    axes.set_yticks(np.linspace(0, 1, 5))
    axes.grid(axis="y", alpha=0.3)
    axes.set(
        title=f"{title} (accuracy by chance: {chance:.3g})",
        xlabel="steps to remember",
        ylabel="share of seeds that solve it (lines shifted slightly)",
    )
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
