"""The word vectors that a sentence encoder reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from nlp_rnn import paths
from nlp_rnn.config import AnyEmbeddings, LearnedEmbeddings, PretrainedEmbeddings
from nlp_rnn.corpora import data_folder
from nlp_rnn.embeddings.initial import archive_of
from nlp_rnn.embeddings.learned import CARD, LearnedVectors
from nlp_rnn.embeddings.lookup import forms
from nlp_rnn.embeddings.reading import load_vectors
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256
from nlp_rnn.text.vocabulary import Vocabulary


def word_vectors(
    parameters: AnyEmbeddings, vocabulary: Vocabulary, seed: int
) -> tuple[WordVectors, dict[str, Any]]:
    """The vectors of the vocabulary's words and of ``more_words``, and where they come from.

    Words without a vector have none here either, unlike in an experiment.

    Raises:
        UserError: the file or folder is missing or broken, or knows no word of the data.
    """
    words = vocabulary.types[len(vocabulary) - vocabulary.words :]
    if isinstance(parameters, LearnedEmbeddings):
        rng = np.random.default_rng(seed)
        size = (len(words), parameters.dimension)
        drawn = rng.uniform(-parameters.scale, parameters.scale, size)
        return WordVectors(words, drawn, ["lowercase"]), {"kind": "learned"}
    if isinstance(parameters, PretrainedEmbeddings):
        folder = data_folder()
        origin = {"file": parameters.file, "file_sha256": sha256(archive_of(parameters, folder))}
        source = str(paths.located(parameters.file, folder))
        vectors = load_vectors(parameters.file, folder, None, parameters.dimension).vectors
    else:
        target = paths.vectors(parameters.kind)
        vectors, source = LearnedVectors.read(target).vectors, str(target)
        origin = {"card_sha256": sha256(target / CARD)}
    wanted = {form for word in words for _, form in forms(word, parameters.lookup)}
    known = np.array([word in wanted for word in vectors.words])
    if not known.any():
        raise UserError(
            f"{source}: has no vector for any word of the data; is it in another language, or are "
            "its words written differently?"
        )
    rows = np.flatnonzero(known | (np.cumsum(~known) <= parameters.more_words))
    kept_words = [vectors.words[i] for i in rows.tolist()]
    kept = WordVectors(kept_words, vectors.matrix[rows], parameters.lookup)
    return kept, {"kind": parameters.kind, **origin}
