"""Inspect a language model on a text: writes a page, a plot and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.corpora.lines import BadBytes, read_lines
from nlp_rnn.corpora.settings import options_named
from nlp_rnn.drawing import save
from nlp_rnn.errors import UserError
from nlp_rnn.files import check_folder
from nlp_rnn.inspection.content import (
    MOST_SHOWN,
    cell_name,
    cell_panel,
    panel_name,
    saliency_panels,
    signed,
)
from nlp_rnn.inspection.features import FEATURES
from nlp_rnn.inspection.page import Link, page, table, write_page
from nlp_rnn.inspection.panel import Panel
from nlp_rnn.inspection.picture import picture
from nlp_rnn.inspection.ranking import Track, ranking, write_ranking
from nlp_rnn.inspection.reading import Reading, read
from nlp_rnn.inspection.state import State
from nlp_rnn.process import log, terminable
from nlp_rnn.progress import progress
from nlp_rnn.runtime.bundle import Bundle

if TYPE_CHECKING:
    import keras

MOST_TOKENS = 20_000
"""The number of tokens of the text that are read and used to rank cells."""

TRACKED = 5
"""The number of cells that ``--track`` shows."""

PAGE, PICTURE, TABLE = "cells.html", "cells.png", "cells.csv"


def inspect(
    bundle_folder: Path,
    text_file: Path,
    target: Path,
    layer: int | None = None,
    cells: Sequence[int] | None = None,
    track: str | None = None,
    positions: Sequence[int] = (),
    bad_bytes: BadBytes | None = None,
) -> None:
    """Write ``cells.html``, ``cells.png`` and ``cells.csv`` into the folder ``target``.

    Args:
        bundle_folder: the bundle of a language model with recurrent layers and Keras weights.
        text_file: a UTF-8 text file.
        target: the folder, created if it is missing; the three files in it are replaced.
        layer: the only layer to inspect, from 0; None inspects all.
        cells: the numbers of the cells to show, from 0; None shows the best.
        track: the feature whose best cells to show; if neither this nor ``cells`` is given, the
            best cell for every feature is shown.
        positions: the tokens, from 1, whose predictions to explain by the preceding tokens.
        bad_bytes: how to treat undecodable UTF-8; None means as in training.

    Raises:
        UserError: the bundle, the text or an argument is invalid.
    """
    if track is not None and track not in FEATURES:
        raise UserError(f"--track {track}: no such feature; expected {', '.join(FEATURES)}")
    check_folder(target)
    bundle = Bundle.open(bundle_folder)
    with options_named():
        reading = _read(bundle, text_file, bad_bytes or bundle.tokenizer.parameters.bad_bytes)
    _check_positions(positions, reading)
    features = _features(reading, text_file, track)
    network = _network(bundle)

    from nlp_rnn.inspection.activations import states_along, widths

    _check_cells(layer, cells or (), widths(network), bundle.folder)
    with terminable():
        with progress(None, "reading", "tokens", len(reading)) as bar:
            states = states_along(network, reading.inputs, reading.starts, bar.update)
        chosen = {
            state: values[1:]
            for state, values in states.items()
            if layer is None or state.layer == layer
        }
        binary = [name for name in features if FEATURES[name].binary]
        ranked = ranking(chosen, features, binary)
        shown = _best(ranked, track) if cells is None else _chosen(ranked, chosen, cells)
        panels = [cell_panel(reading, chosen[State(t.layer, t.state)], features, t) for t in shown]
        for position in positions:
            panels += saliency_panels(network, reading, list(states.values()), position)
        _write(target, bundle, text_file, reading, ranked, panels)


def _read(bundle: Bundle, text_file: Path, bad_bytes: BadBytes) -> Reading:
    bundle.require_language_model("can be inspected")
    reading = read(
        read_lines(text_file, bad_bytes),
        bundle.tokenizer,
        bundle.vocabulary,
        bundle.experiment.training.streams == "lines",  # type: ignore[union-attr]
        MOST_TOKENS,
    )
    if not len(reading):
        raise UserError(f"{text_file}: holds no text; give a file with at least one line")
    if not reading.complete:
        log(f"{text_file}: only the first {len(reading):,} tokens are read")
    return reading


def _check_positions(positions: Sequence[int], reading: Reading) -> None:
    for position in positions:
        if not 1 <= position <= len(reading):
            raise UserError(
                f"--saliency {position}: no such token; the text has tokens 1 to {len(reading)}"
            )


def _features(
    reading: Reading, text_file: Path, track: str | None
) -> dict[str, NDArray[np.float64]]:
    """The features that vary in the text, each ``(tokens,)``."""
    found = {
        name: reading.of_tokens(feature.values(reading.text)) for name, feature in FEATURES.items()
    }
    varying = {name: values for name, values in found.items() if np.ptp(values) > 0}
    if track is not None and track not in varying:
        raise UserError(
            f"--track {track}: constant over {text_file}, so no cell can be "
            f"shown to track it; choose another text, or one of {', '.join(varying) or 'none'}"
        )
    if left_out := [name for name in found if name not in varying]:
        log(f"{text_file}: constant features are not ranked: {', '.join(left_out)}")
    return varying


def _check_cells(
    layer: int | None, cells: Sequence[int], widths: Mapping[State, int], folder: Path
) -> None:
    if layer is not None and layer not in {state.layer for state in widths}:
        last = max(state.layer for state in widths)
        raise UserError(f"--layer {layer}: {folder} has layers 0 to {last}")
    most = max(width for state, width in widths.items() if layer in (None, state.layer))
    for cell in cells:
        if not 0 <= cell < most:
            raise UserError(f"--cells {cell}: no such cell; there are cells 0 to {most - 1}")


def _network(bundle: Bundle) -> keras.Model:
    network = bundle.keras_model()

    from nlp_rnn.inspection.gradient_flow import recurrent_layers

    if not recurrent_layers(network):
        raise UserError(f"{bundle.folder}: has no recurrent layer, so no cells to inspect")
    return network


def _best(ranked: Mapping[str, list[Track]], track: str | None) -> list[Track]:
    """The cells to show if none were named."""
    if track is not None:
        return ranked[track][:TRACKED]
    return [track for tracks in ranked.values() for track in tracks[:1]]


def _chosen(
    ranked: Mapping[str, list[Track]], states: Mapping[State, Floats], cells: Sequence[int]
) -> list[Track]:
    """The named cells, each with the feature that it tracks best."""
    best: dict[tuple[int, str, int], Track] = {}
    for track in sorted(
        (track for tracks in ranked.values() for track in tracks),
        key=lambda track: abs(track.correlation),
    ):
        best[track.layer, track.state, track.cell] = track
    return [
        best.get((*state, cell), Track("", 0, *state, cell, 0.0, None, 0.0, 0.0))
        for cell in cells
        for state, values in states.items()
        if cell < values.shape[1]
    ]


def _write(
    target: Path,
    bundle: Bundle,
    text_file: Path,
    reading: Reading,
    ranked: Mapping[str, list[Track]],
    panels: Sequence[Panel],
) -> None:
    write_ranking(target / TABLE, [track for tracks in ranked.values() for track in tracks])
    save(picture(panels), target / PICTURE)
    introduction = [
        f"{len(reading):,} tokens of {text_file.name}"
        + ("" if reading.complete else " (its beginning)")
        + (f"; the first {MOST_SHOWN:,} are shown" if len(reading) > MOST_SHOWN else "")
        + ". Each token is coloured by the state after it was read: orange above 0, blue "
        "below. Hover over a token to see its number and value.",
        "The correlation is over all tokens read. Among many cells, one correlates with "
        "anything by chance: trust a cell only if both halves of the text agree, then look.",
    ]
    best = [tracks[0] for tracks in ranked.values() if tracks]
    linked = {panel.name for panel in panels}
    rows = [
        [
            Link(cell_name(track), panel_name(track))
            if panel_name(track) in linked
            else cell_name(track),
            FEATURES[track.feature].description,
            *(signed(r, 3) for r in (track.correlation, track.first_half, track.second_half)),
            "" if track.auc is None else f"{track.auc:.3f}",
        ]
        for track in best
    ]
    columns = ["best cell", "feature", "correlation", "first half", "second half", "AUC"]
    document = page(
        f"Inside {bundle.name}", introduction, table(columns, rows) if rows else "", panels
    )
    write_page(target / PAGE, document)
    log(f"{target}: {PAGE}, {PICTURE}, {TABLE}")
