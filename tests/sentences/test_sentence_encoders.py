"""Quick-thought and skip-thought: against definitions in NumPy, a known optimum, interruptions."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from helpers.backends import SOONEST, assert_all_agree
from nlp_rnn import stages
from nlp_rnn.cli import main
from nlp_rnn.config import AnySentences, parse
from nlp_rnn.config.sentences import Sentences
from nlp_rnn.embeddings.sentence_encoder import SentenceEncoder, Weights
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256
from nlp_rnn.sentences.corpus import SentenceCorpus, check_size, corpus_of, documents_of
from nlp_rnn.training.checkpoint import Progress

RNG = np.random.default_rng(5)
VECTORS = WordVectors([f"w{i}" for i in range(12)], RNG.normal(size=(12, 5)))
DOCUMENTS = np.array([0, 0, 0, 1, 2, 2])
LENGTHS = np.array([2, 4, 1, 3, 5, 2])
CORPUS = SentenceCorpus(
    RNG.integers(0, 12, LENGTHS.sum()).astype(np.int32),
    np.concatenate([[0], np.cumsum(LENGTHS)]),
    DOCUMENTS.astype(np.int32),
)


def parameters(algorithm: str, **options: Any) -> AnySentences:
    section = {
        "dataset": "text",
        "algorithm": algorithm,
        "embeddings": {"kind": "learned", "dimension": 5},
        "units": 4,
        "batch_size": 6,
        **options,
    }
    return TypeAdapter(Sentences).validate_python(section)


QUICK = {
    "one": parameters("quick_thought"),
    "two": parameters("quick_thought", context=2, bidirectional=False, pooling="max"),
}
SKIP = parameters("skip_thought", pooling="mean", decoder_units=3, predicted_words=7)

TOPICS, WORDS_OF_TOPIC = 8, 3
FEW = parameters(
    "quick_thought", units=8, batch_size=16, epochs=3, learning_rate=0.02, bidirectional=False
)


def topical(documents: int, seed: int) -> SentenceCorpus:
    """Documents of two sentences of two words, each document about a topic with its own words."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(0, TOPICS, documents)
    words = rng.integers(0, WORDS_OF_TOPIC, (documents, 4)) + WORDS_OF_TOPIC * topics[:, None]
    offsets = np.arange(0, 4 * documents + 1, 2)
    numbers = np.repeat(np.arange(documents), 2).astype(np.int32)
    return SentenceCorpus(words.ravel().astype(np.int32), offsets, numbers)


TRAIN, HELD_OUT = topical(400, 1), topical(64, 2)
TOPIC_WORDS = WordVectors(
    [f"t{i}" for i in range(TOPICS * WORDS_OF_TOPIC)],
    np.random.default_rng(3).normal(size=(TOPICS * WORDS_OF_TOPIC, 10)),
)


def learned(folder: Path, copied_to: Path | None = None) -> dict[str, Any]:
    """The weights and the last row of figures of a small training.

    Args:
        folder: of its checkpoint, from which it resumes.
        copied_to: where the checkpoint of its first epoch is kept.
    """
    from nlp_rnn import backend
    from nlp_rnn.sentences.learning import learn
    from nlp_rnn.training.checkpoint import Checkpoint

    class Copied(Checkpoint):
        def save(self, *state: Any) -> None:
            super().save(*state)
            if copied_to is not None and not copied_to.exists():
                shutil.copytree(folder, copied_to)

    backend.deterministic(1)
    checkpoint = Copied(folder, "same")
    encoder, progress = learn(TRAIN, HELD_OUT, TOPIC_WORDS, FEW, 1, checkpoint)
    row = progress.history[-1]
    return {
        "kernel": encoder.grus[1][0].kernel,
        "vectors": encoder.vectors.matrix,
        "loss": np.array(row["validation/loss"]),
        "accuracy": np.array(row["validation/accuracy"]),
    }


