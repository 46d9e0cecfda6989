"""Rank cells by how well they track a feature of a text."""

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
        feature: the name of the feature.
        rank: the rank among all cells; 1 is the best.
        layer: the layer of the cell, from 0.
        state: the name of the state, such as ``h`` or ``c``.
        cell: the number of the cell, from 0.
        correlation: Pearson's correlation between the state and the feature over the tokens.
        auc: for a binary feature, the probability that the state is higher at a random token where
            the feature is 1 than at one where it is 0; otherwise None.
        first_half: the correlation over the first half of the tokens only; NaN if the feature or
            the cell is constant there.
        second_half: the correlation over the second half. If both halves agree, it is hardly
            chance.
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
        ``(cells,)``; NaN if the cell or the feature ``(tokens,)`` is constant.
    """
    x, y = states.astype(np.float64), np.asarray(feature, np.float64)
    constant = (x == x[0]).all(axis=0) | (y == y[0]).all()
    x, y = x - x.mean(axis=0), y - y.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        found = y @ x / np.sqrt((x * x).sum(axis=0) * (y * y).sum())
    return np.where(constant, np.nan, found)


def aucs(states: Floats, features: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    """The area under the ROC curve of each cell for each binary feature.

    It is computed from the rank sum of the ones, which is the Mann-Whitney statistic; equal states
    share their ranks.

    Args:
        states: ``(tokens, cells)``.
        features: the features, each ``(tokens,)`` and with both values.

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
    """All cells by absolute correlation with each feature, best first.

    Args:
        states: each ``(tokens, cells)``.
        features: by name, each ``(tokens,)``, none of them constant.
        binary: the names of the binary features.

    Returns:
        The ranking by feature. Cells that are constant over the text are left out.
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
    """Write a CSV table with a row per feature and cell, completely or not at all."""
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
