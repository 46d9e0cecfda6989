"""Exported folders: bundles that predict alike, described for users of other languages."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from conftest import write_untrained

from nlp_rnn.cli import main
from nlp_rnn.corpora.example import Example
from nlp_rnn.errors import UserError
from nlp_rnn.inference.bundle import GRAPH, WEIGHTS, Bundle
from nlp_rnn.inference.export import README, export_onnx
from nlp_rnn.inference.predictor import Predictor

TASKS = ("classification", "tagging", "language_modelling")
TEXTS = ["Ann Lee lives in Rome", "", "good , not bad", "the dog"]


@pytest.mark.parametrize("task", TASKS)
def test_an_exported_folder_predicts_as_its_bundle(
    bundles: dict[str, Path], tmp_path: Path, task: str
) -> None:
    target = tmp_path / "new" / "exported"
    assert main(["export", str(bundles[task]), str(target), "--format", "onnx"]) == 0
    assert not (target / WEIGHTS).exists()
    here, there = (list(Predictor.load(f).predict(TEXTS)) for f in (bundles[task], target))
    assert here == there
    with pytest.raises(UserError, match="no Keras weights"):
        Bundle.open(target).keras_model()


def test_an_export_can_be_exported_again(bundles: dict[str, Path], tmp_path: Path) -> None:
    export_onnx(bundles["tagging"], tmp_path / "a")
    export_onnx(tmp_path / "a", tmp_path / "b")
    assert {f.name: f.read_bytes() for f in (tmp_path / "a").iterdir()} == {
        f.name: f.read_bytes() for f in (tmp_path / "b").iterdir()
    }


def test_weights_of_8_bits_are_smaller_and_said_to_be(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    assert main(["export", str(bundles["tagging"]), str(tmp_path / "small"), "--int8"]) == 0
    bundle = Bundle.open(tmp_path / "small")
    assert bundle.graph.int8 and not Bundle.open(bundles["tagging"]).graph.int8
    assert "8 bits" in (tmp_path / "small" / README).read_text()
    plain, rounded = (
        np.array(next(Predictor.load(folder).predict(TEXTS[:1]))["probabilities"])
        for folder in (bundles["tagging"], tmp_path / "small")
    )
    assert 0 < abs(plain - rounded).max() < 0.05
    with pytest.raises(UserError, match="8 bits already"):
        export_onnx(tmp_path / "small", tmp_path / "again", int8=True)


@pytest.mark.parametrize("task", TASKS)
def test_the_description_names_every_input_output_and_file(
    bundles: dict[str, Path], tmp_path: Path, task: str
) -> None:
    export_onnx(bundles[task], tmp_path / "e")
    text = (tmp_path / "e" / README).read_text(encoding="utf-8")
    session = onnxruntime.InferenceSession(tmp_path / "e" / GRAPH)
    for value in (*session.get_inputs(), *session.get_outputs()):
        assert f"`{value.name}`" in text
    for file in re.findall(r"`(\w+\.(?:json|onnx))`", text):
        assert (tmp_path / "e" / file).is_file()


def test_the_description_is_enough_to_tag_with_a_crf_and_characters(
    tmp_path: Path, sentences: list[Example]
) -> None:
    """What README.md says, followed word by word, against the package's own tags."""
    model: dict[str, Any] = {"output": "crf", "characters": {"kind": "cnn", "longest": 5}}
    write_untrained(tmp_path / "b", "tagging", "tagged", sentences, model)
    export_onnx(tmp_path / "b" / "tagging", tmp_path / "e")
    text = (tmp_path / "e" / README).read_text(encoding="utf-8")
    assert "more than 5 characters take the first 3 and the last 2" in text

    types = json.loads((tmp_path / "e" / "vocabulary.json").read_text())["types"]
    letters = json.loads((tmp_path / "e" / "characters.json").read_text())["types"]
    labels = json.loads((tmp_path / "e" / "labels.json").read_text())
    session = onnxruntime.InferenceSession(tmp_path / "e" / GRAPH)

    def place(name: str, among: list[str]) -> int:
        return among.index(name) if name in among else 1

    def spelt(word: str) -> list[int]:
        short = word if len(word) <= 5 else word[:3] + word[-2:]
        indices = [2, *(place(letter, letters) for letter in short), 2]
        return indices + [0] * (7 - len(indices))

    texts = ["Ann Lee loves Barcelona", "Rome"]
    words = [text.split() for text in texts]
    steps = max(map(len, words))
    padding = [2, 2, 0, 0, 0, 0, 0]
    logits, start, between, end = session.run(
        ["logits", "crf_start", "crf_transitions", "crf_end"],
        {
            "ids": np.array(
                [[place(w, types) for w in s] + [0] * (steps - len(s)) for s in words], np.int32
            ),
            "lengths": np.array([len(s) for s in words], np.int32),
            "characters": np.array(
                [[spelt(w) for w in s] + [padding] * (steps - len(s)) for s in words], np.int32
            ),
        },
    )
    tags = []
    for e, sentence in zip(logits, words, strict=True):
        v, origins = start + e[0], []
        for t in range(1, len(sentence)):
            scores = v[:, None] + between
            origins.append(scores.argmax(axis=0))
            v = e[t] + scores.max(axis=0)
        path = [int((v + end).argmax())]
        for origin in reversed(origins):
            path.insert(0, int(origin[path[0]]))
        tags.append([labels[tag] for tag in path])
    predictions = Predictor.load(tmp_path / "e").predict(texts)
    assert tags == [prediction["tags"] for prediction in predictions]


def test_nothing_is_overwritten_or_left_half_written(
    bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="exists already"):
        export_onnx(bundles["tagging"], tmp_path / "there")

    def fail(*arguments: Any) -> str:
        raise RuntimeError("half written")

    monkeypatch.setattr("nlp_rnn.inference.export.readme", fail)
    with pytest.raises(RuntimeError):
        export_onnx(bundles["tagging"], tmp_path / "new")
    assert [file.name for file in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("int8", [False, True])
def test_what_only_keras_predicts_is_not_exported(
    bundles: dict[str, Path], tmp_path: Path, int8: bool
) -> None:
    shutil.copytree(bundles["tagging"], tmp_path / "b")
    description = json.loads((tmp_path / "b" / "bundle.json").read_text())
    description["graph"]["unsupported"] = "lstm_0: ONNX has no zoneout"
    (tmp_path / "b" / "bundle.json").write_text(json.dumps(description))
    with pytest.raises(UserError, match=r"only Keras predicts .*ONNX has no zoneout"):
        export_onnx(tmp_path / "b", tmp_path / "new", int8)
    assert not (tmp_path / "new").exists()
