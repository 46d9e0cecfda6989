"""Micro-batching: texts of requests that arrive at the same time are predicted together.

There is no waiting for company. While a batch is predicted, requests gather, and the next batch is
what has gathered. So a lone request is not delayed, and the busier the server, the larger its
batches. Within a batch, the predictor sorts the texts by their length.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from nlp_rnn.inference.items import Item
from nlp_rnn.inference.predictor import Prediction
from nlp_rnn.runtime.abandoned import until

BATCH = 64
"""The most texts in a batch."""

SHARE = 16
"""The most texts that one request adds to a batch before the next request has its turn."""

Predict = Callable[[list[Item]], Iterable[Prediction]]


@dataclass
class _Request:
    """The texts of a request, how many of them are begun, and the predictions so far."""

    items: Sequence[Item]
    answer: asyncio.Future[list[Prediction]]
    begun: int = 0
    found: list[Prediction] = field(default_factory=list)

    def take(self, most: int) -> Sequence[Item]:
        """The next texts to be predicted."""
        some = self.items[self.begun : self.begun + most]
        self.begun += len(some)
        return some

    @property
    def left(self) -> int:
        return len(self.items) - self.begun

    def add(self, predictions: Sequence[Prediction]) -> None:
        self.found.extend(predictions)
        if len(self.found) == len(self.items) and not self.answer.done():
            self.answer.set_result(self.found)


_Batch = list[tuple[_Request, Sequence[Item]]]


class Batcher:
    """Predicts for many requests at a time; a prediction does not depend on the others.

    Args:
        predict: returns a prediction for each text.
        executor: where it runs.
        observe: called with the size of each batch.
    """

    def __init__(
        self,
        predict: Predict,
        executor: Executor,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._predict = predict
        self._executor = executor
        self._observe = observe
        self._waiting: deque[_Request] = deque()
        self._worker: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """The number of texts that wait for a batch."""
        return sum(request.left for request in self._waiting if not request.answer.done())

    async def predict(self, items: Sequence[Item]) -> list[Prediction]:
        """One prediction for each text, in order.

        Raises whatever ``predict`` raises for one of these texts. A caller who is cancelled takes
        back what is not begun, and a batch that nobody waits for any more is given up.
        """
        if not items:
            return []
        request = _Request(items, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await request.answer

    async def _work(self) -> None:
        """Predict batch by batch, until nobody waits."""
        while batch := self._next_batch():
            requests = [request for request, _ in batch]
            items = [item for _, some in batch for item in some]
            try:
                predictions = await self._predicted(items, requests)
            except Exception as error:
                await self._one_by_one(batch, error)
                continue
            start = 0
            for request, some in batch:
                request.add(predictions[start : start + len(some)])
                start += len(some)

    async def _predicted(self, items: list[Item], requests: Sequence[_Request]) -> list[Prediction]:
        """Predict for texts of some requests, for as long as one of these is waited for."""
        self._observe(len(items))
        abandoned = threading.Event()

        def look(answered: object) -> None:
            if all(request.answer.done() for request in requests):
                abandoned.set()

        def predict() -> list[Prediction]:
            with until(abandoned):
                return list(self._predict(items))

        for request in requests:
            request.answer.add_done_callback(look)
        return await asyncio.get_running_loop().run_in_executor(self._executor, predict)

    def _next_batch(self) -> _Batch:
        """Texts of the requests that wait, a share of each in turn."""
        batch: _Batch = []
        room = BATCH
        while self._waiting and room:
            request = self._waiting.popleft()
            if request.answer.done():  # it was cancelled, or failed
                continue
            some = request.take(min(SHARE, room))
            batch.append((request, some))
            room -= len(some)
            if request.left:
                self._waiting.append(request)
        return batch

    async def _one_by_one(self, batch: _Batch, error: Exception) -> None:
        """After a batch has failed, fail only the requests that are to blame."""
        for request, some in batch:
            if request.answer.done():
                continue
            try:
                if len(batch) == 1:
                    raise error
                request.add(await self._predicted(list(some), [request]))
            except Exception as own:
                if not request.answer.done():
                    request.answer.set_exception(own)
