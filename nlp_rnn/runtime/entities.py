"""The probability of each entity that a tagger predicts.

It is the sum of the probabilities of all tag sequences from which exactly this entity is read:
this type from this first to this last word, so that its borders count too. A CRF gives it by
constrained forward-backward (Culotta & McCallum 2004, "Confidence estimation for information
extraction").

The tags of a softmax are independent of one another. The same sum is then a product: that the
first tag opens an entity of the type, that each further tag continues it, and that the tag after
it does not. In BIO, for type ``X`` and the words ``a`` to ``b``,

    (p_a(B-X) + p_a(I-X) (1 - p_{a-1}(B-X) - p_{a-1}(I-X)))
        p_{a+1}(I-X) ... p_b(I-X) (1 - p_{b+1}(I-X))

where ``I-X`` opens an entity unless it follows one of its type, as in conlleval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nlp_rnn import linear_chain
from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.linear_chain import Lattice, Spans, Transitions
from nlp_rnn.text.entities import continuing, entity_spans, in_types

WordSpan = tuple[str, int, int]
"""An entity: its type, its first word, one past its last word."""


class PredictedEntity(NamedTuple):
    """An entity that a tagger predicts.

    Attributes:
        type: its type.
        first: the index of its first word.
        last: one past the index of its last word.
        probability: the probability that exactly this entity stands there.
    """

    type: str
    first: int
    last: int
    probability: float


def independent(tags: int) -> Transitions:
    """The transitions of a chain whose tags do not depend on one another, as those of a softmax."""
    return Transitions(np.zeros(tags), np.zeros((tags, tags)), np.zeros(tags))


def entity_probabilities(
    lattice: Lattice, entities: Sequence[Sequence[WordSpan]], tags: Sequence[str]
) -> list[Floats]:
    """The probability of each entity of each sentence of a batch, ``(entities,)`` per sentence.

    Args:
        lattice: the chain of each sentence.
        entities: the entities of each sentence.
        tags: for each tag of the chain, the tag of the data that it represents.
    """
    counts = [len(of_sentence) for of_sentence in entities]
    if not any(counts):
        return [np.empty(0) for _ in counts]
    types, starts, ends = zip(*(e for of_sentence in entities for e in of_sentence), strict=True)
    rows = np.repeat(np.arange(len(counts)), counts)
    spans = Spans(rows, np.array(starts), np.array(ends), in_types(tags, types))
    log_p = linear_chain.span_log_probabilities(lattice, spans, continuing(tags))
    return np.split(np.exp(log_p), np.cumsum(counts)[:-1])


def predicted_entities(
    lattice: Lattice, best: Sequence[Ints], labels: Sequence[str], tags: Sequence[str]
) -> list[list[PredictedEntity]]:
    """The entities of the predicted tags of each sentence, with their probabilities.

    Args:
        lattice: the chain of each sentence.
        best: the index of each word's predicted label ``(words,)``.
        labels: the tags of the data.
        tags: see :func:`entity_probabilities`.
    """
    spans = [list(entity_spans([labels[i] for i in tags_.tolist()])) for tags_ in best]
    found = entity_probabilities(lattice, spans, tags)
    return [
        [PredictedEntity(*span, p) for span, p in zip(of_sentence, values.tolist(), strict=True)]
        for of_sentence, values in zip(spans, found, strict=True)
    ]
