"""Whatever the examples: each is read once an epoch, in its place, and padding is never seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_rnn.example import Kind
from nlp_rnn.text.batches import (
    TOKENS_AT_ONCE,
    Batch,
    by_length,
    example_batches,
    mini_batches,
    restore_order,
    shortened,
)
from nlp_rnn.text.bounds import padded_length
from nlp_rnn.text.prepared import Split
from nlp_rnn.text.streams import (
    fixed_widths,
    line_schedule,
    line_windows,
    random_widths,
    stream_steps,
    whole_lines,
    windows,
)
from nlp_rnn.text.vocabulary import PAD_INDEX

END = 2
quick = settings(max_examples=60, deadline=None, derandomize=True)
LENGTHS = st.lists(st.integers(0, 70), min_size=1, max_size=80)
SIZES = st.integers(1, 33)
SEEDS = st.integers(0, 5)


def frozen(values: Any) -> np.ndarray:
    """An array that nobody may write to."""
    array = np.array(values, np.int32)
    array.flags.writeable = False
    return array


def split_of(lengths: list[int], kind: Kind) -> Split:
    """Examples whose tokens are all different, and different from the special ones."""
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    ids = frozen(np.arange(10, 10 + offsets[-1]))
    labels = {"text": None, "tagged": ids + 5, "labelled": frozen(np.arange(len(lengths)))}[kind]
    return Split(kind, ids, offsets, labels, None, Path("unread"))


def filled(lengths: list[int]) -> list[int]:
    """Lengths of 1 or more."""
    return [length + 1 for length in lengths]


@quick
@given(
    LENGTHS,
    SIZES,
    SEEDS,
    st.sampled_from(["bucketed", "shuffled", "sorted"]),
    st.none() | st.integers(1, 600),
)
def test_an_epoch_takes_every_example_once(
    lengths: list[int], size: int, seed: int, batching: Any, tokens: int | None
) -> None:
    given = frozen(lengths)
    if not given.any():
        return
    batches = mini_batches(given, size, np.random.default_rng(seed), batching, tokens)
    assert sorted(np.concatenate(batches)) == np.flatnonzero(lengths).tolist()
    for rows in batches:
        if tokens is None:
            assert len(rows) <= size
        else:
            assert len(rows) == 1 or len(rows) * padded_length(given[rows].max()) <= tokens


@quick
@given(st.lists(st.integers(0, TOKENS_AT_ONCE // 2), min_size=1, max_size=80), SIZES)
def test_what_is_predicted_by_length_comes_back_in_order(lengths: list[int], size: int) -> None:
    given = frozen(filled(lengths))
    batches = list(by_length(given, size))
    assert restore_order(batches, [rows.tolist() for rows in batches]) == list(range(len(given)))
    assert max(map(len, batches)) <= size
    longest = [int(given[rows].max()) for rows in batches]
    assert longest == sorted(longest)


@quick
@given(LENGTHS, SIZES, st.none() | st.integers(1, 40), st.sampled_from(["head", "tail", "both"]))
def test_a_batch_holds_its_examples_and_padding_counts_for_nothing(
    lengths: list[int], size: int, longest: int | None, part: Any
) -> None:
    tagged = split_of(filled(lengths), "tagged")
    rows = list(by_length(tagged.lengths, size))
    for numbers, batch in zip(
        rows, example_batches(tagged, rows, longest, None, part), strict=True
    ):
        np.testing.assert_array_equal(batch.ids != PAD_INDEX, batch.weights > 0)
        for number, ids, tags, weights in zip(
            numbers, batch.ids, batch.targets, batch.weights, strict=True
        ):
            expected = shortened(tagged.sequence(tagged.ids, number), longest, part)
            np.testing.assert_array_equal(ids[weights > 0], expected)
            np.testing.assert_array_equal(tags[weights > 0], expected + 5)
    labelled = split_of(filled(lengths), "labelled")
    found = [batch.targets.tolist() for batch in example_batches(labelled, rows, longest)]
    assert restore_order(rows, found) == list(range(len(lengths)))


def read(batches: list[Batch]) -> list[list[int]]:
    """The texts that the rows of consecutive batches read; checks all else.

    A text begins where ``starts`` says so; each input is the target before it, ``<eos>`` at first.
    """
    open_texts: list[list[int]] = [[] for _ in batches[0].ids]
    done = []
    for batch in batches:
        assert batch.starts is not None
        np.testing.assert_array_equal(batch.ids != PAD_INDEX, batch.weights > 0)
        for row, begins in enumerate(batch.starts > 0):
            if begins:
                done.append(open_texts[row])
                open_texts[row] = []
            text, real = open_texts[row], batch.weights[row] > 0
            assert real.tolist() == sorted(real, reverse=True)  # padding comes last
            targets = batch.targets[row][real].tolist()
            before = [(text or [END])[-1], *targets][: len(targets)]
            assert batch.ids[row][real].tolist() == before
            text += targets
    return [text for text in [*done, *open_texts] if text]


@pytest.mark.slow
@quick
@given(LENGTHS, SIZES, st.integers(1, 40), SEEDS)
def test_every_line_is_read_once_from_its_start(
    lengths: list[int], size: int, window: int, seed: int
) -> None:
    split = split_of(filled(lengths), "text")
    order = np.random.default_rng(seed).permutation(len(split))
    lines = sorted(split.sequence(split.ids, i).tolist() for i in range(len(split)))
    starting = line_schedule(split.lengths, order, size, window)
    assert sorted(read(list(line_windows(split, starting, size, window, END)))) == lines
    rows = mini_batches(split.lengths, size, np.random.default_rng(seed))
    assert sorted(read(list(whole_lines(split, rows, size, END)))) == lines


@pytest.mark.slow
@quick
@given(st.integers(1, 400), SIZES, st.integers(1, 40), SEEDS, st.booleans())
def test_every_token_of_a_text_is_a_target_once(
    tokens: int, size: int, window: int, seed: int, drawn: bool
) -> None:
    ids = frozen(np.arange(10, 10 + tokens))
    steps = stream_steps(tokens, size)
    rng = np.random.default_rng(seed)
    widths = random_widths(steps, window, rng) if drawn else fixed_widths(steps, window)
    batches = list(windows(ids, END, size, widths))
    targets, inputs = [], []
    for row in range(len(batches[0].ids)):
        for batch in batches:
            np.testing.assert_array_equal(batch.ids != PAD_INDEX, batch.weights > 0)
            targets += batch.targets[row][batch.weights[row] > 0].tolist()
            inputs += batch.ids[row][batch.weights[row] > 0].tolist()
    assert targets == ids.tolist()
    assert inputs == [END, *targets[:-1]]


@quick
@given(LENGTHS, SIZES, SEEDS)
def test_the_same_seed_gives_the_same_batches(lengths: list[int], size: int, seed: int) -> None:
    given = frozen(filled(lengths))
    first, second = (mini_batches(given, size, np.random.default_rng(seed)) for _ in range(2))
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in second]
