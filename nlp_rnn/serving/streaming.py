"""Text that a language model writes in a thread, piece by piece for the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Executor

from nlp_rnn.inference.generation import PromptedModel, Sampling
from nlp_rnn.inference.predictor import LanguageModelPredictor


async def generated(
    executor: Executor,
    model: LanguageModelPredictor,
    prompt: str,
    length: int,
    sampling: Sampling,
    stop_at_end: bool,
) -> AsyncGenerator[str, None]:
    """The text that each token adds to the prompt, as soon as it is drawn.

    Whoever stops iterating, or is cancelled, stops the thread at its next token.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[str | None] = asyncio.Queue()
    stopped = threading.Event()

    def write() -> None:
        prompted = PromptedModel(model, prompt)
        for (piece,) in prompted.sample(length, sampling, sampling.generators(), stop_at_end):
            if stopped.is_set():
                return
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

    writing = loop.run_in_executor(executor, write)
    writing.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        await writing
    finally:
        stopped.set()
        writing.cancel()
