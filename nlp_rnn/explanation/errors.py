"""Which words the worst errors of a classifier or a tagger rest on, for the report.

Each word is deleted in turn; how much ``ln P`` of the wrong label falls is what the word is worth
(Li, Monroe & Jurafsky 2016, "Understanding neural networks through representation erasure"). This
needs nothing but predictions, so ONNX Runtime does it, with no Keras and no gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.explanation.heads import head_of_texts, head_of_words
from nlp_rnn.inference.items import Item, as_text
from nlp_rnn.inference.predictor import (
    BATCH,
    ClassificationPredictor,
    Options,
    Predictor,
    TaggingPredictor,
)
from nlp_rnn.inspection.panel import pieces
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.forward import log, probabilities, tag
from nlp_rnn.runtime.network import Network
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.prepared import PreparedDataset

MOST_TEXTS = 5
"""The number of errors that are explained."""

MOST_READ = 400_000
"""The number of tokens that the network reads for all of them, which takes a few seconds. An error
for which it would read more is left out."""

MOST_SHOWN = 50
"""The number of words that are kept of a text, those around the most important one."""

EXPLAINED = ("classification", "tagging", "intents_and_slots")


def explained_errors(
    bundle: Bundle, network: Network, dataset: PreparedDataset, errors: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The words of the first errors, each with what it is worth.

    Args:
        network: that of the bundle.
        dataset: the data set, of whose test split the errors are.
        errors: the worst errors first; see :func:`nlp_rnn.evaluation.errors.confident_errors`.

    Returns:
        For each error that is explained its ``number`` among ``errors``; ``pieces``, the text in
        pieces, each with its value in nats or None; and ``place``, which of the pieces with a value
        is the word whose tag is explained, None for the label of a text. Empty where another task,
        any number of labels, or a network that only Keras runs leaves nothing to explain.
    """
    if bundle.experiment.task not in EXPLAINED or bundle.multi_label:
        return []
    if bundle.graph.unsupported is not None:
        return []
    explainer = _Explainer(Predictor.of(bundle, Options(unit="text"), network))
    first = errors[:MOST_TEXTS]
    of_texts = [error.get("of_text", not bundle.task.tagged) for error in first]
    targets = [int(error["target"]) for error in first]
    items = _located(dataset, targets, of_texts)
    found = []
    for number, (error, (item, place)) in enumerate(zip(first, items, strict=True)):
        if (shown := explainer.explained(item, error["predicted"], place)) is not None:
            found.append({"number": number, **shown})
    return found


def _located(
    dataset: PreparedDataset, targets: Sequence[int], of_texts: Sequence[bool]
) -> list[tuple[Item, int | None]]:
    """The text of each target of the test split; for a word, its sentence and its place there.

    Args:
        targets: the numbers of texts, or of words.
        of_texts: which of them are numbers of texts.
    """
    split = dataset.split("test")
    ends = np.array(list(accumulate(split.lengths.tolist())))
    numbers = [
        target if of_text else int(np.searchsorted(ends, target, side="right"))
        for target, of_text in zip(targets, of_texts, strict=True)
    ]
    records, starts = _chosen(split.records(), numbers), ends - split.lengths
    items = (
        records[i]["tokens"] if "tokens" in records[i] else records[i]["text"] for i in numbers
    )
    return [
        (item, None if of_text else target - int(starts[number]))
        for item, of_text, target, number in zip(items, of_texts, targets, numbers, strict=True)
    ]


def _chosen(records: Iterable[dict[str, Any]], numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Some of the records, by their numbers."""
    wanted = set(numbers)
    return {number: record for number, record in enumerate(records) if number in wanted}


class _Explainer:
    """Deletes words, within the number of tokens that may be read.

    Args:
        predictor: a classifier, a tagger or both at once.
    """

    def __init__(self, predictor: Predictor) -> None:
        assert isinstance(predictor, ClassificationPredictor | TaggingPredictor)
        self._predictor = predictor
        self._left = MOST_READ

    def explained(self, item: Item, label: str, place: int | None) -> dict[str, Any] | None:
        """A text in coloured pieces; None if it has too few or too many words."""
        spans, encoded = self._predictor.read(item)
        words = len(spans)
        if words < 2 or words * words > self._left:
            return None
        self._left -= words * words
        head = (head_of_texts if place is None else head_of_words)(self._predictor.bundle)
        values = self._falls(encoded, head.labels.index(label), place)
        centre = int(np.abs(values).argmax()) if place is None else place
        first = max(0, min(centre - MOST_SHOWN // 2, words - MOST_SHOWN))
        shown = slice(first, first + MOST_SHOWN)
        return {
            "pieces": [
                [piece.text, None if piece.value is None else float(f"{piece.value:.3g}")]
                for piece in pieces(as_text(item), spans[shown], values[shown])
            ],
            "place": None if place is None else place - first,
        }

    def _falls(self, text: Encoded, label: int, place: int | None) -> Floats:
        """How much ``ln P(label)`` falls without each word, ``(words,)``; 0 for the tagged one."""
        others = [i for i in range(len(text)) if i != place]
        texts = [text, *(_without(text, i) for i in others)]
        places = [place, *(None if place is None else place - (i < place) for i in others)]
        found = np.array([*self._probabilities(texts, label, places)])
        values = np.zeros(len(text))
        values[others] = log(found[:1]) - log(found[1:])
        return values

    def _probabilities(
        self, texts: Sequence[Encoded], label: int, places: Sequence[int | None]
    ) -> Iterator[float]:
        """``P(label)`` of each text, or of the word at a place of each sentence."""
        predictor, bundle = self._predictor, self._predictor.bundle
        if places[0] is None:
            number, _, temperature = head_of_texts(bundle)
            of_texts = probabilities(predictor.network, texts, BATCH, temperature, head=number)
            yield from (float(of_text[label]) for of_text in of_texts)
            return
        tagged = tag(
            predictor.network,
            texts,
            BATCH,
            bundle.learned_tags,
            temperature=bundle.temperature,
        )
        for sentence, place in zip(tagged, places, strict=True):
            yield float(sentence.probabilities[place, label])


def _without(text: Encoded, i: int) -> Encoded:
    """A text without one of its words."""
    spelling = None if text.spelling is None else np.delete(text.spelling, i, axis=0)
    return replace(text, ids=np.delete(text.ids, i), spelling=spelling)
