"""The result of an evaluation: metrics, predictions, and the data for calibration and errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints


@dataclass(frozen=True, kw_only=True)
class JudgedEntities:
    """The entities that a tagger predicts on the test split, each array ``(entities,)``.

    Attributes:
        right: whether an entity of the same type has exactly the same words in the gold tags.
        confidence: its calibrated probability.
        uncalibrated: its probability without calibration.
    """

    right: NDArray[np.bool_]
    confidence: NDArray[Any]
    uncalibrated: NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The results of a model on the test split.

    Attributes:
        test: the metrics of the model.
        baselines: the metrics of each baseline.
        samples: sample predictions, the worst errors first.
        predictions: a row for every example (see :mod:`nlp_rnn.evaluation.predictions`).
        labels: the names of the classes; empty for language models.
        multi_label: whether a text has any number of labels. Each label of each text is a target
            then, whose gold class is 1 if it applies; its prediction is 1, with the probability of
            the label as its confidence.
        gold: the gold class indices of all targets ``(targets,)``.
        predicted: the predicted class indices ``(targets,)``.
        confidence: the calibrated probabilities of the predictions ``(targets,)``.
        uncalibrated: the same probabilities without calibration.
        tables: error tables by name (see :mod:`nlp_rnn.evaluation.errors`).
        log_loss: ``-ln P`` of the gold labels, the mean over targets in nats, ``before`` and
            ``after`` calibration; for a CRF, of its marginals. None for language models.
        entities: the entities that a tagger predicts; None if its tags mark none.
        shown: the texts of some targets, by their numbers: for a word, its sentence with the word
            marked. None where targets are not shown one by one.
        attention: for a few outputs of an encoder-decoder, ``source``, ``output`` and
            ``weights`` as predictions have them.
        roles: for a few sentences with predicates their ``words``, and their propositions, ``gold``
            and ``found``; empty for other tasks than semantic roles.
        intents: the labels of texts whose words have tags; None for other tasks.
    """

    test: dict[str, Any]
    baselines: dict[str, dict[str, Any]]
    samples: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    labels: list[str] = field(default_factory=list)
    multi_label: bool = False
    gold: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    predicted: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    confidence: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    uncalibrated: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    log_loss: dict[str, float] | None = None
    entities: JudgedEntities | None = None
    shown: Callable[[Sequence[int]], dict[int, str]] | None = None
    attention: list[dict[str, Any]] = field(default_factory=list)
    roles: list[dict[str, Any]] = field(default_factory=list)
    intents: Evaluation | None = None
