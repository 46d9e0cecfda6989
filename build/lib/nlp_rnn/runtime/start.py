"""The initial state with which a model of running text reads a single text.

Such a model is trained on one long text, so it sees a zero state only where its streams begin, and
its predictions from there are poor. On the built-in text, a small LSTM has a perplexity of 34 on
single held-out lines from a zero state, but 24 from a state at the end of any other line, the same
as when it reads all lines as one text. A state at the end of a line is therefore stored with the
model. It is a state that was actually reached, not a mean, because not every state can be averaged
(that of a feed-forward model is a list of tokens).
"""

from __future__ import annotations

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.runtime.network import Network, States
from nlp_rnn.text.streams import stream_steps, windows

STEPS = 256
"""The number of tokens in each parallel stream that is read to find the state."""

STREAMS = 32
"""The maximum number of parallel streams."""


def state_at_line_end(network: Network, ids: Ints, end_index: int) -> list[Floats]:
    """Of the states reached before an end symbol of a text, those closest to their mean.

    Args:
        network: a language model.
        ids: a text, ``(tokens,)``; its first tokens are enough.
        end_index: the index of the end symbol.

    Returns:
        The states, each ``(width,)``. If no line ends within the text, those after its last tokens.
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
