"""The process that serves: a socket, uvicorn, and clients that are slow."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from nlp_rnn.errors import UserError
from nlp_rnn.process import log
from nlp_rnn.serving.app import make_app
from nlp_rnn.serving.limits import Limits
from nlp_rnn.serving.metrics import Metrics
from nlp_rnn.serving.models import Models, Source

KEY = "NLP_RNN_API_KEY"
"""The environment variable of the API key."""

HEADER = 1 << 14
"""The most bytes of the first line and the headers of a request."""


def serve(
    sources: Sequence[Source],
    host: str,
    port: int,
    limits: Limits,
    key_file: Path | None = None,
    poll: float = 0,
) -> None:
    """Serve models until the process is told to stop, and then answer what has begun.

    Args:
        sources: the models.
        host: the address to listen at.
        port: the port; 0 takes any that is free.
        limits: what is taken from clients.
        key_file: the file of the API key; None takes it from the environment, if it is there.
        poll: the seconds after which aliases are looked up again; 0 never does.

    Raises:
        UserError: a model or the key is missing or broken, or the address is not free.
    """
    key = api_key(key_file)
    with listen(host, port) as listening:
        metrics = Metrics()
        models = Models(sources, metrics.batch)
        server: _Server | None = None
        door = make_app(
            models, metrics, limits, key, poll, lambda: bool(server and server.should_exit)
        )
        server = _Server(_configuration(door, limits))
        _announce(models, listening, key)
        asyncio.run(server.serve([listening]))
    log("stopped")


def api_key(file: Path | None) -> bytes | None:
    """The API key of a file, or of the environment; None if neither has one.

    Raises:
        UserError: the file cannot be read, or the key is no single line of visible characters.
    """
    if file is None:
        if KEY not in os.environ:
            return None
        origin, text = KEY, os.environ[KEY]
    else:
        try:
            origin, text = str(file), file.read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise UserError(
                f"{file}: the API key cannot be read ({error.strerror}); name its file with "
                "--api-key-file"
            ) from None
    key = text.strip()
    if not key or not all("!" <= character <= "~" for character in key):
        raise UserError(
            f"{origin}: expected an API key, one line of letters, digits and punctuation; make "
            "one with: openssl rand -hex 32"
        )
    return key.encode()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UserError: the address is unknown, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UserError(
            f"--host {host}: no such address ({error.strerror}); try 127.0.0.1"
        ) from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        raise UserError(
            f"--port {port}: {host} cannot be listened at ({error.strerror}); choose another port, "
            "or 0 for any that is free"
        ) from None
    return listening


def _announce(models: Models, listening: socket.socket, key: bytes | None) -> None:
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    for served in models:
        log(f"{url}/models/{served.name}: {served.task}, version {served.version}")
    local = host.startswith("127.") or host == "::1"
    if key is None and not local:
        log(f"anybody who reaches {host} may use these models; set an API key (--api-key-file)")
    log(f"{url}/openapi.json documents all paths; Ctrl-C or SIGTERM ends the server")


def _configuration(door: Any, limits: Limits) -> uvicorn.Config:
    # What clients send in error is no error of ours, nor is it if they leave.
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
    protocol = type("Protocol", (PatientProtocol,), {"patience": limits.patience})
    return uvicorn.Config(
        door,
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=math.ceil(limits.seconds + limits.patience),
        h11_max_incomplete_event_size=HEADER,
    )


class _Server(uvicorn.Server):
    """Stops gracefully at a signal, and at once at the second; both are no failure."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


class PatientProtocol(H11Protocol):
    """Waits for a client as long as ``patience`` says, in seconds, and then hangs up.

    Nobody can keep a connection by sending a request, or reading an answer, byte by byte.
    """

    patience: float
    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()  # the request is ours now, and the door bounds its body
        else:
            self._wait()

    def on_response_complete(self) -> None:
        self._wait()  # for the rest of a body that was refused
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.patience, self._hang_up)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread:
            self._unread.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        """Begin to wait for a request, unless that has begun."""
        if self._waiting is None:
            self._waiting = self.loop.call_later(self.patience, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    def _hang_up(self) -> None:
        self.transport.abort()
