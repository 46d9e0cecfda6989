"""The state from which a model of running text reads a text that stands alone.

Such a model is trained on one long text, so it meets a zero state only where its streams begin,
and what it predicts from there is poor: on the built-in text a small LSTM has a perplexity of 34
on single held-out lines from a zero state, and 24 from a state at the end of any other line, as
it has when it reads all lines as one text. A state at a line's end is therefore kept with the
model. It is one that was reached, not a mean, since not every state can be averaged (that of a
feed-forward model is a list of tokens).
"""

from __future__ import annotations

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.runtime.network import Network, States
from nlp_rnn.text.streams import stream_steps, windows

STEPS = 256
"""Tokens of each parallel stream that is read to find the state."""

STREAMS = 32
"""Most parallel streams."""


def state_at_line_end(network: Network, ids: Ints, end_index: int) -> list[Floats]:
    """The states before an end symbol of a text, of those met the nearest to their mean.

    Args:
        network: a language model.
        ids: a text, ``(tokens,)``; its first tokens are enough.
        end_index: index of the end symbol.

    Returns:
        Each ``(width,)``. Where no line ends within the text, the states after its last tokens.
    """
    ids = ids[: STEPS * STREAMS]
    streams = max(1, len(ids) // STEPS)
    states: States = network.zero_states(streams)
    met = []
    for step, window in enumerate(
        windows(ids, end_index, streams, [1] * stream_steps(len(ids), streams))
    ):
        at_end = (window.ids[:, 0] == end_index) & (window.weights[:, 0] > 0)
        if step and at_end.any():
            met.append([np.asarray(state)[at_end] for state in states])
        _, states = network.losses(window.ids, window.targets, states)
    candidates = [np.concatenate(values) for values in zip(*met, strict=True)] or states
    together = np.concatenate([np.asarray(state, np.float64) for state in candidates], axis=1)
    nearest = int(np.square(together - together.mean(axis=0)).sum(axis=1).argmin())
    return [np.asarray(state)[nearest] for state in candidates]
