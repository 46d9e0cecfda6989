"""Several bundles as one: an ensemble predicts the mean of what its members predict, a soup has the
mean of their weights."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import nlp_rnn
from helpers.bundles import write_untrained
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.runtime.bundle import GRAPH, Bundle
from nlp_rnn.runtime.ensemble import mean_network, write_ensemble
from nlp_rnn.runtime.onnx_network import OnnxNetwork

TEXTS = ["good , not bad at all", "a bad film", "an unheard word", "bad"]
LABELLED = [
    [Example(text="good , not bad at all", label="pos"), Example(text="a bad film", label="neg")],
    # Another vocabulary, and the labels in the other order.
    [Example(text="a film of a bad kind", label="neg")] * 2 + [Example(text="good", label="pos")],
]
TAGGED = [
    [Example(tokens=("Ann", "Lee", "sleeps"), tags=("B-PER", "I-PER", "O"))],
    [Example(tokens=("Lee", "wakes", "Ann"), tags=("O", "I-PER", "B-PER"))] * 2
    + [Example(tokens=("x",), tags=("O",))],
]


def joined(
    folder: Path,
    task: str,
    kind: Any,
    corpora: list[list[Example]],
    model: dict[str, Any],
    scale: float | None = None,
) -> list[Path]:
    """The members and their ensemble; see :func:`write_untrained`."""
    members = []
    for number, examples in enumerate(corpora):
        keras.utils.set_random_seed(number)
        members.append(write_untrained(folder / str(number), task, kind, examples, model, scale))
    write(folder / "ensemble", members)
    return [*members, folder / "ensemble"]


def write(target: Path, members: list[Path], **figures: Any) -> None:
    bundles = [Bundle.open(member) for member in members]
    for bundle in bundles:
        bundle.figures["parameters"] = 10
    write_ensemble(
        target,
        bundles,
        lambda network: figures,
        name="all",
        experiment=bundles[0].experiment,
        provenance={"members": ["seed 1", "seed 2"]},
        figures={"temperature": 1.0},
    )


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    model = {"pooling": "max"}
    folder = tmp_path_factory.mktemp("classifiers")
    return joined(folder, "classification", "labelled", LABELLED, model)


@pytest.mark.slow
def test_a_classifier_predicts_the_mean_probabilities(classifiers: list[Path]) -> None:
    first, second, found = (
        [row["probabilities"] for row in nlp_rnn.load(bundle).predict(TEXTS)]
        for bundle in classifiers
    )
    for one, other, both in zip(first, second, found, strict=True):
        assert list(one) != list(other) or one != other
        for label in ("pos", "neg"):
            assert both[label] == pytest.approx((one[label] + other[label]) / 2, abs=1e-6)


@pytest.mark.slow
def test_its_temperature_is_applied_to_the_mean(classifiers: list[Path], tmp_path: Path) -> None:
    write(tmp_path / "warm", classifiers[:2], temperature=2.0)
    (plain,), (warm,) = (
        nlp_rnn.load(bundle).predict(TEXTS[:1]) for bundle in (classifiers[2], tmp_path / "warm")
    )
    expected = {label: p**0.5 for label, p in plain["probabilities"].items()}
    for label, p in warm["probabilities"].items():
        assert p == pytest.approx(expected[label] / sum(expected.values()), abs=1e-6)


@pytest.mark.slow
def test_texts_with_any_number_of_labels(tmp_path: Path) -> None:
    corpora = [
        [Example(text="red dog", labels=("animal",)), Example(text="oak", labels=("plant",))],
        [Example(text="oak tree", labels=("plant",))] * 2
        + [Example(text="dog", labels=("animal", "plant"))]
        + [Example(text="red", labels=())],
    ]
    bundles = joined(tmp_path, "classification", "labelled", corpora, {})
    first, second, found = (
        [row["probabilities"] for row in nlp_rnn.load(bundle).predict(["a dog", "oak"])]
        for bundle in bundles
    )
    for one, other, both in zip(first, second, found, strict=True):
        for label in ("animal", "plant"):
            assert both[label] == pytest.approx((one[label] + other[label]) / 2, abs=1e-6)


@pytest.mark.slow
def test_a_tagger_without_a_crf_predicts_the_mean_of_each_word(tmp_path: Path) -> None:
    model = {"characters": {"kind": "cnn", "units": 4, "dimension": 3}, "tag_scheme": "BIOES"}
    bundles = joined(tmp_path, "tagging", "tagged", TAGGED, model)
    sentences = ["Ann Lee sleeps", "Lee wakes X"]
    first, second, found = (list(_marginals(bundle, sentences)) for bundle in bundles)
    for one, other, both in zip(first, second, found, strict=True):
        np.testing.assert_allclose(both, (one + other) / 2, atol=1e-6)


def _marginals(bundle: Path, sentences: list[str]) -> list[np.ndarray]:
    """The probabilities of the tags of each word, the tags sorted."""
    from nlp_rnn.runtime.forward import tag
    from nlp_rnn.text.batches import Encoded
    from nlp_rnn.text.spelling import spell

    opened = Bundle.open(bundle)
    order = np.argsort(opened.labels)
    encoded = []
    for sentence in sentences:
        words = sentence.split()
        ids = np.array(opened.vocabulary.encode(words), np.int32)
        letters = None
        if opened.experiment.model.longest is not None:  # type: ignore[union-attr]
            assert opened.characters is not None
            letters = spell(words, opened.characters, opened.experiment.model.longest)  # type: ignore[union-attr]
        encoded.append(Encoded(ids, letters))
    found = tag(opened.network(), encoded, 2, opened.learned_tags)
    return [tagged.probabilities[:, order] for tagged in found]


@pytest.mark.slow
def test_crfs_become_the_geometric_mean_of_their_distributions(tmp_path: Path) -> None:
    """Over all sequences of tags, by enumeration: a logarithmic opinion pool."""
    bundles = joined(tmp_path, "tagging", "tagged", TAGGED, {"output": "crf"}, scale=0.7)
    words = ["Ann", "wakes", "Lee"]
    first, second, found = (_distribution(Bundle.open(bundle), words) for bundle in bundles)
    mean = {path: (first[path] * second[path]) ** 0.5 for path in first}
    total = sum(mean.values())
    assert total < 0.99  # they differ
    for path, p in mean.items():
        assert found[path] == pytest.approx(p / total, abs=1e-5)


def _distribution(bundle: Bundle, words: list[str]) -> dict[tuple[str, ...], float]:
    """The probability of every sequence of tags."""
    network = bundle.network()
    ids = np.array([bundle.vocabulary.encode(words)], np.int32)
    lengths = np.array([len(words)], np.int32)
    (emissions,) = network.logits(ids, lengths).astype(np.float64)
    crf, tags = network.transitions, bundle.learned_tags.tags
    assert crf is not None
    scores = {}
    for path in product(range(len(tags)), repeat=len(words)):
        score = crf.start[path[0]] + crf.end[path[-1]] + emissions[range(len(words)), path].sum()
        score += sum(crf.between[a, b] for a, b in pairwise(path))
        scores[tuple(tags[i] for i in path)] = float(score)
    highest = max(scores.values())
    weights = {path: np.exp(score - highest) for path, score in scores.items()}
    total = sum(weights.values())
    return {path: weight / total for path, weight in weights.items()}


def test_probabilities_of_nearly_nothing_stay_finite(classifiers: list[Path]) -> None:
    network = OnnxNetwork(classifiers[2] / GRAPH)
    ids = np.ones((3, 7), np.int32)
    logits = network.logits(ids, np.array([7, 1, 3], np.int32))
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, atol=1e-6)


@pytest.mark.slow
def test_a_soup_has_the_mean_weights(classifiers: list[Path], tmp_path: Path) -> None:
    members = [classifiers[0]]
    keras.utils.set_random_seed(9)
    model = {"pooling": "max"}
    members.append(write_untrained(tmp_path, "classification", "labelled", LABELLED[0], model))
    bundles = [Bundle.open(member) for member in members]
    soup = mean_network(bundles)
    each = [bundle.keras_model().get_weights() for bundle in bundles]
    for found, one, other in zip(soup.get_weights(), *each, strict=True):
        np.testing.assert_allclose(found, (one + other) / 2, atol=1e-6)


def test_members_that_cut_texts_otherwise_are_refused(
    classifiers: list[Path], tmp_path: Path
) -> None:
    import shutil

    other = tmp_path / "other"
    shutil.copytree(classifiers[1], other)
    bundle = Bundle.open(other)
    (other / "tokenizer.json").write_text("{}", encoding="utf-8")
    first = Bundle.open(classifiers[0])
    with pytest.raises(UserError, match=r"set tokenizer\.unit"):
        write_ensemble(
            tmp_path / "none",
            [first, bundle],
            lambda network: {},
            name="all",
            experiment=first.experiment,
            provenance={},
            figures={},
        )
    assert not (tmp_path / "none").exists()


def test_keras_cannot_build_an_ensemble(classifiers: list[Path]) -> None:
    with pytest.raises(UserError, match="only an ONNX graph; use one of its members"):
        Bundle.open(classifiers[2]).keras_model()
