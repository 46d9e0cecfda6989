"""Semantic roles as a task: what is prepared, predicted, judged and refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlp_rnn
from helpers.bundles import parquet_rows, write_untrained
from helpers.experiments import small_experiment
from nlp_rnn.baselines.suite import fit_all, judged
from nlp_rnn.config import RoleTaggerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.inference.batch import predict_file
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.forward import constraints, softmax, tag
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.prepared import PreparedDataset


def sentence(words: str, *propositions: tuple[int, str, str]) -> list[Example]:
    """The examples of a sentence, from the place, the frame and the tags of each predicate."""
    tokens = tuple(words.split())
    places = [place for place, _, _ in propositions]
    tags = tuple("B-V" if i in places else "O" for i in range(len(tokens)))
    return [
        Example(tokens=tokens, tags=tags),
        *(
            Example(tokens=tokens, tags=tuple(tags.split()), predicate=place, frame=frame)
            for place, frame, tags in propositions
        ),
    ]


SENTENCES = [
    *sentence(
        "The cat sees dogs run",
        (2, "see.01", "B-ARG0 I-ARG0 B-V B-ARG1 I-ARG1"),
        (4, "run.02", "O O O B-ARG0 B-V"),
    ),
    *sentence("Dogs Sees run", (1, "see.05", "B-ARG0 B-V O"), (2, "run.02", "B-ARG0 O B-V")),
    *sentence("dogs Sees cat", (1, "see.05", "B-ARG0 B-V B-ARG1")),
    *sentence("The cat"),
]
TEXT = "The  cat sees dogs,\n run cat run The cat Sees Dogs run cat"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("roles")
    model = {"layers": 2, "connection": "highway", "casing": 3, "predicate_dimension": 4}
    return Bundle.open(
        write_untrained(folder, "semantic_roles", "roles", SENTENCES, model, scale=1.0)
    )


@pytest.fixture(scope="module")
def dataset(bundle: Bundle) -> PreparedDataset:
    return PreparedDataset(bundle.folder.parent / "data")


@pytest.fixture(scope="module")
def prediction(bundle: Bundle) -> dict[str, Any]:
    found = nlp_rnn.load(bundle.folder).predict(TEXT)
    assert len(found["predicates"]) > 1, "another seed must give some"
    return found


@pytest.mark.slow
def test_words_count_once_for_each_sentence(dataset: PreparedDataset) -> None:
    counts = dict(zip(dataset.vocabulary.types, dataset.vocabulary.counts, strict=True))
    assert [counts[word] for word in ("The", "cat", "dogs", "Dogs")] == [2, 3, 2, 1]
    assert np.asarray(dataset.split("test").predicates).tolist() == [-1, 2, 4, -1, 1, 2, -1, 1, -1]


def test_the_most_frequent_frame_of_a_form_is_known(dataset: PreparedDataset) -> None:
    assert dataset.frames == {"sees": "see.05", "run": "run.02"}


def test_roles_of_other_splits_are_tags_too(tmp_path: Path) -> None:
    from helpers.corpora import ListCorpus, prepared

    test = sentence("cat sees", (1, "see.01", "B-ARG7 B-V"))
    corpus = ListCorpus("roles", train=SENTENCES, validation=SENTENCES, test=test)
    tags = prepared(tmp_path, corpus).labels
    assert {"B-ARG7", "I-ARG7"} <= set(tags) and len(tags) == len(set(tags))


def test_offsets_count_characters_of_the_raw_text(prediction: dict[str, Any]) -> None:
    for predicate in prediction["predicates"]:
        assert TEXT[predicate["start"] : predicate["end"]] == predicate["text"]
        assert predicate["frame"] == {"sees": "see.05", "run": "run.02"}.get(
            predicate["text"].lower()
        )
        assert 0 < predicate["probability"] <= 1
        for argument in predicate["arguments"]:
            assert TEXT[argument["start"] : argument["end"]] == argument["text"]
            assert argument["role"] in ("ARG0", "ARG1")


def test_each_predicate_is_read_with_its_own_flag(
    bundle: Bundle, prediction: dict[str, Any]
) -> None:
    """The arguments are those of the network where this word alone is flagged."""
    words = prediction["tokens"]
    ids = np.array(bundle.vocabulary.encode(words))
    predictor = nlp_rnn.load(bundle.folder)._predictor
    spelling = predictor._encoded(words, words).spelling
    allowed = constraints(RoleTaggerParameters(), bundle.labels)
    starts = _starts(words, TEXT)
    for predicate in prediction["predicates"]:
        flags = np.array([start == predicate["start"] for start in starts], np.int32)
        [tagged] = tag(bundle.network(), [Encoded(ids, spelling, flags)], 1, allowed=allowed)
        roles = _roles([bundle.labels[i] for i in tagged.best])
        assert roles == [argument["role"] for argument in predicate["arguments"]]


def _roles(tags: list[str]) -> list[str]:
    return [tag[2:] for tag in tags if tag.startswith("B-") and tag != "B-V"]


def _starts(words: list[str], text: str) -> list[int]:
    starts, end = [], 0
    for word in words:
        starts.append(text.index(word, end))
        end = starts[-1] + len(word)
    return starts


def test_the_best_allowed_sequence_is_found(bundle: Bundle) -> None:
    """Without a CRF, the sequence of highest probability among all that are BIO."""
    ids = np.array(bundle.vocabulary.encode(["cat", "sees", "dogs"]))
    spelling = np.zeros((3, 22), np.int32)
    labels, network = bundle.labels, bundle.network()
    allowed = constraints(RoleTaggerParameters(), labels)
    for place in range(3):
        flags = np.eye(3, dtype=np.int32)[place]
        [found] = tag(network, [Encoded(ids, spelling, flags)], 1, allowed=allowed)
        one = np.array([3], np.int32)
        logits = network.logits(ids[None].astype(np.int32), one, spelling[None], flags[None])
        p = softmax(logits[0])
        sequences = [
            path
            for path in itertools.product(range(len(labels)), repeat=3)
            if all(
                not labels[tag].startswith("I-")
                or (before is not None and labels[before][2:] == labels[tag][2:])
                for before, tag in zip((None, *path), path, strict=False)
            )
        ]
        best = max(sequences, key=lambda path: np.log(p[np.arange(3), path]).sum())
        assert found.best.tolist() == list(best)
    assert constraints(RoleTaggerParameters(output="crf"), labels) is None


@pytest.mark.slow
def test_keras_and_onnx_predict_the_same(bundle: Bundle) -> None:
    assert bundle.graph.unsupported is None
    words = ["The", "cat", "sees", "run"]
    ids = np.array([bundle.vocabulary.encode(words)], np.int32)
    inputs = (ids, np.array([4], np.int32), np.full((1, 4, 22), 2, np.int32))
    flags = np.array([[0, 0, 1, 0]], np.int32)
    keras, onnx = KerasNetwork(bundle.keras_model()), bundle.network()
    for flagged in (flags, np.zeros_like(flags)):
        found = [network.logits(*inputs, flagged) for network in (keras, onnx)]
        np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert not np.allclose(onnx.logits(*inputs, flags), onnx.logits(*inputs, 0 * flags))


def test_evaluation_finds_what_prediction_finds(bundle: Bundle, dataset: PreparedDataset) -> None:
    result = make_task(bundle.experiment, dataset, seed=1).evaluate(bundle.network())
    assert len(result.predictions) == 4
    texts = _words(dataset)
    predictions = nlp_rnn.load(bundle.folder).predict(texts)
    for row, predicted, words in zip(result.predictions, predictions, texts, strict=True):
        starts = [len(" ".join(words[:i])) + (i > 0) for i in range(len(words))]
        assert [starts[place] for place, _ in row["found"]] == [
            predicate["start"] for predicate in predicted["predicates"]
        ]
        for (_, tags), predicate in zip(row["found"], predicted["predicates"], strict=True):
            assert _roles(tags) == [argument["role"] for argument in predicate["arguments"]]
    assert result.test["frame_accuracy"] == 4 / 5
    assert {"f1", "predicate_f1", "end_to_end_f1", "accuracy", "loss"} <= set(result.test)


def _words(dataset: PreparedDataset) -> list[list[str]]:
    records = dataset.split("test").records()
    return [record["tokens"] for record in records if record["predicate"] is None]


def test_files_of_predictions(bundle: Bundle, prediction: dict[str, Any], tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    rows = [{"text": TEXT}, {"text": ""}]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in ("out.jsonl", "out.parquet", "out.csv", "out.txt"):
        predict_file(bundle.folder, str(texts), str(tmp_path / name))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert lines == [rows[0] | prediction, rows[1] | {"tokens": [], "predicates": []}]
    assert parquet_rows(tmp_path / "out.parquet") == lines
    assert (tmp_path / "out.txt").read_text("utf-8").count("(") == len(prediction["predicates"])
    with pytest.raises(UserError, match="is for tagged words"):
        predict_file(bundle.folder, str(texts), str(tmp_path / "out.conll"))
    with pytest.raises(UserError, match=r"is for entities, which .* does not predict"):
        predict_file(bundle.folder, str(texts), str(tmp_path / "out"), format="prodigy")
    assert not (tmp_path / "out.conll").exists()


def test_options(bundle: Bundle) -> None:
    model = nlp_rnn.load(bundle.folder)
    with pytest.raises(UserError, match="n_best is not of models for semantic_roles"):
        model.predict(TEXT, n_best=2)
    with pytest.raises(UserError, match="predicts no entities"):
        model.predict(TEXT, review_below=0.5, review_by="entity")
    assert model.predict(TEXT, review_below=1.0)["review"] is True
    assert model.predict("", review_below=1.0)["review"] is False


@pytest.mark.parametrize("training", [{"select": "bleu"}, {"max_length": 9}])
def test_training_that_does_not_fit_is_refused(training: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(training))):
        small_experiment("semantic_roles", {"units": 4}, training)


def test_baselines_find_predicates_and_roles(dataset: PreparedDataset) -> None:
    for fitted in fit_all(dataset):
        metrics, rows = judged(dataset, fitted)
        assert len(rows) == 4
        assert metrics["predicate_f1"] > 0.5, fitted.name
        if fitted.name == "linear_crf":  # it has learned the few sentences by heart
            assert metrics["predicate_f1"] == 1
