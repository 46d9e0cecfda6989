"""Contestants that take turns, and reports of their results.

Each contestant has its own process, so that backends and allocator settings cannot mix. The process
stays alive and is told when to do its next slice. Only one computes at a time, in the order A B C A
B C ..., so that whatever slows the machine slows all of them. Metrics are medians over the slices,
and ratios are medians of the ratios within a round.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from benchmarks.worker import machine_busy
from nlp_rnn import backend
from nlp_rnn.process import log

PROJECT = Path(__file__).resolve().parents[1]

MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2147483647",
}
"""Makes glibc keep freed memory, instead of returning it to be zeroed again in every step."""

NOISE = 0.2
"""The number of cores that other processes may keep busy before a slice counts as disturbed."""

Turn = dict[str, float]
Row = dict[str, str]


class Failure(Exception):
    """A contestant cannot take part; the message says why."""


@dataclass
class Result:
    """The result of one contestant.

    Attributes:
        setup: the seconds from the start of its process until it was ready.
        turns: the metrics of each slice, see :mod:`benchmarks.worker`.
        failure: the reason why it did not take part or stopped.
    """

    name: str
    setup: float = float("nan")
    turns: list[Turn] = field(default_factory=list)
    failure: str = ""

    def all(self, figure: str) -> list[float]:
        """A metric of every slice."""
        return [turn[figure] for turn in self.turns]

    def median(self, figure: str) -> float:
        """The median of a metric over the slices; NaN if there are none."""
        return float(np.median(self.all(figure))) if self.turns else float("nan")

    @property
    def speeds(self) -> list[float]:
        """The units of work per second in each slice."""
        return [turn["work"] / turn["seconds"] for turn in self.turns]

    @property
    def speed(self) -> float:
        """The median of :attr:`speeds`."""
        return float(np.median(self.speeds)) if self.turns else float("nan")

    def ratios(self, reference: Result) -> list[float]:
        """The speed relative to the reference, round by round."""
        return [a / b for a, b in zip(self.speeds, reference.speeds, strict=False)]


class Contestant(Protocol):
    """A participant that can take turns."""

    name: str

    def start(self) -> float:
        """Get ready to take turns; returns the seconds it took."""

    def turn(self) -> Turn:
        """Do the next slice."""

    def close(self) -> None:
        """Free all resources."""


@dataclass
class Worker:
    """A contestant in a process that stays alive, see :mod:`benchmarks.worker`.

    Args:
        function: ``module:function``, which returns the slice.
        arguments: the function's arguments, JSON-able.
        environment: the environment variables of its process.
    """

    name: str
    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> float:
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        started = {"BENCHMARK_STARTED": repr(time.time())}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", self.function, json.dumps(self.arguments)],
            cwd=PROJECT,
            env=os.environ | self.environment | started,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        return self._answer()["setup"]

    def turn(self) -> Turn:
        assert self._process.stdin is not None
        try:
            print("next", file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise self._ended() from None
        return self._answer()

    def _answer(self) -> Turn:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        figures = json.loads(line)
        if "failure" in figures:
            raise Failure(figures["failure"])
        return figures

    def _ended(self) -> Failure:
        status = self._process.wait()
        self._errors.seek(0)
        last = (self._errors.read().strip().splitlines() or ["it printed nothing"])[-1]
        return Failure(f"its process ended with status {status}: {last}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            stream.close()


@dataclass
class Command:
    """A contestant that runs a command anew in each turn.

    Args:
        work: the units of work that it does.
        environment: the environment variables of its process.
        input: the text for its standard input.
    """

    name: str
    command: Sequence[str]
    work: float = 1.0
    environment: dict[str, str] = field(default_factory=dict)
    input: str = ""

    def start(self) -> float:
        return 0.0

    def turn(self) -> Turn:
        with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as errors:
            given.write(self.input)
            given.seek(0)
            machine, started = machine_busy(), time.perf_counter()
            process = subprocess.Popen(
                self.command,
                cwd=PROJECT,
                env=os.environ | self.environment,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            _, status, used = os.wait4(process.pid, 0)
            seconds, own = time.perf_counter() - started, used.ru_utime + used.ru_stime
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                errors.seek(0)
                last = (errors.read().strip().splitlines() or ["it printed nothing"])[-1]
                raise Failure(f"status {process.returncode}: {last}")
        return {
            "seconds": seconds,
            "cores": own / seconds,
            "others": (machine_busy() - machine - own) / seconds,
            "peak_mib": used.ru_maxrss / 1024,
            "work": self.work,
        }

    def close(self) -> None:
        """Nothing to do: no process outlives a turn."""


def race(
    title: str, contestants: Sequence[Contestant], rounds: int, warm: int = 1
) -> dict[str, Result]:
    """Let contestants take turns.

    Args:
        title: the title for the log.
        rounds: the number of slices of each contestant that count.
        warm: the number of slices before these, in which backends compile and caches fill.

    Returns:
        The results by name, in order. A contestant that fails drops out, and the others continue.
    """
    results = {contestant.name: Result(contestant.name) for contestant in contestants}
    with ExitStack() as stack:
        racing: list[Contestant] = []

        def attempt(contestant: Contestant, recorded: bool) -> None:
            result = results[contestant.name]
            try:
                turn = contestant.turn()
            except Failure as failure:
                result.failure = str(failure)
                log(f"{title}: {contestant.name} drops out: {failure}")
                racing.remove(contestant)
            else:
                if recorded:
                    result.turns.append(turn)

        for contestant in contestants:
            stack.callback(contestant.close)
            racing.append(contestant)
            try:
                results[contestant.name].setup = contestant.start()
            except Failure as failure:
                results[contestant.name].failure = str(failure)
                log(f"{title}: without {contestant.name}: {failure}")
                racing.remove(contestant)
                continue
            for _ in range(warm):
                if contestant in racing:
                    attempt(contestant, recorded=False)
        for _ in tqdm(range(rounds), desc=title, disable=not sys.stderr.isatty(), leave=False):
            for contestant in list(racing):
                attempt(contestant, recorded=True)
    return results


def call(function: str, environment: dict[str, str], **arguments: Any) -> None:
    """Run a function in a separate process, for example because it imports a backend."""
    worker = Worker(function, function, arguments, environment)
    try:
        worker.start()
    finally:
        worker.close()


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy with another process."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


# --- reports ----------------------------------------------------------------------------


def number(value: float) -> str:
    """Three significant digits, with commas; a dash if there is no number."""
    if not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(result: Result, reference: Result) -> str:
    """The median ratio of speeds, with its quartiles."""
    ratios = result.ratios(reference)
    if not ratios:
        return "–"
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def table(rows: Sequence[Row]) -> str:
    """A Markdown table with the keys of all rows as columns, in order of appearance."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---", *("--:" for _ in columns[1:])]]
    lines += [[row.get(column, "–") for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def disturbed(results: Iterable[Result]) -> str:
    """The number of slices in which other processes kept the machine busy."""
    others = [turn["others"] for result in results for turn in result.turns]
    return f"{sum(busy > NOISE for busy in others)} of {len(others)}"


def machine() -> dict[str, Any]:
    """The machine and versions on which the metrics depend."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "versions": backend.versions(),
    }


@dataclass
class Report:
    """Prints tables as soon as they are ready, and stores them with all metrics.

    Args:
        name: the name of the benchmark, used for ``<name>.md`` and ``<name>.json``.
        folder: the folder for these files.
        quick: whether it is a short run, whose metrics only show that everything works.
    """

    name: str
    folder: Path
    quick: bool
    _tables: list[str] = field(default_factory=list)
    _figures: dict[str, Any] = field(default_factory=dict)

    def add(self, title: str, rows: Sequence[Row], figures: Any, note: str = "") -> None:
        """Print a table with a note below it, and write it with the metrics behind it."""
        text = f"### {title}\n\n{table(rows)}\n" + (f"\n{note}\n" if note else "")
        print(text, flush=True)
        self._tables.append(text)
        self._figures[title] = figures
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{self.name}.md").write_text("\n".join(self._tables), encoding="utf-8")
        data = {
            "benchmark": self.name,
            "quick": self.quick,
            "machine": machine(),
            "figures": self._figures,
        }
        file = self.folder / f"{self.name}.json"
        file.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")

    def add_race(
        self, title: str, rows: Sequence[Row], results: dict[str, Result], **more: Any
    ) -> None:
        """Like :meth:`add`, with every slice of a race as the metrics behind the table."""
        slices = {name: asdict(result) for name, result in results.items()}
        note = f"Disturbed slices (more than {NOISE} cores taken by other processes): "
        note += f"{disturbed(results.values())}."
        self.add(title, rows, {"results": slices, **more}, note)
