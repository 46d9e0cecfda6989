"""Word dropout: training reads some words as ``<unk>``, so that its vector is learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.text.batches import Batch
from nlp_rnn.text.vocabulary import PAD_INDEX, UNK_INDEX


def unknown_rates(
    counts: Sequence[int], word_dropout: float, singleton_dropout: float
) -> NDArray[np.float64]:
    """The probability with which each type is read as ``<unk>`` ``(vocabulary,)``.

    Args:
        counts: occurrences of each type in training.
        word_dropout: the probability for every word.
        singleton_dropout: an additional probability for words that occur once.
    """
    kept = np.where(np.array(counts) == 1, 1 - singleton_dropout, 1.0) * (1 - word_dropout)
    kept[PAD_INDEX] = 1
    return 1 - kept


def drop_words(
    batches: Iterable[Batch], rates: NDArray[np.float64], rng: np.random.Generator
) -> Iterator[Batch]:
    """Replace each occurrence of a type by ``<unk>`` with its rate; characters are kept."""
    for batch in batches:
        dropped = rng.random(batch.ids.shape) < rates[batch.ids]
        yield replace(batch, ids=np.where(dropped, np.int32(UNK_INDEX), batch.ids))
