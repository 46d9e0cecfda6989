"""Who trains which trial, where several processes share a search.

A trial is claimed by a lock on a file, which the operating system releases when its process ends,
however it ends. So nothing has to be renewed or guessed from clocks: a trial that is neither
recorded nor locked is free, and whoever takes it resumes it from its checkpoint.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nlp_rnn.files import read_json, write_json
from nlp_rnn.process import log
from nlp_rnn.search.trials import Records, Trial

_LOOK_AGAIN = 1.0
"""Seconds between two looks for a trial that another process has left."""


class Claims:
    """The trials that are being trained, in a folder that all processes see.

    Args:
        folder: the search's folder.
        records: the trials that are complete.
    """

    def __init__(self, folder: Path, records: Records) -> None:
        self._folder = folder
        self._records = records

    def place(self, number: int) -> Path:
        """The folder of a trial that is being trained, with its parameters and checkpoint."""
        return self._folder / "running" / str(number)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other processes from beginning, recording and reporting within the block."""
        from filelock import FileLock

        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            yield

    def trials(
        self, count: int, draw: Callable[[int, Sequence[Trial]], dict[str, Any]]
    ) -> Generator[tuple[Trial, list[Trial]], None, None]:
        """Each trial that is free, until all are recorded, with the recorded ones of lower number.

        A trial is held until the next one is asked for. Where others hold all that are left, this
        waits: they may end without a record.

        Args:
            count: the number of trials of the search.
            draw: gives the parameters of a trial, from its number and those before it.
        """
        waiting = False
        while missing := [n for n in range(1, count + 1) if n not in self._records.read()]:
            taken = False
            for number in missing:
                with self._claim(number) as free:
                    if free:
                        taken, waiting = True, False
                        earlier = [t for n, t in self._records.read().items() if n < number]
                        yield self._begun(number, earlier, draw), earlier
                        shutil.rmtree(self.place(number), ignore_errors=True)
                        break
            if not taken:
                if not waiting:
                    log("other processes train the trials that are left; waiting for them")
                waiting = True
                time.sleep(_LOOK_AGAIN)

    def clear(self) -> None:
        """Remove what is left of recorded trials; those of others that train on stay."""
        for number in self._records.read():
            self.place(number).with_suffix(".lock").unlink(missing_ok=True)
        with suppress(OSError):  # where others train on
            (self._folder / "running").rmdir()

    @contextmanager
    def _claim(self, number: int) -> Iterator[bool]:
        """Whether a trial is free; if so, it is held for the duration of the block."""
        from filelock import FileLock, Timeout

        self.place(number).parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.place(number).with_suffix(".lock"), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield number not in self._records.read()
        finally:
            lock.release()

    def _begun(
        self,
        number: int,
        earlier: Sequence[Trial],
        draw: Callable[[int, Sequence[Trial]], dict[str, Any]],
    ) -> Trial:
        """A trial, as whoever began it has drawn it."""
        file = self.place(number) / "trial.json"
        if file.exists():
            return Trial(**read_json(file, "delete it, and the trial is drawn again"))
        trial = Trial(number, draw(number, earlier))
        write_json(file, asdict(trial))
        return trial
