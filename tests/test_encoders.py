"""From a language model of unlabelled texts to a classifier: every stage, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.project import Project
from helpers.topics import texts, write_texts
from nlp_rnn import paths, stages
from nlp_rnn.config import load, parse
from nlp_rnn.errors import UserError
from nlp_rnn.models.network import build_network
from nlp_rnn.models.transfer import recurrent_weights
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.stages.one_training import starting_network
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import UNK_INDEX

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]

WORDS = 100
"""Of each of two topics."""

TOKENIZER = {"unit": "whitespace", "lowercase": False}

MODEL = {"cell": "lstm", "units": 16}

CLASSIFIER = {
    "task": "classification",
    "dataset": "few",
    "embeddings": {"kind": "text-lm", "dimension": 16},
    "model": {**MODEL, "bidirectional": False, "pooling": "concatenated"},
    "training": {"epochs": 3, "learning_rate": 0.01, "batch_size": 10, "select": "accuracy"},
}

PARAMETERS: dict[str, Any] = {
    "backend": "tensorflow",
    "datasets": {
        "few": {
            "source": "files",
            "format": "folders",
            "train": "texts/train",
            "validation": "texts/validation",
            "test": "texts/test",
            "tokenizer": TOKENIZER,
        },
        "text": {
            "source": "files",
            "format": "folders",
            "kind": "text",
            "train": "texts/train",
            "split": {"validation": 0.05, "test": 0.05},
            "tokenizer": TOKENIZER,
        },
    },
    "encoders": ["text-lm"],
    "experiments": {
        "text-lm": {
            "task": "language_modelling",
            "dataset": "text",
            "embeddings": {"kind": "learned", "dimension": 16},
            "model": MODEL,
            "training": {"epochs": 6, "learning_rate": 0.02, "batch_size": 16, "window": 14},
        },
        "pretrained": CLASSIFIER,
        "fresh": CLASSIFIER | {"embeddings": {"kind": "learned", "dimension": 16}},
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Forty texts with labels, many of them wrong, and twelve hundred without; all stages ran.

    Few words occur twice among the forty, so who does not know which go together learns a wrong
    label with each wrong text.
    """
    folder = tmp_path_factory.mktemp("encoders")
    rng = np.random.default_rng(0)
    for split, right, wrong in (("train", 12, 8), ("validation", 25, 0), ("test", 200, 0)):
        for topic, other in ("ab", "ba"):
            labelled = texts(rng, topic, right, WORDS) + texts(rng, other, wrong, WORDS)
            write_texts(folder / "texts" / split / topic, labelled)
    unlabelled = texts(rng, "a", 600, WORDS) + texts(rng, "b", 600, WORDS)
    write_texts(folder / "texts/train/unsup", [unlabelled[i] for i in rng.permutation(1200)])
    project = Project(folder, PARAMETERS)
    project.prepare()
    with project.inside():
        for experiment in PARAMETERS["experiments"]:
            project.train(experiment)
            if experiment == "text-lm":
                stages.encoder(experiment)
        yield folder


def test_a_pretrained_classifier_learns_more_from_few_labels(project: Path) -> None:
    accuracy = {
        name: json.loads((project / f"figures/{name}.json").read_text())["test"]["accuracy"]
        for name in ("fresh", "pretrained")
    }
    assert accuracy["pretrained"] > max(0.85, accuracy["fresh"] + 0.1)


def test_embeddings_are_those_of_the_same_type_and_recurrent_layers_are_equal(
    project: Path,
) -> None:
    bundle = Bundle.open(project / "models/text-lm")
    source = bundle.keras_model()
    (table,) = source.get_layer("embedding").get_weights()
    experiment = load(project / "params.yaml").experiment("pretrained")
    dataset = PreparedDataset(project / "data/prepared/few")
    vectors = np.load(project / "embeddings/pretrained/vectors.npy")
    assert dataset.vocabulary.types[2:] != bundle.vocabulary.types[2 : len(vectors)]
    for row, word in zip(vectors[1:], dataset.vocabulary.types[1:], strict=True):
        np.testing.assert_array_equal(row, table[bundle.vocabulary.types.index(word)])

    from nlp_rnn.tasks.registry import make_task

    work = make_task(experiment, dataset, seed=1)
    started = starting_network(work, paths.embeddings("pretrained"), vectors)
    fresh = build_network(experiment, len(vectors), dataset.labels, vectors=vectors)
    weights = recurrent_weights(started)
    assert len(weights) == 3
    for name, value in recurrent_weights(source).items():
        np.testing.assert_array_equal(weights[name], value)
    ids = np.arange(2, 12)[None]
    one, other = (keras.ops.convert_to_numpy(net(ids)) for net in (started, fresh))
    assert np.abs(one - other).max() > 1e-3


