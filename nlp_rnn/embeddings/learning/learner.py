"""All algorithms, by their names in ``params.yaml``."""

from __future__ import annotations

from nlp_rnn.config import FastTextVectors, GloveVectors, Word2VecVectors, WordVectorsParameters
from nlp_rnn.embeddings.learning.corpus import Save, State, TokenCorpus
from nlp_rnn.embeddings.learning.fasttext import fasttext
from nlp_rnn.embeddings.learning.glove import glove
from nlp_rnn.embeddings.learning.pmi_svd import svd_vectors
from nlp_rnn.embeddings.learning.word2vec import word2vec
from nlp_rnn.embeddings.subwords import Subwords
from nlp_rnn.embeddings.vectors import WordVectors


def learn(
    corpus: TokenCorpus,
    parameters: WordVectorsParameters,
    seed: int,
    saved: State | None = None,
    save: Save = lambda epochs, arrays: None,
) -> tuple[WordVectors, Subwords | None]:
    """Learn word vectors by ``parameters.algorithm``.

    Args:
        corpus: the text to learn from.
        parameters: the section ``vectors:`` of ``params.yaml``.
        seed: the seed of all random numbers.
        saved: the state of an interrupted run; ignored for an SVD, which has no epochs.
        save: called after each epoch.

    Returns:
        Vectors of the corpus's words, the most frequent first, and vectors of n-grams if the
        algorithm learns any.

    Raises:
        UserError: a library is not installed; the corpus is too small; the learning rate is too
            high.
    """
    if isinstance(parameters, FastTextVectors):
        return fasttext(corpus, parameters, seed, saved, save)
    if isinstance(parameters, GloveVectors):
        return glove(corpus, parameters, seed, saved, save), None
    if isinstance(parameters, Word2VecVectors):
        return word2vec(corpus, parameters, seed, saved, save), None
    return svd_vectors(corpus, parameters, seed), None
