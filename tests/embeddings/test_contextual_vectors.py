"""Contextual word vectors from a text to predictions, and what is wrong with parameters."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlp_rnn
from helpers.project import Project
from nlp_rnn import stages
from nlp_rnn.cli import main
from nlp_rnn.config import load_part, parse
from nlp_rnn.embeddings.contextual import CONTEXT, read_context, words_of
from nlp_rnn.errors import UserError
from nlp_rnn.projects.pipeline import dvc_yaml
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.tasks.neighbours import Neighbours
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import Vocabulary
from nlp_rnn.training.checkpoint import Checkpoint

TEXT = "the cat sleeps\nthe dog barks at the cat and the cat sleeps again\n" * 20
SENTENCES = "the\tD\nCat\tN\nsleeps\tV\n\na\tD\nbird\tN\nbarks\tV\n\n" * 6
PARAMETERS: dict[str, Any] = {
    "datasets": {
        "text": {
            "source": "files",
            "format": "text",
            "train": "text.txt",
            "split": {"validation": 0.2, "test": 0.1},
        },
        "tags": {
            "source": "files",
            "format": "conll",
            "train": "tags.conll",
            "split": {"validation": 0.2, "test": 0.2},
            "tokenizer": {"unit": "word", "lowercase": False},
        },
    },
    "vectors": {
        "elmo": {
            "algorithm": "elmo",
            "dataset": "text",
            "dimension": 4,
            "layers": 1,
            "longest": 8,
            "samples": 6,
            "batch_size": 8,
            "learning_rate": 0.05,
            "epochs": 2,
        },
        "counted": {"algorithm": "pmi_svd", "dataset": "text", "dimension": 4},
    },
    "experiments": {
        "tagger": {
            "task": "tagging",
            "dataset": "tags",
            "embeddings": {
                "kind": "learned",
                "dimension": 4,
                "contextual": {"vectors": "elmo", "dimension": 4, "layers": 1},
            },
            "model": {"units": 4},
            "training": {"epochs": 1},
        },
    },
}


AFTER_ONE_EPOCH = "after_one_epoch.npz"
"""The checkpoint of language models that would have been interrupted then."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose text and language models are there."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    (folder / "tags.conll").write_text(SENTENCES, encoding="utf-8")
    made = Project(folder, PARAMETERS)
    made.prepare()
    save = Checkpoint.save

    def saved(self: Checkpoint, *arguments: Any) -> None:
        save(self, *arguments)
        if not (folder / AFTER_ONE_EPOCH).exists():
            shutil.copy(self.file, folder / AFTER_ONE_EPOCH)

    with made.inside(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", saved)
        stages.vectors("elmo")
        stages.embed("tagger")
    return made


def arrays(folder: Path) -> dict[str, np.ndarray]:
    vectors, weights = read_context(folder, "vectors")
    return {"vectors": vectors, **weights}


@pytest.mark.slow
def test_the_card_says_how_well_neighbours_are_predicted(project: Project) -> None:
    card = json.loads((project.folder / "vectors/elmo/card.json").read_text(encoding="utf-8"))
    assert 1 < card["validation_perplexity"] < card["words"] + len(("<pad>", "<unk>", "<eos>"))
    assert card["algorithm"] == "elmo"


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_language_models(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = arrays(project.folder / "vectors/elmo")
    batches, epochs = Neighbours.batches, []

    def counted(self: Neighbours, epoch: int) -> Any:
        epochs.append(epoch)
        return batches(self, epoch)

    with project.inside() as folder:
        shutil.copy(folder / AFTER_ONE_EPOCH, folder / "checkpoints/vectors-elmo/state.npz")
        shutil.rmtree(folder / "vectors/elmo")
        monkeypatch.setattr(Neighbours, "batches", counted)
        stages.vectors("elmo")
    assert epochs.count(0) == 1  # for the shape of a batch alone
    for name, wanted in learned.items():
        np.testing.assert_array_equal(arrays(project.folder / "vectors/elmo")[name], wanted)


@pytest.mark.slow
def test_words_of_a_task_get_the_language_models_vectors_and_others_that_of_unk(
    project: Project,
) -> None:
    own = Vocabulary.load(project.folder / "data/prepared/tags/vocabulary.json").types
    given = Vocabulary.load(project.folder / "vectors/elmo/vocabulary.json").types
    rows, source = (
        arrays(project.folder / place)["vectors"] for place in ("embeddings/tagger", "vectors/elmo")
    )
    assert not rows[0].any()
    for word, known in (("the", "the"), ("Cat", "cat"), ("bird", "<unk>"), ("<unk>", "<unk>")):
        np.testing.assert_array_equal(rows[own.index(word)], source[given.index(known)])
    coverage = json.loads((project.folder / "embeddings/tagger/coverage.json").read_text())
    assert coverage["contextual"]["type_coverage"] == 4 / 6


@pytest.mark.slow
def test_a_bundle_predicts_alone_as_its_network_in_keras(project: Project) -> None:
    with project.inside():
        stages.train("tagger")
        assert not list(Path("checkpoints/tagger").glob("tmp*"))
    elsewhere = project.folder / "elsewhere"
    shutil.copytree(project.folder / "models/tagger", elsewhere)
    texts = ["the Cat sleeps", "a bird barks and the dog sleeps at the cat"]
    model = nlp_rnn.load(elsewhere)
    together = model.predict([*texts, ""])
    assert [model.predict([text])[0] for text in texts] == together[:2]
    bundle = Bundle.open(elsewhere)
    network = bundle.keras_model(select_backend=False)
    ids, lengths = np.array([[2, 3, 4], [5, 2, 0]], np.int32), np.array([3, 2], np.int32)
    found, wanted = (
        each.logits(ids, lengths)[ids > 0] for each in (bundle.network(), KerasNetwork(network))
    )
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    frozen = arrays(project.folder / "vectors/elmo")
    for layer in network.layers:
        for weight in layer.weights if layer.name.startswith(("context_f", "context_b")) else ():
            np.testing.assert_array_equal(weight, frozen[f"{layer.name}.{weight.name}"])


@pytest.mark.slow
def test_the_commands_read_their_word_vectors(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with project.inside():
        main(["embeddings", "neighbours", "vectors/elmo", "cat", "-n", "2"])
    words = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    vectors = words_of(project.folder / "vectors/elmo")
    assert words == [word for word, _ in vectors.neighbours("cat", n=2)]
    assert "<pad>" not in vectors.words


@pytest.mark.slow
def test_damaged_language_models_are_named(project: Project) -> None:
    with project.inside():
        file = Path("vectors/elmo") / CONTEXT
        whole = file.read_bytes()
        file.write_bytes(whole[:100])
        with pytest.raises(UserError, match="missing or broken; write it again: dvc repro vect"):
            stages.embed("tagger")
        file.write_bytes(whole)


@pytest.mark.slow
def test_a_vocabulary_without_a_known_word_is_refused(project: Project) -> None:
    from nlp_rnn.embeddings.contextual import write_context

    context = load_part("experiments", "tagger", project.folder / "params.yaml")
    contextual = context.experiment("tagger").embeddings.contextual
    assert contextual is not None
    with project.inside(), pytest.raises(UserError, match="know no word of the data"):
        write_context(Path("."), contextual, Vocabulary(["<pad>", "<unk>", "Wort"], [0, 0, 1]))


@pytest.mark.slow
def test_a_text_without_words_is_refused(project: Project) -> None:
    with project.inside():
        dataset = PreparedDataset(Path("data/prepared/text"))
        section = load_part("vectors", "elmo").vectors["elmo"]
        empty = dataset.split("train")
    object.__setattr__(empty, "offsets", np.array([0, 1]))  # a line with its end symbol alone
    dataset.split = lambda name: empty  # type: ignore[method-assign]
    with pytest.raises(UserError, match="data set text: its train split has no words"):
        Neighbours(dataset, section, 1)  # type: ignore[arg-type]


def changed(*keys: str, to: Any) -> dict[str, Any]:
    """The parameters with one value changed."""
    values = deepcopy(PARAMETERS)
    place = values
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = to
    return values


EMBEDDINGS = ("experiments", "tagger", "embeddings")
CONTEXTUAL = (*EMBEDDINGS, "contextual")
LANGUAGE_MODEL = {
    "task": "language_modelling",
    "dataset": "text",
    "embeddings": {"kind": "learned", "contextual": {"vectors": "elmo", "dimension": 4}},
    "model": {"units": 4},
    "training": {},
}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (changed(*CONTEXTUAL, "vectors", to="elmos"), "no vectors 'elmos'; did you mean 'elmo'?"),
        (changed(*CONTEXTUAL, "vectors", to="counted"), "learned by pmi_svd, which knows no conte"),
        (changed(*CONTEXTUAL, "dimension", to=5), "dimension: 5, but vectors.elmo have 4"),
        (changed(*CONTEXTUAL, "layers", to=3), "layers: 3, but vectors.elmo have 1"),
        (changed(*EMBEDDINGS, "kind", to="elmo"), "vectors.elmo are contextual; set params.yaml"),
        (changed("experiments", "tagger", "start_from", to="m/x"), "start_from takes over netw"),
        (changed("experiments", "lm", to=LANGUAGE_MODEL), "embeddings.contextual is of tasks that"),
        (
            changed("datasets", "text", "tokenizer", to={"unit": "character"}),
            "elmo learns from words, but the tokens of text are characters",
        ),
    ],
)
def test_what_cannot_be_is_one_line(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        parse(parameters, Path("params.yaml"))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_vectors_of_another_project_are_named_by_their_folder() -> None:
    parameters = parse(changed(*CONTEXTUAL, "vectors", to="../a/vectors/b"), Path("params.yaml"))
    assert 'tagger: {start: {context: "../a/vectors/b"}}' in dvc_yaml(parameters)


def test_the_pipeline_embeds_anew_when_the_language_models_change() -> None:
    values = changed("experiments", "plain", to=deepcopy(PARAMETERS["experiments"]["tagger"]))
    del values["experiments"]["plain"]["embeddings"]["contextual"]
    text = dvc_yaml(parse(values, Path("params.yaml")))
    assert '      tagger: {start: {context: "vectors/elmo"}}' in text
    assert '      plain: {start: {context: "vectors/no_context"}}' in text
    embed = text[text.index("  embed:") : text.index("  train:")]
    assert "- ${item.start.context}" in embed
