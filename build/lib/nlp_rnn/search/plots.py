"""Plots of a search: all trials across all parameters, and the importance of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlp_rnn.config import RangeParameters
from nlp_rnn.drawing import blank_figure
from nlp_rnn.search.trials import Trial, ranked, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nlp_rnn.search.space import Space

_LONGEST_LABEL = 20
_TICKS = 5


def _height(values: list[Any] | RangeParameters, value: Any) -> float:
    """The position of a value on its axis, from 0 to 1."""
    if isinstance(values, RangeParameters):
        scale = math.log if values.log else float
        low, high = scale(values.low), scale(values.high)
        return (scale(value) - low) / (high - low)
    return values.index(value) / (len(values) - 1) if len(values) > 1 else 0.5


def _ticks(values: list[Any] | RangeParameters) -> list[tuple[float, str]]:
    """The positions and labels of an axis's ticks."""
    if not isinstance(values, RangeParameters):
        labels = [shown(value) for value in values]
        short = [x if len(x) <= _LONGEST_LABEL else f"{x[: _LONGEST_LABEL - 1]}…" for x in labels]
        return [(_height(values, value), label) for value, label in zip(values, short, strict=True)]
    heights = [place / (_TICKS - 1) for place in range(_TICKS)]
    if values.log:
        numbers = [values.low * (values.high / values.low) ** height for height in heights]
    else:
        numbers = [values.low + (values.high - values.low) * height for height in heights]
    return [(height, f"{number:.4g}") for height, number in zip(heights, numbers, strict=True)]


def parallel_coordinates(
    space: Space, trials: Sequence[Trial], figure_name: str, title: str
) -> Figure:
    """Plot a line for each trial through its parameters to its metric, with the best emphasised.

    Failed trials are dotted and end before the metric.
    """
    from matplotlib import colormaps

    order = ranked(trials, lower_is_better=space.lower_is_better)
    figures = [trial.figure for trial in order if trial.figure is not None]
    results = RangeParameters.model_construct(low=min(figures), high=max(figures), log=False)
    axes_of: dict[str, list[Any] | RangeParameters] = {
        **space.values,
        figure_name: results if results.low < results.high else [figures[0]],
    }
    figure = blank_figure(1.6 * len(axes_of) + 1.5, 5)
    axes = figure.subplots()
    for trial in trials:
        if trial.figure is None:
            heights = [_height(space.values[key], v) for key, v in trial.parameters.items()]
            axes.plot(range(len(heights)), heights, color="gray", linestyle=":", linewidth=1)
    for place, trial in reversed(list(enumerate(order))):
        point = {**trial.parameters, figure_name: trial.figure}
        heights = [_height(axes_of[key], value) for key, value in point.items()]
        # Worst light, best dark.
        colour = colormaps["viridis_r"](1 - place / max(len(order) - 1, 1))
        axes.plot(
            range(len(heights)),
            heights,
            color="tab:red" if place == 0 else colour,
            linewidth=2.5 if place == 0 else 1.2,
            label=f"best: trial {trial.number}" if place == 0 else None,
        )
    for place, values in enumerate(axes_of.values()):
        axes.axvline(place, color="black", linewidth=0.8)
        for height, label in _ticks(values):
            axes.annotate(
                label,
                (place, height),
                (3, 0),
                textcoords="offset points",
                fontsize=8,
                va="center",
                parse_math=False,
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
            )
    axes.set_xticks(range(len(axes_of)), [_label(key) for key in axes_of], fontsize=9)
    axes.set_xlabel("lines: the darker the better; dotted: failed", fontsize=8, color="gray")
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    return figure


def _label(key: str) -> str:
    """A dotted key on two lines."""
    section, dot, name = key.rpartition(".")
    return f"{section}{dot}\n{name}"


def importances(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """The share of the metric's variance that each parameter explains alone, largest first.

    It is computed by functional analysis of variance over a random forest (Hutter et al. 2014) and
    normalised to a sum of 1. It is empty if the metrics do not differ.
    """
    if len({trial.figure for trial in trials if trial.figure is not None}) < 2:
        return {}
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    evaluator = FanovaImportanceEvaluator(seed=space.seed % 2**32)
    return get_param_importances(space.study(trials), evaluator=evaluator)


def importance_picture(shares: Mapping[str, float], figure_name: str, title: str) -> Figure:
    """Plot a bar for each parameter."""
    figure = blank_figure(7, 0.45 * len(shares) + 1.5)
    axes = figure.subplots()
    axes.barh(range(len(shares)), list(shares.values()), color="tab:blue")
    axes.set_yticks(range(len(shares)), list(shares))
    axes.invert_yaxis()
    axes.set(title=title, xlabel=f"importance for {figure_name}: share of its variance (fANOVA)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
