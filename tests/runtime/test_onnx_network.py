"""Prediction by ONNX Runtime: without Keras, in order, with the errors that a user can mend."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.bundles import write_untrained
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.files import sha256
from nlp_rnn.inference.batch import predict_file
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime.bundle import GRAPH, Bundle
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.runtime.onnx_network import OnnxNetwork

pytestmark = pytest.mark.slow

TASKS = ("classification", "tagging", "language_modelling")

PREDICTING_REFUSED = """
import sys

REFUSED = {
    "dvc", "jax", "keras", "matplotlib", "mlflow", "onnx", "pandas", "pyarrow", "ruamel",
    "scipy", "seqeval", "sklearn", "tensorflow", "tensorflow_datasets", "tokenizers", "torch",
}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ImportError(f"prediction imports {name}")

sys.meta_path.insert(0, Refuse())

from nlp_rnn.cli import main

sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("task", TASKS)
def test_prediction_imports_only_what_the_extra_predict_installs(
    bundles: dict[str, Path], tmp_path: Path, task: str
) -> None:
    (tmp_path / "in.txt").write_text("Ann lives in Rome\n\nthe cat sleeps\n", encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-c", PREDICTING_REFUSED),
            *("predict", str(bundles[task]), str(tmp_path / "in.txt"), "-"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["text"] for record in records] == ["Ann lives in Rome", "", "the cat sleeps"]


def test_texts_are_sampled_without_keras(bundles: dict[str, Path]) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c", PREDICTING_REFUSED),
            *("generate", str(bundles["language_modelling"]), "--length", "3", "--prompt", "the"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the")


EVALUATING = """
import sys
from pathlib import Path
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.prepared import PreparedDataset

bundle = Bundle.open(Path(sys.argv[1]))
work = make_task(bundle.experiment, PreparedDataset(bundle.folder.parent / "data"), 1)
print(work.evaluate(bundle.network()).test["loss"])
found = {"keras", "tensorflow", "jax", "torch"} & set(sys.modules)
assert not found, found
"""


@pytest.mark.parametrize("task", TASKS)
def test_an_evaluation_by_the_graph_imports_no_keras(bundles: dict[str, Path], task: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVALUATING, str(bundles[task])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0


@pytest.mark.parametrize("task", TASKS)
def test_many_texts_of_many_lengths_are_predicted_as_by_keras(
    bundles: dict[str, Path], task: str
) -> None:
    rng = np.random.default_rng(0)
    words = ["Ann", "Rome", "good", "not", "the", "cat", "unheard"]
    texts = [" ".join(rng.choice(words, length)) for length in rng.integers(0, 40, 300)]
    predictor = Predictor.load(bundles[task])
    assert isinstance(predictor.network, OnnxNetwork)
    found = list(predictor.predict(texts))
    predictor.network = KerasNetwork(predictor.bundle.keras_model())
    for one, other in zip(found, predictor.predict(texts), strict=True):
        assert one.keys() == other.keys()
        for key in one:
            if key in ("tokens", "tags", "label"):
                assert one[key] == other[key]
            elif key == "entities":
                assert one[key] == [pytest.approx(entity, rel=1e-4) for entity in other[key]]
            else:
                assert one[key] == pytest.approx(other[key], rel=1e-4)


def test_batches_that_would_end_the_process_are_errors(bundles: dict[str, Path]) -> None:
    network = Bundle.open(bundles["classification"]).network()
    for shape in ((0, 3), (2, 0)):
        with pytest.raises(ValueError, match="one row and one step"):
            network.logits(np.ones(shape, np.int32), np.ones(shape[0], np.int32))
    with pytest.raises(ValueError, match="one token or more"):
        network.logits(np.ones((2, 3), np.int32), np.array([3, 0], np.int32))


def copied(bundle: Path, target: Path, **changes: Any) -> Path:
    """A copy of a bundle, with changes to ``bundle.json`` and checksums that fit."""
    shutil.copytree(bundle, target)
    description = json.loads((target / "bundle.json").read_text())
    (target / "bundle.json").unlink()
    checksums = {file.name: sha256(file) for file in target.iterdir()}
    description |= {"sha256": checksums, **changes}
    (target / "bundle.json").write_text(json.dumps(description))
    return target


def test_a_bundle_without_a_graph_says_why_keras_predicts(
    bundles: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reason = "bidirectional_0: ONNX has no phased LSTM"
    shutil.copytree(bundles["tagging"], tmp_path / "b")
    (tmp_path / "b" / GRAPH).unlink()
    folder = copied(tmp_path / "b", tmp_path / "without", graph={"unsupported": reason})
    predictor = Predictor.load(folder)
    assert isinstance(predictor.network, KerasNetwork)
    assert capfd.readouterr().err == f"{folder}: predictions by Keras ({reason})\n"
    expected = next(Predictor.load(bundles["tagging"]).predict(["Ann Lee"]))
    assert next(predictor.predict(["Ann Lee"]))["tags"] == expected["tags"]


def test_monte_carlo_dropout_is_predicted_by_keras(
    tmp_path: Path, sentences: list[Example], capfd: pytest.CaptureFixture[str]
) -> None:
    model = {"dropout": 0.5, "monte_carlo_samples": 3}
    folder = write_untrained(tmp_path / "b", "tagging", "tagged", sentences, model)
    network = Bundle.open(folder).network()
    assert isinstance(network, KerasNetwork) and network.passes == 3
    assert "monte_carlo_samples" in capfd.readouterr().err


def test_a_graph_that_differs_from_keras_is_not_kept(
    tmp_path: Path, sentences: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(*arguments: Any, **options: Any) -> float:
        raise UserError("the ONNX file differs from the network by 1")

    monkeypatch.setattr("nlp_rnn.runtime.onnx_graph.check", differ)
    folder = write_untrained(tmp_path / "b", "tagging", "tagged", sentences)
    assert not (folder / GRAPH).exists()
    assert Bundle.open(folder).graph.unsupported == "the ONNX file differs from the network by 1"


def test_a_graph_that_is_none_is_named(bundles: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(bundles["tagging"], tmp_path / "b")
    (tmp_path / "b" / GRAPH).write_bytes(b"no graph")
    with pytest.raises(UserError, match=r"model\.onnx: damaged"):
        Bundle.open(tmp_path / "b")
    folder = copied(tmp_path / "b", tmp_path / "checked")
    with pytest.raises(UserError, match=r"model\.onnx: cannot be read as an ONNX graph"):
        Bundle.open(folder).network()


@pytest.mark.parametrize(
    ("module", "suffix", "words"),
    [
        ("onnxruntime", ".txt", ["model.onnx", "[predict]'"]),
        ("pyarrow", ".parquet", ["out.parquet", "[parquet]'"]),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    bundles: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    suffix: str,
    words: list[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "in.txt").write_text("Rome\n")
    with pytest.raises(UserError) as error:
        predict_file(bundles["tagging"], f"{tmp_path}/in.txt", f"{tmp_path}/out{suffix}")
    for word in [module, *words]:
        assert word in str(error.value)


def test_keras_is_named_where_only_keras_predicts(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(bundles["tagging"], tmp_path / "b", graph={"unsupported": "x"})
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(UserError, match=r"needs keras.*\[train\]"):
        Bundle.open(folder).network()


def test_texts_of_no_tokens_need_no_network(bundles: dict[str, Path]) -> None:
    predictor = Predictor.load(bundles["tagging"])
    assert [p["tags"] for p in predictor.predict(["", " "])] == [[], []]
