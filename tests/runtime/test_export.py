"""Exported folders: bundles that predict alike, described for users of other languages."""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.bundles import write_untrained
from nlp_rnn.cli import main
from nlp_rnn.config import TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime.bundle import GRAPH, WEIGHTS, Bundle
from nlp_rnn.runtime.export import README, export_onnx, readme
from nlp_rnn.text.tokenizers import make_tokenizer

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
    with pytest.raises(UserError, match="already has 8-bit weights"):
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


@pytest.mark.slow
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
    with pytest.raises(UserError, match="already exists"):
        export_onnx(bundles["tagging"], tmp_path / "there")
    with pytest.raises(UserError, match="lies in the model itself"):
        export_onnx(bundles["tagging"], bundles["tagging"] / "inside")
    assert not (bundles["tagging"] / "inside").exists()

    def fail(*arguments: Any) -> str:
        raise RuntimeError("half written")

    monkeypatch.setattr("nlp_rnn.runtime.export.readme", fail)
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
    with pytest.raises(UserError, match=r"only Keras can run it .*ONNX has no zoneout"):
        export_onnx(tmp_path / "b", tmp_path / "new", int8)
    assert not (tmp_path / "new").exists()


# --- the rule of tokens --------------------------------------------------------------------

MARKS = "".join(
    chr(i) for i in range(sys.maxunicode + 1) if unicodedata.category(chr(i)).startswith("M")
)


def for_python(pattern: str) -> str:
    """A regular expression of README.md as ``re`` reads it."""
    pattern = pattern.replace(r"\p{White_Space}\x{1C}-\x{1F}", r"\s").replace(r"\p{M}", MARKS)
    pattern = pattern.replace(r"\p{L}\p{N}_", r"\w")
    return re.sub(r"\\x\{([0-9A-F]+)\}", lambda match: chr(int(match[1], 16)), pattern)


def rules_of(text: str) -> list[tuple[str, str]]:
    """The steps of README.md that have a regular expression: the first words, the expression."""
    found = re.findall(r"^\d+\. (\S+ \S+)[^\n]*\n\n   ```\n   (.+)\n   ```$", text, re.MULTILINE)
    return [(step, for_python(pattern)) for step, pattern in found]


def followed(text: str, rules: list[tuple[str, str]]) -> list[str]:
    """The tokens of ``text`` by the steps of README.md, word by word."""
    pieces = [text]
    for step, pattern in rules:
        if step == "Split the":
            pieces = [match[0] for piece in pieces for match in re.finditer(pattern, piece)]
        else:
            new = {"Replace separators": " ", "Remove invisible": r"\1\2", "Replace every": "'"}[
                step
            ]
            pieces = [re.sub(pattern, new, piece) for piece in pieces]
    return [unicodedata.normalize("NFC", piece).lower() for piece in pieces if piece]


ODD = st.lists(
    st.sampled_from(["a_b", "_", "__x", "don’t", "don't", "’", "cafe\u0301", "\u2764\ufe0f", " ",
                     "\n",
                     "\U0001f468\u200d\U0001f469", "1\ufe0f\u20e3", "\U0001f1e9\U0001f1ea",
                     "\u200b",
                     "\u00ad", "\u0645\u06cc\u200c\u062e", "\u1781", "\x00", "½", "٣", ".", "\x1c",
                     "\u2800", "\ufeff", "&", "\U0001f44d\U0001f3fd"])
    | st.characters(exclude_categories=("Cs", "Cn", "Co")),
    max_size=12,
).map("".join)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["word", "whitespace", "character"])
def test_the_expressions_of_the_description_give_the_tokens(
    bundles: dict[str, Path], unit: Any
) -> None:
    units = make_tokenizer(TokenizerParameters(unit=unit))
    bundle = replace(Bundle.open(bundles["classification"]), tokenizer=units)
    rules = rules_of(readme(bundle, bundle.folder / GRAPH, int8=False))
    assert len(rules) == (3 if unit == "character" else 4)

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(ODD)
    def check(text: str) -> None:
        assert followed(text, rules) == units.tokens(text)

    check()


def test_another_engine_reads_the_expression_of_words(bundles: dict[str, Path]) -> None:
    """Oniguruma, as it stands in README.md."""
    library = pytest.importorskip("tokenizers", reason="the extra 'subword' is not installed")
    units = make_tokenizer(TokenizerParameters(unit="word"))
    bundle = replace(Bundle.open(bundles["classification"]), tokenizer=units)
    text = readme(bundle, bundle.folder / GRAPH, int8=False)
    found = re.search(r"Split the text[^\n]*\n\n   ```\n   (.+)\n", text)
    assert found is not None
    pattern = library.Regex(found[1])
    split = library.pre_tokenizers.Split(pattern, "removed", invert=True)
    sentence = "a_b don’t, cafe\u0301 \u2764\ufe0flove 1\ufe0f\u20e3 \U0001f468\u200d\U0001f469! ٣½"
    offsets = [place for _, place in split.pre_tokenize_str(sentence)]
    assert offsets == [(start, end) for _, start, end in units.spans(sentence)]


def test_the_description_of_an_older_model_has_its_own_rule(bundles: dict[str, Path]) -> None:
    units = make_tokenizer(TokenizerParameters(unit="word", rules=1))
    bundle = replace(Bundle.open(bundles["classification"]), tokenizer=units)
    rules = rules_of(readme(bundle, bundle.folder / GRAPH, int8=False))
    text = "snake_case don’t so\u00adft, \u2764\ufe0flove"
    assert followed(text, rules) == units.tokens(text)
