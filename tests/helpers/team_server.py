"""MLflow as teams run it: a tracking server on PostgreSQL, with its artifacts in an S3 store.

All three are real programs in a temporary folder. MLflow, psycopg2, boto3 and moto come from the
environment whose interpreter ``NLP_RNN_TEAM_SERVER`` names, else from that of the tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PYTHON = os.environ.get("NLP_RNN_TEAM_SERVER") or sys.executable
"""The interpreter of the environment of the servers."""

PROGRAMS = ("initdb", "pg_ctl", "psql")
MODULES = ("mlflow", "psycopg2", "boto3", "moto")
SECONDS = 120.0
"""The longest that a server may take to start, on a busy machine."""

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "team",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def lacking() -> str | None:
    """What is missing to start the servers, for the reason of a skipped test."""
    programs = [name for name in PROGRAMS if shutil.which(name) is None]
    if programs:
        return f"no {', '.join(programs)} on PATH: install PostgreSQL and put its bin on PATH"
    if os.geteuid() == 0 and _unprivileged() is None:
        return "PostgreSQL refuses root, and there is no user postgres or nobody"
    look = f"from importlib.util import find_spec as f; print(*[m for m in {MODULES} if not f(m)])"
    try:
        found = subprocess.run([PYTHON, "-c", look], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return f"NLP_RNN_TEAM_SERVER: {PYTHON} is no interpreter"
    if missing := found.stdout.split():
        return f"{PYTHON} lacks {', '.join(missing)}: see tests/README.md"
    return None


def _unprivileged() -> str | None:
    """A user that PostgreSQL may run as, where the tests run as root."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class TeamServer:
    """The three servers.

    Attributes:
        uri: of the tracking server, for ``MLFLOW_TRACKING_URI``.
        log: the file that the tracking server and the S3 store write to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database, s3, tracking = free_port(), free_port(), free_port()
        self._user = {"user": _unprivileged()} if os.geteuid() == 0 else {}
        self.uri, self._s3 = f"http://127.0.0.1:{tracking}", f"http://127.0.0.1:{s3}"
        self.log = folder / "servers.log"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")},
            **CREDENTIALS,
            "MLFLOW_S3_ENDPOINT_URL": self._s3,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PYTHONPATH": "",
        }
        self._running: list[subprocess.Popen[bytes]] = []
        self._tracking: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start all three."""
        self._start_database()
        self._running.append(self._start("moto.server", "-H", "127.0.0.1", "-p", self._s3[17:]))
        _until(lambda: _answers(f"{self._s3}/moto-api/data.json"), "the S3 store")
        bucket = f"import boto3; boto3.client('s3', endpoint_url='{self._s3}')"
        subprocess.run(
            [PYTHON, "-c", f"{bucket}.create_bucket(Bucket='mlflow')"],
            env=self._environment,
            check=True,
        )
        self.start_tracking()

    def _start_database(self) -> None:
        data = self._folder / "postgres"
        data.mkdir()
        if self._user:
            self._folder.chmod(0o755)
            shutil.chown(data, self._user["user"])
        self._postgres("initdb", "-U", "mlflow", "-A", "trust", "--no-sync", "-D", str(data))
        options = f"-p {self._database} -c listen_addresses=127.0.0.1 -k '' -c fsync=off"
        log = str(data / "log")
        self._postgres("pg_ctl", "-D", str(data), "-l", log, "-o", options, "-w", "start")
        self.query("CREATE DATABASE mlflow", "postgres")

    def _postgres(self, *command: str) -> None:
        subprocess.run(
            command,
            cwd=self._folder / "postgres",
            stdout=subprocess.DEVNULL,
            check=True,
            **self._user,
        )

    def query(self, sql: str, database: str = "mlflow") -> list[str]:
        """The lines that PostgreSQL answers."""
        address = ("-h", "127.0.0.1", "-p", str(self._database), "-U", "mlflow", "-d", database)
        found = subprocess.run(
            ["psql", *address, "-At", "-c", sql], capture_output=True, text=True, check=True
        )
        return found.stdout.splitlines()

    def expire_connections(self) -> int:
        """End every connection that the tracking server holds, and say how many those were."""
        others = "datname = 'mlflow' AND pid <> pg_backend_pid()"
        return len(
            self.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        )

    def start_tracking(self, *, wait: bool = True) -> None:
        """Start the tracking server, at the address that it had before."""
        store = f"postgresql+psycopg2://mlflow@127.0.0.1:{self._database}/mlflow"
        place = ("--host", "127.0.0.1", "--port", self.uri.rpartition(":")[2], "--workers", "1")
        kept = ("--backend-store-uri", store, "--artifacts-destination", "s3://mlflow/artifacts")
        self._tracking = self._start("mlflow", "server", *place, *kept)
        if wait:
            _until(lambda: _answers(f"{self.uri}/health"), "the tracking server")

    def kill_tracking(self) -> None:
        """End the tracking server at once, with all requests that it is answering."""
        if self._tracking is not None:
            _end(self._tracking, signal.SIGKILL)
            self._tracking = None

    def stored(self) -> list[str]:
        """The keys of all objects in the S3 store."""
        listed = f"import boto3; s3 = boto3.client('s3', endpoint_url='{self._s3}')\n"
        listed += "for page in s3.get_paginator('list_objects_v2').paginate(Bucket='mlflow'):\n"
        listed += "    print(*[o['Key'] for o in page.get('Contents', [])], sep='\\n')"
        found = subprocess.run(
            [PYTHON, "-c", listed],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return found.stdout.split()

    def stop(self) -> None:
        """Stop all three."""
        self.kill_tracking()
        for process in self._running:
            _end(process, signal.SIGKILL)
        data = str(self._folder / "postgres")
        with suppress(subprocess.CalledProcessError):
            self._postgres("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [PYTHON, "-m", module, *arguments],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """End a server and the processes that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


def _until(condition: Callable[[], bool], name: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{name} did not answer within {SECONDS:.0f} s")
        time.sleep(0.1)


@contextmanager
def team_server() -> Iterator[TeamServer]:
    """The servers, for the duration of the block."""
    with tempfile.TemporaryDirectory(prefix="team-", ignore_cleanup_errors=True) as folder:
        server = TeamServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


if __name__ == "__main__":
    if reason := lacking():
        sys.exit(reason)
    with team_server() as running:
        print(f"export MLFLOW_TRACKING_URI={running.uri}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
