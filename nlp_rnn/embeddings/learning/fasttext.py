"""fastText by gensim: a word's vector is the mean of the word's own and its n-grams' vectors."""

from __future__ import annotations

from nlp_rnn.config import FastTextVectors
from nlp_rnn.embeddings.learning.corpus import Save, State, TokenCorpus
from nlp_rnn.embeddings.learning.word2vec import in_order, options, train
from nlp_rnn.embeddings.subwords import Subwords
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.extras import require


def fasttext(
    corpus: TokenCorpus, parameters: FastTextVectors, seed: int, saved: State | None, save: Save
) -> tuple[WordVectors, Subwords]:
    """Learn fastText vectors (Bojanowski et al. 2017).

    As :func:`~nlp_rnn.embeddings.learning.word2vec.word2vec`, but the score of a word ``w`` and a
    context ``c`` is ``mean over g of z_g · u_c`` instead of ``v_w · u_c``, where ``g`` runs over
    the word and the n-grams of ``<w>`` (section 3.2; the paper uses the sum). Words that never
    occurred therefore have vectors too.

    Args:
        corpus: the text to learn from.
        parameters: the section ``vectors:`` of ``params.yaml``.
        seed: see :func:`~nlp_rnn.embeddings.learning.word2vec.word2vec`.
        saved: the state of an interrupted run.
        save: called after each epoch.

    Returns:
        The vectors of the corpus's words, and those of n-grams.

    Raises:
        UserError: gensim is not installed.
    """
    require("gensim", "embeddings", "algorithm: fasttext")

    from gensim.models import FastText

    model = FastText(
        **options(parameters, seed),
        min_n=parameters.shortest,
        max_n=parameters.longest,
        bucket=parameters.buckets,
    )
    train(model, corpus, parameters, saved, save, ["vectors_vocab", "vectors_ngrams"])
    # gensim does this as it trains, and a run that was saved at its end trains no more.
    model.wv.adjust_vectors()
    subwords = Subwords(model.wv.vectors_ngrams, parameters.shortest, parameters.longest)
    return in_order(corpus, model.wv), subwords
