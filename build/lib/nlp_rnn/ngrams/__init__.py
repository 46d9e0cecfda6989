"""N-gram language models: counts, smoothing, ARPA files and interpolation.

>>> import numpy as np
>>> from nlp_rnn.ngrams import count_ngrams, modified_kneser_ney
>>> text = np.array([3, 4, 3, 5, 2, 3, 4, 5, 2])  # two sentences; 2 is <eos>
>>> model = modified_kneser_ney(count_ngrams(text, order=3, vocabulary_size=6, end_index=2))
>>> round(float(model.distribution(np.array([3, 4])).sum()), 12)
1.0

**Sentences.** A text is one array in which the end symbol ends each sentence. Contexts begin at the
start of the sentence, and a text starts with one. As the last word of an n-gram the end symbol is
``</s>``, a word that is predicted like any other; as the first word of a context it is ``<s>``,
which is never predicted. It occurs nowhere else.

**Vocabulary.** It is closed: all types except ``<pad>`` have a probability, whether they occurred
in training or not. ``<unk>`` is an ordinary word.

===========================  ============================================================
:func:`add_k`                Lidstone's law; Chen & Goodman (1999), section 2.1
:func:`katz`                 Katz (1987), backoff with Good-Turing discounts
:func:`stupid_backoff`       Brants et al. (2007), equation 5; scores, not probabilities
:func:`kneser_ney`           Kneser & Ney (1995), interpolated, one discount
:func:`modified_kneser_ney`  Chen & Goodman (1999), section 3, three discounts
===========================  ============================================================
"""

from nlp_rnn.ngrams.arpa import read_arpa, write_arpa
from nlp_rnn.ngrams.counts import NGramCounts, NGrams, count_ngrams
from nlp_rnn.ngrams.katz import katz
from nlp_rnn.ngrams.kneser_ney import kneser_ney, modified_kneser_ney
from nlp_rnn.ngrams.mixture import mixture_weights
from nlp_rnn.ngrams.model import BackoffScores, NGramModel, perplexity
from nlp_rnn.ngrams.smoothing import add_k, stupid_backoff

__all__ = [
    "BackoffScores",
    "NGramCounts",
    "NGramModel",
    "NGrams",
    "add_k",
    "count_ngrams",
    "katz",
    "kneser_ney",
    "mixture_weights",
    "modified_kneser_ney",
    "perplexity",
    "read_arpa",
    "stupid_backoff",
    "write_arpa",
]
