"""Labels for unlabelled texts, by classifiers that are sure of them.

Self-training (Scudder 1965; Yarowsky 1995), here from two teachers: what they say of texts
without labels trains a third classifier (pseudo-labels, Lee 2013).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import tee

from nlp_rnn.inference.predictor import Predictor


class Texts:
    """A set of texts that remembers their digests alone."""

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
    """The label of each text by the mean of the teachers' probabilities.

    Args:
        texts: read once; some thousand are held at a time.
        teachers: classifiers that know the same labels.
        min_confidence: the least mean probability of the likeliest label.
        known: texts that have labels, or are for judging.

    Yields:
        None for a text that is ``known`` or of which the teachers are not sure.
    """
    first, *copies = tee(texts, 1 + len(teachers))
    said = (teacher.predict(copy) for teacher, copy in zip(teachers, copies, strict=True))
    for text, *predictions in zip(first, *said, strict=True):
        each = [prediction["probabilities"] for prediction in predictions]
        means = {label: sum(p[label] for p in each) / len(each) for label in each[0]}
        label = max(means, key=means.__getitem__)
        yield label if means[label] >= min_confidence and text not in known else None
