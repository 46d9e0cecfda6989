"""Draw sentences from a grammar's automaton, all of them one position at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_rnn.arrays import Floats

from .automaton import Automaton
from .emission import WordClass

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """N sentences: their words and tags, and the observed label (or start symbol) of each."""

    words: list[list[str]]
    tags: list[list[str]]
    labels: list[str]


def sample(automaton: Automaton, size: int, rng: np.random.Generator) -> Sample:
    """Draw ``size`` sentences; their start symbols follow the grammar's Markov chain."""
    starts = _start_symbols(automaton, size, rng)
    states = _state_paths(automaton, starts, rng)
    inside = states < automaton.states - len(automaton.starts)
    lengths = inside.sum(axis=1)
    flat = states[inside]
    words = _words(automaton.classes, automaton.class_of[flat], rng)
    tags = _draw_rows(automaton.tag_given_state, flat, rng)
    labels = _draw_rows(automaton.label_given_start, starts, rng)
    names = [automaton.tags[tag] for tag in tags]
    ends = np.cumsum(lengths)
    spans = list(zip((ends - lengths).tolist(), ends.tolist(), strict=True))
    return Sample(
        [words[a:b] for a, b in spans],
        [names[a:b] for a, b in spans],
        [automaton.starts[label] for label in labels],
    )


def _start_symbols(automaton: Automaton, size: int, rng: np.random.Generator) -> Indices:
    uniform = rng.random(size)
    starts = np.empty(size, dtype=np.int64)
    cumulative = np.cumsum(automaton.chain, axis=1)
    row = np.cumsum(automaton.prior)
    for i, u in enumerate(uniform):
        starts[i] = min(int(np.searchsorted(row, u, side="right")), len(row) - 1)
        row = cumulative[starts[i]]
    return starts


def _state_paths(automaton: Automaton, starts: Indices, rng: np.random.Generator) -> Indices:
    """State sequences padded with end states, shape (N, T)."""
    given_start = np.where(
        automaton.start_of[None, :] == np.arange(len(automaton.starts))[:, None],
        automaton.initial[None, :],
        0.0,
    )
    state = _draw_rows(given_start / given_start.sum(axis=1, keepdims=True), starts, rng)
    a = automaton.transitions
    rows = np.repeat(np.arange(automaton.states), np.diff(a.indptr))
    keys = _keys(a.data, rows)
    first_end = automaton.states - len(automaton.starts)
    path = [state]
    while (state < first_end).any():
        state = a.indices[_find(keys, a.indptr, state, rng)]
        path.append(state)
    return np.stack(path, axis=1)


def _words(classes: Sequence[WordClass], wanted: Indices, rng: np.random.Generator) -> list[str]:
    """One word of each wanted class."""
    sizes = np.array([len(c.words) for c in classes])
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    keys = _keys(
        np.concatenate([c.probabilities for c in classes]),
        np.repeat(np.arange(len(classes)), sizes),
    )
    listed = [word for c in classes for word in c.words]
    words = [listed[i] for i in _find(keys, bounds, wanted, rng)]
    fresh = np.array([c.fresh for c in classes])
    spelt = np.flatnonzero(rng.random(len(wanted)) < fresh[wanted])
    for index in np.unique(wanted[spelt]):
        places = spelt[wanted[spelt] == index]
        letters = classes[index].letters
        if letters is not None:
            for place, word in zip(places, letters.spell(len(places), rng), strict=True):
                words[place] = word
    return words


def _draw_rows(table: Floats, rows: Indices, rng: np.random.Generator) -> Indices:
    """For each of ``rows``, a column of ``table`` drawn by that row's probabilities."""
    size = table.shape[1]
    keys = _keys(table.ravel(), np.repeat(np.arange(len(table)), size))
    bounds = np.arange(len(table) + 1) * size
    columns: Indices = _find(keys, bounds, rows, rng) - rows * size
    return columns


def _keys(probabilities: Floats, rows: Indices) -> Floats:
    """Row number plus cumulative probability within the row: one ascending array for all rows."""
    totals = np.cumsum(probabilities)
    ends = np.flatnonzero(np.diff(rows, append=rows[-1] + 1))
    before = np.concatenate([[0.0], totals[ends[:-1]]])
    keys: Floats = rows + totals - np.repeat(before, np.diff(ends, prepend=-1))
    return keys


def _find(keys: Floats, bounds: Indices, rows: Indices, rng: np.random.Generator) -> Indices:
    """Inverse transform sampling: an index into ``keys`` within each of ``rows``."""
    found: Indices = np.searchsorted(keys, rows + rng.random(len(rows)), side="right")
    # Rounding may leave a row's last key just below a whole number.
    return np.clip(found, bounds[rows], bounds[rows + 1] - 1)
