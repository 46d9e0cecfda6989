"""Linear text classifiers: bag of words, TF-IDF, and NB-SVM with pairs of words.

They know which terms (words or pairs of adjacent words) a text has, but nothing else about word
order. All read term counts ``(texts, terms)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


MOST_ITERATIONS = 2000
"""The maximum number of a solver's iterations; it reaches its tolerance long before."""


def term_counts(texts: Sequence[Sequence[str]], tokens: int) -> csr_matrix:
    """Count how often each text, given as tokens, has each term of so many adjacent ``tokens``.

    Returns:
        Counts ``(texts, terms)``; without columns if no text is long enough.
    """
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer

    if max(map(len, texts)) < tokens:
        return csr_matrix((len(texts), 0), dtype=np.int64)
    vectorizer = CountVectorizer(
        preprocessor=_unchanged,
        tokenizer=_unchanged,
        token_pattern=None,
        lowercase=False,
        ngram_range=(tokens, tokens),
    )
    return vectorizer.fit_transform(texts)


def _unchanged(text: Sequence[str]) -> Sequence[str]:
    return text


def bag_of_words(C: float) -> Any:
    """Logistic regression on the presence of terms."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Binarizer

    return make_pipeline(Binarizer(), LogisticRegression(C=C, max_iter=MOST_ITERATIONS))


def tf_idf(C: float) -> Any:
    """Logistic regression on ``(1 + ln tf) idf``, with each text's vector scaled to length 1."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        TfidfTransformer(sublinear_tf=True), LogisticRegression(C=C, max_iter=MOST_ITERATIONS)
    )


@dataclass(frozen=True)
class NBSVM:
    """The support vector machine with naive Bayes features of Wang & Manning (2012).

    With ``f`` 1 for the terms of a text and 0 for others (section 2.3), a linear SVM with squared
    hinge loss on ``r * f`` separates a class ``c`` from all others::

        p = alpha + sum of f over texts of c      q = alpha + sum of f over the others
        r = ln (p / |p|_1) - ln (q / |q|_1)

    whose weights ``w`` are interpolated with their mean magnitude, so that the model lies between
    naive Bayes and the SVM: ``w' = (1 - beta) |w|_1 / terms + beta w`` (equation 3).

    Attributes:
        classes: labels ``(classes,)``.
        ratios: ``r`` of each class ``(classes, terms)``; with two classes, only the second has a
            row here and below, because the first is its opposite.
        weights: ``w`` of each class ``(classes, terms)``.
        biases: ``(classes,)``.
        beta: 0 gives naive Bayes, 1 the SVM.
    """

    classes: Ints
    ratios: Floats
    weights: Floats
    biases: Floats
    beta: float = 1.0

    @classmethod
    def fit(
        cls,
        counts: csr_matrix,
        labels: Ints,
        C: float,
        alpha: float = 1.0,
        weights: Floats | None = None,
    ) -> NBSVM:
        """Estimate a model with ``beta`` 1; for another, :func:`dataclasses.replace` it.

        Args:
            counts: ``(texts, terms)``.
            labels: class indices ``(texts,)``.
            C: the parameter of the SVM.
            alpha: the number added to every term's count.
            weights: how much each text counts for the SVM ``(texts,)``; None for 1.
        """
        from sklearn.svm import LinearSVC

        classes, present = np.unique(labels), _binary(counts)
        ratios, svms = [], []
        for label in classes[1:] if len(classes) == 2 else classes:
            ratio = log_count_ratio(present, labels == label, alpha)
            # A fixed seed, because the solver visits texts in random order.
            svm = LinearSVC(C=C, max_iter=MOST_ITERATIONS, random_state=0)
            svms.append(svm.fit(present.multiply(ratio).tocsr(), labels == label, weights))
            ratios.append(ratio)
        coefficients = np.concatenate([svm.coef_ for svm in svms])
        biases = np.array([svm.intercept_[0] for svm in svms])
        return cls(classes, np.stack(ratios), coefficients, biases)

    def decision_function(self, counts: csr_matrix) -> Floats:
        """The score of each class ``(texts, classes)``; with two, of the second ``(texts,)``."""
        even = np.abs(self.weights).mean(axis=1, keepdims=True)
        interpolated = (1 - self.beta) * even + self.beta * self.weights
        scores: Floats = _binary(counts) @ (self.ratios * interpolated).T + self.biases
        return scores[:, 0] if len(self.classes) == 2 else scores

    def predict(self, counts: csr_matrix) -> Ints:
        """The class of each text ``(texts,)``."""
        scores = self.decision_function(counts)
        if len(self.classes) == 2:
            return self.classes[(scores > 0).astype(np.int64)]
        return self.classes[scores.argmax(axis=1)]


@dataclass(frozen=True)
class OneVsRest:
    """A binary model for each label, where a text may have any number of them.

    Attributes:
        models: by label, whose ``decision_function`` maps counts to scores ``(texts,)``. A label
            that every training text has needs none.
        labels: the number of labels.
    """

    models: Mapping[int, Any]
    labels: int

    def decision_function(self, counts: csr_matrix) -> Floats:
        """The score of each label ``(texts, labels)``."""
        scores = np.full((counts.shape[0], self.labels), ALWAYS)
        for label, model in self.models.items():
            scores[:, label] = model.decision_function(counts)
        return scores


ALWAYS = 1e6
"""The score of a label that every training text has."""


def log_count_ratio(present: csr_matrix, is_class: NDArray[np.bool_], alpha: float) -> Floats:
    """``r`` ``(terms,)``: how much more likely each term is in the class."""
    p = alpha + np.asarray(present[is_class].sum(axis=0)).ravel()
    q = alpha + np.asarray(present[~is_class].sum(axis=0)).ravel()
    return np.log(p / p.sum()) - np.log(q / q.sum())


def _binary(counts: csr_matrix) -> csr_matrix:
    """1.0 for every count above 0."""
    return (counts > 0).astype(np.float64)
