"""N-gram models of running text, which a language model must beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.ngrams import NGramCounts, NGramModel, add_k, count_ngrams, modified_kneser_ney
from nlp_rnn.text.prepared import PreparedDataset

ORDER = 5
"""The order of the Kneser-Ney baseline: the usual one for word-level text."""


def n_gram_losses(dataset: PreparedDataset) -> Iterator[tuple[str, Floats]]:
    """Each model's name and ``-ln P`` of every token of the test split, in nats ``(tokens,)``."""
    test = np.asarray(dataset.split("test").ids)
    yield "unigram", -np.log(add_k(_counts(dataset, 1)).probabilities(test))
    yield f"kneser_ney_{ORDER}", -np.log(kneser_ney(dataset, ORDER).probabilities(test))


def kneser_ney(dataset: PreparedDataset, order: int) -> NGramModel:
    """The modified Kneser-Ney model of the training split."""
    return modified_kneser_ney(_counts(dataset, order))


def _counts(dataset: PreparedDataset, order: int) -> NGramCounts:
    vocabulary = dataset.vocabulary
    train = dataset.split("train").ids
    return count_ngrams(train, order, len(vocabulary), vocabulary.end_index)
