"""A decoder whose attention at one step changes what it reads at the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from nlp_rnn import backend
from nlp_rnn.layers.attention import Attention
from nlp_rnn.layers.bptt import steps_first


@keras.saving.register_keras_serializable("nlp_rnn")
class AttentionDecoder(layers.Layer):
    """Recurrent cells with attention inside the loop over the steps.

    With ``placement`` ``before``, the state of the step before asks (Bahdanau et al. 2015,
    appendix A.1.2)::

        c_t = attention(s_{t-1})
        s_t = cells([y_t; c_t], s_{t-1})
        r_t = tanh(W [s_t; c_t] + b)

    With ``after``, the new state asks, and the result is fed to the next step (*input feeding*,
    Luong et al. 2015, section 3.3)::

        s_t = cells([y_t; r_{t-1}], s_{t-1})
        c_t = attention(s_t)
        r_t = tanh(W [s_t; c_t] + b)

    Args:
        cells: recurrent cells, the lowest first, whose first state is ``h``; the highest one asks.
        attention: the attention layer.
        placement: ``before`` or ``after``.
        width: the width of ``r``.
        dropout: the rate of dropout between cells, with one mask for each sequence.

    Call arguments:
        inputs: ``y``, ``(batch, steps, features)``.
        memory: the states of the source, ``(batch, timesteps, units)``.
        mask: bool ``(batch, timesteps)``, true at real tokens of the source.
        states: the states of the cells, and with ``after`` ``r_{t-1}``, each ``(batch, size)``.

    Returns:
        ``r`` ``(batch, steps, width)``, the weights ``(batch, steps, timesteps)``, and the states
        after the last step, as those given.
    """

    def __init__(
        self,
        cells: Sequence[layers.Layer],
        attention: Attention,
        placement: str,
        width: int,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)
        self.attention = attention
        self.placement = placement
        self.width = width
        self.dropout = dropout
        self.readout = layers.Dense(width, "tanh", dtype=self.dtype_policy, name="readout")
        self.seed_generator = keras.random.SeedGenerator()

    @property
    def sizes(self) -> list[int]:
        """The widths of the states."""
        of_cells = [size for cell in self.cells for size in _sizes(cell)]
        return of_cells + ([self.width] if self.placement == "after" else [])

    def build(self, inputs_shape: Any, memory_shape: Any, *_: Any) -> None:
        batch, _, features = inputs_shape
        memory_width, units = memory_shape[-1], _sizes(self.cells[-1])[0]
        below = features + (self.width if self.placement == "after" else memory_width)
        for cell in self.cells:
            cell.build((batch, below))
            below = _sizes(cell)[0]
        self.attention.build((batch, None, units), memory_shape, (batch, memory_shape[1]))
        self.readout.build((batch, units + memory_width))

    def call(
        self, inputs: Any, memory: Any, mask: Any, states: Sequence[Any], training: bool = False
    ) -> list[Any]:
        keys = self.attention.keys(memory)
        kept = self._kept(inputs, training)

        def attend(query: Any) -> list[Any]:
            found = self.attention.attend(query[:, None], keys, memory, mask)
            return [value[:, 0] for value in found]

        def step(before: Any, now: Any) -> Any:
            (y,), states = now, list(before)
            if self.placement == "before":
                context, weights = attend(self._top(states))
                s, states = self._cells(ops.concatenate([y, context], -1), states, kept)
                return tuple(states), (ops.concatenate([s, context], -1), weights)
            *states, fed = states
            s, states = self._cells(ops.concatenate([y, fed], -1), states, kept)
            context, weights = attend(s)
            r = self.readout(ops.concatenate([s, context], -1))
            return (*states, r), (r, weights)

        final, (found, weights) = backend.scan(step, states, (steps_first(inputs),), 2)
        found = steps_first(found)
        if self.placement == "before":
            found = self.readout(found)
        return [found, steps_first(weights), *final]

    def _top(self, states: Sequence[Any]) -> Any:
        """``h`` of the highest cell."""
        return states[-len(_sizes(self.cells[-1]))]

    def _kept(self, inputs: Any, training: bool) -> list[Any]:
        """The dropout masks on the inputs of all cells but the lowest."""
        if not (training and self.dropout):
            return []
        rows = ops.shape(inputs)[0]
        return [
            keras.random.dropout(
                ops.ones((rows, _sizes(cell)[0])),
                self.dropout,
                noise_shape=(None, None),  # drawn by this generator on PyTorch too
                seed=self.seed_generator,
            )
            for cell in self.cells[:-1]
        ]

    def _cells(self, x: Any, states: list[Any], kept: list[Any]) -> tuple[Any, list[Any]]:
        """The output of the highest cell, and the new states of all."""
        after: list[Any] = []
        for i, cell in enumerate(self.cells):
            own = states[len(after) : len(after) + len(_sizes(cell))]
            x, new = cell(x, own, training=False)  # the cells have no noise
            after += new
            if kept and i < len(kept):
                x = x * kept[i]
        return x, after

    def compute_output_spec(
        self, inputs: Any, memory: Any, mask: Any, states: Any, training: Any = None
    ) -> list[Any]:
        """The shapes of all results, without tracing a call."""
        batch, steps = inputs.shape[:2]
        shapes = [
            (batch, steps, self.width),
            (batch, steps, memory.shape[1]),
            *((batch, size) for size in self.sizes),
        ]
        return [keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes]

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "cells": [serialize(cell) for cell in self.cells],
            "attention": serialize(self.attention),
            "placement": self.placement,
            "width": self.width,
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AttentionDecoder:
        deserialize = keras.saving.deserialize_keras_object
        cells = [deserialize(cell) for cell in config.pop("cells")]
        return cls(cells, deserialize(config.pop("attention")), **config)


def _sizes(cell: Any) -> list[int]:
    """The widths of a cell's states, ``h`` first."""
    size = cell.state_size
    return [size] if isinstance(size, int) else list(size)
