"""Serving: requests per second and latencies with 32 clients, beside MLflow's scoring server.

Both servers serve ``models:/sentiment-bilstm@current`` of the project's MLflow store, which
``make run`` registers, and take turns. Each client sends one review after the other over a
connection that it keeps, and checks every answer. The clients share the processors with the server.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import PROJECT, Report, Row, number
from benchmarks.worker import machine_busy
from nlp_rnn.config import load
from nlp_rnn.corpora import open_corpus
from nlp_rnn.tracking import tracking_uri

CLIENTS = 32
MODEL = "models:/sentiment-bilstm@current"
DATASET = "grammar-reviews"
START = 120.0
"""The most seconds that a server may take to start."""

Body = Callable[[str], Any]


@dataclass
class Server:
    """A server that is measured.

    Attributes:
        name: in the tables.
        command: that starts it, without the port.
        path: of predictions.
        ready: the path that answers with status 200 once it serves.
        body: from a text to the body of a request.
        seconds: the duration of each request.
        errors: the requests without predictions.
        elapsed: the duration of all turns.
    """

    name: str
    command: list[str]
    path: str
    ready: str
    body: Body
    seconds: list[float] = field(default_factory=list)
    errors: int = 0
    elapsed: float = 0.0
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """The server as a process of its own."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        environment = os.environ | {
            "MLFLOW_TRACKING_URI": tracking_uri(),
            "PYTHONPATH": str(PROJECT),
            # MLflow looks for the program uvicorn.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        self.process = subprocess.Popen(
            [*self.command, "--port", str(self.port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._wait()
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)  # MLflow's server has children
            self.process.wait(60)

    def _wait(self) -> None:
        assert self.process is not None
        for _ in range(int(START * 10)):
            try:
                client = HTTPConnection("127.0.0.1", self.port, timeout=10)
                client.request("GET", self.ready)
                if client.getresponse().status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"{' '.join(self.command)} does not serve; run 'make run' first")

    def turn(self, texts: list[str], seconds: float) -> None:
        """Let all clients ask for some seconds."""
        end = time.perf_counter() + seconds
        starts = np.linspace(0, len(texts), CLIENTS, endpoint=False).astype(int)
        clients = [
            threading.Thread(target=self._client, args=(texts[start:] + texts[:start], end))
            for start in starts
        ]
        started = time.perf_counter()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.elapsed += time.perf_counter() - started

    def _client(self, texts: list[str], end: float) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        for text in cycle(texts):
            body = json.dumps(self.body(text)).encode()
            started = time.perf_counter()
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", self.path, body, headers)
                answer = json.load(connection.getresponse())
                self.errors += len(answer.get("predictions", ())) != 1
            except (OSError, ValueError):
                self.errors += 1
                connection.close()
            self.seconds.append(time.perf_counter() - started)
            if time.perf_counter() > end:
                break
        connection.close()

    def memory(self) -> float:
        """The resident MiB of the process and its children."""
        assert self.process is not None
        pids = [self.process.pid, *_children(self.process.pid)]
        pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _children(pid: int) -> Iterator[int]:
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        yield child
        yield from _children(child)


OURS = Server(
    "nlp-rnn serve",
    [sys.executable, "-c", "from nlp_rnn.cli import main; main()", "serve", MODEL],
    "/models/sentiment-bilstm/predict",
    "/ready",
    lambda text: {"texts": [text]},
)
MLFLOW = Server(
    "mlflow models serve",
    [sys.executable, "-m", "mlflow", "models", "serve", "-m", MODEL, "--env-manager", "local"],
    "/invocations",
    "/ping",
    lambda text: {"dataframe_records": [{"text": text}]},
)


def measure(report: Report, only: str) -> None:
    """Measure both servers in turns."""
    servers = [server for server in (OURS, MLFLOW) if only in server.name]
    dataset = load(PROJECT / "params.yaml").datasets[DATASET]
    examples = islice(open_corpus(DATASET, dataset).read("test"), 1000)
    texts = [str(example.text) for example in examples]
    rounds, seconds = (1, 3.0) if report.quick else (4, 6.0)
    rows: list[Row] = []
    with OURS.running(), MLFLOW.running():
        for server in servers:
            server.turn(texts, 2.0)  # to warm up
            server.seconds, server.errors, server.elapsed = [], 0, 0.0
        before, cpu, started = [s.memory() for s in servers], machine_busy(), time.perf_counter()
        for _ in range(rounds):
            for server in servers:
                server.turn(texts, seconds)
        busy = (machine_busy() - cpu) / (time.perf_counter() - started)
        for server, memory in zip(servers, before, strict=True):
            p50, p99 = np.percentile(server.seconds, [50, 99]) * 1000
            rows.append(
                {
                    "": server.name,
                    "requests/s": number(len(server.seconds) / server.elapsed),
                    "p50, ms": number(p50),
                    "p99, ms": number(p99),
                    "errors": str(server.errors),
                    "MiB before and after": f"{memory:.0f}, {server.memory():.0f}",
                }
            )
    load_before = os.getloadavg()[2]
    note = (
        f"{busy:.1f} of {os.cpu_count()} cores were busy, clients included; the load of the "
        f"machine over 15 minutes was {load_before:.1f}."
    )
    report.add(f"Serving: {CLIENTS} clients, one review each", rows, rows, note)