def test_a_type_that_the_language_model_lacks_starts_from_its_unknown_word(
    project: Path, tmp_path: Path
) -> None:
    from nlp_rnn.config import TransferredEmbeddings
    from nlp_rnn.embeddings.initial import write_initial
    from nlp_rnn.text.vocabulary import Vocabulary

    own = Vocabulary(["<pad>", "<unk>", "never", "A3"], [0, 5, 3, 2])
    section = TransferredEmbeddings(kind="text-lm", dimension=16)
    card = write_initial(tmp_path / "initial", section, own, seed=1, data_sha256="x")
    vectors = np.load(tmp_path / "initial/vectors.npy")
    table = np.load(project / "vectors/text-lm/vectors.npy")
    types = Vocabulary.load(project / "vectors/text-lm/vocabulary.json").types
    np.testing.assert_array_equal(vectors[2], table[UNK_INDEX])
    np.testing.assert_array_equal(vectors[3], table[types.index("a3")])
    assert not vectors[0].any()
    assert card["token_coverage"] == 0.2
    strange = Vocabulary(["<pad>", "<unk>", "never"], [0, 5, 3])
    with pytest.raises(UserError, match="knows no word of the data"):
        write_initial(tmp_path / "other", section, strange, seed=1, data_sha256="x")


def test_an_encoder_that_is_not_there_says_what_to_run(project: Path) -> None:
    (project / "vectors/text-lm").rename(project / "vectors/away")
    with pytest.raises(UserError, match=r"no encoder there.*dvc repro encoder@text-lm"):
        stages.embed("pretrained")
    (project / "vectors/away").rename(project / "vectors/text-lm")
    with pytest.raises(UserError, match="no experiment 'text-ln'; did you mean 'text-lm'"):
        stages.encoder("text-ln")


def test_the_backend_is_that_of_the_language_model_whatever_keras_has_by_default(
    project: Path, tmp_path: Path
) -> None:
    other = "jax" if keras.backend.backend() == "tensorflow" else "tensorflow"
    (tmp_path / "keras.json").write_text(json.dumps({"backend": other}))
    environment = os.environ | {"KERAS_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    del environment["KERAS_BACKEND"]
    command = [sys.executable, PROJECT / "pipelines/encoder.py", "text-lm"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_another_language_model_means_another_training(project: Path) -> None:
    def fingerprint() -> str:
        bundle = Bundle.open(project / "models/pretrained")
        return str(bundle.provenance["fingerprint"])

    first = fingerprint()
    stages.train("pretrained")
    assert fingerprint() == first
    file = project / "embeddings/pretrained/recurrent.npz"
    with np.load(file) as arrays:
        changed = {name: arrays[name] * 2 for name in arrays.files}
    np.savez(file, **changed)
    stages.train("pretrained")
    assert fingerprint() != first


def test_a_file_that_does_not_fit_or_is_broken_is_refused(project: Path) -> None:
    file = project / "embeddings/pretrained/recurrent.npz"
    content = file.read_bytes()
    with np.load(file) as arrays:
        changed = {name: arrays[name][:1] for name in arrays.files}
    np.savez(file, **changed)
    with pytest.raises(UserError, match=r"a different layer lstm_0.*model\.cell, units, layers"):
        stages.train("pretrained")
    file.write_bytes(content[:50])
    with pytest.raises(UserError, match=r"recurrent\.npz.*dvc repro embed@pretrained"):
        stages.train("pretrained")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"units": 8}}, r"pretrained\.model\.units: 8, but the encoder text-lm has 16"),
        ({"model": {"cell": "gru"}}, r"pretrained\.model\.cell: .*but the encoder text-lm has"),
        ({"model": {"bidirectional": True}}, r"bidirectional: .* left to right only; set"),
        ({"model": {"kind": "averaged"}}, r"model\.kind: the encoder text-lm needs a model with"),
        ({"embeddings": {"dimension": 8}}, r"dimension: 8, but the encoder text-lm has 16"),
        ({"embeddings": {"unknown": "mean"}}, r"unknown: words that .* leave it out"),
        ({"embeddings": {"kind": "fresh"}}, r"no such kind 'fresh'.*list it under encoders"),
        ({"embeddings": {"kind": "text-ln"}}, r"no such kind.*did you mean 'text-lm'"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_with_the_key(
    change: dict[str, dict[str, Any]], message: str
) -> None:
    parameters = deepcopy(PARAMETERS)
    for section, values in change.items():
        given = parameters["experiments"]["pretrained"][section]
        parameters["experiments"]["pretrained"][section] = (
            values if "averaged" in values.values() else given | values
        )
    with pytest.raises(UserError, match=message):
        parse(parameters, Path("params.yaml"))


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        (["text-ml"], r"encoders: no experiments\.text-ml; did you mean 'text-lm'"),
        (["text-lm", "fresh"], "fresh is no recurrent language model"),
    ],
)
def test_an_encoder_is_a_language_model(encoders: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(PARAMETERS | {"encoders": encoders}, Path("params.yaml"))
