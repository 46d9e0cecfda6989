"""The initial embedding matrix of a model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_rnn import paths
from nlp_rnn.config import (
    AnyEmbeddings,
    LearnedEmbeddings,
    LookupStep,
    PretrainedEmbeddings,
    TransferredEmbeddings,
)
from nlp_rnn.corpora import data_folder
from nlp_rnn.corpora.download import ensure
from nlp_rnn.embeddings.contextual import write_context
from nlp_rnn.embeddings.encoders import RECURRENT, VOCABULARY, is_encoder, vectors_of_encoder
from nlp_rnn.embeddings.learned import CARD, LearnedVectors
from nlp_rnn.embeddings.lookup import forms
from nlp_rnn.embeddings.reading import load_vectors
from nlp_rnn.embeddings.subwords import Subwords
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256, whole_folder, write_json
from nlp_rnn.hints import Remedy
from nlp_rnn.text.vocabulary import PAD_INDEX, Vocabulary

Matrix = NDArray[np.float32]


class Initial(NamedTuple):
    """The initial state of a network's embedding layer.

    Attributes:
        matrix: float32 ``(types, dimension)``.
        vocabulary: the types of the rows: the vocabulary of the data, possibly with more words.
        card: the origin of the vectors, and their coverage of the data's vocabulary.
    """

    matrix: Matrix
    vocabulary: Vocabulary
    card: dict[str, Any]


def learned(parameters: LearnedEmbeddings, vocabulary: Vocabulary, seed: int) -> Initial:
    """Random vectors, uniform in ``[-scale, scale]``."""
    rng = np.random.default_rng(seed)
    size = (len(vocabulary), parameters.dimension)
    matrix = rng.uniform(-parameters.scale, parameters.scale, size).astype(np.float32)
    matrix[PAD_INDEX] = 0
    return Initial(matrix, vocabulary, {"kind": "learned", "types": len(vocabulary)})


def pretrained(
    parameters: PretrainedEmbeddings,
    vocabulary: Vocabulary,
    seed: int,
    folder: Path,
) -> Initial:
    """Vectors from a file, and their coverage of the vocabulary.

    Args:
        parameters: the file, how words are looked up in it, and what happens to words not found.
        vocabulary: the vocabulary of the training split.
        seed: the seed of random vectors.
        folder: that the file is relative to.

    Raises:
        UserError: see :func:`~nlp_rnn.embeddings.reading.load_vectors`; no word is found.
    """
    archive = archive_of(parameters, folder)
    wanted = None
    if not parameters.more_words:
        wanted = {form for word in vocabulary.types for _, form in forms(word, parameters.lookup)}
    file = load_vectors(parameters.file, folder, wanted, parameters.dimension)
    origin = {
        "kind": "pretrained",
        "file": parameters.file,
        "file_sha256": sha256(archive),
        "words_in_file": file.words,
        "duplicates": file.duplicates,
    }
    return _looked_up(
        parameters,
        vocabulary,
        seed,
        source=paths.located(parameters.file, folder),
        vectors=file.vectors,
        mean=file.mean,
        deviation=file.deviation,
        origin=origin,
    )


def checksum_of_file(parameters: AnyEmbeddings) -> dict[str, str]:
    """The name and SHA-256 of the file of pretrained vectors; empty if there is no file.

    Raises:
        UserError: it is missing and cannot be downloaded.
    """
    if not isinstance(parameters, PretrainedEmbeddings):
        return {}
    archive = archive_of(parameters, data_folder())
    return {"file": parameters.file, "sha256": sha256(archive)}


def archive_of(parameters: PretrainedEmbeddings, folder: Path) -> Path:
    """The file, or the archive that it is in, downloaded where it is missing."""
    archive = paths.located(parameters.file.partition("!")[0], folder)
    ensure(archive, parameters.url, parameters.sha256, "embeddings.file")
    return archive


def transferred(
    parameters: TransferredEmbeddings, vocabulary: Vocabulary, seed: int, folder: Path
) -> Initial:
    """Vectors learned from a corpus, and their coverage.

    Args:
        parameters: how words are looked up, and what happens to words not found.
        vocabulary: the vocabulary of the training split.
        seed: the seed of random vectors.
        folder: the folder of the vectors.

    Raises:
        UserError: the folder is missing or damaged; no word is found.
    """
    learned = LearnedVectors.read(folder)
    rows = learned.vectors.matrix.astype(np.float64)
    if rows.shape[1] != parameters.dimension:
        raise UserError(
            f"{folder}: the vectors have dimension {rows.shape[1]}, not {parameters.dimension}; "
            f"{Remedy('learn them again', folder.name, ('vectors',))}"
        )
    origin = {
        "kind": "vectors",
        "vectors": parameters.kind,
        "card_sha256": sha256(folder / CARD),
        "words_in_file": len(learned.vectors),
    }
    return _looked_up(
        parameters,
        vocabulary,
        seed,
        source=folder,
        vectors=learned.vectors,
        mean=rows.mean(axis=0),
        deviation=rows.std(axis=0),
        origin=origin,
        subwords=learned.subwords if parameters.unknown == "subwords" else None,
    )


def _looked_up(
    parameters: PretrainedEmbeddings | TransferredEmbeddings,
    vocabulary: Vocabulary,
    seed: int,
    *,
    source: Path,
    vectors: WordVectors,
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
    origin: dict[str, Any],
    subwords: Subwords | None = None,
) -> Initial:
    """The vectors of a vocabulary's types and of ``more_words``, and their coverage.

    Args:
        source: where the vectors come from, for messages.
        mean: ``(dimension,)``, the mean of all vectors of the source.
        deviation: ``(dimension,)``, their standard deviation.
        origin: what the card says about the source.
        subwords: if given, they provide the vectors of words that are not found.
    """
    vectors = WordVectors(vectors.words, vectors.matrix, parameters.lookup)
    of_data, vocabulary = vocabulary, vocabulary.extended(vectors.words, parameters.more_words)
    found = [vectors.find(word) for word in vocabulary.types]
    found[PAD_INDEX] = None
    types = [i for i, hit in enumerate(found) if hit]
    if not types:
        raise UserError(
            f"{source}: has no vector for any word of the data; is it in another language, or are "
            "its words written differently?"
        )
    known = vectors.matrix[[hit[0] for hit in found if hit]]
    if parameters.unknown == "mean":
        matrix = np.tile(known.mean(axis=0), (len(vocabulary), 1))
    else:
        rng = np.random.default_rng(seed)
        size = (len(vocabulary), parameters.dimension)
        matrix = rng.normal(mean, deviation, size).astype(np.float32)
    if subwords is not None:
        for i in range(len(vocabulary) - vocabulary.words, len(vocabulary)):
            matrix[i] = subwords.vector(vocabulary.types[i])
    matrix[PAD_INDEX] = 0
    matrix[types] = known
    steps = [hit and hit[1] for hit in found[: len(of_data)]]
    card = {
        **origin,
        "types": len(of_data),
        "more_words": len(vocabulary) - len(of_data),
        **coverage(steps, of_data, parameters.lookup),
    }
    return Initial(matrix, vocabulary, card)


def coverage(
    steps: Sequence[str | None], vocabulary: Vocabulary, lookup: Sequence[LookupStep]
) -> dict[str, Any]:
    """The coverage of the vocabulary, in the end and after each step of the lookup.

    Args:
        steps: the step that found each type; None if no step did.
        vocabulary: coverage counts its types that are words, and their tokens in the training
            split.
        lookup: the steps after ``as_is``.
    """
    special = len(vocabulary) - vocabulary.words
    after = []
    types = tokens = 0
    for step in ("as_is", *lookup):
        rows = [i for i, by in enumerate(steps) if by == step and i >= special]
        types += len(rows)
        tokens += sum(vocabulary.counts[i] for i in rows)
        after.append(
            {
                "step": step,
                "types_found": types,
                "type_coverage": types / max(vocabulary.words, 1),
                "token_coverage": tokens / max(sum(vocabulary.counts), 1),
            }
        )
    total = {name: value for name, value in after[-1].items() if name != "step"}
    return total | {"lookup": after}


def write_initial(
    target: Path,
    parameters: AnyEmbeddings,
    vocabulary: Vocabulary,
    seed: int,
    data_sha256: str,
) -> dict[str, Any]:
    """Write ``vectors.npy`` ``(types, dimension)`` and ``coverage.json``; returns the latter.

    For an encoder also write ``recurrent.npz``, the initial weights of its recurrent layers, for
    vectors with ``more_words`` the ``vocabulary.json`` of all types, and for contextual vectors
    ``context.npz``, the language models.

    Args:
        data_sha256: the hash of the prepared data to which the vocabulary belongs.
    """
    source = paths.vectors(parameters.kind)
    if isinstance(parameters, LearnedEmbeddings):
        initial = learned(parameters, vocabulary, seed)
    elif isinstance(parameters, PretrainedEmbeddings):
        initial = pretrained(parameters, vocabulary, seed, data_folder())
    elif is_encoder(source):
        initial = _of_encoder(parameters, vocabulary, source)
    else:
        initial = transferred(parameters, vocabulary, seed, source)
    card = initial.card | {"dimension": parameters.dimension, "data_sha256": data_sha256}
    with whole_folder(target) as folder:
        np.save(folder / "vectors.npy", initial.matrix, allow_pickle=False)
        if card["kind"] == "encoder":
            shutil.copyfile(source / RECURRENT, folder / RECURRENT)
        if parameters.more_words:
            initial.vocabulary.save(folder / VOCABULARY)
        if parameters.contextual is not None:
            card["contextual"] = write_context(folder, parameters.contextual, initial.vocabulary)
        write_json(folder / "coverage.json", card)
    return card


def _of_encoder(parameters: TransferredEmbeddings, vocabulary: Vocabulary, folder: Path) -> Initial:
    """The vectors of a language model's embedding layer."""
    if parameters.more_words:
        raise UserError(
            f"embeddings.more_words: {parameters.kind} is an encoder, which has vectors for the "
            "data's own words only; leave it out"
        )
    matrix, origin, steps = vectors_of_encoder(parameters, vocabulary, folder)
    covered = coverage(steps, vocabulary, parameters.lookup)
    return Initial(matrix, vocabulary, origin | {"types": len(vocabulary), **covered})
