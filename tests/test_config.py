"""params.yaml: every mistake is one line that names the key and the mend."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.config import load, parse
from nlp_rnn.errors import UserError

FILE = Path("params.yaml")
PROJECT = Path(__file__).parents[1]

BASE: dict[str, Any] = {
    "datasets": {
        "reviews": {
            "source": "grammar",
            "corpus": "reviews",
            "sizes": {"train": 9, "validation": 3, "test": 3},
        },
        "text": {
            "source": "files",
            "format": "text",
            "train": "a.txt",
        },
    },
    "experiments": {
        "sentiment": {
            "task": "classification",
            "dataset": "reviews",
            "embeddings": {"kind": "learned", "dimension": 8},
            "model": {"units": 4},
            "training": {},
        },
        "language": {
            "task": "language_modelling",
            "dataset": "text",
            "embeddings": {"kind": "learned", "dimension": 8},
            "model": {"units": 8, "tied": True},
            "training": {},
        },
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(BASE)
    *parents, key = path.split(".")
    section = data
    for parent in parents:
        section = section[parent]
    if value is None:
        del section[key]
    else:
        section[key] = value
    return data


def test_defaults_fill_what_is_not_given() -> None:
    parameters = parse(BASE, FILE)
    assert parameters.backend == "auto"
    assert parameters.experiment("sentiment").model.cell.kind == "lstm"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("experiment", {}, ["unknown parameter 'experiment'", "did you mean 'experiments'"]),
        ("experiments.sentiment.model.unit", 3, ["experiments.sentiment.model", "'units'"]),
        (
            "experiments.sentiment.model.units",
            "many",
            ["experiments.sentiment.model.units", "many"],
        ),
        ("experiments.sentiment.model.units", 0, ["experiments.sentiment.model.units", "greater"]),
        ("experiments.sentiment.model.dropout", 1.5, ["model.dropout", "less than 1"]),
        ("experiments.sentiment.model.cell", "lstn", ["model.cell", "'lstm'"]),
        ("experiments.sentiment.model.tied", True, ["unknown parameter 'tied'"]),
        ("experiments.language.model.bidirectional", True, ["unknown parameter 'bidirectional'"]),
        (
            "experiments.language.model.units",
            9,
            ["experiments.language", "embeddings.dimension (8)"],
        ),
        ("experiments.sentiment.model", None, ["experiments.sentiment.model", "required"]),
        ("experiments.sentiment.task", "tagging", ["experiments.sentiment.task", "labelled"]),
        ("experiments.sentiment.dataset", "review", ["no data set 'review'", "'reviews'"]),
        ("experiments.sentiment.embeddings", {"kind": "learnt"}, ["embeddings", "learnt"]),
        ("experiments.sentiment.training.learning_rate", float("inf"), ["learning_rate", "finite"]),
        ("datasets.reviews.sizes.train", 0, ["datasets.reviews.sizes.train", "greater"]),
        ("datasets.reviews.corpus", "entities", ["tokenizer.unit", "corpus entities"]),
        ("datasets.text.tag_column", "upos", ["datasets.text"]),
        ("datasets.text.scheme", "BIO", ["datasets.text", "scheme needs format conll"]),
        ("datasets.text.empty_words", "skip", ["datasets.text", "empty_words needs format conll"]),
        ("datasets.bad name", {"source": "files", "format": "text", "train": "x"}, ["bad name"]),
        ("backend", "theano", ["backend", "'tensorflow'"]),
        ("datasets.text.source", None, ["datasets.text", "needs source, one of: grammar, memory"]),
        ("datasets.text.source", "file", ["datasets.text.source", "did you mean 'files'"]),
        ("datasets.text.sauce", "files", ["unknown parameter 'sauce'", "'source'"]),
        ("experiments.sentiment.training.epochs", True, ["training.epochs", "True"]),
        ("experiments.sentiment.training.epochs", "3", ["training.epochs", "'3'"]),
        ("experiments.sentiment.training.select", "bleu", ["select of a classifier"]),
        ("experiments.language.training.select", "accuracy", ["select of a language model"]),
        ("datasets.text.tokenizer", {"unit": "character", "html_breaks": True}, ["html_breaks"]),
        ("datasets.text.word_column", -1, ["same column"]),
        ("experiments.sentiment.model.cell", {"kind": "gru", "peepholes": True}, ["'peepholes'"]),
        ("experiments.sentiment.model.cell", {"peepholes": True}, ["needs kind, one of: simple"]),
        (
            "experiments.sentiment.model.cell",
            {"kind": "lstm", "coupled_gates": True, "forget_gate": False},
            ["model.cell", "coupled_gates needs forget_gate: true"],
        ),
        ("experiments.sentiment.model.output", "crf", ["unknown parameter 'output'"]),
        (
            "experiments.language.model.output",
            "adaptive",
            ["model.output.kind: no such kind 'adaptive'", "did you mean 'adaptive_softmax'"],
        ),
        (
            "experiments.language.model.output",
            {"kind": "adaptive_softmax", "cutoffs": [9, 5]},
            ["model.output", "cutoffs must rise"],
        ),
        (
            "experiments.language.model.output",
            {"kind": "adaptive_softmax", "cutoffs": [5]},
            ["tied needs output.divisor: 1"],
        ),
        (
            "experiments.language.model.output",
            "hierarchical_softmax",
            ["tied does not go with output: hierarchical_softmax"],
        ),
        ("experiments.sentiment.model.connection", "residual", ["needs layers: 2"]),
        ("experiments.sentiment.model.monte_carlo_samples", 5, ["dropout"]),
        (
            "experiments.sentiment.model",
            {"cell": "gru", "zoneout": {"cell": 0.5}},
            ["a gru has no cell state"],
        ),
        (
            "experiments.sentiment.model",
            {
                "cell": {"kind": "simple_rnn", "vanishing_gradient_penalty": 1.0},
                "recurrent_dropout": 0.1,
            },
            ["vanishing_gradient_penalty does not go with recurrent_dropout"],
        ),
        ("experiments.sentiment.training", {"clip_norm": 1.0, "clip_value": 1.0}, ["choose one"]),
        (
            "experiments.language.training",
            {"random_window": True, "streams": "lines"},
            ["random_window is of one text"],
        ),
        ("experiments.language.training.window", "all", ["training.window"]),
        ("experiments.sentiment.training.averaging", {}, ["averaging needs optimizer: sgd"]),
    ],
)
def test_a_mistake_names_its_key_and_the_mend(path: str, value: Any, words: list[str]) -> None:
    data = changed(path, value)
    if path in ("datasets.text.tag_column", "datasets.text.word_column"):
        data["datasets"]["text"]["format"] = "conll"
    if path == "datasets.reviews.corpus":
        data["datasets"]["reviews"]["tokenizer"] = {"unit": "character", "lowercase": False}
    if path == "datasets.text.sauce":
        del data["datasets"]["text"]["source"]
    with pytest.raises(UserError) as error:
        parse(data, FILE)
    message = str(error.value)
    assert message.startswith("params.yaml: ")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [1", ["line", "not valid YAML"]),
        (b"a: 1\na: 2\n", ["line 2", "duplicate key"]),
        (b"\xff\xfe", ["not UTF-8"]),
        (b"- 1\n", ["expected a mapping"]),
        (b"", ["expected a mapping"]),
    ],
)
def test_a_file_that_is_no_mapping_is_one_clear_error(
    tmp_path: Path, content: bytes, words: list[str]
) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        load(file)
    for word in [str(file), *words]:
        assert word in str(error.value)


def test_dropout_of_characters_is_enough_for_monte_carlo() -> None:
    data = changed("datasets.tags", {"source": "tfds", "name": "x", "kind": "tagged"})
    characters = {"kind": "cnn", "dropout": 0.5}
    data["experiments"]["tagger"] = BASE["experiments"]["sentiment"] | {
        "task": "tagging",
        "dataset": "tags",
        "model": {"characters": characters, "monte_carlo_samples": 5},
    }
    assert parse(data, FILE).experiment("tagger").model.monte_carlo_samples == 5
    characters["dropout"] = 0.0
    with pytest.raises(UserError, match="monte_carlo_samples averages over dropout"):
        parse(data, FILE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "params.yaml")


def test_the_projects_own_parameters_are_valid() -> None:
    parameters = load(PROJECT / "params.yaml")
    assert set(parameters.experiments) == {
        "sentiment-bilstm", "pos-bilstm", "ner-bilstm-crf", "lm-lstm", "lm-char-gru",
        "translation-gru-attention",
    }  # fmt: skip


@pytest.mark.slow
def test_a_stage_reports_a_mistake_with_status_2_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("experimets: {}\n")
    script = PROJECT / "pipelines" / "train.py"
    done = subprocess.run(
        [sys.executable, str(script), "sentiment"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: params.yaml: unknown parameter 'experimets'; did you mean 'experiments'?\n"
    )


@pytest.mark.slow
def test_help_and_errors_import_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from nlp_rnn.cli import COMMANDS, parser\n"
        "parser(*COMMANDS).format_help()\n"
        "import nlp_rnn.stages\n"
        "from nlp_rnn.config import load\n"
        "from pathlib import Path\n"
        "load(Path('params.yaml'))\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'mlflow', 'pandas', 'sklearn', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
