"""What casing tells a tagger whose vocabulary is in lower case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.bundles import write_network
from helpers.corpora import same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn import backend
from nlp_rnn.config import TokenizerParameters, VocabularyParameters
from nlp_rnn.example import Example
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.onnx_network import OnnxNetwork
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.prepared import PreparedDataset, prepare
from nlp_rnn.training.checkpoint import Checkpoint
from nlp_rnn.training.fit import fit
from nlp_rnn.training.objective import compiled


def sentences() -> list[Example]:
    """Of two letters, each written as a name or as a word, which alone decides its tag."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        names = rng.random(rng.integers(1, 6)) < 0.5
        words = [str(rng.choice(["ab", "ba"])) for _ in names]
        tokens = tuple(w.capitalize() if name else w for w, name in zip(words, names, strict=True))
        found.append(Example(tokens=tokens, tags=tuple("NAME" if n else "WORD" for n in names)))
    return found


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    folder = tmp_path_factory.mktemp("d") / "d"
    tokenizer = TokenizerParameters(unit="whitespace", lowercase=True)
    corpus = same_everywhere("tagged", sentences())
    prepare("list", corpus, tokenizer, VocabularyParameters(), folder)
    return PreparedDataset(folder)


def trained(dataset: PreparedDataset, folder: Path, **model: Any) -> tuple[float, Path]:
    """The accuracy, and the bundle."""
    training = {"epochs": 6, "batch_size": 8, "learning_rate": 0.03}
    experiment = small_experiment("tagging", {"units": 4, **model}, training)
    work = make_task(experiment, dataset, seed=1)
    backend.deterministic(1)
    network = work.network(np.zeros((len(dataset.vocabulary), 4), np.float32))
    objective = compiled(work.objective(network), work.training)
    fit(
        objective,
        work.batches,
        lambda: work.validate(objective),
        work.training,
        Checkpoint(folder / "c", "x"),
    )
    write_network(folder / "b", experiment, network, dataset)
    return work.evaluate(work.predicting(network)).test["accuracy"], folder / "b"


@pytest.mark.slow
def test_casing_finds_names_that_the_vocabulary_wrote_in_lower_case(
    dataset: PreparedDataset, tmp_path: Path
) -> None:
    blind, _ = trained(dataset, tmp_path / "blind")
    seeing, folder = trained(dataset, tmp_path / "seeing", casing=3)
    assert blind < 0.7
    assert seeing == 1
    bundle = Bundle.open(folder)
    assert isinstance(bundle.network(), OnnxNetwork)
    predictor = Predictor.of(bundle)
    for item in ("ab Ba Ab ba", ["ab", "Ba", "Ab", "ba"]):
        (prediction,) = predictor.predict([item])
        assert prediction["tags"] == ["WORD", "NAME", "NAME", "WORD"]
        assert prediction["tokens"] == ["ab", "Ba", "Ab", "ba"]
