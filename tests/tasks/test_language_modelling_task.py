"""Language models as tasks: lines as texts of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.bundles import write_network
from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn import backend
from nlp_rnn.example import Example
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.onnx_network import OnnxNetwork
from nlp_rnn.tasks.language_modelling import LanguageModelling
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.prepared import PreparedDataset


def language_modelling(
    dataset: PreparedDataset, model: dict[str, Any], **training: Any
) -> tuple[LanguageModelling, keras.Model]:
    experiment = small_experiment(
        "language_modelling", {"units": 4} | model, {"batch_size": 4} | training
    )
    work = make_task(experiment, dataset, seed=1)
    assert isinstance(work, LanguageModelling)
    backend.deterministic(1)
    network = work.network(np.zeros((len(dataset.vocabulary), 4), np.float32))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 1, w.shape) for w in network.get_weights()])
    return work, network


@pytest.mark.slow
def test_lines_are_judged_as_they_were_trained(tmp_path: Path, lines: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("text", lines))
    alone, network = language_modelling(dataset, {}, streams="lines")
    losses = alone.losses_of_lines(alone.predicting(network), "test", streams=1)
    write_network(tmp_path / "b", alone.experiment, network, dataset)
    predictions = Predictor.load(tmp_path / "b").predict(e.text for e in lines)
    np.testing.assert_allclose(losses, [-p["log_probability"] for p in predictions], rtol=1e-5)
    together, network = language_modelling(dataset, {})
    after_others = together.losses_of_lines(together.predicting(network), "test", streams=1)
    assert after_others[0] == pytest.approx(losses[0], rel=1e-5)
    assert abs(after_others[1] - losses[1]) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("streams", [1, 3])
def test_streams_change_no_loss_but_at_their_starts(
    tmp_path: Path, lines: list[Example], streams: int
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("text", lines))
    work, model = language_modelling(dataset, {"cell": "gru"})
    network = work.predicting(model)
    losses = work.losses(network, "test", streams)
    assert losses.shape == dataset.split("test").ids.shape
    assert losses.sum() == pytest.approx(work.losses(network, "test", 1).sum(), rel=0.05)


@pytest.mark.slow
def test_an_evaluation_is_the_same_by_keras_and_by_the_graph(
    tmp_path: Path, lines: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("text", lines))
    work, network = language_modelling(dataset, {"tied": True})
    write_network(tmp_path / "b", work.experiment, network, dataset)
    by_graph = Bundle.open(tmp_path / "b").network()
    assert isinstance(by_graph, OnnxNetwork)
    found, expected = (work.evaluate(n).test for n in (by_graph, work.predicting(network)))
    assert found == pytest.approx(expected, rel=1e-5)
