"""The content of an inspection: panels of cells and of the saliency of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.inspection.features import FEATURES
from nlp_rnn.inspection.panel import Panel, Piece, pieces
from nlp_rnn.inspection.ranking import Track
from nlp_rnn.inspection.reading import Reading

if TYPE_CHECKING:
    import keras

MOST_SHOWN = 5_000
"""The number of tokens that a panel shows."""

REACH = 200
"""The number of tokens before a target for which saliency is computed."""


def panel_name(track: Track) -> str:
    """The link target of a cell's panel."""
    return f"{track.feature or 'cell'}-{track.layer}-{track.state}-{track.cell}"


def cell_name(track: Track) -> str:
    """A readable name of a cell."""
    return f"layer {track.layer}, state {track.state}, cell {track.cell}"


def signed(correlation: float, digits: int) -> str:
    """A correlation; a dash if it is undefined because one of the two is constant."""
    return "—" if np.isnan(correlation) else f"{correlation:+.{digits}f}"


def cell_panel(
    reading: Reading,
    states: Floats,
    features: Mapping[str, NDArray[np.float64]],
    track: Track,
) -> Panel:
    """The text coloured by one cell.

    Args:
        states: the states of all cells of its kind, ``(tokens, cells)``.
        features: by name, each ``(tokens,)``.
        track: the cell, and the feature that it tracks; an empty name if it tracks none.
    """
    values = states[:MOST_SHOWN, track.cell]
    title = cell_name(track)
    on = None
    note = "It tracks none of the features."
    if track.feature:
        feature = FEATURES[track.feature]
        title = f"{title}: {track.feature} (r {track.correlation:+.2f})"
        note = (
            f"Number {track.rank} for “{feature.description}”: correlation "
            f"{track.correlation:+.3f} ({signed(track.first_half, 2)} in the first half of the "
            f"text, {signed(track.second_half, 2)} in the second)"
        )
        note += "." if track.auc is None else f", AUC {track.auc:.3f}."
        on = features[track.feature][:MOST_SHOWN] if feature.binary else None
    shown = pieces(reading.text, reading.spans[:MOST_SHOWN], values, on)
    return Panel(title, note, shown, panel_name(track))


def saliency_panels(
    network: keras.Model, reading: Reading, states: Sequence[Floats], position: int
) -> list[Panel]:
    """The tokens before a token, coloured by each kind of saliency.

    Args:
        states: the states after each of the reading's inputs, in the network's order, each
            ``(tokens + 1, cells)``.
        position: the position of the token, from 1.
    """
    from nlp_rnn.inspection.saliency import saliency

    begun = int(np.flatnonzero(reading.starts[:position])[-1])
    first = max(begun, position - REACH)
    before = None if first == begun else [values[first - 1] for values in states]
    target = int(reading.inputs[position])
    found = saliency(network, reading.inputs[first:position], target, before)
    token, start, end = reading.spans[position - 1]
    probability = f"P = {np.exp(found.log_probability):.3g}"
    explained = Piece(
        reading.text[start:end], None, f"{position} ‘{token}’ {probability}", False, True
    )

    def panel(name: str, values: Floats, note: str) -> Panel:
        # Input i is token i; input 0 of the text is the line end before it, which is not shown.
        skipped = 1 if first == 0 else 0
        numbers = slice(first + skipped - 1, position - 1)
        shown = pieces(
            reading.text, reading.spans[numbers], values[skipped:], number=first + skipped
        )
        gap = reading.text[reading.spans[position - 2][2] : start] if position > 1 else ""
        return Panel(
            f"token {position} ‘{token}’, {probability}: {name}",
            note,
            [*shown, Piece(gap), explained],
            f"saliency-{position}-{name.replace(' ', '-')}",
        )

    return [
        panel(
            "gradient times input",
            found.gradient_times_input,
            "How much ln P of the outlined token would roughly drop (in nats) without each token: "
            "orange tokens support it, blue tokens oppose it.",
        ),
        panel(
            "gradient norm",
            found.gradient_norm,
            "How much ln P of the outlined token changes when a token's embedding moves slightly, "
            "in any direction.",
        ),
        panel(
            "occlusion",
            found.occlusion,
            "How much ln P of the outlined token drops (in nats) when a token's embedding is set "
            "to zero: orange tokens support it, blue tokens oppose it.",
        ),
    ]
