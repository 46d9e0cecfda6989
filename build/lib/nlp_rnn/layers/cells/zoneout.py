"""Zoneout: states randomly keep their previous value."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nlp_rnn.layers.cells.cell import Cell


@keras.saving.register_keras_serializable("nlp_rnn")
class Zoneout(Cell):
    """A cell whose states randomly keep their previous value (Krueger et al. 2017).

    ``s_t = d * s_{t-1} + (1 - d) * s~_t`` for each state's candidate ``s~_t``, where in training
    ``d`` is 1 with the state's rate as probability, drawn anew for each element and step; at
    inference ``d`` is the rate itself. An LSTM's ``h~`` comes from the candidate ``c~``, as in the
    paper.

    Args:
        cell: a cell of this package or of Keras; its output is its first state.
        rates: for each state, in the cell's order, the probability that an element keeps its value.

    Raises:
        ValueError: there is not exactly one rate per state; the cell draws dropout masks inside the
            loop; or the time of a phased LSTM has a rate above 0.
    """

    def __init__(self, cell: Any, rates: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cell = cell
        size = cell.state_size
        self.state_size = [size] if isinstance(size, int) else list(size)
        self.state_names = getattr(cell, "state_names", ("h", "c")[: len(self.state_size)])
        self.rates = tuple(rates)
        if len(self.rates) != len(self.state_size):
            raise ValueError(
                f"rates: {len(self.rates)} for {len(self.state_size)} states "
                f"({', '.join(self.state_names)})"
            )
        if dict(zip(self.state_names, self.rates, strict=True)).get("time"):
            raise ValueError("rates: the state 'time' must always advance; give it the rate 0")
        if not isinstance(cell, Cell) and (cell.dropout or cell.recurrent_dropout):
            raise ValueError("Zoneout excludes dropout and recurrent_dropout of a Keras cell")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if not self.cell.built:  # a reloaded cell is built already
            self.cell.build(input_shape)

    def draw_noise(self, batch_size: Any, timesteps: Any, seed: Any) -> list[Any]:
        """The cell's noise, then 1 where a state keeps its value, else 0."""
        noise = (
            self.cell.draw_noise(batch_size, timesteps, seed) if isinstance(self.cell, Cell) else []
        )
        for size, rate in zip(self.state_size, self.rates, strict=True):
            draw = keras.random.uniform((batch_size, timesteps, size), seed=seed)
            noise.append(ops.cast(draw < rate, draw.dtype))
        return noise

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        kept: Any = self.rates
        if training:
            total = sum(self.state_size)
            inputs, noise = inputs[:, :-total], inputs[:, -total:]
            ends = itertools.accumulate(self.state_size)
            kept = [noise[:, end - n : end] for n, end in zip(self.state_size, ends, strict=True)]
        _, candidates = self.cell(inputs, states, training=training)
        new = [
            d * previous + (1 - d) * candidate
            for d, previous, candidate in zip(kept, states, candidates, strict=True)
        ]
        return new[0], new

    def get_config(self) -> dict[str, Any]:
        cell = keras.saving.serialize_keras_object(self.cell)
        return {**super().get_config(), "cell": cell, "rates": list(self.rates)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Zoneout:
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return cls(**{**config, "cell": cell})
