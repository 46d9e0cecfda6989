"""What an evaluation finds: metrics, predictions, and what calibration and error analysis need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Ints


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The figures of a model on the test split.

    Attributes:
        test: metrics of the model.
        baselines: metrics of each baseline.
        samples: predictions, the worst errors first.
        predictions: a row for every example (see :mod:`nlp_rnn.evaluation.predictions`).
        labels: names of the classes; none for language models.
        gold: class indices of all targets ``(targets,)``.
        predicted: likewise, what the model predicts.
        confidence: probability of what is predicted ``(targets,)``, calibrated.
        uncalibrated: likewise, as the network gives it.
        tables: where it errs, by name (see :mod:`nlp_rnn.evaluation.errors`).
        log_loss: ``-ln P`` of the gold labels, the mean over targets in nats, ``before`` and
            ``after`` calibration; of a CRF by its marginals. None for language models.
    """

    test: dict[str, Any]
    baselines: dict[str, dict[str, Any]]
    samples: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    labels: list[str] = field(default_factory=list)
    gold: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    predicted: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    confidence: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    uncalibrated: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    log_loss: dict[str, float] | None = None
