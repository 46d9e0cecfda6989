"""Monte Carlo dropout: a network that applies dropout when predicting."""

from __future__ import annotations

from typing import Any

import keras


class MonteCarlo(keras.Model):
    """A network in training mode: each pass draws new dropout masks (Gal & Ghahramani 2016).

    The mean of several passes approximates the average over the networks that dropout trained.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="monte_carlo")
        self.network = network
        self.built = network.built

    def call(self, inputs: Any) -> Any:
        return self.network(inputs, training=True)
