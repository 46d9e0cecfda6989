"""The averaged classifier: its equation, order in pairs alone, backends, ONNX, the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ruamel.yaml import YAML

from helpers.backends import assert_all_agree
from helpers.experiments import small_experiment
from nlp_rnn import stages
from nlp_rnn.cli import main
from nlp_rnn.config import AnyExperiment
from nlp_rnn.errors import UserError
from nlp_rnn.layers.pairs import STRIDE, PairBuckets
from nlp_rnn.models.network import build_network
from nlp_rnn.runtime.onnx_graph import check, onnx_model

VOCABULARY, DIMENSION, LABELS, BUCKETS = 11, 4, ("a", "b", "c"), 17
IDS = np.array([[3, 4, 5, 3, 0, 0], [7, 0, 0, 0, 0, 0], [2, 10, 1, 1, 1, 6]], np.int32)


def experiment(**changes: Any) -> AnyExperiment:
    model = {"kind": "averaged"} | changes.pop("model", {})
    return small_experiment("classification", model, changes, DIMENSION)


def build(pairs: int) -> keras.Model:
    built = build_network(experiment(model={"pairs": pairs}), VOCABULARY, LABELS)
    rng = np.random.default_rng(0)
    built.set_weights([rng.normal(0, 0.7, w.shape) for w in built.get_weights()])
    return built


def logits(model: keras.Model, ids: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(ids, training=False))


def computed() -> dict[str, np.ndarray]:
    return {str(pairs): logits(build(pairs), IDS) for pairs in (0, BUCKETS)}


def test_backends_agree(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    assert_all_agree(on_backends)


@pytest.mark.parametrize("pairs", [0, BUCKETS])
def test_logits_are_those_of_the_mean_vector(pairs: int) -> None:
    model = build(pairs)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    (words,), (kernel, bias) = weights["embedding"], weights["logits"]
    for row, found in zip(IDS.tolist(), logits(model, IDS), strict=True):
        text = [token for token in row if token]
        vectors = [words[token] for token in text]
        if pairs:
            (of_pairs,) = weights["pair_embedding"]
            after = zip(text, [*text[1:], 0], strict=True)
            vectors += [of_pairs[(STRIDE * left + right) % pairs] for left, right in after]
        np.testing.assert_allclose(found, bias + sum(vectors) / len(text) @ kernel, atol=1e-5)


def test_only_pairs_know_the_order_of_words() -> None:
    one, other = np.array([[3, 4, 5]], np.int32), np.array([[5, 4, 3]], np.int32)
    without, within = build(0), build(BUCKETS)
    np.testing.assert_allclose(logits(without, one), logits(without, other), atol=1e-6)
    assert np.abs(logits(within, one) - logits(within, other)).max() > 0.01


def test_two_million_types_do_not_overflow() -> None:
    last = 2_000_000
    found = keras.ops.convert_to_numpy(PairBuckets(100_003)(np.array([[last, last]], np.int32)))
    assert found.tolist() == [[(STRIDE * last + last) % 100_003, STRIDE * last % 100_003]]


@pytest.mark.parametrize("pairs", [0, BUCKETS])
def test_onnx_predicts_as_keras(pairs: int) -> None:
    model = build(pairs)
    assert check(onnx_model(model), model, seed=1) < 1e-5


def test_gradient_flow_is_refused() -> None:
    with pytest.raises(UserError, match="of recurrent layers"):
        experiment(gradient_flow=True)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UserError, match=r"model\.kind.*did you mean 'averaged'"):
        experiment(model={"kind": "average"})


@pytest.mark.slow
def test_it_learns_order_from_pairs_and_is_a_model_like_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["film", "plot", "cast", "score", "end"]
    rows = [
        {"text": f"the {word} was {first} , not {second}", "label": first}
        for word in words * 8
        for first, second in (("good", "bad"), ("bad", "good"))
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    parameters = {
        "datasets": {
            "d": {
                "source": "files", "format": "jsonl", "train": "data.jsonl",
                "split": {"validation": 0.2, "test": 0.2},
            }
        },
        "experiments": {
            name: {
                "task": "classification", "dataset": "d",
                "embeddings": {"kind": "learned", "dimension": 8},
                "model": {"kind": "averaged", "pairs": pairs},
                "training": {"learning_rate": 0.05, "epochs": 8, "batch_size": 8},
            }
            for name, pairs in (("words", 0), ("pairs", 1000))
        },
    }  # fmt: skip
    YAML().dump(parameters, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NLP_RNN_DATA", str(tmp_path))
    stages.prepare("d")
    accuracies = {}
    for name in ("words", "pairs"):
        stages.embed(name)
        stages.train(name)
        stages.evaluate(name)
        figures = json.loads((tmp_path / f"figures/{name}.json").read_text())
        accuracies[name] = figures["test"]["accuracy"]
    assert accuracies["words"] < 0.7
    assert accuracies["pairs"] == 1.0
    (tmp_path / "texts.txt").write_text("the plot was bad , not good\n")
    assert main(["predict", "models/pairs", "texts.txt", "out.jsonl"]) == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["label"] == "bad"
