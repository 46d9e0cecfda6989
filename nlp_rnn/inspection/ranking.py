"""Cells in the order of how well they keep track of something in a text."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.files import whole_file
from nlp_rnn.inspection.state import State


@dataclass(frozen=True)
class Track:
    """How well one cell tracks one feature.

    Attributes:
        feature: its name.
        rank: among all cells, 1 is the best.
        layer: of the cell, from 0.
        state: ``h``, ``c``, or what else the layer has.
        cell: its number, from 0.
        correlation: Pearson's, between the state and the feature over the tokens.
        auc: of a feature that is 0 or 1, the probability that the state is higher at a random
            token where it is 1 than at one where it is 0; else None.
        first_half: the correlation over the first half of the tokens alone; NaN where the
            feature or the cell does not vary there.
        second_half: over the other half. What two halves agree on is no accident.
    """

    feature: str
    rank: int
    layer: int
    state: str
    cell: int
    correlation: float
    auc: float | None
    first_half: float
    second_half: float


def correlations(states: Floats, feature: ArrayLike) -> NDArray[np.float64]:
    """Pearson's correlation of each column of ``states (tokens, cells)`` with a feature.

    Returns:
        ``(cells,)``; NaN where the cell or the feature ``(tokens,)`` is constant.
    """
    x, y = states.astype(np.float64), np.asarray(feature, np.float64)
    constant = (x == x[0]).all(axis=0) | (y == y[0]).all()
    x, y = x - x.mean(axis=0), y - y.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        found = y @ x / np.sqrt((x * x).sum(axis=0) * (y * y).sum())
    return np.where(constant, np.nan, found)


def aucs(states: Floats, features: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    """The area under the ROC curve of each cell for each feature of 0 and 1.

    From the sum of ranks of the ones, that is, the statistic of Mann and Whitney; equal states
    share their ranks.

    Args:
        states: ``(tokens, cells)``.
        features: each ``(tokens,)``, with both values in it.

    Returns:
        For each feature ``(cells,)``.
    """
    from scipy.stats import rankdata

    ranks = rankdata(states, axis=0)
    found = []
    for feature in features:
        ones = np.asarray(feature) > 0
        n = int(ones.sum())
        found.append((ranks[ones].sum(axis=0) - n * (n + 1) / 2) / (n * (len(ones) - n)))
    return found


def ranking(
    states: Mapping[State, Floats],
    features: Mapping[str, NDArray[np.float64]],
    binary: Sequence[str],
) -> dict[str, list[Track]]:
    """All cells by the absolute correlation with each feature, the best first.

    Args:
        states: each ``(tokens, cells)``.
        features: by name, each ``(tokens,)``, none of them constant.
        binary: names of the features that are 0 and 1.

    Returns:
        By feature. Cells that are constant over the text are left out.
    """
    half = len(next(iter(features.values()), ())) // 2
    binary = [name for name in features if name in binary]
    found: dict[str, list[Track]] = {name: [] for name in features}
    for (layer, state), values in states.items():
        areas = dict(zip(binary, aucs(values, [features[name] for name in binary]), strict=True))
        for name, feature in features.items():
            whole = correlations(values, feature)
            first = correlations(values[:half], feature[:half])
            second = correlations(values[half:], feature[half:])
            area = areas.get(name)
            found[name] += [
                Track(
                    name,
                    0,
                    layer,
                    state,
                    cell,
                    float(whole[cell]),
                    None if area is None else float(area[cell]),
                    float(first[cell]),
                    float(second[cell]),
                )
                for cell in np.flatnonzero(~np.isnan(whole)).tolist()
            ]
    return {name: _ranked(tracks) for name, tracks in found.items()}


def _ranked(tracks: list[Track]) -> list[Track]:
    ordered = sorted(tracks, key=lambda track: -abs(track.correlation))
    return [replace(track, rank=i) for i, track in enumerate(ordered, 1)]


def write_ranking(file: Path, tracks: Sequence[Track]) -> None:
    """Write a table as CSV, a row a feature and cell, whole or not at all."""
    with whole_file(file) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        columns = [field.name for field in fields(Track)]
        writer.writerow(columns)
        for track in tracks:
            values = (getattr(track, column) for column in columns)
            writer.writerow([_cell(value) for value in values])


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4f}"
    return "" if value is None else value
