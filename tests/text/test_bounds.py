"""Few lengths to pad to: of least cost, with room for everything, and without effect on results."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nlp_rnn.text.batches import mini_batches
from nlp_rnn.text.bounds import COMPILATION, Bounds, cheapest_bounds, padded_length


def cost(lengths: list[int], costs: list[float], bounds: tuple[int, ...], of_bound: float) -> float:
    """What padding to ``bounds`` costs, by definition."""
    padded = [min(b for b in bounds if b >= length) for length in lengths]
    return sum(b * c for b, c in zip(padded, costs, strict=True)) + of_bound * len(bounds)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.floats(0, 50)), min_size=1, max_size=7),
    st.floats(0, 500),
)
def test_no_other_bounds_cost_less(counted: list[tuple[int, float]], of_bound: float) -> None:
    by_length = dict(sorted(counted))
    lengths, costs = list(by_length), list(by_length.values())
    found = cheapest_bounds(lengths, costs, of_bound)
    assert found[-1] == lengths[-1]
    others = (
        (*some, lengths[-1])
        for size in range(len(lengths))
        for some in combinations(lengths[:-1], size)
    )
    least = min(cost(lengths, costs, bounds, of_bound) for bounds in others)
    assert cost(lengths, costs, tuple(found), of_bound) <= least + 1e-6


def bounds_of(lengths: np.ndarray, epochs: int, batch_tokens: int | None = None) -> Bounds:
    rows = mini_batches(lengths, 32, np.random.default_rng(0), batch_tokens=batch_tokens)
    return Bounds.of(lengths, rows, epochs, 32, batch_tokens)


def test_the_longer_a_training_the_more_lengths_are_worth_their_compilation() -> None:
    lengths = np.random.default_rng(0).geometric(0.06, 3000)
    few, more, most = (bounds_of(lengths, epochs).lengths for epochs in (1, 10, 1000))
    assert len(few) < len(more) < len(most)
    assert set(most) == {padded_length(n) for n in most}
    for found in (few, more, most):
        assert found[-1] == padded_length(int(lengths.max()))


def test_a_training_of_fewer_tokens_than_a_compilation_takes_has_one_length() -> None:
    lengths = np.full(100, 9)
    lengths[0] = COMPILATION // 1000
    assert bounds_of(lengths, epochs=1).lengths == [padded_length(int(lengths.max()))]


def test_every_epoch_has_room_and_batches_of_as_many_rows() -> None:
    lengths = np.random.default_rng(0).geometric(0.06, 3000)
    for batch_tokens in (None, 400):
        bounds = bounds_of(lengths, epochs=20, batch_tokens=batch_tokens)
        for epoch in range(3):
            rng = np.random.default_rng(epoch)
            rows = mini_batches(
                lengths, 32, rng, batch_tokens=batch_tokens, padded_to=bounds.length
            )
            for numbers in rows:
                length = bounds.length(int(lengths[numbers].max()))
                assert length >= lengths[numbers].max()
                assert len(numbers) <= bounds.rows(length)
                if batch_tokens and len(numbers) > 1:
                    assert length * len(numbers) <= batch_tokens
