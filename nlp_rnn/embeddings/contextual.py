"""Folders of contextual word vectors: a forward and a backward language model.

=================== =============================================================
``context.npz``     the word vectors ``vectors``, ``(types, dimension)``, and the weights of the
                    LSTMs (see :mod:`nlp_rnn.models.contextual`)
``vocabulary.json`` the vocabulary of the language models
``card.json``       how, and from what data, they were learned
=================== =============================================================

An experiment's initial vectors have ``context.npz`` too, with a word vector for each type of the
experiment's own vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn import paths
from nlp_rnn.config import ContextualParameters
from nlp_rnn.embeddings.encoders import read_recurrent
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json, sha256, whole_folder, write_json
from nlp_rnn.hints import Remedy
from nlp_rnn.text.vocabulary import PAD_INDEX, UNK_INDEX, Vocabulary

Matrix = NDArray[np.float32]
Context = tuple[Matrix, dict[str, Matrix]]

CONTEXT, VOCABULARY, CARD = "context.npz", "vocabulary.json", "card.json"


def write_language_models(
    target: Path,
    vectors: Matrix,
    weights: Mapping[str, Matrix],
    vocabulary: Vocabulary,
    card: Mapping[str, Any],
) -> None:
    """Write the folder completely or not at all."""
    with whole_folder(target) as folder:
        _write(folder, vectors, weights)
        vocabulary.save(folder / VOCABULARY)
        write_json(folder / CARD, dict(card))


def _write(folder: Path, vectors: Matrix, weights: Mapping[str, Matrix]) -> None:
    np.savez(folder / CONTEXT, allow_pickle=False, vectors=vectors, **weights)


def read_context(folder: Path, stage: str) -> Context:
    """The word vectors and the weights of the LSTMs.

    Args:
        stage: what writes the folder.

    Raises:
        UserError: the file is missing or damaged.
    """
    remedy = Remedy("write it again", paths.owner(folder), (stage,))
    weights = read_recurrent(folder / CONTEXT, remedy)
    if "vectors" not in weights:
        raise UserError(f"{folder / CONTEXT}: missing or broken; {remedy}")
    return weights.pop("vectors"), weights


def words_of(folder: Path) -> WordVectors:
    """The word vectors of the language models, without those of padding."""
    types = Vocabulary.load(folder / VOCABULARY).types
    rows, _ = read_context(folder, "vectors")
    if len(rows) != len(types):
        remedy = Remedy("learn the language models", folder.name, ("vectors",))
        raise UserError(f"{folder}: its parts do not match; {remedy}")
    return WordVectors(types[1:], rows[1:])


def write_context(
    target: Path, parameters: ContextualParameters, vocabulary: Vocabulary
) -> dict[str, Any]:
    """Write the language models with word vectors for another vocabulary.

    A word that they do not know gets the vector of their ``<unk>``, as when they were learned.

    Returns:
        Where they come from, and the share of the vocabulary's types and tokens that they know.

    Raises:
        UserError: the language models are missing or damaged, have another size, or know no word.
    """
    source = Path(parameters.folder)
    there = " in its project" if "/" in parameters.vectors else ""
    remedy = Remedy(f"learn the language models{there}", source.name, ("vectors",))
    card = read_json(source / CARD, remedy)
    rows, weights = read_context(source, "vectors")
    own, given = (
        (each.get("dimension"), each.get("layers")) for each in (parameters.model_dump(), card)
    )
    types = Vocabulary.load(source / VOCABULARY).types
    if own != given or rows.shape != (len(types), parameters.dimension):
        raise UserError(f"{source}: has other language models than params.yaml says; {remedy}")
    vectors = WordVectors(types, rows, parameters.lookup)
    found = [vectors.find(word) for word in vocabulary.types]
    known = np.array([hit is not None for hit in found])
    known[: len(vocabulary) - vocabulary.words] = False
    if not known.any():
        raise UserError(
            f"{source}: its language models know no word of the data; are the words written "
            "differently? The tokenizers of both data sets should be the same"
        )
    matrix = np.stack([rows[hit[0] if hit else UNK_INDEX] for hit in found])
    matrix[PAD_INDEX] = 0
    _write(target, matrix, weights)
    counts = np.array(vocabulary.counts)
    return {
        "vectors": parameters.vectors,
        "card_sha256": sha256(source / CARD),
        "type_coverage": float(known.sum() / vocabulary.words),
        "token_coverage": float(counts[known].sum() / max(counts.sum(), 1)),
    }
