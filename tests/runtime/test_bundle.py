"""Bundles: what is saved predicts the same elsewhere; what is broken is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.bundles import write_untrained
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.files import sha256
from nlp_rnn.inference.generation import next_distribution
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime import bundle as bundle_module
from nlp_rnn.runtime.bundle import DESCRIPTION, GRAPH, WEIGHTS, Bundle
from nlp_rnn.runtime.forward import softmax
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.runtime.onnx_network import OnnxNetwork

TASKS = ("classification", "tagging", "language_modelling")


@pytest.mark.parametrize("task", TASKS)
def test_a_copied_bundle_predicts_the_same(
    bundles: dict[str, Path], tmp_path: Path, task: str
) -> None:
    shutil.copytree(bundles[task], tmp_path / "elsewhere")
    texts = ["Ann Lee lives in Rome", "good , not bad", "the dog"]
    here, there = (
        list(Predictor.load(folder).predict(texts))
        for folder in (bundles[task], tmp_path / "elsewhere")
    )
    assert here == there


@pytest.mark.slow
def test_what_is_saved_predicts_as_what_was_trained(
    tmp_path: Path, sentences: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the graph, and by Keras from the saved weights."""
    trained: list[Any] = []
    write = bundle_module.write_bundle

    def remembering(folder: Path, **given: Any) -> None:
        trained.append(given["model"])
        write(folder, **given)

    monkeypatch.setattr(bundle_module, "write_bundle", remembering)
    bundle = Bundle.open(write_untrained(tmp_path / "b", "tagging", "tagged", sentences))
    ids, lengths = np.array([[2, 3, 4], [5, 0, 0]], np.int32), np.array([3, 1], np.int32)
    expected = np.asarray(trained[0].predict_on_batch(ids))
    graph = bundle.network()
    assert isinstance(graph, OnnxNetwork)
    for network in (graph, KerasNetwork(bundle.keras_model())):
        found = network.logits(ids, lengths)
        for row, other, length in zip(found, expected, lengths, strict=True):
            np.testing.assert_allclose(row[:length], other[:length], atol=1e-5)


def test_a_bundle_holds_no_pickle(bundles: dict[str, Path]) -> None:
    for folder in bundles.values():
        suffixes = {file.suffix for file in folder.iterdir()}
        assert suffixes == {".json", ".h5", ".onnx"}


def break_json(file: Path, **changes: Any) -> None:
    data = json.loads(file.read_text())
    file.write_text(json.dumps(data | changes))


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("bundle.json", lambda f: f.unlink(), ["not a complete model bundle"]),
        ("bundle.json", lambda f: f.write_text("{"), ["not valid JSON"]),
        ("bundle.json", lambda f: f.write_text("{}"), ["not a model bundle"]),
        ("bundle.json", lambda f: break_json(f, format=99), ["format 99"]),
        ("bundle.json", lambda f: break_json(f, experiment={"task": "x"}), ["not a model bundle"]),
        ("tokenizer.json", lambda f: f.unlink(), ["no such file"]),
        ("bundle.json", lambda f: break_json(f, provenance=[]), ["not a model bundle"]),
        ("bundle.json", lambda f: break_json(f, sha256=[]), ["not a model bundle"]),
        ("tokenizer.json", lambda f: break_json(f, unit="sentence"), ["damaged"]),
        ("vocabulary.json", lambda f: f.write_text("[]"), ["damaged"]),
        ("labels.json", lambda f: f.unlink(), ["no such file"]),
        ("labels.json", lambda f: f.write_text('["positive", "negative"] '), ["damaged"]),
        (WEIGHTS, lambda f: f.unlink(), ["no such file"]),
        (WEIGHTS, lambda f: f.write_bytes(f.read_bytes()[:-9]), ["damaged"]),
        (GRAPH, lambda f: f.unlink(), ["no such file"]),
        (GRAPH, lambda f: f.write_bytes(f.read_bytes()[:-9]), ["damaged"]),
        ("bundle.json", lambda f: break_json(f, format=3), ["format 3", "reads formats 4 and 5"]),
        ("bundle.json", lambda f: break_json(f, graph={"x": 1}), ["not a model bundle"]),
    ],
)
def test_a_broken_piece_is_named(
    bundles: dict[str, Path], tmp_path: Path, file: str, damage: Any, words: list[str]
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles["classification"], folder)
    damage(folder / file)
    with pytest.raises(UserError) as error:
        Bundle.open(folder)
    for word in [str(folder / file), *words]:
        assert word in str(error.value)


