"""Predictions from a bundle: texts in, one JSON-able record each out, in order.

The model sees exactly what training showed it: the bundle's own tokenizer and vocabulary.
Texts are taken in chunks, sorted by length within a chunk and predicted in batches, so memory
does not grow with the number of texts.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn import backend
from nlp_rnn.errors import UserError
from nlp_rnn.inference.bundle import Bundle
from nlp_rnn.inference.forward import Tagged, losses_of_lines, probabilities, tag
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.entities import entity_spans, is_entity_scheme
from nlp_rnn.text.spelling import spell
from nlp_rnn.text.vocabulary import UNK

Item = str | Sequence[str]
"""A raw text, or words that are segmented already."""

Prediction = dict[str, Any]

CHUNK = 2048
"""Texts taken at a time."""

BATCH = 64
"""Texts in one forward pass."""


class Predictor(ABC):
    """A loaded model.

    Args:
        bundle: opened.
    """

    n_best = 1
    """Tag sequences to give of each sentence."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.network = bundle.network()
        self.samples = bundle.experiment.model.monte_carlo_samples

    @staticmethod
    def load(folder: Path) -> Predictor:
        """Load the bundle in ``folder``, on ``KERAS_BACKEND`` or the backend that trained it.

        Raises:
            UserError: the bundle is missing or broken, or no backend is installed.
        """
        return Predictor.of(Bundle.open(folder))

    @staticmethod
    def of(bundle: Bundle) -> Predictor:
        """Load an opened bundle; see :meth:`load`."""
        backend.select(backend.installed(bundle.provenance.get("backend")))
        return PREDICTORS[bundle.experiment.task](bundle)

    def predict(self, items: Iterable[Item]) -> Iterator[Prediction]:
        """One record for each text or segmented sentence, in order."""
        stream = iter(items)
        while chunk := list(itertools.islice(stream, CHUNK)):
            yield from self.predict_chunk(chunk)

    @abstractmethod
    def predict_chunk(self, items: list[Item]) -> Iterator[Prediction]:
        """Predict a list of items."""


def _text(item: Item) -> str:
    return item if isinstance(item, str) else " ".join(item)


class ClassificationPredictor(Predictor):
    """``label``, its ``probability``, and the ``probabilities`` of all labels."""

    def predict_chunk(self, items: list[Item]) -> Iterator[Prediction]:
        longest = self.bundle.experiment.training.max_length  # type: ignore[union-attr]
        encode, tokens = self.bundle.vocabulary.encode, self.bundle.tokenizer.tokens
        texts = [Encoded(np.array(encode(tokens(_text(i)) or [UNK])[:longest])) for i in items]
        labels = self.bundle.labels
        for row in probabilities(self.network, texts, BATCH, self.samples):
            best = int(row.argmax())
            yield {
                "label": labels[best],
                "probability": float(row[best]),
                "probabilities": dict(zip(labels, map(float, row), strict=True)),
            }


class TaggingPredictor(Predictor):
    """``tokens``, their ``tags`` and the ``probabilities`` of these.

    With ``n_best`` above 1 (of a CRF), the likeliest tag sequences of the sentence too, each with
    its ``tags`` and ``probability``. Where tags are BIO, ``entities`` too, each with ``type``,
    ``text``, and the offsets ``start`` and ``end`` of its characters in the raw text (of segmented
    sentences: in the words joined by spaces).
    """

    def _spans(self, item: Item) -> list[tuple[str, int, int]]:
        if isinstance(item, str):
            return self.bundle.tokenizer.spans(item)
        ends = list(itertools.accumulate(len(word) + 1 for word in item))
        words = self.bundle.tokenizer.words(item)
        return [
            (word, end - 1 - len(raw), end - 1)
            for word, raw, end in zip(words, item, ends, strict=True)
        ]

    def _encoded(self, words: Sequence[str], forms: Sequence[str]) -> Encoded:
        """A sentence as the network reads it: words normalised, forms as they are written."""
        characters = self.bundle.experiment.model.characters  # type: ignore[union-attr]
        ids = np.array(self.bundle.vocabulary.encode(words))
        if characters is None:
            return Encoded(ids)
        assert self.bundle.characters is not None
        return Encoded(ids, spell(forms, self.bundle.characters, characters.longest))

    def predict_chunk(self, items: list[Item]) -> Iterator[Prediction]:
        spans = [self._spans(item) for item in items]
        forms = [
            [_text(item)[start:end] for _, start, end in span]
            for item, span in zip(items, spans, strict=True)
        ]
        filled = [i for i, span in enumerate(spans) if span]
        sentences = [self._encoded([word for word, _, _ in spans[i]], forms[i]) for i in filled]
        outputs = tag(self.network, sentences, BATCH, self.samples, self.n_best)
        tagged = dict(zip(filled, outputs, strict=True))
        entities = is_entity_scheme(self.bundle.labels)
        nothing = Tagged(np.empty(0, np.int32), np.empty((0, 0)))
        for i, item in enumerate(items):
            text = _text(item)
            output = tagged.get(i, nothing)
            tags = [self.bundle.labels[j] for j in output.best]
            prediction: Prediction = {
                "tokens": forms[i],
                "tags": tags,
                "probabilities": [
                    float(output.probabilities[t, j]) for t, j in enumerate(output.best)
                ],
            }
            if self.n_best > 1:
                prediction["n_best"] = [
                    {"tags": [self.bundle.labels[j] for j in path], "probability": math.exp(log_p)}
                    for path, log_p in output.paths
                ]
            if entities:
                prediction["entities"] = [
                    {
                        "type": kind,
                        "start": spans[i][first][1],
                        "end": spans[i][last - 1][2],
                        "text": text[spans[i][first][1] : spans[i][last - 1][2]],
                    }
                    for kind, first, last in entity_spans(tags)
                ]
            yield prediction


class LanguageModelPredictor(Predictor):
    """``log_probability`` of each line with its end (nats), ``tokens``, ``perplexity``.

    Each line is scored by itself, as the first of a text.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        from nlp_rnn.models.language_model import scorer

        self.scorer = scorer(self.network)

    def predict_chunk(self, items: list[Item]) -> Iterator[Prediction]:
        vocabulary, tokenizer = self.bundle.vocabulary, self.bundle.tokenizer
        lines = [
            np.array([*vocabulary.encode(tokenizer.tokens(_text(item))), vocabulary.end_index])
            for item in items
        ]
        losses = losses_of_lines(
            self.scorer, lines, vocabulary.end_index, len(vocabulary), BATCH, self.samples
        )
        for line, loss in zip(lines, losses, strict=True):
            yield {
                "log_probability": -loss,
                "tokens": len(line),
                "perplexity": math.exp(min(loss / len(line), 700)),
            }


PREDICTORS: dict[str, type[Predictor]] = {
    "classification": ClassificationPredictor,
    "tagging": TaggingPredictor,
    "language_modelling": LanguageModelPredictor,
}


def language_model(folder: Path) -> LanguageModelPredictor:
    """Load a bundle that must be a language model; UserError where it is not."""
    bundle = Bundle.open(folder)
    if bundle.experiment.task != "language_modelling":
        raise UserError(
            f"{folder}: a model for {bundle.experiment.task}; only language models generate text"
        )
    predictor = Predictor.of(bundle)
    assert isinstance(predictor, LanguageModelPredictor)
    return predictor
