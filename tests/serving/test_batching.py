"""Micro-batches: what is put together, and what each request gets of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.errors import UserError
from nlp_rnn.inference.items import Item
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.runtime.abandoned import Abandoned, check_of_this_thread, until
from nlp_rnn.serving.batching import BATCH, SHARE, Batcher


class Lengths:
    """Predicts the length of each text, once the gate is open."""

    def __init__(self) -> None:
        self.gate, self.begun = threading.Event(), threading.Event()
        self.batches: list[list[Item]] = []

    def __call__(self, items: list[Item]) -> Iterator[dict[str, Any]]:
        self.begun.set()
        assert self.gate.wait(30)
        self.batches.append(items)
        if "bad" in items:
            raise UserError("bad")
        return ({"length": len(item)} for item in items)


async def asked(lengths: Lengths, *requests: list[str]) -> list[Any]:
    """What requests get that arrive together."""
    with ThreadPoolExecutor(1) as executor:
        batcher = Batcher(lengths, executor)
        waiting = [asyncio.create_task(batcher.predict(texts)) for texts in requests]
        await asyncio.sleep(0)  # all of them are in the queue
        lengths.gate.set()
        return await asyncio.gather(*waiting, return_exceptions=True)


def of(texts: list[str]) -> list[dict[str, int]]:
    return [{"length": len(text)} for text in texts]


def test_requests_that_arrive_together_are_predicted_together() -> None:
    lengths = Lengths()
    requests = [["a" * i, "b"] for i in range(10)]
    assert asyncio.run(asked(lengths, *requests)) == [of(texts) for texts in requests]
    assert len(lengths.batches) < len(requests)
    assert max(map(len, lengths.batches)) > 2


def test_a_large_request_does_not_hold_up_a_small_one() -> None:
    lengths = Lengths()
    large, small = ["x" * i for i in range(10 * BATCH)], ["small"]
    assert asyncio.run(asked(lengths, large, small)) == [of(large), of(small)]
    place = next(i for i, batch in enumerate(lengths.batches) if "small" in batch)
    assert place <= 1
    assert max(map(len, lengths.batches)) <= BATCH
    assert len(lengths.batches[0]) <= max(SHARE, BATCH)


def test_only_the_request_that_is_to_blame_fails() -> None:
    good, bad, other = asyncio.run(asked(Lengths(), ["first"], ["bad"], ["other"]))
    assert good == of(["first"]) and other == of(["other"])
    assert isinstance(bad, UserError)


def test_no_texts_need_no_batch() -> None:
    lengths = Lengths()
    assert asyncio.run(asked(lengths, [])) == [[]]
    assert not lengths.batches


def test_what_a_caller_gives_up_is_not_predicted() -> None:
    async def give_up(lengths: Lengths) -> Any:
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(lengths, executor)
            first = asyncio.create_task(batcher.predict(["first"]))
            assert await asyncio.to_thread(lengths.begun.wait, 30)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await batcher.predict(["given up"] * 3)
            assert batcher.depth == 0
            lengths.gate.set()
            return await first, await batcher.predict(["later"])

    lengths = Lengths()
    assert asyncio.run(give_up(lengths)) == (of(["first"]), of(["later"]))
    assert ["first"] in lengths.batches
    assert not any("given up" in batch for batch in lengths.batches)


def test_a_batch_that_nobody_waits_for_is_given_up() -> None:
    """In the middle, so that the next request has its turn."""

    def endless(items: list[Item]) -> Iterator[dict[str, Any]]:
        check = check_of_this_thread()
        while "endless" in items:
            check()
            time.sleep(0.001)
        return ({"length": len(item)} for item in items)

    async def one_after_the_other() -> Any:
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(endless, executor)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await batcher.predict(["endless"])
            return await batcher.predict(["later"])

    assert asyncio.run(asyncio.wait_for(one_after_the_other(), 30)) == of(["later"])


@pytest.mark.slow
def test_predictors_begin_no_pass_that_nobody_waits_for(bundles: dict[str, Path]) -> None:
    abandoned = threading.Event()
    for task, folder in bundles.items():
        predictor = Predictor.load(folder)
        with until(abandoned):
            [expected] = predictor.predict(["the cat sleeps"])
            if task != "language_modelling":  # whose passes are all of one window
                abandoned.set()
                with pytest.raises(Abandoned):
                    list(predictor.predict(["the cat sleeps"]))
                abandoned.clear()
        assert list(predictor.predict(["the cat sleeps"])) == [expected], task
