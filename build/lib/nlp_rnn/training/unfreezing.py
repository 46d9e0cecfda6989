"""Which weights are trained when, and how fast: discriminative fine-tuning, gradual unfreezing."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from nlp_rnn.config import TrainingParameters
from nlp_rnn.models.transfer import layer_groups


@dataclass(frozen=True)
class Pace:
    """How fast some weights are trained.

    Attributes:
        weights: the weights that have this pace.
        factor: the factor of the learning rate.
        frozen_epochs: the number of first epochs in which they do not change.
    """

    weights: list[keras.Variable]
    factor: float = 1.0
    frozen_epochs: int = 0


def paces(network: keras.Model, training: TrainingParameters, frozen_epochs: int) -> list[Pace]:
    """The paces of all weights that are not trained at the full learning rate throughout.

    The group at depth ``d`` below the head has the learning rate times ``discriminative^-d``, and
    with gradual unfreezing it is frozen for ``d`` epochs (Howard & Ruder 2018, section 3.3).

    Args:
        network: a network with a layer called ``embedding``.
        training: the training parameters.
        frozen_epochs: the number of first epochs in which embeddings are never trained.
    """
    embeddings = network.get_layer("embedding").trainable_variables if frozen_epochs else []
    found = []
    for depth, group in enumerate(reversed(layer_groups(network))):
        factor = training.discriminative**-depth
        frozen = depth if training.unfreezing == "gradual" else 0
        later = [weight for weight in group if any(weight is other for other in embeddings)]
        others = [weight for weight in group if not any(weight is other for other in later)]
        found.append(Pace(others, factor, frozen))
        found.append(Pace(later, factor, max(frozen, frozen_epochs)))
    return [p for p in found if p.weights and (p.factor != 1 or p.frozen_epochs)]