def edited(source: Path, folder: Path, file: str, edit: Callable[[Any], Any]) -> Path:
    """A copy of a bundle in which somebody has edited a file and written its checksum anew."""
    shutil.copytree(source, folder)
    part = folder / file
    part.write_text(json.dumps(edit(json.loads(part.read_text()))))
    if file != DESCRIPTION:
        description = json.loads((folder / DESCRIPTION).read_text())
        description["sha256"][file] = sha256(part)
        (folder / DESCRIPTION).write_text(json.dumps(description))
    return folder


def without_last(vocabulary: dict[str, Any]) -> dict[str, Any]:
    return vocabulary | {key: vocabulary[key][:-1] for key in ("types", "counts")}


def with_more(vocabulary: dict[str, Any]) -> dict[str, Any]:
    return vocabulary | {
        "types": [*vocabulary["types"], "x!"],
        "counts": [*vocabulary["counts"], 1],
    }


@pytest.mark.parametrize("temperature", [float("nan"), 0, -1, "warm", None])
def test_a_temperature_that_is_no_positive_number_is_refused(
    bundles: dict[str, Path], tmp_path: Path, temperature: Any
) -> None:
    def edit(description: dict[str, Any]) -> dict[str, Any]:
        return description | {"figures": description["figures"] | {"temperature": temperature}}

    folder = edited(bundles["tagging"], tmp_path / "b", DESCRIPTION, edit)
    with pytest.raises(UserError, match=r"bundle\.json: not a model bundle"):
        Bundle.open(folder)


@pytest.mark.parametrize(
    ("task", "file", "edit", "words"),
    [
        ("tagging", "labels.json", lambda tags: tags[:-1], "do not match"),
        ("classification", "labels.json", lambda labels: [*labels, "other"], "do not match"),
        ("classification", "labels.json", lambda labels: [labels[0]] * 2, "distinct labels"),
        ("classification", "labels.json", lambda labels: [1, 2], "not a list of labels"),
        ("classification", "labels.json", lambda labels: {"a": 1}, "not a list of labels"),
        ("classification", "vocabulary.json", with_more, "do not match"),
        ("tagging", "vocabulary.json", with_more, "do not match"),
        ("language_modelling", "vocabulary.json", with_more, "do not match"),
        ("language_modelling", "vocabulary.json", without_last, "do not match"),
        ("classification", "vocabulary.json", lambda v: v | {"counts": ["a"]}, "not a vocabulary"),
        ("classification", "tokenizer.json", lambda t: t | {"unit": "line"}, "not a tokenizer"),
        ("classification", "tokenizer.json", lambda t: t | {"lower": True}, "not a tokenizer"),
        ("classification", "tokenizer.json", lambda t: [t], "not a tokenizer"),
    ],
)
def test_parts_edited_by_hand_that_do_not_fit_are_one_line(
    bundles: dict[str, Path],
    tmp_path: Path,
    task: str,
    file: str,
    edit: Callable[[Any], Any],
    words: str,
) -> None:
    """Even with the right checksums, before any prediction is made of them."""
    folder = edited(bundles[task], tmp_path / "b", file, edit)
    with pytest.raises(UserError, match=words):
        Predictor.load(folder)


