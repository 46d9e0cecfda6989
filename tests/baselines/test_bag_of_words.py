"""Bag of words, TF-IDF and NB-SVM against their equations and scikit-learn's parts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC

from nlp_rnn.baselines.bag_of_words import (
    NBSVM,
    bag_of_words,
    log_count_ratio,
    term_counts,
    tf_idf,
)


def random_texts(classes: int = 2, seed: int = 1) -> tuple[list[list[str]], np.ndarray]:
    """Texts whose words depend on their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=120)
    words = np.array([f"w{i}" for i in range(30)])
    preference = rng.dirichlet(np.full(30, 0.5), size=classes)
    texts = [
        list(rng.choice(words, size=rng.integers(3, 12), p=preference[label])) for label in labels
    ]
    return texts, labels


def test_terms_are_words_and_pairs_of_adjacent_words() -> None:
    texts = [["not", "good", "not", "good"], ["good"], ["Not", "good"]]
    words, pairs = (term_counts(texts, tokens).toarray() for tokens in (1, 2))
    assert sorted(map(tuple, words.T.tolist())) == [(0, 0, 1), (2, 0, 0), (2, 1, 1)]
    assert sorted(map(tuple, pairs.T.tolist())) == [(0, 0, 1), (1, 0, 0), (2, 0, 0)]


def test_texts_of_a_word_each_have_no_pairs() -> None:
    assert term_counts([["good"], ["bad"]], 2).shape == (2, 0)


def test_tf_idf_is_scikit_learns() -> None:
    texts, labels = random_texts()
    vectorizer = TfidfVectorizer(analyzer=lambda text: text, sublinear_tf=True)
    expected = LogisticRegression(C=10.0, max_iter=2000)
    expected.fit(vectorizer.fit_transform(texts[:80]), labels[:80])
    counts = term_counts(texts, 1)
    known = np.flatnonzero(counts[:80].getnnz(axis=0))
    found = tf_idf(10.0).fit(counts[:80, known], labels[:80])
    np.testing.assert_allclose(
        found.predict_proba(counts[80:, known]),
        expected.predict_proba(vectorizer.transform(texts[80:])),
        atol=1e-6,
    )


def test_a_bag_of_words_knows_no_counts() -> None:
    texts, labels = random_texts()
    once, twice = (term_counts([text * n for text in texts], 1) for n in (1, 2))
    model = bag_of_words(1.0).fit(once, labels)
    np.testing.assert_array_equal(model.decision_function(once), model.decision_function(twice))


def test_the_log_count_ratio_is_that_of_the_paper() -> None:
    texts, labels = random_texts()
    counts = term_counts(texts, 1)
    names = sorted({word for text in texts for word in text})
    sums = [Counter(w for t, y in zip(texts, labels, strict=True) if y == c for w in set(t))
            for c in (0, 1)]  # fmt: skip
    q, p = ([of[name] + 1 for name in names] for of in sums)
    expected = [math.log(a / sum(p) / (b / sum(q))) for a, b in zip(p, q, strict=True)]
    present = (counts > 0).astype(float)
    np.testing.assert_allclose(log_count_ratio(present, labels == 1, 1.0), expected)


def test_the_log_count_ratio_is_naive_bayes() -> None:
    texts, labels = random_texts()
    present = (term_counts(texts, 1) > 0).astype(float)
    bayes = MultinomialNB(alpha=1.0).fit(present, labels)
    expected = bayes.feature_log_prob_[1] - bayes.feature_log_prob_[0]
    np.testing.assert_allclose(log_count_ratio(present, labels == 1, 1.0), expected)


@pytest.mark.parametrize("beta", [0.25, 1.0])
def test_nb_svm_is_an_interpolated_svm_on_naive_bayes_features(beta: float) -> None:
    texts, labels = random_texts()
    counts = term_counts(texts, 1)
    present = (counts.toarray() > 0).astype(float)
    ratio = log_count_ratio((counts > 0).astype(float), labels == 1, 1.0)
    svm = LinearSVC(C=0.1, tol=1e-8, dual=False).fit(present * ratio, labels)
    weights = (1 - beta) * np.abs(svm.coef_[0]).mean() + beta * svm.coef_[0]
    expected = (present * ratio) @ weights + svm.intercept_[0]
    model = replace(NBSVM.fit(counts, labels, C=0.1), beta=beta)
    clear = np.abs(expected) > 0.01  # the solvers end at different tolerances
    assert clear.sum() > 100
    np.testing.assert_array_equal(model.predict(counts)[clear], (expected > 0)[clear])


def test_nb_svm_tells_several_classes_apart() -> None:
    texts, labels = random_texts(classes=4)
    counts = term_counts(texts, 1)
    model = NBSVM.fit(counts[:90], labels[:90] + 3, C=0.1)
    assert model.weights.shape == (4, counts.shape[1])
    assert np.mean(model.predict(counts[90:]) == labels[90:] + 3) > 0.6


def test_pairs_of_words_tell_what_words_cannot() -> None:
    texts = [["not", "good", "but", "bad"], ["not", "bad", "but", "good"]] * 20
    labels = np.array([0, 1] * 20)
    words, pairs = (term_counts(texts, tokens) for tokens in (1, 2))
    assert np.mean(NBSVM.fit(words, labels, C=1.0).predict(words) == labels) == 0.5
    assert np.mean(NBSVM.fit(pairs, labels, C=1.0).predict(pairs) == labels) == 1.0
