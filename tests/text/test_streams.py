"""Streams: every token once, after the one before it, in windows; lines as texts of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.corpora import prepared, same_everywhere
from nlp_rnn.example import Example
from nlp_rnn.text.batches import Batch, mini_batches
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.streams import (
    fixed_widths,
    line_schedule,
    line_windows,
    random_widths,
    stream_steps,
    whole_lines,
    windows,
)


@pytest.mark.parametrize(("tokens", "streams", "window"), [(100, 4, 7), (101, 4, 25), (3, 8, 5)])
@pytest.mark.parametrize("drawn", [False, True])
def test_windows_predict_every_token_once_from_the_one_before(
    tokens: int, streams: int, window: int, drawn: bool
) -> None:
    ids = np.arange(10, 10 + tokens)
    steps = stream_steps(tokens, streams)
    rng = np.random.default_rng(0)
    widths = random_widths(steps, window, rng) if drawn else fixed_widths(steps, window)
    seen = []
    for number, batch in enumerate(windows(ids, 2, streams, widths)):
        assert batch.starts is not None
        assert (batch.starts == (number == 0)).all()
        real = batch.weights > 0
        before = np.where(batch.targets == 10, 2, batch.targets - 1)
        assert (batch.ids[real] == before[real]).all()
        seen += batch.targets[real].tolist()
    assert sorted(seen) == ids.tolist()


def test_random_windows_vary_around_the_window_and_the_rate_follows() -> None:
    widths = random_widths(100_000, 40, np.random.default_rng(0))
    assert sum(widths) == 100_000
    assert 36 < np.mean(widths) < 42
    assert len(set(widths[:-1])) > 5
    assert all(width % 5 == 0 for width in widths[:-1])
    ids = np.arange(10, 410)
    rates = [(b.rate, b.ids.shape[1]) for b in windows(ids, 2, 2, [40, 60, 100], window=40)]
    assert rates == [(1.0, 40), (1.5, 60), (2.5, 100)]


@pytest.fixture
def dataset(tmp_path: Path) -> PreparedDataset:
    words = [f"w{i}" for i in range(50)]
    lines = [Example(text=" ".join(words[i : i + 1 + 5 * i % 13])) for i in range(30)]
    return prepared(tmp_path / "d", same_everywhere("text", lines))


def texts(batches: list[Batch], end: int) -> list[list[int]]:
    """The texts that the rows of consecutive batches read, checked step by step."""
    rows: list[list[int] | None] = [None] * len(batches[0].ids)
    done: list[list[int]] = []
    for batch in batches:
        assert batch.starts is not None
        for row, begins in enumerate(batch.starts):
            if begins and rows[row]:
                done.append(rows[row] or [])
            if begins:
                rows[row] = []
            text = rows[row]
            for token, target, weight in zip(
                batch.ids[row], batch.targets[row], batch.weights[row], strict=True
            ):
                if weight:
                    assert text is not None
                    assert token == (text[-1] if text else end)
                    text.append(int(target))
    return done + [row for row in rows if row]


@pytest.mark.parametrize("window", [1, 4, 50])
def test_each_line_is_a_text_of_its_own(dataset: PreparedDataset, window: int) -> None:
    split, end = dataset.split("train"), dataset.vocabulary.end_index
    order = np.random.default_rng(0).permutation(len(split))
    starting = line_schedule(split.lengths, order, 4, window)
    batches = list(line_windows(split, starting, 4, window, end))
    assert len(batches) == len(starting)
    expected = sorted(split.sequence(split.ids, i).tolist() for i in range(len(split)))
    assert sorted(texts(batches, end)) == expected


def test_full_bptt_reads_each_line_in_one_window(dataset: PreparedDataset) -> None:
    split, end = dataset.split("train"), dataset.vocabulary.end_index
    rows = mini_batches(split.lengths, 4, np.random.default_rng(0))
    batches = list(whole_lines(split, rows, 4, end))
    assert all(len(batch.ids) == 4 for batch in batches)
    expected = sorted(split.sequence(split.ids, i).tolist() for i in range(len(split)))
    assert sorted(texts(batches, end)) == expected
