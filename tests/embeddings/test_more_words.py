"""A model knows words of its vectors that training never saw: every stage, and prediction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.corpora import ListCorpus, prepared, same_everywhere
from helpers.project import Project
from nlp_rnn.config import parse
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import PAD, UNK, Vocabulary

pytestmark = pytest.mark.slow

KNOWN, NEW = range(20), range(20, 40)
"""Words of each of two tags: those of training and validation, those of the test split alone."""

PARAMETERS: dict[str, Any] = {
    "backend": "tensorflow",
    "seed": 1,
    "datasets": {
        "words": {
            "source": "files",
            "format": "conll",
            "train": "train.conll",
            "validation": "validation.conll",
            "test": "test.conll",
        }
    },
    "experiments": {
        name: {
            "task": "tagging",
            "dataset": "words",
            "embeddings": {
                "kind": "pretrained",
                "file": "vectors.txt",
                "dimension": 2,
                "trainable": False,
                "more_words": more,
            },
            "model": {"units": 4},
            "training": {"epochs": 3, "learning_rate": 0.05, "batch_size": 8},
        }
        for name, more in (("without", 0), ("with", 1000))
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The vectors of a tag's words are alike, so what training saw tells the tags of all."""
    folder = tmp_path_factory.mktemp("words")
    rng = np.random.default_rng(0)
    for split, words, sentences in (
        ("train", KNOWN, 60),
        ("validation", KNOWN, 20),
        ("test", NEW, 40),
    ):
        lines = []
        for _ in range(sentences):
            for _ in range(4):
                tag = rng.choice(["A", "B"])
                lines.append(f"{tag.lower()}{rng.choice(words)} {tag}")
            lines.append("")
        (folder / f"{split}.conll").write_text("\n".join(lines) + "\n")
    vectors = [
        f"{tag}{word} {sign + rng.normal() / 5:.3f} {rng.normal():.3f}"
        for tag, sign in (("a", 1), ("b", -1))
        for word in (*KNOWN, *NEW)
    ]
    (folder / "vectors.txt").write_text("\n".join(vectors) + "\n")
    project = Project(folder, PARAMETERS)
    project.prepare()
    project.train()
    with project.inside():
        yield folder


def accuracy(project: Path, name: str) -> float:
    return json.loads((project / f"figures/{name}.json").read_text())["test"]["accuracy"]


def test_words_that_training_never_saw_are_tagged_by_their_vectors(project: Path) -> None:
    assert accuracy(project, "without") < 0.7  # chance is 0.5
    assert accuracy(project, "with") > 0.98
    card = json.loads((project / "embeddings/with/coverage.json").read_text())
    assert card["more_words"] == 40  # of a thousand, those that the vectors have
    assert card["type_coverage"] == 1.0
    assert card["types"] == 42  # of the data


def test_the_model_folder_knows_them_too(project: Path) -> None:
    known = Bundle.open(project / "models/with").vocabulary
    assert len(known) == 82
    assert "b39" in known.types
    assert known.counts[42:] == [0] * 40
    assert len(Bundle.open(project / "models/without").vocabulary) == 42


def test_they_are_the_first_that_the_vocabulary_lacks() -> None:
    own = Vocabulary([PAD, UNK, "the"], [0, 1, 5])
    more = own.extended([UNK, PAD, "of", "the", "of", "and", "to"], 2)
    assert more.types == [PAD, UNK, "the", "of", "and"]
    assert more.counts == [0, 1, 5, 0, 0]
    assert more.encode(["and", "to"]) == [4, 1]
    assert own.extended(["of"], 0).types == own.types


def test_they_are_not_of_language_models() -> None:
    parameters = deepcopy(PARAMETERS)
    parameters["experiments"]["with"]["task"] = "language_modelling"
    with pytest.raises(UserError, match=r"experiments\.with.*more_words is of classification and"):
        parse(parameters, Path("params.yaml"))


def test_a_labelled_text_is_encoded_anew(tmp_path: Path) -> None:
    """As prediction encodes it: known words keep their index, more words have one of their own."""
    texts = [Example(text="Good , good", label="a"), Example(text="", label="b")]
    data = prepared(tmp_path, same_everywhere("labelled", texts))
    own = data.vocabulary
    assert "more" not in own.types
    extended = own.extended(["more", "good"], 10)
    test = [Example(text="Good more", label="a"), Example(text="", label="b")]
    corpus = ListCorpus("labelled", train=texts, validation=texts, test=test)
    again = prepared(tmp_path / "again", corpus)
    split = PreparedDataset(again.folder, extended).split("test")
    tokens = again.tokenizer.tokens("Good more")
    assert split.sequence(split.ids, 0).tolist() == extended.encode(tokens)
    assert extended.types[split.ids[1]] == "more"
    assert extended.types[split.ids[2]] == UNK  # of the empty text
    assert own.types[again.split("test").ids[1]] == UNK
