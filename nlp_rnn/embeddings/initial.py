"""The embedding matrix a model starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.config import LearnedEmbeddings, PretrainedEmbeddings
from nlp_rnn.corpora import data_folder
from nlp_rnn.corpora.download import ensure
from nlp_rnn.embeddings.glove import open_vectors, read_vectors
from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256, whole_folder, write_json
from nlp_rnn.text.vocabulary import PAD_INDEX, Vocabulary

Matrix = NDArray[np.float32]


def learned(
    parameters: LearnedEmbeddings, vocabulary: Vocabulary, seed: int
) -> tuple[Matrix, dict[str, Any]]:
    """Vectors drawn uniformly from ``[-scale, scale]``, ``(types, dimension)``."""
    rng = np.random.default_rng(seed)
    size = (len(vocabulary), parameters.dimension)
    matrix = rng.uniform(-parameters.scale, parameters.scale, size).astype(np.float32)
    matrix[PAD_INDEX] = 0
    return matrix, {"kind": "learned", "types": len(vocabulary)}


def pretrained(
    parameters: PretrainedEmbeddings, vocabulary: Vocabulary, seed: int, folder: Path
) -> tuple[Matrix, dict[str, Any]]:
    """Vectors from a GloVe file; missing words are drawn to its mean and spread.

    A word is looked up as it is, then in lower case. Coverage counts types that are words, and
    tokens of the training split.

    Raises:
        UserError: see :func:`~nlp_rnn.embeddings.glove.read_vectors`; no word is found.
    """
    archive = folder / parameters.file.partition("!")[0]
    ensure(archive, parameters.url, parameters.sha256, "embeddings.file")
    wanted = set(vocabulary.types) | {word.lower() for word in vocabulary.types}
    with open_vectors(parameters.file, folder) as lines:
        vectors = read_vectors(lines, wanted, parameters.dimension, str(folder / parameters.file))
    rng = np.random.default_rng(seed)
    size = (len(vocabulary), parameters.dimension)
    matrix = rng.normal(vectors.mean, vectors.deviation, size).astype(np.float32)
    matrix[PAD_INDEX] = 0
    types = tokens = 0
    for i, word in enumerate(vocabulary.types):
        vector = vectors.found.get(word, vectors.found.get(word.lower()))
        if vector is not None and i != PAD_INDEX:
            matrix[i] = vector
            types += 1
            tokens += vocabulary.counts[i]
    if not types:
        raise UserError(
            f"{folder / parameters.file}: has a vector for no word of the data; is it of another "
            "language, or are its words written another way?"
        )
    return matrix, {
        "kind": "pretrained",
        "file": parameters.file,
        "file_sha256": sha256(archive),
        "words_in_file": vectors.words,
        "types": len(vocabulary),
        "types_found": types,
        "type_coverage": types / vocabulary.words,
        "token_coverage": tokens / max(sum(vocabulary.counts), 1),
    }


def write_initial(
    target: Path,
    parameters: LearnedEmbeddings | PretrainedEmbeddings,
    vocabulary: Vocabulary,
    seed: int,
    data_sha256: str,
) -> dict[str, Any]:
    """Write ``vectors.npy`` ``(types, dimension)`` and ``coverage.json``; returns the latter.

    Args:
        data_sha256: of the prepared data whose vocabulary it is.
    """
    if isinstance(parameters, LearnedEmbeddings):
        matrix, coverage = learned(parameters, vocabulary, seed)
    else:
        matrix, coverage = pretrained(parameters, vocabulary, seed, data_folder())
    with whole_folder(target) as folder:
        np.save(folder / "vectors.npy", matrix, allow_pickle=False)
        coverage |= {"dimension": parameters.dimension, "data_sha256": data_sha256}
        write_json(folder / "coverage.json", coverage)
    return coverage
