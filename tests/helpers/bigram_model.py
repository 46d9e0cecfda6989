"""A language model whose probabilities are known: a recurrent network that is a bigram table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn.config import AnyExperiment
from nlp_rnn.example import Example
from nlp_rnn.text.prepared import PreparedDataset

LARGE = 10.0
"""An input of which the tanh is 1."""


def experiment(types: int, **sections: Any) -> AnyExperiment:
    """Language modelling with states as wide as the vocabulary; ``sections`` replace others."""
    network = {
        "model": {"cell": {"kind": "simple_rnn"}, "units": types},
        "training": {"batch_size": 4},
    }
    return small_experiment("language_modelling", dimension=types, **(network | sections))


def bigram_probabilities(dataset: PreparedDataset) -> np.ndarray:
    """``P(next | token)`` ``(token, next)`` by add-one counts of the training split."""
    types, end = len(dataset.vocabulary), dataset.vocabulary.end_index
    ids = dataset.split("train").ids
    counts = np.ones((types, types))
    np.add.at(counts, (np.append(end, ids[:-1]), ids), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def bigram_network(dataset: PreparedDataset, found: AnyExperiment) -> Any:
    """The network of ``experiment`` with the probabilities of :func:`bigram_probabilities`."""
    from nlp_rnn.models.network import build_network

    types = len(dataset.vocabulary)
    one_hot = np.eye(types)
    built = build_network(found, types, [])
    built.set_weights(
        [
            LARGE * one_hot,
            one_hot,
            np.zeros((types, types)),
            np.zeros(types),
            np.log(bigram_probabilities(dataset)),
            np.zeros(types),
        ]
    )
    return built


def dataset_of(folder: Path, *texts: str, **vocabulary: Any) -> PreparedDataset:
    """A prepared data set with the same texts in every split."""
    examples = [Example(text=text) for text in texts]
    return prepared(folder, same_everywhere("text", examples), **vocabulary)
