"""Vectors learned from one data set and used on another, stage by stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from helpers.project import Project
from nlp_rnn import stages
from nlp_rnn.config import load
from nlp_rnn.embeddings.learned import LearnedVectors
from nlp_rnn.errors import UserError

GRAMMAR = {"source": "grammar", "tokenizer": {"unit": "whitespace", "lowercase": False}}
PARAMETERS: dict[str, Any] = {
    "datasets": {
        "text": GRAMMAR
        | {
            "corpus": "text",
            "sizes": {"train": 2000, "validation": 5, "test": 5},
            "vocabulary": {"min_count": 2},
        },
        "tags": GRAMMAR
        | {"corpus": "parts_of_speech", "sizes": {"train": 200, "validation": 5, "test": 5}},
    },
    "vectors": {
        "counted": {"dataset": "text", "algorithm": "pmi_svd", "dimension": 8, "min_count": 3},
        "spelt": {
            "dataset": "text",
            "algorithm": "fasttext",
            "dimension": 8,
            "epochs": 2,
            "buckets": 500,
        },
    },
    "experiments": {
        name: {
            "task": "tagging",
            "dataset": "tags",
            "embeddings": {"dimension": 8, "lookup": ["lowercase"], **embeddings},
            "model": {"units": 4},
            "training": {},
        }
        for name, embeddings in {
            "of-counts": {"kind": "counted", "unknown": "mean"},
            "of-spelling": {"kind": "spelt", "unknown": "subwords"},
        }.items()
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with prepared data sets."""
    folder = tmp_path_factory.mktemp("project")
    Project(folder, PARAMETERS).prepare()
    return folder


@pytest.fixture
def project(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(data)
    return data


@pytest.mark.slow
def test_vectors_come_with_where_they_come_from(project: Path) -> None:
    stages.vectors("counted")
    card = json.loads((project / "vectors/counted/card.json").read_text())
    source = json.loads((project / "data/prepared/text/card.json").read_text())
    assert card["algorithm"] == "pmi_svd"
    assert card["data_sha256"] == source["data_sha256"]
    assert card["seed"] == 1
    assert card["tokens"] == source["splits"]["train"]["tokens"]
    vocabulary = json.loads((project / "data/prepared/text/vocabulary.json").read_text())
    known = sum(n for n in vocabulary["counts"][2:] if n >= 3)
    assert card["token_coverage"] == pytest.approx(known / card["tokens"])
    assert card["word_classes"]["neighbour_accuracy"] > 0.5
    learned = LearnedVectors.read(project / "vectors/counted")
    assert learned.vectors.matrix.shape == (card["words"], 8)
    first = (project / "vectors/counted/vectors.txt").read_bytes()
    stages.vectors("counted")
    assert (project / "vectors/counted/vectors.txt").read_bytes() == first


@pytest.mark.slow
def test_experiments_start_from_vectors_of_another_data_set(project: Path) -> None:
    stages.vectors("counted")
    stages.embed("of-counts")
    matrix = np.load(project / "embeddings/of-counts/vectors.npy")
    coverage = json.loads((project / "embeddings/of-counts/coverage.json").read_text())
    assert coverage["vectors"] == "counted"
    assert 0.1 < coverage["type_coverage"] < 1
    vocabulary = json.loads((project / "data/prepared/tags/vocabulary.json").read_text())
    learned = LearnedVectors.read(project / "vectors/counted").vectors
    shared = [i for i, word in enumerate(vocabulary["types"]) if word in learned]
    assert len(shared) > 50
    for i in shared:
        np.testing.assert_array_equal(matrix[i], learned[vocabulary["types"][i]])
    others = set(range(1, len(matrix))) - set(shared)
    lowercase = {i for i in others if vocabulary["types"][i].lower() in learned}
    mean = matrix[[*shared, *lowercase]].mean(axis=0)
    for i in others - lowercase:
        np.testing.assert_allclose(matrix[i], mean, atol=1e-6)
    assert not matrix[0].any()


@pytest.mark.slow
def test_unknown_words_can_have_the_vectors_of_their_subwords(project: Path) -> None:
    stages.vectors("spelt")
    stages.embed("of-spelling")
    matrix = np.load(project / "embeddings/of-spelling/vectors.npy")
    types = json.loads((project / "data/prepared/tags/vocabulary.json").read_text())["types"]
    learned = LearnedVectors.read(project / "vectors/spelt")
    assert learned.subwords is not None
    unknown = [
        i
        for i, word in enumerate(types)
        if i > 1 and word not in learned.vectors and word.lower() not in learned.vectors
    ]
    assert len(unknown) > 50
    for i in unknown:
        np.testing.assert_array_equal(matrix[i], learned.subwords.vector(types[i]))


@pytest.mark.slow
def test_an_interrupted_stage_goes_on_where_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nlp_rnn.training.checkpoint import Checkpoint

    stages.vectors("spelt")
    whole = (project / "vectors/spelt/vectors.txt").read_bytes()
    save = Checkpoint.save

    def interrupted(self: Checkpoint, *arguments: Any) -> None:
        save(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stages.vectors("spelt")
    capsys.readouterr()
    stages.vectors("spelt")
    printed = capsys.readouterr().err
    assert "epoch 2/2" in printed and "epoch 1/2" not in printed
    assert (project / "vectors/spelt/vectors.txt").read_bytes() == whole


@pytest.mark.slow
def test_missing_vectors_say_which_stage_to_run(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_bytes((project / "params.yaml").read_bytes())
    (tmp_path / "data").symlink_to(project / "data")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"dvc repro vectors@counted"):
        stages.embed("of-counts")
    with pytest.raises(UserError, match="no vectors 'count'; did you mean 'counted'"):
        stages.vectors("count")


def test_mistakes_in_the_parameters_are_named(tmp_path: Path) -> None:
    def fault(**changes: Any) -> str:
        data = json.loads(json.dumps(PARAMETERS))
        for key, value in changes.items():
            section = data
            *parents, last = key.split("__")
            for parent in parents:
                section = section[parent.replace("_of_", "-of-").replace("of_", "of-")]
            section[last] = value
        YAML().dump(data, tmp_path / "params.yaml")
        with pytest.raises(UserError) as error:
            load(tmp_path / "params.yaml")
        return str(error.value)

    embeddings = "experiments__of_counts__embeddings"
    assert "did you mean 'counted'" in fault(**{f"{embeddings}__kind": "conted"})
    assert "vectors.counted have dimension 8" in fault(**{f"{embeddings}__dimension": 9})
    assert "subwords are learned by algorithm fasttext" in fault(
        **{f"{embeddings}__unknown": "subwords"}
    )
    assert "vectors.counted.dataset: no data set 'txt'" in fault(vectors__counted__dataset="txt")
    assert "no such algorithm 'pmi'" in fault(vectors__counted__algorithm="pmi")
    assert "did you mean 'window'" in fault(vectors__counted__windo=3)
    learned = PARAMETERS["vectors"]["counted"]
    assert "a kind of embeddings already" in fault(vectors__learned=learned)
    assert "embeddings.trainable" in fault(**{f"{embeddings}__trainable": "often"})
