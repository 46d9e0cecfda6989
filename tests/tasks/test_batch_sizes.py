"""Evaluations are exact sums: how many examples are predicted at once changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn import backend
from nlp_rnn.evaluation import calibration
from nlp_rnn.example import Example
from nlp_rnn.tasks import classification, language_modelling, tagging
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.training.objective import compiled

COUNT = 13
SIZES = (1, 4, 5, 64)
"""Of 13 examples one is left alone by the batches of 4, and three by those of 5."""

WORDS = ("Ann", "lives", "in", "Rome", "and", "Lee", "sleeps")
TAGS = ("B-PER", "O", "O", "B-LOC", "O", "B-PER", "O")


def examples(kind: str) -> list[Example]:
    """Of random lengths; some have a single word."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(COUNT):
        places = rng.integers(0, len(WORDS), 1 if number % 3 == 0 else rng.integers(1, 9))
        words = tuple(WORDS[i] for i in places)
        if kind == "tagging":
            found.append(Example(tokens=words, tags=tuple(TAGS[i] for i in places)))
        elif kind == "classification":
            found.append(Example(text=" ".join(words), label=("no", "yes")[number % 2]))
        else:
            found.append(Example(text=" ".join(words)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "model", "training"),
    [
        ("classification", {"pooling": "max"}, {}),
        ("tagging", {"output": "softmax"}, {}),
        ("tagging", {"output": "crf"}, {}),
        ("tagging", {"output": "crf", "tag_scheme": "BIOES"}, {}),
        ("language_modelling", {}, {"streams": "lines"}),
    ],
    ids=["classifier", "softmax", "crf", "crf-bioes", "lines"],
)
def test_evaluations_do_not_depend_on_the_size_of_batches(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    model: dict[str, Any],
    training: dict[str, Any],
) -> None:
    data = {"classification": "labelled", "tagging": "tagged", "language_modelling": "text"}[kind]
    dataset = prepared(tmp_path / "d", same_everywhere(data, examples(kind)))  # type: ignore[arg-type]
    work = make_task(small_experiment(kind, {"units": 4} | model, training), dataset, seed=1)
    backend.deterministic(1)
    network = work.network(np.zeros((len(dataset.vocabulary), 4), np.float32))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 1, w.shape) for w in network.get_weights()])
    objective = compiled(work.objective(network), work.training)
    found = []
    for size in SIZES:
        monkeypatch.setattr(classification, "EVALUATION_BATCH", size)
        monkeypatch.setattr(tagging, "EVALUATION_BATCH", size)
        monkeypatch.setattr(language_modelling, "EVALUATION_LINES", size)
        monkeypatch.setattr(calibration, "SENTENCES_AT_ONCE", size)
        predicting = work.predicting(network)
        result = work.evaluate(predicting, 2.0)
        temperature = work.calibrate(predicting).temperature
        found.append((result, work.validate(objective), temperature))
    first, first_row, first_temperature = found[0]
    for result, row, temperature in found[1:]:
        assert row == pytest.approx(first_row, rel=1e-5)
        assert temperature == pytest.approx(first_temperature, rel=1e-3)
        numbers = {k: v for k, v in first.test.items() if isinstance(v, int | float)}
        assert {k: result.test[k] for k in numbers} == pytest.approx(numbers, rel=1e-5)
        np.testing.assert_array_equal(result.predicted, first.predicted)
        np.testing.assert_allclose(result.confidence, first.confidence, atol=1e-5)
        np.testing.assert_allclose(result.uncalibrated, first.uncalibrated, atol=1e-5)
        assert result.log_loss == (first.log_loss and pytest.approx(first.log_loss, rel=1e-5))
    assert (first.uncalibrated <= 1).all() and (first.confidence <= 1).all()
