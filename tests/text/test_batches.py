"""Batches: every example and every token exactly once, in the right place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import prepared, same_everywhere

from nlp_rnn.corpora.example import Example
from nlp_rnn.text.batches import (
    TOKENS_AT_ONCE,
    bucketed,
    by_length,
    count_windows,
    example_batches,
    padded_length,
    restore_order,
    windows,
)


@pytest.mark.parametrize("shuffled", [True, False])
def test_every_filled_example_is_in_one_batch(shuffled: bool) -> None:
    lengths = np.random.default_rng(1).integers(0, 40, 1000)
    rng = np.random.default_rng(0)
    batches = list(bucketed(lengths, 32, rng) if shuffled else by_length(lengths, 32))
    assert sorted(np.concatenate(batches)) == list(np.flatnonzero(lengths))
    assert max(map(len, batches)) == 32


def test_batches_of_long_examples_have_fewer_rows() -> None:
    lengths = np.array([TOKENS_AT_ONCE * 3, 10, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000])
    batches = [rows.tolist() for rows in by_length(lengths, 8)]
    assert sorted(np.concatenate(batches)) == list(range(10))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= TOKENS_AT_ONCE


def test_bucketing_pads_far_less_than_chance() -> None:
    lengths = np.random.default_rng(1).integers(1, 200, 5000)

    def padding(batches: list[np.ndarray]) -> int:
        return sum(len(b) * lengths[b].max() - lengths[b].sum() for b in batches)

    shuffled = np.array_split(np.random.default_rng(2).permutation(5000), 5000 // 32)
    bucketed_batches = list(bucketed(lengths, 32, np.random.default_rng(0)))
    assert padding(bucketed_batches) < 0.1 * padding(shuffled)


def test_the_same_generator_gives_the_same_batches_and_another_does_not() -> None:
    lengths = np.random.default_rng(1).integers(1, 40, 300)
    first, again, other = (
        [b.tolist() for b in bucketed(lengths, 8, np.random.default_rng(seed))]
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
    for batch in example_batches(dataset.split("train"), 5, None, np.random.default_rng(0)):
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
    longest = max(
        int((batch.ids != 0).sum(axis=1).max())
        for batch in example_batches(dataset.split("train"), 4, max_length=3)
    )
    assert longest == 3


@pytest.mark.parametrize(("tokens", "streams", "window"), [(100, 4, 7), (101, 4, 25), (3, 8, 5)])
def test_windows_predict_every_token_once_from_the_one_before(
    tokens: int, streams: int, window: int
) -> None:
    ids = np.arange(10, 10 + tokens)
    seen = []
    number = 0
    for batch in windows(ids, end_index=2, batch_size=streams, window=window):
        number += 1
        real = batch.weights > 0
        before = np.where(batch.targets == 10, 2, batch.targets - 1)
        assert (batch.ids[real] == before[real]).all()
        seen += batch.targets[real].tolist()
    assert sorted(seen) == ids.tolist()
    assert number == count_windows(tokens, streams, window)


def test_restore_order() -> None:
    rows = [np.array([2, 0]), np.array([1])]
    assert restore_order(rows, [["c", "a"], ["b"]]) == ["a", "b", "c"]
