"""Folders of learned vectors: ``vectors.txt``, ``card.json``, for fastText ``subwords.npy``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn.embeddings.export import write_word2vec
from nlp_rnn.embeddings.reading import load_vectors
from nlp_rnn.embeddings.subwords import Subwords
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, whole_folder, write_json
from nlp_rnn.hints import Remedy

VECTORS, SUBWORDS, CARD = "vectors.txt", "subwords.npy", "card.json"


@dataclass(frozen=True)
class LearnedVectors:
    """Vectors learned from a corpus.

    Attributes:
        vectors: the most frequent words first.
        subwords: the vectors of n-grams for fastText, otherwise None.
        card: how, and from what data, they were learned.
    """

    vectors: WordVectors
    subwords: Subwords | None
    card: dict[str, Any]

    def write(self, target: Path) -> None:
        """Write the folder completely or not at all; vectors are in word2vec's text format."""
        card = self.card
        with whole_folder(target) as folder:
            write_word2vec(self.vectors, folder / VECTORS)
            if self.subwords is not None:
                np.save(folder / SUBWORDS, self.subwords.matrix, allow_pickle=False)
                lengths = {"shortest": self.subwords.shortest, "longest": self.subwords.longest}
                card = card | {"subwords": lengths}
            write_json(folder / CARD, card)

    @classmethod
    def read(cls, folder: Path) -> LearnedVectors:
        """Read the folder.

        Raises:
            UserError: it is missing, incomplete or damaged.
        """
        remedy = Remedy("learn the vectors", folder.name, ("vectors", "encoder"))
        card = read_json(folder / CARD, remedy)
        subwords = None
        if "subwords" in card:
            try:
                matrix = np.load(folder / SUBWORDS, allow_pickle=False)
            except (OSError, ValueError, EOFError):
                raise UserError(f"{folder / SUBWORDS}: missing or broken; {remedy}") from None
            subwords = Subwords(matrix, **card["subwords"])
        return cls(load_vectors(VECTORS, folder).vectors, subwords, card)
