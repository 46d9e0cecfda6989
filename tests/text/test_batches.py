"""Batches: every example and every token exactly once, in the right place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.corpora import prepared, same_everywhere
from nlp_rnn.example import Example
from nlp_rnn.text.batches import (
    TOKENS_AT_ONCE,
    by_length,
    example_batches,
    mini_batches,
    restore_order,
)
from nlp_rnn.text.bounds import Bounds, padded_length
from nlp_rnn.text.spelling import BOUNDARY, spell


@pytest.mark.parametrize("shuffled", [True, False])
def test_every_filled_example_is_in_one_batch(shuffled: bool) -> None:
    lengths = np.random.default_rng(1).integers(0, 40, 1000)
    rng = np.random.default_rng(0)
    batches = mini_batches(lengths, 32, rng) if shuffled else list(by_length(lengths, 32))
    assert sorted(np.concatenate(batches)) == list(np.flatnonzero(lengths))
    assert max(map(len, batches)) == 32


def test_batches_of_long_examples_have_fewer_rows() -> None:
    lengths = np.array([TOKENS_AT_ONCE * 3, 10, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000])
    batches = [rows.tolist() for rows in by_length(lengths, 8)]
    assert sorted(np.concatenate(batches)) == list(range(10))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= TOKENS_AT_ONCE


@pytest.mark.parametrize("batching", ["bucketed", "shuffled", "sorted"])
def test_every_way_of_batching_takes_each_example_once(batching: Any) -> None:
    lengths = np.random.default_rng(1).integers(0, 40, 1000)
    batches = mini_batches(lengths, 32, np.random.default_rng(0), batching)
    assert sorted(np.concatenate(batches)) == list(np.flatnonzero(lengths))
    assert max(map(len, batches)) == 32
    tokens = mini_batches(lengths, 32, np.random.default_rng(0), batching, batch_tokens=400)
    assert sorted(np.concatenate(tokens)) == list(np.flatnonzero(lengths))
    cost = [len(rows) * padded_length(int(lengths[rows].max())) for rows in tokens]
    assert max(cost) <= 400 < 2 * np.median(cost)


def test_an_example_longer_than_batch_tokens_is_a_batch_of_its_own() -> None:
    lengths = np.array([5, 900, 5])
    rows = mini_batches(lengths, 32, np.random.default_rng(0), "sorted", batch_tokens=100)
    assert sorted(map(len, rows)) == [1, 2]


def test_the_better_examples_are_sorted_the_less_is_padded() -> None:
    lengths = np.random.default_rng(1).integers(1, 200, 5000)

    def padding(batching: Any) -> int:
        batches = mini_batches(lengths, 32, np.random.default_rng(0), batching)
        return sum(len(b) * lengths[b].max() - lengths[b].sum() for b in batches)

    assert padding("sorted") < padding("bucketed") < 0.1 * padding("shuffled")


def test_batches_come_in_random_order_even_when_sorted() -> None:
    lengths = np.random.default_rng(1).integers(1, 200, 5000)
    batches = mini_batches(lengths, 32, np.random.default_rng(0), "sorted")
    longest = [lengths[rows].max() for rows in batches]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.3


def test_the_same_generator_gives_the_same_batches_and_another_does_not() -> None:
    lengths = np.random.default_rng(1).integers(1, 40, 300)
    first, again, other = (
        [b.tolist() for b in mini_batches(lengths, 8, np.random.default_rng(seed))]
        for seed in (3, 3, 4)
    )
    assert first == again != other


def test_padded_lengths_hold_the_length_and_are_few() -> None:
    bounds = [padded_length(n) for n in range(1, 2000)]
    assert all(bound >= n for n, bound in enumerate(bounds, start=1))
    assert all(bound < 1.25 * n + 8 for n, bound in enumerate(bounds, start=1))
    assert len(set(bounds)) < 50


def test_tagged_batches_align_tags_with_words(tmp_path: Path, sentences: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    pairs = set()
    rows = mini_batches(dataset.split("train").lengths, 5, np.random.default_rng(0))
    for batch in example_batches(dataset.split("train"), rows):
        assert ((batch.ids != 0) == (batch.weights == 1)).all()
        assert (batch.ids[:, 0] != 0).all()
        for row, tags, weights in zip(batch.ids, batch.targets, batch.weights, strict=True):
            for i in np.flatnonzero(weights):
                pairs.add((dataset.vocabulary.types[row[i]], dataset.labels[tags[i]]))
    expected = {pair for e in sentences for pair in zip(e.tokens, e.tags, strict=True)}
    assert pairs == expected


def test_long_examples_are_cut_to_their_first_tokens(
    tmp_path: Path, reviews: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("labelled", reviews))
    rows = by_length(dataset.split("train").lengths, 4)
    longest = max(
        int((batch.ids != 0).sum(axis=1).max())
        for batch in example_batches(dataset.split("train"), rows, max_length=3)
    )
    assert longest == 3


def test_characters_stand_beside_their_words(tmp_path: Path, sentences: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences), min_count=99)
    spelling = spell(dataset.forms, dataset.characters, longest=6)
    rows = by_length(dataset.split("train").lengths, 5)
    seen = set()
    for batch in example_batches(dataset.split("train"), rows, 4, spelling):
        assert batch.characters is not None
        assert batch.characters.shape == (*batch.ids.shape, 8)
        for word in batch.characters[batch.ids > 0]:
            seen.add("".join(dataset.characters.decode(word[word > 0])))
        empty = batch.characters[batch.ids == 0]
        assert (empty[:, :2] == dataset.characters.end_index).all() and not empty[:, 2:].any()
    first_four = {word for example in sentences for word in example.tokens[:4]}
    assert seen == {f"{BOUNDARY}{word}{BOUNDARY}" for word in first_four}


@pytest.mark.parametrize("kind", ["labelled", "tagged"])
def test_a_small_batch_is_filled_with_rows_that_do_not_count(
    tmp_path: Path, kind: Any, reviews: list[Example], sentences: list[Example]
) -> None:
    examples = {"labelled": reviews, "tagged": sentences}[kind]
    split = prepared(tmp_path / "d", same_everywhere(kind, examples)).split("train")
    numbers = np.arange(3)
    (plain,) = example_batches(split, [numbers])
    (filled,) = example_batches(split, [numbers], bounds=Bounds([8, 16], batch_size=5))
    assert filled.ids.shape == (5, 8)
    for name in ("ids", "targets", "weights"):
        whole, part = getattr(filled, name), getattr(plain, name)
        np.testing.assert_array_equal(whole[:3], part)
    assert (filled.ids[3:] == filled.ids[:1]).all()
    assert not filled.weights[3:].any()


def test_restore_order() -> None:
    rows = [np.array([2, 0]), np.array([1])]
    assert restore_order(rows, [["c", "a"], ["b"]]) == ["a", "b", "c"]
