"""Labels for unlabelled texts, given by confident classifiers.

This is self-training (Scudder 1965; Yarowsky 1995) with two teachers: the labels that they give to
unlabelled texts train a third classifier (pseudo-labels, Lee 2013).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import tee

from nlp_rnn.inference.predictor import Predictor


class Texts:
    """A set of texts that stores only their digests."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._digests = set(map(self._digest, texts))

    @staticmethod
    def _digest(text: str) -> bytes:
        return sha256(text.strip().encode()).digest()

    def __contains__(self, text: str) -> bool:
        return self._digest(text) in self._digests


def pseudo_labels(
    texts: Iterable[str], teachers: Sequence[Predictor], min_confidence: float, known: Texts
) -> Iterator[str | None]:
    """Label each text by the mean of the teachers' probabilities.

    Args:
        texts: the texts, read once; a few thousand are held at a time.
        teachers: classifiers with the same labels.
        min_confidence: the minimum mean probability of the most likely label.
        known: texts that already have labels, or are used for evaluation.

    Yields:
        The label, or None for a text that is ``known`` or on which the teachers are not confident.
    """
    first, *copies = tee(texts, 1 + len(teachers))
    said = (teacher.predict(copy) for teacher, copy in zip(teachers, copies, strict=True))
    for text, *predictions in zip(first, *said, strict=True):
        each = [prediction["probabilities"] for prediction in predictions]
        means = {label: sum(p[label] for p in each) / len(each) for label in each[0]}
        label = max(means, key=means.__getitem__)
        yield label if means[label] >= min_confidence and text not in known else None
