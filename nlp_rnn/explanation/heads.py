"""The outputs of a network that are explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.forward import LABELS, TAGS


class Head(NamedTuple):
    """An output of a network.

    Attributes:
        number: its place among the outputs.
        labels: what it predicts.
        temperature: the divisor of its logits.
    """

    number: int
    labels: Sequence[str]
    temperature: float


def head_of_texts(bundle: Bundle) -> Head:
    """The output that labels a text."""
    if bundle.task.tagged:  # as well as the words
        return Head(LABELS, bundle.intents, bundle.intent_temperature)
    return Head(0, bundle.labels, bundle.temperature)


def head_of_words(bundle: Bundle) -> Head:
    """The output that tags words."""
    return Head(TAGS, bundle.labels, bundle.temperature)