def computed() -> dict[str, np.ndarray]:
    """Losses, accuracies and vectors of networks with given weights, and a small training."""
    import keras

    from nlp_rnn.sentences.batches import SentenceBatches
    from nlp_rnn.sentences.learning import _objective
    from nlp_rnn.sentences.networks import learner

    found: dict[str, Any] = {}
    matrix = np.concatenate([np.zeros((1, 5), np.float32), VECTORS.matrix])
    corpus = CORPUS.renumbered(np.arange(1, 13))
    for name, section in {**QUICK, "skip": SKIP}.items():
        network, encoder, _ = learning = learner(section, matrix)
        rng = np.random.default_rng(7)
        for variable in network.trainable_variables:
            if variable.path != "embedding/embeddings":
                variable.assign(rng.normal(size=variable.shape) * 0.5)
        objective = _objective(network, section)
        (batch,), _ = SentenceBatches(corpus, section).of_epoch()
        outputs = objective(batch.inputs)
        loss = objective.compute_loss(y=batch.answers, y_pred=outputs, sample_weight=batch.weights)
        values = {"outputs": outputs, "loss": loss, "encoded": encoder(batch.ids)}
        if name == "skip":
            vectors = next(v for v in network.weights if v.path == "embedding/embeddings")
            vectors.assign(np.concatenate([np.ones((1, 5), np.float32), VECTORS.matrix]))
            values["outputs of a learned padding"] = objective(batch.inputs)
        if objective.accuracy is not None:
            values["accuracy"] = objective.accuracy.result()
        found |= {f"{name}/{k}": keras.ops.convert_to_numpy(v) for k, v in values.items()}
        for i, each in enumerate(learning.weights()):
            for j, gru in enumerate(each):
                found |= {f"{name}/{i}/{j}/{k}": np.asarray(v) for k, v in gru._asdict().items()}
    if os.environ["KERAS_BACKEND"] == SOONEST:
        with tempfile.TemporaryDirectory() as name:
            whole = learned(Path(name) / "whole", Path(name) / "killed")
            resumed = learned(Path(name) / "killed")
        found |= {f"whole/{k}": v for k, v in whole.items()}
        found |= {f"resumed/{k}": v for k, v in resumed.items()}
    return found


