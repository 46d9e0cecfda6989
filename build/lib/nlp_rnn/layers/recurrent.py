"""The loop over a sequence, with all random masks drawn before it starts."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn.layers.cells.cell import Cell


@keras.saving.register_keras_serializable("nlp_rnn")
class RecurrentLayer(keras.layers.RNN):
    """A ``keras.layers.RNN`` for the cells of :mod:`nlp_rnn.layers.cells`, and for Keras's.

    In training it draws the cell's noise (one mask per sequence for recurrent dropout, one per step
    for zoneout) before the loop and passes it in with the inputs, because a loop compiled by JAX
    cannot advance a random generator.

    Args:
        cell: one cell.
        **kwargs: arguments of ``keras.layers.RNN``: ``return_sequences``, ``return_state``,
            ``go_backwards``, ...

    Call arguments:
        sequences: ``(batch, timesteps, features)``.
        initial_state: the cell's states, each ``(batch, size)``; zeros when None.
        mask: bool ``(batch, timesteps)``; states do not change where it is false, and outputs there
            are those of ``keras.layers.RNN``.
        training: whether to draw noise.

    Returns:
        As ``keras.layers.RNN``: ``h`` of the last step ``(batch, size)`` or of all steps
        ``(batch, timesteps, size)``; with ``return_state`` also the final states.
    """

    def __init__(self, cell: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self.seed_generator = keras.random.SeedGenerator()

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        if training and isinstance(self.cell, Cell):
            batch_size, timesteps, _ = ops.shape(sequences)
            noise = self.cell.draw_noise(batch_size, timesteps, self.seed_generator)
            noise = [ops.cast(n, sequences.dtype) for n in noise]
            sequences = ops.concatenate([sequences, *noise], axis=-1)
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
