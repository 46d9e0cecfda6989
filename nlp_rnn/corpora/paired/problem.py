"""What a built-in corpus of pairs can do: draw examples, and predict them as well as possible."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.example import Example


@dataclass(frozen=True)
class Best:
    """The predictions of the model that knows how a corpus was written.

    Attributes:
        targets: the most probable target of each example.
        probabilities: the probabilities of these ``(examples,)``: no model that is right more often
            on average exists.
        losses: ``-ln P`` of the targets that the examples have, in nats ``(examples,)``; their mean
            estimates the conditional entropy, which bounds the loss of every model.
    """

    targets: list[str]
    probabilities: Floats
    losses: Floats

    def metrics(self, examples: Sequence[Example]) -> dict[str, float]:
        """The optimum of loss and perplexity, per token with an end symbol for each target, and
        the expected share of exact matches."""
        tokens = sum(len(example.target.split()) + 1 for example in examples)
        loss = float(self.losses.sum()) / tokens
        return {
            "loss": loss,
            "perplexity": float(np.exp(loss)),
            "expected_exact_match": float(self.probabilities.mean()),
        }


class Problem(ABC):
    """A way to draw inputs with targets, whose conditional distribution is known."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int, split: str) -> Sequence[Example]:
        """So many examples of a split."""

    @abstractmethod
    def best(self, examples: Sequence[Example]) -> Best:
        """The best predictions for examples that :meth:`draw` may have drawn."""