def test_weights_that_do_not_fit_are_named(bundles: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles["classification"], folder)
    data = json.loads((folder / "bundle.json").read_text())
    data["experiment"]["model"]["units"] = 9
    (folder / "bundle.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"model\.weights\.h5: does not fit bundle\.json"):
        Bundle.open(folder).keras_model()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such model folder"):
        Bundle.open(tmp_path / "nowhere")


def test_lines_are_scored_by_the_chain_rule(bundles: dict[str, Path]) -> None:
    """Against Keras's logits step by step, in batches with lines of other lengths."""
    predictor = Predictor.load(bundles["language_modelling"])
    start = predictor.bundle.start_states()
    assert start is not None
    model = predictor.bundle.keras_model()
    vocabulary = predictor.bundle.vocabulary
    lines = ["the cat sleeps", "the dog barks the cat sleeps the dog", ""]
    for line, prediction in zip(lines, predictor.predict(lines), strict=True):
        targets = [*vocabulary.encode(line.split()), vocabulary.end_index]
        states: Any = [state[None] for state in start]
        token, total = vocabulary.end_index, 0.0
        for target in targets:
            ids = np.array([[token]], np.int32)
            logits, *states = model.predict_on_batch([ids, *states])
            total += float(np.log(softmax(np.asarray(logits)[0, -1])[target]))
            token = target
        assert prediction["log_probability"] == pytest.approx(total, rel=1e-5)
        assert prediction["tokens"] == len(targets)
        assert prediction["perplexity"] == pytest.approx(np.exp(-total / len(targets)), rel=1e-5)


def test_the_sampling_distribution() -> None:
    logits = np.array([[9.0, 9.0, 1.0, 2.0, 0.0]])
    plain = next_distribution(logits, 1.0)
    np.testing.assert_allclose(plain[0, 2:], softmax(logits[:, 2:])[0])
    assert plain[0, :2].tolist() == [0, 0]
    np.testing.assert_allclose(next_distribution(logits, 0.5)[0, 2:], softmax(2 * logits[:, 2:])[0])
    assert next_distribution(logits, 0)[0].tolist() == [0, 0, 0, 1, 0]


@pytest.mark.slow
def test_examples_longer_than_the_limit_are_cut_as_in_training(
    tmp_path: Path, reviews: list[Example]
) -> None:
    folder = write_untrained(tmp_path / "b", "classification", "labelled", reviews)
    data = json.loads((folder / "bundle.json").read_text())
    data["experiment"]["training"]["max_length"] = 2
    (folder / "bundle.json").write_text(json.dumps(data))
    predictor = Predictor.load(folder)
    short, long = predictor.predict(["good film", "good film at all , not bad"])
    assert short["probability"] == pytest.approx(long["probability"], rel=1e-6)


def test_what_is_kept_of_a_long_text_is_kept_in_predictions(
    tmp_path: Path, reviews: list[Example]
) -> None:
    folder = write_untrained(tmp_path / "b", "classification", "labelled", reviews)
    data = json.loads((folder / "bundle.json").read_text())
    kept = {"head": "good film at", "tail": ", not bad", "both": "good film bad"}
    for part, text in kept.items():
        data["experiment"]["training"] |= {"max_length": 3, "long_texts": part}
        (folder / "bundle.json").write_text(json.dumps(data))
        short, long = Predictor.load(folder).predict([text, "good film at all , not bad"])
        assert short["probability"] == pytest.approx(long["probability"], rel=1e-6), part


def rewritten(folder: Path, **tokenizer: Any) -> None:
    """Other parameters of the tokenizer in a bundle, with the right checksum; None removes one."""
    file, description = folder / "tokenizer.json", folder / "bundle.json"
    parameters = json.loads(file.read_text()) | tokenizer
    kept = {name: value for name, value in parameters.items() if value is not None}
    file.write_text(json.dumps(kept))
    checksums = json.loads(description.read_text())["sha256"]
    break_json(description, sha256=checksums | {file.name: sha256(file)})


def test_a_bundle_of_format_4_reads_text_as_it_was_trained_to(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles["tagging"], folder)
    rewritten(folder, unit="word")
    text = "I don’t, so\u00adft"
    assert Bundle.open(folder).tokenizer.tokens(text) == ["I", "don't", ",", "soft"]
    rewritten(folder, rules=None)
    break_json(folder / "bundle.json", format=4)
    assert Bundle.open(folder).tokenizer.tokens(text) == ["I", "don’t", ",", "so", "\u00ad", "ft"]


@pytest.mark.parametrize("change", [{"unit": "sentence"}, {"rules": 3}, {"lowercase": "yes"}])
def test_a_tokenizer_edited_by_hand_is_one_line(
    bundles: dict[str, Path], tmp_path: Path, change: dict[str, Any]
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles["tagging"], folder)
    rewritten(folder, **change)
    with pytest.raises(UserError, match=r"tokenizer\.json: not a tokenizer") as error:
        Bundle.open(folder)
    assert "\n" not in str(error.value)


def test_a_tagger_that_reads_characters_sees_no_invisible_ones(
    tmp_path: Path, sentences: list[Example]
) -> None:
    model: dict[str, Any] = {"characters": {"kind": "cnn", "longest": 5}}
    write_untrained(tmp_path / "b", "tagging", "tagged", sentences, model)
    predictor = Predictor.load(tmp_path / "b" / "tagging")
    plain, soft = predictor.predict(["Ann lives in Rome", "Ann li\u00adves in Ro\u200bme"])
    assert soft["tags"] == plain["tags"]
    np.testing.assert_allclose(soft["probabilities"], plain["probabilities"], atol=1e-6)
    assert soft["tokens"] == ["Ann", "li\u00adves", "in", "Ro\u200bme"]
