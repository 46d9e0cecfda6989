"""Base classes of recurrent cells: named states, and noise that is drawn outside the loop."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Cell(keras.layers.Layer):
    """One step of a recurrent network.

    A cell draws no random numbers itself, because a draw inside a compiled loop is either the same
    at every step or an error. :class:`~nlp_rnn.layers.recurrent.RecurrentLayer` calls
    :meth:`draw_noise` before the loop and appends each step's noise to that step's inputs; in
    training, the cell splits it off again. At inference no cell has noise.

    Attributes:
        state_names: the usual name of each state, ``h`` first; ``h`` is also the output.
        state_size: the size of each state, as ``keras.layers.RNN`` expects it.
    """

    state_names: tuple[str, ...]
    state_size: list[int]

    def draw_noise(self, batch_size: Any, timesteps: Any, seed: Any) -> list[Any]:
        """Draw the random masks of training for a batch of sequences.

        Returns:
            Tensors ``(batch, timesteps, size)``, in the order in which they are appended to
            the inputs.
        """
        return []


class RecurrentDropoutCell(Cell):
    """A cell that multiplies ``h_{t-1}`` by one dropout mask for the whole sequence.

    Gal & Ghahramani (2016), eq. 7, with one mask for all gates; scaled by ``1 / (1 - rate)`` in
    training, so that inference needs no change.

    Args:
        recurrent_dropout: probability that an element of ``h_{t-1}`` is dropped.
    """

    def __init__(self, recurrent_dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.recurrent_dropout = recurrent_dropout

    def draw_noise(self, batch_size: Any, timesteps: Any, seed: Any) -> list[Any]:
        if not self.recurrent_dropout:
            return []
        ones = ops.ones((batch_size, timesteps, self.state_size[0]))
        return [
            keras.random.dropout(
                ones, self.recurrent_dropout, noise_shape=(None, 1, None), seed=seed
            )
        ]

    def drop(self, inputs: Any, h: Any, training: bool) -> tuple[Any, Any]:
        """The features among ``inputs``, and ``h`` times the mask among them."""
        if not (training and self.recurrent_dropout):
            return inputs, h
        size = self.state_size[0]
        return inputs[:, :-size], h * inputs[:, -size:]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "recurrent_dropout": self.recurrent_dropout}
