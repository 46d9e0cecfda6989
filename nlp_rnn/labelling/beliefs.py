"""What a model believes of texts, and the vectors with which it sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.inference.items import CHUNK, Item
from nlp_rnn.inference.predictor import (
    ClassificationPredictor,
    LabelSetPredictor,
    Predictor,
    TaggingPredictor,
)
from nlp_rnn.labelling.scores import Belief
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.forward import Tagged
from nlp_rnn.text.batches import Encoded, by_length, padded

TASKS = ("classification", "tagging")
"""The tasks whose texts can be chosen."""

WIDTH = 64
"""Texts whose vectors are computed at once."""


def check_model(bundle: Bundle) -> None:
    """Raise UserError unless a model gives texts labels or tags."""
    if bundle.experiment.task not in TASKS:
        raise UserError(
            f"{bundle.folder}: a model for {bundle.experiment.task}; texts can be chosen for "
            "classifiers and taggers"
        )


def beliefs(predictor: Predictor, items: Sequence[Item]) -> Iterator[Belief]:
    """What a classifier or tagger believes of each text, at its calibrated temperature."""
    for start in range(0, len(items), CHUNK):
        chunk = list(items[start : start + CHUNK])
        if isinstance(predictor, TaggingPredictor):
            yield from map(_of_tags, predictor.tagged(chunk, n_best=2))
            continue
        assert isinstance(predictor, ClassificationPredictor)
        for prediction in predictor.predict_chunk(chunk):
            found = np.array([*prediction["probabilities"].values()])
            if isinstance(predictor, LabelSetPredictor):
                yield Belief.independent(np.stack([1 - found, found], axis=1))
            else:
                yield Belief.independent(found[None])


def _of_tags(tagged: Tagged) -> Belief:
    """The belief of a tagger: exact over tag sequences for a CRF."""
    if not tagged.paths:
        return Belief.independent(tagged.probabilities)
    best, second = ([*(np.exp(log_p) for _, log_p in tagged.paths), 0.0])[:2]
    return Belief(tagged.probabilities, float(best), float(second), tagged.entropy())


def encoder_vectors(bundle: Bundle, predictor: Predictor, items: Sequence[Item]) -> Floats:
    """What the last layer of a classifier sees of each text, or the mean of what that of a tagger
    sees of its words, float32 ``(texts, width)``."""
    require("keras", "train", "--vectors encoder")
    network = bundle.keras_model()

    import keras

    assert isinstance(predictor, ClassificationPredictor | TaggingPredictor)
    hidden = keras.Model(network.input, network.get_layer("logits").input)
    texts = [predictor.read(item)[1] for item in items]
    rows: list[Floats] = [np.zeros(hidden.output.shape[-1], np.float32)] * len(texts)
    for numbers in by_length(np.array([*map(len, texts)]), WIDTH):
        for number, row in zip(numbers, _seen(hidden, [texts[i] for i in numbers]), strict=True):
            rows[number] = row
    return np.stack(rows)


def _seen(hidden: object, texts: Sequence[Encoded]) -> Sequence[Floats]:
    """The vectors of a batch; see :func:`encoder_vectors`."""
    length = -(-max(map(len, texts)) // 16) * 16  # few shapes, because each is compiled
    batch = padded([*texts, *[texts[0]] * (WIDTH - len(texts))], length)
    inputs = [batch.ids] if batch.characters is None else [batch.ids, batch.characters]
    found = np.asarray(hidden(inputs if len(inputs) > 1 else inputs[0]))  # type: ignore[operator]
    if found.ndim == 2:
        return list(found[: len(texts)])
    return [row[: len(text)].mean(axis=0) for row, text in zip(found, texts, strict=False)]
