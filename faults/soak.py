"""Long runs, and what they leave flat: ``python -m faults.soak predict --units 5000000``.

While a process works, its memory, its open files and the units that it has done are read twice a
second. The table compares the first with the last fifth of the units, without the first twentieth,
in which memory is taken and programs are compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import IO

from faults.project import PARAMETERS, Project
from nlp_rnn.markdown import markdown_table
from nlp_rnn.process import log

MODEL = "models/small"

EVERY = 0.5
"""Seconds between two readings."""

SEARCH = """\
search:
  rates:
    experiment: small
    trials: {units}
    space:
      training.learning_rate: {{low: 0.001, high: 0.1, log: true}}
      training.epochs: [1]
"""

RUNS = """\
import sys
from pathlib import Path
from nlp_rnn import tracking
for number in range(int(sys.argv[1])):
    with tracking.run("soak", f"run {number}") as run:
        run.log_parameters({"model": {"units": number}})
        for step in range(1, 6):
            run.log_metrics({"train": {"loss": 1 / step}}, step)
        run.log_file(Path("params.yaml"))
"""

CTRL_C, READER_LEFT = 130, 0
"""Exit statuses."""

SENTENCE = "Ann Lee lives in Rome"
"""What is predicted for; each text ends with a number of its own."""


@dataclass(frozen=True)
class Reading:
    """How a process stood at a moment: ``seconds``, ``units`` done, ``mib`` resident, ``files``."""

    seconds: float
    units: int
    mib: float
    files: int


@dataclass
class Watched:
    """A process, and a thread that reads how it stands until it has ended."""

    process: subprocess.Popen[bytes]
    units: Callable[[], int]
    readings: list[Reading] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        folder, began = Path(f"/proc/{self.process.pid}"), time.monotonic()
        while self.process.poll() is None:
            try:
                pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
                files = len(os.listdir(folder / "fd"))
            except OSError:
                return  # it ends
            mib = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            self.readings.append(Reading(time.monotonic() - began, self.units(), mib, files))
            time.sleep(EVERY)

    def row(self, name: str, unit: str) -> list[str]:
        """The first and the last fifth of the units, side by side."""
        most = self.readings[-1].units
        first, last = (
            [r for r in self.readings if low * most <= r.units <= high * most]
            for low, high in ((0.05, 0.25), (0.8, 1.0))
        )
        if not (first and last):
            raise SystemExit(f"{name}: {most:,} {unit} were done too soon to compare; ask for more")

        def both(of: Callable[[list[Reading]], float], digits: str) -> str:
            return f"{of(first):{digits}}, {of(last):{digits}}"

        return [
            name,
            f"{most:,} {unit}",
            f"{self.readings[-1].seconds / 60:.1f}",
            both(_rate, ",.1f"),
            both(lambda part: max(r.mib for r in part), ",.0f"),
            both(lambda part: fmean(r.files for r in part), ".0f"),
        ]


def _rate(part: list[Reading]) -> float:
    """Units a second."""
    return (part[-1].units - part[0].units) / max(part[-1].seconds - part[0].seconds, EVERY)


def _started(project: Project, command: list[str], piped: bool = False) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE if piped else subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=project.folder, stdin=pipe, stdout=pipe, env=_environment()
    )


def _environment() -> dict[str, str]:
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    return os.environ | {"PATH": os.pathsep.join(paths), "PYTHONPATH": os.getcwd()}


def predict(project: Project, units: int) -> list[str]:
    """Lines through a pipe: all come out, in order; Ctrl-C and a closed pipe end it cleanly."""
    command = ["nlp-rnn", "predict", MODEL, "-", "-"]
    process, done = _started(project, command, piped=True), 0
    assert process.stdin and process.stdout
    watched = Watched(process, lambda: done)
    threading.Thread(target=_write_lines, args=(process.stdin, units), daemon=True).start()
    for line in process.stdout:
        number = json.loads(line)["tokens"][-1]
        if number != str(done):
            raise SystemExit(f"line {done} was expected, not {number}")
        done += 1
    if (process.wait(), done) != (0, units):
        raise SystemExit(f"status {process.returncode} after {done} of {units} lines")
    _disturb(project, command, units)
    return watched.row("`predict` from a pipe to a pipe", "lines")


def _disturb(project: Project, command: list[str], units: int) -> None:
    """Ctrl-C, then a reader that leaves, in the middle of the lines."""
    for expected in (CTRL_C, READER_LEFT):
        process = _started(project, command, piped=True)
        assert process.stdin and process.stdout
        threading.Thread(target=_write_lines, args=(process.stdin, units), daemon=True).start()
        process.stdout.readline()
        if expected == CTRL_C:
            process.send_signal(signal.SIGINT)
        else:
            process.stdout.close()
        if process.wait(60) != expected:
            raise SystemExit(f"ended with status {process.returncode}, not {expected}")


def _write_lines(pipe: IO[bytes], count: int) -> None:
    try:
        for number in range(count):
            pipe.write(f"{SENTENCE} {number}\n".encode())
        pipe.close()
    except OSError:
        pass  # the reader has ended


CLIENTS = 16
"""The number of threads that ask a server."""


def serve(project: Project, units: int) -> list[str]:
    """Requests of many clients at once: each is answered, none by an error."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = _started(project, ["nlp-rnn", "serve", MODEL, "--port", str(port)])
    address, statuses = f"http://127.0.0.1:{port}", Counter[int]()
    while _status(f"{address}/ready") != 200:
        if process.poll() is not None:
            raise SystemExit("the server did not start")
        time.sleep(0.1)
    watched = Watched(process, lambda: statuses[200])
    left = iter(range(units))  # shared by the clients; next() of a range iterator is atomic
    clients = [
        threading.Thread(target=_ask, args=(f"{address}/models/small/predict", left, statuses))
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    process.terminate()
    process.wait(60)
    if statuses != {200: units}:
        raise SystemExit(f"statuses of the answers: {dict(statuses)}")
    return watched.row(f"`serve`, {CLIENTS} clients", "requests")


def _ask(address: str, left: Iterator[int], statuses: Counter[int]) -> None:
    for number in left:
        body = json.dumps({"texts": [f"{SENTENCE} {number}"]}).encode()
        statuses[_status(address, body)] += 1


def _status(address: str, body: bytes | None = None) -> int:
    headers = {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def search(project: Project, units: int) -> list[str]:
    """Trials of one search."""
    text = PARAMETERS + SEARCH.format(units=units)
    (project.folder / "params.yaml").write_text(text, encoding="utf-8")
    return _runs(project, ["nlp-rnn", "search", "rates"], units, "`search`", "trials")


def store(project: Project, units: int) -> list[str]:
    """Runs in one MLflow store."""
    command = [sys.executable, "-c", RUNS, str(units)]
    return _runs(project, command, units, "runs in one MLflow store", "runs")


def _runs(project: Project, command: list[str], units: int, name: str, unit: str) -> list[str]:
    """A process that makes one MLflow run after the other."""
    before = _finished(project)
    process = _started(project, command)
    # A search has a run of its own beside those of its trials.
    watched = Watched(process, lambda: min(_finished(project) - before, units))
    if status := process.wait():
        raise SystemExit(f"{name} ended with status {status}")
    return watched.row(name, unit)


def _finished(project: Project) -> int:
    """The number of runs in the store that have ended."""
    with closing(sqlite3.connect(f"file:{project.folder}/mlflow.db?mode=ro", uri=True)) as database:
        [[count]] = database.execute("SELECT COUNT(*) FROM runs WHERE status = 'FINISHED'")
        return int(count)


SOAKS = {predict: 5_000_000, serve: 300_000, search: 200, store: 500}
"""Each with its number of units."""


def main() -> None:
    """Run the soaks, write the table."""
    names = [soak.__name__ for soak in SOAKS]
    parser = argparse.ArgumentParser(
        prog="python -m faults.soak",
        description="Let a command work for long, and see whether its memory, its open files and "
        "its speed stay as they are.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; or all")
    parser.add_argument("--units", type=int, help="lines, requests, trials or runs of each")
    parser.add_argument("--output", type=Path, default=Path("reports/soak.md"), help="the table")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no soak '{min(unknown)}'; see --help")
    rows = []
    with tempfile.TemporaryDirectory(prefix="nlp_rnn-soak-") as folder:
        project = Project.create(Path(folder) / "project")
        if (ended := project.repro()).status:
            raise SystemExit(f"the project could not be made: {ended.said}")
        for soak, usual in SOAKS.items():
            if not options.names or soak.__name__ in options.names:
                rows.append(soak(project, options.units or usual))
                log(" | ".join(rows[-1]))
    columns = ("what", "units", "minutes", "units a second", "MiB", "open files")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(markdown_table(columns, rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