@pytest.fixture(scope="module")
def results(on_backends: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What the soonest backend computed."""
    return on_backends[SOONEST]


def encoder_of(name: str, results: dict[str, np.ndarray], pooling: str) -> SentenceEncoder:
    grus = []
    for i in range(2):
        directions = [j for j in range(2) if f"{name}/{i}/{j}/kernel" in results]
        grus.append(
            [
                Weights(*(results[f"{name}/{i}/{j}/{k}"] for k in Weights._fields))
                for j in directions
            ]
        )
    return SentenceEncoder(VECTORS, [each for each in grus if each], pooling, {"pooling": pooling})


def test_all_backends_agree(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    shared = {
        backend: {k: v for k, v in found.items() if not k.startswith(("whole", "resumed"))}
        for backend, found in on_backends.items()
    }
    assert_all_agree(shared)


@pytest.mark.parametrize("name", QUICK)
def test_the_loss_of_quick_thought_is_its_definition(
    results: dict[str, np.ndarray], name: str
) -> None:
    scores, context = results[f"{name}/outputs"], QUICK[name].context  # type: ignore[union-attr]
    losses, right = [], []
    for i in range(6):
        others = [j for j in range(6) if j != i]
        total = sum(np.exp(float(scores[i, j])) for j in others)
        near = [j for j in others if abs(i - j) <= context and DOCUMENTS[i] == DOCUMENTS[j]]
        if near:  # sentence 3 is alone in its document, and only a candidate for others
            losses.append(-np.mean([log(np.exp(float(scores[i, j])) / total) for j in near]))
            right.append(max(others, key=lambda j: scores[i, j]) in near)
    assert len(losses) == 5
    assert results[f"{name}/loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert results[f"{name}/accuracy"] == pytest.approx(np.mean(right))


def test_the_scores_are_products_of_both_encoders(results: dict[str, np.ndarray]) -> None:
    f, g = np.split(results["one/encoded"], 2, axis=1)
    np.testing.assert_allclose(results["one/outputs"], f @ g.T, atol=1e-5)


def test_the_loss_of_skip_thought_is_that_of_the_words_of_both_neighbours(
    results: dict[str, np.ndarray],
) -> None:
    logits = results["skip/outputs"]
    assert logits.shape == (6, 2, 6, 9)
    losses = []
    for i in range(6):
        for side, j in enumerate((i - 1, i + 1)):
            if not 0 <= j < 6 or DOCUMENTS[i] != DOCUMENTS[j]:
                continue
            # Words 0 to 6 are told apart; 0 ends the sentence and 1 is any other word.
            words = [w + 2 if w < 7 else 1 for w in CORPUS.sentence(j).tolist()]
            for step, word in enumerate([*words, 0]):
                exponents = np.exp(logits[i, side, step].astype(np.float64))
                losses.append(-log(exponents[word] / exponents.sum()))
    assert len(losses) == (4 + 1) + (2 + 1) + (1 + 1) + (4 + 1) + (2 + 1) + (5 + 1)
    assert results["skip/loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_first_word_before_is_a_zero_vector(results: dict[str, np.ndarray]) -> None:
    outputs = results["skip/outputs"], results["skip/outputs of a learned padding"]
    np.testing.assert_allclose(*outputs, atol=1e-6)


@pytest.mark.parametrize("name", [*QUICK, "skip"])
def test_the_encoder_in_numpy_is_kerass(results: dict[str, np.ndarray], name: str) -> None:
    pooling = {**QUICK, "skip": SKIP}[name].pooling
    encoder = encoder_of(name, results, pooling)
    sentences = [CORPUS.sentence(i).astype(np.int64) for i in range(6)]
    found = encoder.encode(sentences)
    np.testing.assert_allclose(found, results[f"{name}/encoded"], atol=1e-5)
    for i, sentence in enumerate(sentences):  # Keras had padded them
        np.testing.assert_allclose(encoder.encode([sentence])[0], found[i], atol=1e-6)
    assert not encoder.encode([np.array([], np.int64), sentences[0]])[0].any()


def test_an_encoder_is_read_as_it_was_written(
    results: dict[str, np.ndarray], tmp_path: Path
) -> None:
    encoder = encoder_of("one", results, "last")
    encoder.write(tmp_path / "one")
    again = SentenceEncoder.read(tmp_path / "one")
    sentences = [CORPUS.sentence(i).astype(np.int64) for i in range(6)]
    np.testing.assert_array_equal(encoder.encode(sentences), again.encode(sentences))
    assert list(again.vectors.words) == list(VECTORS.words)


def test_it_learns_which_sentences_belong_together(results: dict[str, np.ndarray]) -> None:
    # Who knows the topics can do no better than choose among the sentences of the same one.
    topics = HELD_OUT.ids[::2] // WORDS_OF_TOPIC
    batches = topics.reshape(-1, FEW.batch_size)
    same = (batches[:, :, None] == batches[:, None]).sum(axis=2) - 1
    optimum, chance = float(np.log(same).mean()), log(FEW.batch_size - 1)
    assert optimum - 0.1 < results["whole/loss"] < (optimum + chance) / 2
    assert results["whole/accuracy"] > 0.4 > 3 / FEW.batch_size


def test_an_interrupted_training_ends_as_if_it_was_not(results: dict[str, np.ndarray]) -> None:
    for name in ("kernel", "vectors", "loss", "accuracy"):
        np.testing.assert_array_equal(results[f"whole/{name}"], results[f"resumed/{name}"])


# --- corpora ------------------------------------------------------------------------------


def test_documents_are_cut_and_words_without_a_vector_left_out() -> None:
    from nlp_rnn.text.documents import sentence_splitter

    texts = ["W1 w2! Zzz. w3<br /><br />w4", "w5", "Zzz"]
    vectors = WordVectors(VECTORS.words, VECTORS.matrix, ["lowercase"])
    documents = documents_of(texts, sentence_splitter("en"), html_breaks=True)
    corpus = corpus_of(documents, lambda text: text.replace("!", " !").split(), vectors)
    assert [corpus.sentence(i).tolist() for i in range(len(corpus))] == [[1, 2], [3], [4], [5]]
    assert corpus.documents.tolist() == [0, 0, 0, 1]
    assert [corpus.neighbour(i, 1) for i in range(4)] == [1, 2, None, None]
    assert [corpus.neighbour(i, -1) for i in range(4)] == [None, 0, 1, None]
    lines = corpus_of(documents_of(["w1", "zzz", "w2 w3"], None, True), str.split, vectors)
    assert lines.documents.tolist() == [0, 0] and lines.offsets.tolist() == [0, 1, 3]


def test_each_epoch_has_documents_in_another_order_and_whole() -> None:
    orders = [TRAIN.in_order(np.random.default_rng([1, epoch])) for epoch in (0, 0, 1)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()
    for order in orders:
        assert sorted(order) == list(range(len(TRAIN)))
        np.testing.assert_array_equal(order[1::2], order[::2] + 1)


# --- the stage and the commands -----------------------------------------------------------

PROJECT: dict[str, Any] = {
    "datasets": {
        "films": {
            "source": "files",
            "format": "text",
            "train": "./films.txt",
            "validation": "./more.txt",
            "test": "./others.txt",
            "tokenizer": {"unit": "word", "lowercase": False},
        },
        "tags": {
            "source": "grammar",
            "corpus": "entities",
            "sizes": {"train": 9, "validation": 5, "test": 5},
        },
    },
    "sentences": {
        "thoughts": {
            "algorithm": "quick_thought",
            "dataset": "films",
            "embeddings": {
                "kind": "pretrained",
                "file": "./words.txt",
                "dimension": 2,
                "trainable": False,
                "more_words": 1,
            },
            "batch_size": 4,
        }
    },
}


@pytest.fixture
def folder(results: dict[str, np.ndarray], tmp_path: Path) -> Path:
    """A folder with an encoder, ``lines.txt`` and ``labelled.txt``."""
    encoder_of("two", results, "max").write(tmp_path / "encoder")
    (tmp_path / "lines.txt").write_text("w1 w2\nw3 w4 w5\nzzz\n")
    (tmp_path / "labelled.txt").write_text("1 w1 w2\n0 w3 w4 w5\n" * 10)
    return tmp_path


def run(folder: Path, action: str, *arguments: str) -> int:
    """The exit status, names of files in the folder as they are."""
    places = [str(folder / x) if x.endswith((".txt", ".npy")) else x for x in arguments]
    return main(["embeddings", action, str(folder / "encoder"), *places])


def test_commands_use_the_encoder_beside_other_ways(
    results: dict[str, np.ndarray], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [np.array([1, 2]), np.array([3, 4, 5]), np.array([], np.int64)]
    expected = encoder_of("two", results, "max").encode(lines)
    mean = np.stack([VECTORS.matrix[rows].mean(axis=0) for rows in lines[:2]])
    for by in ("encoder", "encoder+mean", "mean"):
        assert run(folder, "sentences", "lines.txt", "out.npy", "--by", by) == 0
        found = np.load(folder / "out.npy")
        parts = {"encoder": [expected[:2]], "mean": [mean], "encoder+mean": [expected[:2], mean]}
        if by == "encoder+mean":
            parts[by] = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts[by]]
        np.testing.assert_allclose(found[:2], np.concatenate(parts[by], axis=1), atol=1e-5)
        assert not found[2].any()
    assert run(folder, "sentences", "lines.txt", "default.npy") == 0
    np.testing.assert_allclose(np.load(folder / "default.npy"), expected, atol=1e-6)
    capsys.readouterr()
    assert run(folder, "judge-sentences", "--labelled", "labelled.txt", "--units", "4") == 0
    rows = [line.split("|")[1:3] for line in capsys.readouterr().out.splitlines()[2:]]
    assert [[cell.strip() for cell in row] for row in rows if row] == [
        *(["mean", "5"], ["sif", "5"], ["lstm", "8"], ["encoder", "8"], ["encoder+mean", "13"])
    ]
    assert run(folder, "nearest-sentences", "lines.txt", "w3 w4 w5", "-n", "1") == 0
    assert capsys.readouterr().out == "w3 w4 w5\tw3 w4 w5\t1.0000\n"
    assert run(folder, "neighbours", "w1", "-n", "1") == 0
    assert capsys.readouterr().out.startswith("w1\tw")


def test_a_way_without_an_encoder_and_a_damaged_one_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["lines.txt", "out.npy", "--by", "encoder"]
    (folder / "encoder/words.json").write_text('{"words": ["w1"], "lookup": []}')
    assert run(folder, "sentences", *arguments) == 2
    assert "encoder: a sentence encoder, but damaged; learn" in capsys.readouterr().err
    (folder / "encoder/encoder.npz").write_bytes(b"PK")
    assert run(folder, "sentences", *arguments) == 2
    assert "encoder.npz: missing or broken; learn the encoder again" in capsys.readouterr().err
    (folder / "vectors.txt").write_text("w1 1 2\nw2 3 4\n")
    words = [str(folder / "vectors.txt"), str(folder / "lines.txt"), str(folder / "out.npy")]
    assert main(["embeddings", "sentences", *words, "--by", "encoder"]) == 2
    message = capsys.readouterr().err
    assert "vectors.txt: is no sentence encoder, which --by encoder needs" in message
    assert message.count("\n") == 1 and not (folder / "out.npy").exists()


@pytest.mark.slow
def test_the_stage_cuts_texts_and_writes_an_encoder_with_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlp_rnn.sentences import learning

    monkeypatch.chdir(tmp_path)
    YAML().dump(PROJECT, Path("params.yaml"))
    Path("films.txt").write_text("The film ends. It ends well.\n" * 3)
    Path("more.txt").write_text("Well. The film ends!\n")
    Path("others.txt").write_text("The end.\n")
    Path("words.txt").write_text("the 1 2\nrare 3 4\nends 5 6\nfilm 7 8\nrarer 9 9\nwell 0 1\n")
    read: list[Any] = []

    def learn(train: SentenceCorpus, validation: SentenceCorpus, *others: Any) -> Any:
        read.extend([train, validation, *others])
        gru = Weights(*(np.ones(shape, np.float32) for shape in ((2, 9), (3, 9), (2, 9))))
        untrained = SentenceEncoder(others[0], [[gru], [gru]], "last", {})
        return learning.Learned(untrained, Progress(epoch=1, best_epoch=1))

    monkeypatch.setattr(learning, "learn", learn)
    stages.prepare("films")
    stages.sentences("thoughts")
    train, validation, vectors, section, seed, _ = read
    assert vectors.words == ["the", "rare", "ends", "film", "well"]  # `rarer` is one too many
    assert [train.sentence(i).tolist() for i in range(6)] == [[0, 3, 2], [2, 4]] * 3
    assert train.documents.tolist() == [0, 0, 1, 1, 2, 2]
    assert [validation.sentence(i).tolist() for i in range(2)] == [[4], [0, 3, 2]]
    assert section.algorithm == "quick_thought" and seed == 1
    encoder = SentenceEncoder.read(Path("vectors/thoughts"))
    assert encoder.encode([np.array([4, 0])]).shape == (1, 6)
    card = encoder.card
    source = json.loads(Path("data/prepared/films/card.json").read_text())
    assert card["data_sha256"] == source["data_sha256"] and card["kept_epoch"] == 1
    assert card["word_vectors"]["file_sha256"] == sha256(Path("words.txt"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "tags"}, "sentences.thoughts.dataset: tags is tagged; sentences are read"),
        ({"dataset": "film"}, "no data set 'film'; did you mean 'films'?"),
        ({"algorithm": "quick"}, "algorithm 'quick'; valid names are: quick_thought, skip"),
        ({"algorithm": None}, "no such algorithm None; valid names are: quick_thought, skip"),
        ({"batch_size": 3}, "batch_size: 3 sentences can be no others than neighbours; set 4"),
        ({"embeddings": {"kind": "nowhere"}}, "no such kind 'nowhere', nor vectors of that name"),
        (
            {"embeddings": {"kind": "pretrained", "file": "f", "dimension": 2, "unknown": "mean"}},
            "embeddings.unknown: words without a vector are left out; remove it",
        ),
    ],
    ids=str,
)
def test_wrong_parameters_are_one_line(changes: dict[str, Any], words: str) -> None:
    section = PROJECT["sentences"]["thoughts"] | changes
    with pytest.raises(UserError) as raised:
        parse(PROJECT | {"sentences": {"thoughts": section}}, Path("params.yaml"))
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_documents_of_single_sentences_are_refused() -> None:
    alone = SentenceCorpus(CORPUS.ids[:6], np.array([0, 2, 6]), np.arange(2, dtype=np.int32))
    with pytest.raises(UserError, match="set examples: sentences"):
        check_size("thoughts", "train", alone)
