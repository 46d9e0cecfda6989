"""Learn word vectors from the training split of a prepared data set.

=======================  ==================================================================
:mod:`.cooccurrence`     how often words occur near each other
:mod:`.pmi_svd`          pointwise mutual information, truncated SVD
:mod:`.glove`            GloVe, weighted least squares of log counts
:mod:`.word2vec`         CBOW and skip-gram, by gensim
:mod:`.fasttext`         the same with character n-grams, by gensim
:mod:`.learner`          all of them, by their names in ``params.yaml``
=======================  ==================================================================
"""
