"""Encoder folders: the embeddings and recurrent layers of a language model, for other models.

================== ============================================================
``vectors.npy``    the embeddings, ``(types, dimension)``
``recurrent.npz``  the weights of the recurrent layers (see :mod:`nlp_rnn.models.transfer`)
``vocabulary.json`` the vocabulary of the language model
``card.json``      the model that they come from
================== ============================================================
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.config import TransferredEmbeddings
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_folder, write_json
from nlp_rnn.hints import Remedy
from nlp_rnn.text.vocabulary import PAD_INDEX, UNK_INDEX, Vocabulary

Matrix = NDArray[np.float32]

VECTORS, RECURRENT, VOCABULARY, CARD = (
    "vectors.npy",
    "recurrent.npz",
    "vocabulary.json",
    "card.json",
)


def is_encoder(folder: Path) -> bool:
    """Whether a folder of vectors holds an encoder."""
    return (folder / RECURRENT).exists()


def write_encoder(
    target: Path,
    vectors: Matrix,
    recurrent: Mapping[str, Matrix],
    vocabulary: Path,
    card: dict[str, Any],
) -> None:
    """Write the folder completely or not at all."""
    with whole_folder(target) as folder:
        np.save(folder / VECTORS, vectors, allow_pickle=False)
        np.savez(folder / RECURRENT, allow_pickle=False, **recurrent)
        shutil.copyfile(vocabulary, folder / VOCABULARY)
        write_json(folder / CARD, card)


def read_recurrent(file: Path, remedy: Remedy) -> dict[str, Matrix]:
    """The weights in ``recurrent.npz``; raises UserError with the ``remedy`` if it is broken."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        raise UserError(f"{file}: missing or broken; {remedy}") from None


def vectors_of_encoder(
    parameters: TransferredEmbeddings, vocabulary: Vocabulary, folder: Path
) -> tuple[Matrix, dict[str, Any], list[str | None]]:
    """The encoder's vectors of the types of another vocabulary.

    A type that the encoder lacks gets the vector of its ``<unk>``, as when the encoder was trained.

    Returns:
        The vectors ``(types, dimension)``, a record of where they come from, and for each type the
        lookup step that found it, or None.

    Raises:
        UserError: the folder is missing or damaged, or has no word of the vocabulary.
    """
    remedy = Remedy("write it again", folder.name, ("encoder",))
    types = Vocabulary.load(folder / VOCABULARY).types
    try:
        rows = np.load(folder / VECTORS, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise UserError(f"{folder / VECTORS}: missing or broken; {remedy}") from None
    vectors = WordVectors(types, rows, parameters.lookup)
    found = [vectors.find(word) for word in vocabulary.types]
    if not any(found[-vocabulary.words :]):
        raise UserError(
            f"{folder}: its language model knows no word of the data; are the words written "
            "differently? The tokenizers of both data sets should be the same"
        )
    matrix = np.stack([rows[hit[0] if hit else UNK_INDEX] for hit in found])
    matrix[PAD_INDEX] = 0
    origin = {"kind": "encoder", "encoder": parameters.kind, "words_in_file": len(types)}
    return matrix, origin, [hit and hit[1] for hit in found]
