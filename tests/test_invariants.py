"""A prediction depends on nothing but the model and the text.

Not on the texts that come with it, nor on their order, on padding, on where a batch or a chunk
ends, nor on the door through which it comes. The reference is each text predicted alone.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.bundles import write_untrained
from helpers.grids import grid
from helpers.tables import parquet_rows
from nlp_rnn.cli import main
from nlp_rnn.evaluation import calibration
from nlp_rnn.example import Example, Kind
from nlp_rnn.inference import inputs, predictor
from nlp_rnn.inference.predictor import Prediction, Predictor
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.export import export_onnx
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.tasks import classification, language_modelling, sequences, tagging
from nlp_rnn.tasks.registry import make_task as task_of
from nlp_rnn.text.prepared import PreparedDataset

pytestmark = pytest.mark.slow

PACKAGE = Path(predictor.__file__).parents[1]

PEEPHOLES = {"kind": "lstm", "peepholes": True}
CNN = {"kind": "cnn", "units": 4, "dimension": 4}
BILSTM = {"kind": "bilstm", "units": 4, "dimension": 4}

CLASSIFIERS: dict[str, dict[str, Any]] = {
    "classifier lstm": {"cell": "lstm"},
    "classifier simple_rnn": {"cell": "simple_rnn", "pooling": "max"},
    "classifier gru": {"cell": "gru", "pooling": "mean", "layers": 2, "connection": "residual"},
    "classifier phased": {"cell": "phased_lstm", "pooling": "attention", "bidirectional": False},
    "classifier peepholes": {"cell": PEEPHOLES | {"projection": 5}, "pooling": "concatenated"},
    "classifier averaged": {"kind": "averaged", "pairs": 20},
    "classifier window": {"kind": "window", "pooling": "attention"},
    "classifier convolutional": {"kind": "convolutional", "windows": [2, 3, 5], "filters": 8},
}
SOFTMAX_TAGGERS: dict[str, dict[str, Any]] = {
    "tagger lstm": {"cell": "lstm", "characters": CNN, "casing": 3},
    "tagger simple_rnn": {"cell": "simple_rnn", "bidirectional": False, "casing": 3},
    "tagger gru": {"cell": {"kind": "gru", "reset_after": False}, "tag_scheme": "BIOES"},
    "tagger phased": {"cell": "phased_lstm", "characters": BILSTM},
    "tagger peepholes": {"cell": PEEPHOLES | {"layer_normalization": True}},
    "tagger in context": {"cell": "gru", "characters": CNN},
    "tagger window": {"kind": "window", "characters": BILSTM},
}
CRF_TAGGERS: dict[str, dict[str, Any]] = {
    "CRF lstm": {"cell": "lstm"},
    "CRF simple_rnn": {"cell": "simple_rnn", "constrained": False},
    "CRF gru": {"cell": "gru", "tag_scheme": "BIOES"},
    "CRF phased": {"cell": "phased_lstm", "bidirectional": False, "casing": 3},
    "CRF peepholes": {"cell": PEEPHOLES},
    "CRF convolutional": {"kind": "convolutional", "filters": 8, "layers": 3, "dilation": 2},
    "CRF characters": {"cell": "lstm", "characters": CNN, "tag_scheme": "BIOES"},
}
JOINT: dict[str, dict[str, Any]] = {
    "joint lstm": {"cell": "lstm", "pooling": "concatenated", "characters": CNN},
    "joint CRF": {"cell": "gru", "pooling": "attention", "output": "crf", "tag_scheme": "BIOES"},
}
LABEL_SETS: dict[str, dict[str, Any]] = {"label sets": {"cell": "gru", "pooling": "max"}}
ROLES: dict[str, dict[str, Any]] = {
    "roles highway": {"cell": "lstm", "layers": 2, "connection": "highway", "characters": CNN},
    "roles CRF": {"cell": "gru", "output": "crf", "casing": 3},
}
LANGUAGE_MODELS: dict[str, dict[str, Any]] = {
    "language model lstm": {"cell": "lstm", "layers": 2, "connection": "highway", "tied": True},
    "language model simple_rnn": {"cell": "simple_rnn", "output": "hierarchical_softmax"},
    "language model gru": {
        "cell": "gru",
        "output": {"kind": "adaptive_softmax", "cutoffs": [4, 8]},
    },
    "language model phased": {"cell": "phased_lstm", "output": "sampled_softmax"},
    "language model projected": {"cell": PEEPHOLES | {"projection": 5}},
    "language model feed_forward": {"kind": "feed_forward", "context": 3},
}
ENCODER_DECODERS: dict[str, dict[str, Any]] = {
    "encoder-decoder gru": {"cell": "gru"},
    "encoder-decoder fed": {
        "cell": "lstm",
        "layers": 2,
        "attention": {"kind": "concat", "input_feeding": True},
    },
    "encoder-decoder additive": {"cell": "gru", "attention": "additive", "bridge": "mean"},
    "encoder-decoder copying": {"cell": "gru", "copying": True},
    "encoder-decoder reversed": {
        "cell": "lstm",
        "attention": None,
        "bidirectional": False,
        "bridge": "last_state",
        "reversed_source": True,
    },
    "encoder-decoder every step": {
        "cell": "simple_rnn",
        "attention": None,
        "conditioning": "every_step",
        "tied": True,
    },
}
OF_TASK = {
    "classification": CLASSIFIERS | LABEL_SETS,
    "tagging": SOFTMAX_TAGGERS
    | {name: model | {"output": "crf"} for name, model in CRF_TAGGERS.items()},
    "intents_and_slots": JOINT,
    "semantic_roles": ROLES,
    "language_modelling": LANGUAGE_MODELS,
    "sequence_to_sequence": ENCODER_DECODERS,
}
MODELS = {name: (task, model) for task, models in OF_TASK.items() for name, model in models.items()}
CONTEXT = {
    "tagger in context": {"vectors": "any/folder", "dimension": 4, "layers": 2, "trainable": True}
}
"""The contextual word vectors of some of :data:`MODELS`."""

USUAL = grid(
    MODELS,
    *("classifier gru", "classifier peepholes", "classifier averaged", "label sets"),
    *("tagger lstm", "tagger phased", "tagger in context", "CRF gru", "CRF convolutional"),
    *("CRF characters", "joint CRF", "roles highway"),
    *("language model gru", "language model phased", "language model feed_forward"),
    *("language model lstm", "encoder-decoder fed", "encoder-decoder copying"),
)

ONE_OF_EACH = (
    "classifier gru",
    "tagger lstm",
    "CRF characters",
    "language model lstm",
    "encoder-decoder gru",
    "label sets",
    "roles highway",
)
TAGGERS = [name for name in ONE_OF_EACH if MODELS[name][0] == "tagging"]

WORDS = ["Ann", "Lee", "lives", "in", "Rome", "and", "New", "York", "a", "good", "film", ","]
WORDS += ["très", "東京", "🙂", "naïve-looking"]
SIZES = (1, 2, 31, 32, 33, 65)


def texts() -> list[str]:
    """As many as the largest of :data:`SIZES`: empty, of one word, long, of all lengths between."""
    draw = random.Random(4)
    lengths = [0, 1, 200, 1, 2, *(draw.randrange(30) for _ in range(SIZES[-1] - 5))]
    return [" ".join(draw.choices(WORDS, k=length)) for length in lengths]


TEXTS = texts()
SOME = [*TEXTS[:2], *(text for text in TEXTS[3:12] if len(text.split()) <= 16)]
"""Of one padded length, since Keras compiles each."""


def examples(task: str, name: str) -> tuple[Kind, list[Example]]:
    """Two examples to make a vocabulary from, in which most of :data:`WORDS` are."""
    if task == "semantic_roles":
        words = tuple(WORDS[:-4])
        tags = ("B-ARG0", "I-ARG0", "B-V", "B-LOC", *["I-LOC"] * (len(words) - 4))
        found = tuple("B-V" if i == 2 else "O" for i in range(len(words)))
        return "roles", [
            Example(tokens=words, tags=found),
            Example(tokens=words, tags=tags, predicate=2, frame="live.01"),
        ]
    if task in ("tagging", "intents_and_slots"):
        tags = ["B-PER", "I-PER", "O", "O", "B-LOC", "O", "B-LOC", "I-LOC", "O", "O", "O"]
        first = Example(tokens=tuple(WORDS[: len(tags)]), tags=tuple(tags), label="long")
        other = Example(tokens=("Rome", "film"), tags=("B-LOC", "O"), label="short")
        return "tagged" if task == "tagging" else "joint", [first, other]
    text = " ".join(WORDS[:-3])
    if name in LABEL_SETS:
        sets = [("good", "bad"), ("bad",), ()]
        return "labelled", [Example(text=text, labels=labels) for labels in sets]
    if task == "classification":
        return "labelled", [Example(text=text, label="good"), Example(text="bad", label="bad")]
    if task == "sequence_to_sequence":
        return "pairs", [Example(text=text, target="das ist ein guter Film")]
    return "text", [Example(text=text), Example(text="a film")]


def untrained(folder: Path, name: str) -> Path:
    """The bundle of a model of :data:`MODELS` with random weights."""
    task, model = MODELS[name]
    context = CONTEXT.get(name)
    data = examples(task, name)
    return write_untrained(folder, task, *data, model, scale=0.5, contextual=context)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Predictor]:
    """Each model of :data:`MODELS` by name, made and loaded once."""

    @cache
    def load(name: str) -> Predictor:
        return Predictor.load(untrained(tmp_path_factory.mktemp("model"), name))

    return load


@pytest.fixture(scope="session")
def alone(loaded: Callable[[str], Predictor]) -> Callable[[str], list[Prediction]]:
    """What each model says of each of :data:`TEXTS`, given by itself."""

    @cache
    def predicted(name: str) -> list[Prediction]:
        return [next(iter(loaded(name).predict([text]))) for text in TEXTS]

    return predicted


def assert_same(found: Any, wanted: Any) -> None:
    """Equal, numbers to 1e-5."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for key in wanted:
            assert_same(found[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, float):
        assert float(found) == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    elif wanted is None:
        assert found is None
    else:
        assert type(wanted)(found) == wanted


# --- in whose company ---------------------------------------------------------------


@pytest.mark.parametrize("name", USUAL)
def test_how_many_texts_come_together_does_not_matter(
    name: str, loaded: Callable[[str], Predictor], alone: Callable[[str], list[Prediction]]
) -> None:
    for size in SIZES:
        assert_same(list(loaded(name).predict(TEXTS[:size])), alone(name)[:size])


@pytest.mark.parametrize("name", USUAL)
def test_texts_of_one_word_do_not_change_one_another(
    name: str, loaded: Callable[[str], Predictor]
) -> None:
    words = [word for word in WORDS for _ in range(3)]
    one_by_one = {word: next(iter(loaded(name).predict([word]))) for word in WORDS}
    assert_same(list(loaded(name).predict(words)), [one_by_one[word] for word in words])


@pytest.mark.parametrize("name", USUAL)
def test_the_order_of_the_texts_does_not_matter(
    name: str, loaded: Callable[[str], Predictor], alone: Callable[[str], list[Prediction]]
) -> None:
    order = random.Random(5).sample(range(len(TEXTS)), len(TEXTS))
    found = list(loaded(name).predict(TEXTS[i] for i in order))
    assert_same(found, [alone(name)[i] for i in order])


@pytest.mark.parametrize("name", USUAL)
def test_where_a_batch_or_a_chunk_ends_does_not_matter(
    name: str,
    loaded: Callable[[str], Predictor],
    alone: Callable[[str], list[Prediction]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for batch, chunk in ((1, 2048), (3, 7), (64, 1), (2, 33)):
        monkeypatch.setattr(predictor, "BATCH", batch)
        monkeypatch.setattr(predictor, "CHUNK", chunk)
        assert_same(list(loaded(name).predict(TEXTS)), alone(name))


@pytest.mark.parametrize("name", USUAL)
def test_padding_does_not_matter(
    name: str,
    loaded: Callable[[str], Predictor],
    alone: Callable[[str], list[Prediction]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loaded(name).network, "padded_length", lambda length: length + 13)
    assert_same(list(loaded(name).predict(TEXTS)), alone(name))


@pytest.mark.parametrize("name", CRF_TAGGERS)
def test_n_best_lists_do_not_depend_on_company(
    name: str, loaded: Callable[[str], Predictor]
) -> None:
    asked = loaded(name).asked(predictor.Options(n_best=3))
    few = [text for text in TEXTS if len(text.split()) < 9]
    together = list(asked.predict(few))
    assert_same(together, [next(iter(asked.predict([text]))) for text in few])
    for prediction in together:
        assert sum(path["probability"] for path in prediction["n_best"]) < 1 + 1e-6


# --- through which door ---------------------------------------------------------------


@pytest.mark.parametrize("name", USUAL)
def test_keras_and_onnx_predict_alike(
    name: str,
    loaded: Callable[[str], Predictor],
    alone: Callable[[str], list[Prediction]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if loaded(name).bundle.graph.unsupported:
        pytest.skip("ONNX lacks this cell, so every prediction is made by Keras")
    monkeypatch.setattr(loaded(name), "network", KerasNetwork(loaded(name).bundle.keras_model()))
    expected = [alone(name)[TEXTS.index(text)] for text in SOME]
    assert_same(list(loaded(name).predict(SOME)), expected)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_mlflow_predicts_alike(
    name: str,
    loaded: Callable[[str], Predictor],
    alone: Callable[[str], list[Prediction]],
    tmp_path: Path,
) -> None:
    import mlflow
    import pandas as pd

    mlflow.pyfunc.save_model(
        tmp_path / "model",
        python_model=str(PACKAGE / "tracking/pyfunc.py"),
        artifacts={"bundle": str(loaded(name).bundle.folder)},
        pip_requirements=[],
    )
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    for size in (1, 33, 65):
        found = model.predict(pd.DataFrame({"text": TEXTS[:size]})).to_dict("records")
        for row, wanted in zip(found, alone(name)[:size], strict=True):
            assert_same(row, wanted)


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The predictions in a file."""
    if file.suffix == ".parquet":
        return parquet_rows(file)
    with file.open(newline="", encoding="utf-8") as stream:
        if file.suffix == ".jsonl":
            return [json.loads(line) for line in stream]
        return list(csv.DictReader(stream, delimiter="," if file.suffix == ".csv" else "\t"))


def in_a_line(prediction: Prediction) -> Any:
    """What a text file says of a prediction."""
    if "predicates" in prediction:
        parts = (
            (each["text"], "; ".join(f"{a['role']}: {a['text']}" for a in each["arguments"]))
            for each in prediction["predicates"]
        )
        return " ".join(f"{predicate}({arguments})" for predicate, arguments in parts)
    if "labels" in prediction:
        return "|".join(prediction["labels"])
    keys = ("output", "label", "log_probability")
    one = next((prediction[key] for key in keys if key in prediction), None)
    return " ".join(prediction["tags"]) if one is None else one


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet", ".txt"])
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_the_command_predicts_alike_into_every_format(
    name: str,
    suffix: str,
    loaded: Callable[[str], Predictor],
    alone: Callable[[str], list[Prediction]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (inputs, predictor):
        monkeypatch.setattr(module, "CHUNK", 32)  # 33 texts: the second chunk holds one
    source, target = tmp_path / "in.jsonl", tmp_path / f"out{suffix}"
    lines = (json.dumps({"text": text}) + "\n" for text in TEXTS[:33])
    source.write_text("".join(lines), encoding="utf-8")
    assert main(["predict", str(loaded(name).bundle.folder), str(source), str(target)]) == 0
    if suffix == ".txt":
        found = target.read_text(encoding="utf-8").split("\n")[:-1]
        return assert_same(found, [in_a_line(each) for each in alone(name)[:33]])
    for row, prediction in zip(rows_of(target), alone(name)[:33], strict=True):
        wanted = prediction
        if isinstance(of_labels := prediction.get("probabilities"), dict):
            wanted = prediction | {f"probability_{x}": p for x, p in of_labels.items()}
        for key in wanted.keys() & row.keys():
            cell, value = row[key], wanted[key]
            if isinstance(value, list) and isinstance(cell, str):
                cell = cell.split() if key == "tags" else json.loads(cell)
            assert_same(cell, value)
        assert len(wanted.keys() & row.keys()) >= 2


@pytest.mark.parametrize("suffix", [".conll", ".conllu"])
@pytest.mark.parametrize("name", TAGGERS)
def test_the_command_predicts_alike_into_columns(
    name: str,
    suffix: str,
    loaded: Callable[[str], Predictor],
    alone: Callable[[str], list[Prediction]],
    tmp_path: Path,
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / f"out{suffix}"
    lines = (json.dumps({"text": text}) + "\n" for text in TEXTS[:33])
    source.write_text("".join(lines), encoding="utf-8")
    assert main(["predict", str(loaded(name).bundle.folder), str(source), str(target)]) == 0
    columns = [
        line.split("\t")
        for line in target.read_text(encoding="utf-8").split("\n")
        if line and not line.startswith("# ")
    ]
    tags = [tag for prediction in alone(name)[:33] for tag in prediction["tags"]]
    assert [column[1 if suffix == ".conll" else 3] for column in columns] == tags


# --- in evaluations -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["classifier gru", "tagger lstm", "CRF gru", "language model gru", "encoder-decoder gru"],
)
def test_an_evaluation_gives_the_same_sums_for_any_batch_size(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, model = MODELS[name]
    kind, few = examples(task, name)
    of_tag = dict(zip(few[0].tokens, few[0].tags, strict=True)) if kind == "tagged" else {}
    many = [
        Example(tokens=tuple(words), tags=tuple(of_tag.get(word, "O") for word in words))
        if kind == "tagged"
        else Example(text=" ".join(words), target="ein Film")
        if kind == "pairs"
        else Example(text=" ".join(words), label="bad" if kind == "labelled" else None)
        for words in (text.split() for text in TEXTS)
        if words
    ]
    bundle = Bundle.open(write_untrained(tmp_path, task, kind, [*few, *many], model, scale=0.5))
    work = task_of(bundle.experiment, PreparedDataset(tmp_path / "data"), 1)
    network = bundle.network()
    results = []
    for size in (1, 3, len(many) + len(few) - 1, 64):
        for module in (classification, tagging, sequences):
            monkeypatch.setattr(module, "EVALUATION_BATCH", size)
        monkeypatch.setattr(language_modelling, "EVALUATION_WINDOW", size)
        monkeypatch.setattr(calibration, "SENTENCES_AT_ONCE", size)
        results.append(work.evaluate(network, 1.5))
    for result in results[1:]:
        assert_same(result.test, results[0].test)
        assert_same(result.predictions, results[0].predictions)


# --- weights of 8 bits ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["classifier gru", "tagger lstm", "CRF gru"])
def test_weights_of_8_bits_depend_a_little_on_company(
    name: str, loaded: Callable[[str], Predictor], tmp_path: Path
) -> None:
    """Activations are scaled by the largest of a batch: docs/performance.md says how much."""
    export_onnx(loaded(name).bundle.folder, tmp_path / "int8", int8=True)
    rounded = Predictor.of(Bundle.open(tmp_path / "int8"))

    def confidence(prediction: Prediction) -> Any:
        found = prediction["probabilities"]
        return np.array(list(found.values()) if isinstance(found, dict) else found)

    together = list(rounded.predict(TEXTS))
    differences = [
        np.abs(confidence(one) - confidence(next(iter(rounded.predict([text]))))).max(initial=0)
        for one, text in zip(together, TEXTS, strict=True)
        if len(text.split()) < 9
    ]
    assert 0 < max(differences) < 0.1
