"""Folders of learned sentence encoders, and the encoder at work in NumPy.

================== ============================================================
``vectors.npy``    the vectors of words, float32 ``(words, dimension)``
``words.json``     these words, and the forms in which others are looked up
``encoder.npz``    the weights of the GRUs
``card.json``      how, and from what data, it was learned
================== ============================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nlp_rnn.embeddings.encoders import read_recurrent
from nlp_rnn.embeddings.sentences import Sentence, batches_of_one_length, sigmoid
from nlp_rnn.embeddings.vectors import Matrix, WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, whole_folder, write_json
from nlp_rnn.hints import Remedy

VECTORS, WORDS, ENCODER, CARD = "vectors.npy", "words.json", "encoder.npz", "card.json"

PARTS = ("kernel", "recurrent", "bias")
"""The weights of a GRU, ``(dimension, 3 units)``, ``(units, 3 units)`` and ``(2, 3 units)``, as
Keras has them: gates ``z, r, g``."""

POOLED = {
    "last": lambda states: states[:, -1],
    "mean": lambda states: states.mean(axis=1),
    "max": lambda states: states.max(axis=1),
}


class Weights(NamedTuple):
    """The weights of one GRU; see :data:`PARTS`."""

    kernel: Matrix
    recurrent: Matrix
    bias: Matrix


def is_sentence_encoder(folder: Path) -> bool:
    """Whether a folder holds a learned sentence encoder."""
    return (folder / ENCODER).is_file()


@dataclass(frozen=True)
class SentenceEncoder:
    """GRUs that read the vectors of a sentence's words.

    Attributes:
        vectors: of words; others are left out.
        grus: the GRUs of each encoder (two in quick-thought, whose vectors are joined), first the
            one that reads forwards, then, if there is one, the one that reads backwards.
        pooling: how the states of a GRU become one vector; the last state of a backward GRU is that
            at the first word.
        card: how, and from what data, they were learned.
    """

    vectors: WordVectors
    grus: Sequence[Sequence[Weights]]
    pooling: str
    card: dict[str, Any]

    def encode(self, sentences: Sequence[Sentence]) -> Matrix:
        """A vector for each sentence, zeros where none of its words has a vector.

        Args:
            sentences: rows of :attr:`vectors`, as :func:`~nlp_rnn.embeddings.sentences.rows_of`
                finds them.

        Returns:
            ``(sentences, width)``, the width the sum of the units of all GRUs.
        """
        width = sum(len(gru.recurrent) for each in self.grus for gru in each)
        found = np.zeros((len(sentences), width), np.float32)
        for numbers in batches_of_one_length(sentences):
            words = self.vectors.matrix[np.stack([sentences[number] for number in numbers])]
            directions = (words, words[:, ::-1])
            found[numbers] = np.concatenate(
                [
                    POOLED[self.pooling](gru_states(read, gru))
                    for each in self.grus
                    for gru, read in zip(each, directions, strict=False)
                ],
                axis=1,
            )
        return found

    def write(self, target: Path) -> None:
        """Write the folder completely or not at all."""
        arrays = {
            f"{number}/{direction}/{part}": weights
            for number, each in enumerate(self.grus)
            for direction, gru in enumerate(each)
            for part, weights in zip(PARTS, gru, strict=True)
        }
        words = {"words": list(self.vectors.words), "lookup": list(self.vectors.lookup)}
        with whole_folder(target) as folder:
            np.save(folder / VECTORS, self.vectors.matrix, allow_pickle=False)
            np.savez(folder / ENCODER, allow_pickle=False, **arrays)
            write_json(folder / WORDS, words)
            write_json(folder / CARD, self.card)

    @classmethod
    def read(cls, folder: Path) -> SentenceEncoder:
        """Read the folder.

        Raises:
            UserError: it is missing, incomplete or damaged.
        """
        remedy = Remedy("learn the encoder again", folder.name, ("sentences",), force=True)
        card, words = read_json(folder / CARD, remedy), read_json(folder / WORDS, remedy)
        arrays = read_recurrent(folder / ENCODER, remedy)
        try:
            matrix = np.load(folder / VECTORS, allow_pickle=False)
            vectors = WordVectors(words["words"], matrix, words["lookup"])
            grus = _grus(arrays, matrix.shape[1])
            pooling = str(card["pooling"])
            POOLED[pooling]
        except (OSError, ValueError, EOFError, KeyError, TypeError, IndexError):
            raise UserError(f"{folder}: a sentence encoder, but damaged; {remedy}") from None
        return cls(vectors, grus, pooling, card)


def _grus(arrays: Mapping[str, Matrix], dimension: int) -> list[list[Weights]]:
    """The GRUs of each encoder; raises KeyError or ValueError if they do not fit together."""
    found: list[list[Weights]] = []
    for number in range(len({name.partition("/")[0] for name in arrays})):
        directions = sorted(
            {name.split("/")[1] for name in arrays if name.startswith(f"{number}/")}
        )
        each = [Weights(*(arrays[f"{number}/{d}/{part}"] for part in PARTS)) for d in directions]
        for gru in each:
            units = len(gru.recurrent)
            shapes = [(dimension, 3 * units), (units, 3 * units), (2, 3 * units)]
            if [weights.shape for weights in gru] != shapes:
                raise ValueError("shapes do not fit")
            if any(weights.dtype != np.float32 for weights in gru):
                raise ValueError("expected numbers of 32 bits")
        found.append(each)
    return found


def gru_states(words: Matrix, weights: Weights) -> Matrix:
    """The states of a GRU (Cho et al. 2014) after each word, ``(batch, steps, units)``.

    The reset gate applies after the product, as in :func:`nlp_rnn.layers.gru.gru`.

    Args:
        words: ``(batch, steps, dimension)``.
    """
    units = len(weights.recurrent)
    inputs = words @ weights.kernel + weights.bias[0]
    states = np.empty((*words.shape[:2], units), np.float32)
    h = np.zeros((len(words), units), np.float32)
    for step in range(words.shape[1]):
        a, p = inputs[:, step], h @ weights.recurrent + weights.bias[1]
        z, r = np.split(sigmoid(a[:, : 2 * units] + p[:, : 2 * units]), 2, axis=1)
        g = np.tanh(a[:, 2 * units :] + r * p[:, 2 * units :])
        states[:, step] = h = z * h + (1 - z) * g
    return states
