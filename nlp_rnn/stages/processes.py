"""The processes of one training: joining them, and starting those on this machine."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from nlp_rnn import backend
from nlp_rnn.errors import UserError
from nlp_rnn.process import Terminated, hush, log
from nlp_rnn.training import devices

PROCESSES = "NLP_RNN_PROCESSES"
"""The number of processes that train together. Where it is set, each uses all its devices."""

PROCESS = "NLP_RNN_PROCESS"
"""Which of them this is, from 0."""

COORDINATOR = "NLP_RNN_COORDINATOR"
"""Host and port of process 0. Without it, process 0 starts the others on this machine."""

LOST = "another process of this training has ended; start all of them again to resume"

SECONDS_TO_END = 20.0
"""The time that processes started here have to end after process 0."""


def _number(variable: str, least: int) -> int | None:
    """The whole number that an environment variable says; None if it is not set."""
    text = os.environ.get(variable, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise UserError(f"{variable}: expected a whole number of at least {least}, not '{text}'")
    return int(text)


@contextmanager
def together(name: str, configured: str | None) -> Iterator[None]:
    """Train an experiment with the processes that the environment asks for.

    Args:
        name: the experiment.
        configured: the backend of params.yaml.

    Raises:
        UserError: variables are wrong or do not fit together, the backend is not JAX, or another
            process has ended.
    """
    count = _number(PROCESSES, 1)
    if count is None:
        yield
        return
    if (chosen := backend.chosen(configured)) != "jax":
        raise UserError(
            f"{PROCESSES}: only JAX trains on several devices, not {chosen}; set backend: jax in "
            f"params.yaml, or unset {PROCESSES}"
        )
    with _started(name, count) as (process, coordinator, others):
        if process:
            _silence()
        devices.meet(process, count, coordinator)
        log(f"training with {count} processes")
        try:
            yield
            devices.part()
        except BaseException as error:
            if count == 1:
                raise
            atexit.register(_end_at_once, _status(error))
            if devices.is_loss_of_another(error):
                raise UserError(
                    LOST + "".join(f"; it said: {line}" for line in others.last_lines())
                ) from None
            raise


def _status(error: BaseException) -> int:
    """The exit status of a command that ends with an error."""
    if isinstance(error, Terminated):
        return int(error.code or 1)
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 2 if isinstance(error, UserError) or devices.is_loss_of_another(error) else 1


def _end_at_once(status: int) -> None:
    """End without JAX's farewell, which would wait for processes that are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _silence() -> None:
    """Log nothing that process 0 logs, nor what JAX's C++ code says when process 0 is gone."""
    hush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    if sys.platform == "linux":
        ctypes.CDLL(None).signal(signal.SIGABRT, _aborted)


@ctypes.CFUNCTYPE(None, ctypes.c_int)  # type: ignore[untyped-decorator]
def _aborted(number: int) -> None:
    """Say it in one line where JAX's C++ code ends this process because process 0 is gone."""
    os.write(sys.stderr.fileno(), f"error: {LOST}\n".encode())
    os._exit(2)


class _Others:
    """The processes that this one has started, and what they wrote to standard error."""

    def __init__(self) -> None:
        self._running: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []

    def start(self, command: list[str], variables: dict[str, str]) -> None:
        errors = tempfile.TemporaryFile()  # noqa: SIM115
        process = subprocess.Popen(command, env=os.environ | variables, stderr=errors)
        self._running.append((process, errors))

    def last_lines(self) -> list[str]:
        """The last line of each that said something."""
        found = []
        for _, errors in self._running:
            errors.seek(0)
            found += errors.read().decode(errors="replace").splitlines()[-1:]
        return found

    def end(self, seconds: float) -> None:
        """Wait for all of them, then end those that still run."""
        for process, errors in self._running:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            errors.close()


@contextmanager
def _started(name: str, count: int) -> Iterator[tuple[int, str, _Others]]:
    """This process's number, the address of process 0, and the processes that were started here."""
    process, coordinator = _number(PROCESS, 0), os.environ.get(COORDINATOR)
    others = _Others()
    if (process is None) != (coordinator is None):
        raise UserError(f"{PROCESS} and {COORDINATOR}: set both, or neither")
    if process is not None and coordinator is not None:
        _, colon, port = coordinator.rpartition(":")
        if not colon or not port.isdigit():
            raise UserError(f"{COORDINATOR}: expected HOST:PORT, not '{coordinator}'")
        if process >= count:
            raise UserError(f"{PROCESS}: expected 0 to {count - 1}, not {process}")
        yield process, coordinator, others
        return
    coordinator = f"127.0.0.1:{_free_port()}"
    command = "import sys; from nlp_rnn.cli import main; sys.exit(main(sys.argv[1:]))"
    seconds = 0.0
    try:
        for number in range(1, count):
            variables: dict[str, Any] = {PROCESS: str(number), COORDINATOR: coordinator}
            others.start([sys.executable, "-c", command, "stage", "train", name], variables)
        yield 0, coordinator, others
        seconds = SECONDS_TO_END
    finally:
        others.end(seconds)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
