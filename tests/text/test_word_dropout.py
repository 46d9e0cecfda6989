"""Words read as ``<unk>`` in training: how often, which, and what stays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.tasks.examples import ExamplesTask
from nlp_rnn.tasks.registry import make_task
from nlp_rnn.text.batches import Batch
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.vocabulary import PAD_INDEX, UNK_INDEX
from nlp_rnn.text.word_dropout import unknown_rates

SENTENCES = [
    Example(tokens=("the", "the", f"name{i}", "sleeps"), tags=("DET", "DET", "NOUN", "VERB"))
    for i in range(300)
] + [Example(tokens=("the", "sleeps"), tags=("DET", "VERB"))]
SINGLETONS = {f"name{i}" for i in range(300)}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepared(tmp_path_factory.mktemp("d") / "d", same_everywhere("tagged", SENTENCES))


def work(dataset: PreparedDataset, seed: int = 1, **training: Any) -> ExamplesTask:
    model = {"units": 8, "characters": {"kind": "cnn"}}
    experiment = small_experiment("tagging", model, {"batch_size": 16} | training)
    made = make_task(experiment, dataset, seed)
    assert isinstance(made, ExamplesTask)
    return made


def batches(work: ExamplesTask, epoch: int = 1) -> list[Batch]:
    found, count = work.batches(epoch)
    found = list(found)
    assert len(found) == count
    return found


def shares(dataset: PreparedDataset, **training: Any) -> dict[str, float]:
    """How often each kind of word became ``<unk>`` over ten epochs."""
    plain, dropping = work(dataset), work(dataset, **training)
    unknown: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for epoch in range(1, 11):
        for before, after in zip(batches(plain, epoch), batches(dropping, epoch), strict=True):
            changed = before.ids != after.ids
            assert (after.ids[changed] == UNK_INDEX).all()
            assert not changed[before.ids == PAD_INDEX].any()
            for word, lost in zip(
                dataset.vocabulary.decode(before.ids.ravel()), changed.ravel(), strict=True
            ):
                kind = "singleton" if word in SINGLETONS else word
                read[kind] += 1
                unknown[kind] += bool(lost)
    return {kind: unknown[kind] / read[kind] for kind in read if kind != "<pad>"}


@pytest.mark.slow
def test_every_word_is_unknown_with_the_rate_of_word_dropout(dataset: PreparedDataset) -> None:
    for share in shares(dataset, word_dropout=0.2).values():
        assert share == pytest.approx(0.2, abs=0.03)


def test_only_words_that_occur_once_fall_to_singleton_dropout(dataset: PreparedDataset) -> None:
    found = shares(dataset, singleton_dropout=0.5)
    assert found.pop("singleton") == pytest.approx(0.5, abs=0.03)
    assert set(found.values()) == {0}


def test_both_fall_independently(dataset: PreparedDataset) -> None:
    found = shares(dataset, singleton_dropout=0.5, word_dropout=0.2)
    assert found["singleton"] == pytest.approx(0.6, abs=0.03)
    assert found["the"] == pytest.approx(0.2, abs=0.03)


def test_rates_are_by_type() -> None:
    found = unknown_rates([0, 7, 9, 1, 2], word_dropout=0.1, singleton_dropout=0.5)
    np.testing.assert_allclose(found, [0, 0.1, 0.1, 0.55, 0.1])


def test_spelling_tags_and_padding_stay(dataset: PreparedDataset) -> None:
    training = {"word_dropout": 0.5, "singleton_dropout": 1.0}
    pairs = zip(batches(work(dataset)), batches(work(dataset, **training)), strict=True)
    for before, after in pairs:
        assert after.ids.dtype == before.ids.dtype
        assert before.characters is not None and after.characters is not None
        np.testing.assert_array_equal(after.characters, before.characters)
        np.testing.assert_array_equal(after.targets, before.targets)
        np.testing.assert_array_equal(after.weights, before.weights)


def test_seed_and_epoch_alone_decide(dataset: PreparedDataset) -> None:
    def drawn(seed: int, epoch: int) -> list[np.ndarray]:
        return [batch.ids for batch in batches(work(dataset, seed, word_dropout=0.3), epoch)]

    for one, again in zip(drawn(1, 3), drawn(1, 3), strict=True):
        np.testing.assert_array_equal(one, again)
    rate = [
        np.mean([(ids == UNK_INDEX).mean() for ids in drawn(seed, epoch)])
        for seed, epoch in ((1, 3), (1, 4), (2, 3))
    ]
    assert len(set(rate)) == 3


def test_validation_reads_every_word(dataset: PreparedDataset) -> None:
    ids = work(dataset, word_dropout=0.9).encoded("validation", [0], None)[0].ids
    assert dataset.vocabulary.decode(ids) == ["the", "the", "name0", "sleeps"]


def test_singleton_dropout_needs_words_that_occur_once(tmp_path: Path) -> None:
    rare = prepared(tmp_path / "d", same_everywhere("tagged", SENTENCES), min_count=2)
    with pytest.raises(UserError, match="min_count: 1"):
        work(rare, singleton_dropout=0.5)
