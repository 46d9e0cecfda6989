"""word2vec by gensim: vectors that predict words from nearby words."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.config import Word2VecVectors
from nlp_rnn.config.vectors import PredictedVectors
from nlp_rnn.embeddings.learning.corpus import Save, State, TokenCorpus
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.extras import require
from nlp_rnn.process import log
from nlp_rnn.progress import progress

LAST_RATE = 1 / 250
"""The final learning rate as a fraction of the initial one; as in gensim, 0.0001 of 0.025."""


def word2vec(
    corpus: TokenCorpus, parameters: Word2VecVectors, seed: int, saved: State | None, save: Save
) -> WordVectors:
    """Learn word2vec vectors (Mikolov et al. 2013a, 2013b).

    Skip-gram maximises ``ln P(c | w)`` of each context ``c`` of each word ``w``, CBOW
    ``ln P(w | mean of the contexts)``. ``P`` is not a softmax over all words, but one of:

    - negative sampling: ``ln s(v_w · u_c) + sum over k drawn words n of ln s(-v_w · u_n)``, with
      the sigmoid ``s`` and words drawn in proportion to ``#(n)^0.75`` (2013b, equation 4);
    - hierarchical softmax: the product of ``s(± v_w · u_t)`` over the nodes ``t`` of a Huffman
      tree from its root to ``c`` (2013b, equation 3).

    An occurrence of a word of relative frequency ``f`` is dropped with a probability of about
    ``1 - sqrt(subsample / f)`` (2013b, equation 5). Each occurrence has a window of 1 to ``window``
    tokens, drawn uniformly, so that nearer words count more.

    Args:
        corpus: the text to learn from.
        parameters: the section ``vectors:`` of ``params.yaml``.
        seed: the seed of initial vectors, windows and samples. With one thread, the same seed gives
            the same vectors; several threads overwrite each other's steps.
        saved: the state of an interrupted run.
        save: called after each epoch.

    Raises:
        UserError: gensim is not installed.
    """
    require("gensim", "embeddings", "algorithm: word2vec")

    from gensim.models import Word2Vec

    model = Word2Vec(**options(parameters, seed))
    train(model, corpus, parameters, saved, save, ["vectors"])
    return in_order(corpus, model.wv)


def options(parameters: PredictedVectors, seed: int) -> dict[str, Any]:
    """The arguments that gensim's models share."""
    sampled = parameters.output == "negative_sampling"
    return {
        "vector_size": parameters.dimension,
        "window": parameters.window,
        "sg": int(parameters.architecture == "skip_gram"),
        "hs": int(not sampled),
        "negative": parameters.negative if sampled else 0,
        "sample": parameters.subsample,
        "workers": parameters.threads,
        "seed": seed,
        "min_count": 1,  # rarer words are already removed from the corpus
    }


def train(
    model: Any,
    corpus: TokenCorpus,
    parameters: PredictedVectors,
    saved: State | None,
    save: Save,
    learned: list[str],
) -> None:
    """Train a new gensim model epoch by epoch, so that each epoch can be saved.

    gensim silently drops all tokens of a sentence after the first 10,000, so longer ones are split
    into pieces first; only the few contexts that cross a split are lost.

    Args:
        model: the model, not yet built.
        corpus: the text to learn from.
        parameters: the section ``vectors:`` of ``params.yaml``.
        saved: the state of an interrupted run.
        save: called after each epoch.
        learned: the attributes of ``model.wv`` that hold the learned weights.
    """
    from gensim.models.word2vec import MAX_WORDS_IN_BATCH

    corpus = corpus.in_pieces(MAX_WORDS_IN_BATCH)
    logging.getLogger("gensim").setLevel(logging.ERROR)  # it warns that small corpora are small
    model.build_vocab_from_freq(
        dict(zip(corpus.words, corpus.counts.tolist(), strict=True)), corpus_count=len(corpus)
    )
    arrays: list[NDArray[Any]] = [getattr(model.wv, name) for name in learned]
    arrays.append(model.syn1 if model.hs else model.syn1neg)
    done = 0
    if saved:
        done, (*values, keys, position) = saved
        for array, value in zip(arrays, values, strict=True):
            array[:] = value
        model.random.set_state(("MT19937", keys, int(position)))
    for epoch in range(done, parameters.epochs):
        title = f"epoch {epoch + 1}/{parameters.epochs}"
        sentences = progress(corpus.sentences(), title, "sentences", len(corpus))
        model.train(
            _Again(sentences),
            total_examples=len(corpus),
            epochs=1,
            start_alpha=_rate(parameters, epoch),
            end_alpha=_rate(parameters, epoch + 1),
        )
        _, keys, position, *_ = model.random.get_state()
        save(epoch + 1, [*arrays, keys, np.array(position)])
        log(f"epoch {epoch + 1}/{parameters.epochs}")


class _Again:
    """An iterable that is not an iterator: gensim rejects iterators although it reads only once."""

    def __init__(self, sentences: Any) -> None:
        self._sentences = sentences

    def __iter__(self) -> Any:
        return iter(self._sentences)


def _rate(parameters: PredictedVectors, epoch: int) -> float:
    """The linearly decreasing learning rate at the start of an epoch, counted from 0."""
    share = epoch / parameters.epochs
    return parameters.learning_rate * (1 - share * (1 - LAST_RATE))


def in_order(corpus: TokenCorpus, vectors: Any) -> WordVectors:
    """gensim's vectors in the order of the corpus's words."""
    rows = [vectors.key_to_index[word] for word in corpus.words]
    return WordVectors(corpus.words, vectors.vectors[rows])
