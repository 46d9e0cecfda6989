"""Batches of pairs: few shapes, both sides padded, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helpers.corpora import prepared, same_everywhere
from nlp_rnn.example import Example
from nlp_rnn.text.batches import mini_batches, pair_batches
from nlp_rnn.text.bounds import PairBounds
from nlp_rnn.text.prepared import PreparedDataset

ROWS = 8


def dataset(folder: Path) -> PreparedDataset:
    rng = np.random.default_rng(1)
    examples = [
        Example(
            text=" ".join("abc"[: 1 + n % 3] * n), target=" ".join("xyz"[: 1 + n % 2] * (n + m))
        )
        for n, m in rng.integers(1, 9, (50, 2)).tolist()
    ]
    return prepared(folder, same_everywhere("pairs", examples))


def test_both_sides_are_padded_to_the_bounds_of_one_level(tmp_path: Path) -> None:
    split = dataset(tmp_path / "d").split("train")
    bounds = PairBounds.of(split.lengths, split.target_lengths)
    allowed = set(zip(bounds.sources.tolist(), bounds.targets.tolist(), strict=True))
    rows = mini_batches(
        bounds.keys(split.lengths, split.target_lengths), ROWS, np.random.default_rng(0)
    )
    batches = list(pair_batches(split, rows, 2, ROWS, bounds))
    shapes = {(batch.ids.shape[1], batch.targets.shape[1]) for batch in batches}
    assert shapes <= allowed
    assert {len(batch.ids) for batch in batches} == {ROWS}


def test_every_pair_counts_once_and_each_target_is_predicted_from_what_precedes(
    tmp_path: Path,
) -> None:
    data = dataset(tmp_path / "d")
    split, end = data.split("train"), data.target_vocabulary.end_index
    bounds = PairBounds.of(split.lengths, split.target_lengths)
    keys = bounds.keys(split.lengths, split.target_lengths)
    found = []
    for batch in pair_batches(
        split, mini_batches(keys, ROWS, np.random.default_rng(0)), end, ROWS, bounds
    ):
        assert batch.target_ids is not None
        for ids, read, target, weights in zip(
            batch.ids, batch.target_ids, batch.targets, batch.weights, strict=True
        ):
            if not weights.any():
                continue
            steps = int(weights.sum())
            assert read[:steps].tolist() == [end, *target[: steps - 1].tolist()]
            assert not read[steps:].any()
            found.append((ids[ids > 0].tolist(), target[:steps].tolist()))
    expected = [
        (split.sequence(split.ids, i).tolist(), split.target(i).tolist()) for i in range(50)
    ]
    assert sorted(found) == sorted(expected)


def test_bounds_have_room_for_the_longest_of_either_side() -> None:
    bounds = PairBounds.of(np.array([3, 4, 100]), np.array([2, 2, 5]))
    assert bounds.sources[-1] >= 100
    assert bounds.targets[-1] >= 5
    assert (np.diff(bounds.sources) >= 0).all()
