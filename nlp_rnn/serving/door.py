"""What every request passes on its way in: the key, the queue, its size and time, and the metrics.

It is plain ASGI in front of the application, so that a request that is turned away costs little:
no body is read without a key, and none beyond its limit.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from nlp_rnn.serving.limits import Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = ("/health", "/ready")
"""The paths that need no key, because those who watch over servers have none."""

WITH_BODY = "/models/"
"""How the paths begin of which the body is read."""

OTHER = "other"
"""The path, in the metrics, of a request for none that is there."""


class Refused(Exception):
    """A request that is not let in.

    Args:
        status: the HTTP status.
        detail: what to change, in one line.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


class Door:
    """ASGI middleware.

    Args:
        app: the application inside.
        limits: what is let in.
        key: the key that requests must have; None lets everybody in.
        observe: called with path, name of the model, status and seconds of each request.

    Attributes:
        inside: the requests with a body that are being answered.
    """

    def __init__(
        self,
        app: App,
        limits: Limits,
        key: bytes | None,
        observe: Callable[[str, str, int, float], None],
    ) -> None:
        self._app = app
        self._limits = limits
        self._key = key
        self._observe = observe
        self.inside = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._let_in(scope, receive, noting)
        except Refused as refused:
            await _answer(refused, noting)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", OTHER)
            model = scope.get("model", "")
            self._observe(path, model, status, time.perf_counter() - started)

    async def _let_in(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self._check_key(scope["path"], headers)
        if scope["method"] != "POST" or not scope["path"].startswith(WITH_BODY):
            await self._app(scope, receive, send)
            return
        _check_json(headers)
        self._check_queue()
        body = await self._body(headers, receive)
        self._check_queue()
        self.inside += 1
        try:
            await self._app(scope, _replayed(body, receive), send)
        finally:
            self.inside -= 1

    def _check_key(self, path: str, headers: dict[bytes, bytes]) -> None:
        if self._key is None or path in OPEN:
            return
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        # In constant time, so that nobody can find the key letter by letter.
        if not hmac.compare_digest(key.strip(), self._key) or scheme.lower() != b"bearer":
            raise Refused(
                401,
                "send the server's API key in the header 'Authorization: Bearer KEY'",
                {"WWW-Authenticate": "Bearer"},
            )

    def _check_queue(self) -> None:
        if self.inside >= self._limits.queue:
            raise Refused(
                503, "the server is busy; send the request again later", {"Retry-After": "1"}
            )

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The body, within the limits of size and time."""
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._limits.body:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._limits.patience):
                return await self._read(receive)
        except TimeoutError:
            raise Refused(
                408, f"the body did not arrive within {self._limits.patience:g} s; send it faster"
            ) from None

    async def _read(self, receive: Receive) -> bytes:
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "the body is not complete; send all of it")
            body += message.get("body", b"")
            if len(body) > self._limits.body:
                raise self._too_large()
            more = message.get("more_body", False)
        return bytes(body)

    def _too_large(self) -> Refused:
        return Refused(
            413,
            f"the body has more than {self._limits.body:,} bytes; send fewer texts in a request",
        )


def _check_json(headers: dict[bytes, bytes]) -> None:
    """Refuse bodies of other kinds, which pages of other sites could send too."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refused(415, "send JSON, with the header 'Content-Type: application/json'")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A body that was read, and then whatever comes after it."""
    message: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def replay() -> Message:
        nonlocal message
        if message is None:
            return await receive()
        first, message = message, None
        return first

    return replay


async def _answer(refused: Refused, send: Send) -> None:
    body = json.dumps({"detail": refused.detail}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    pairs = (headers | refused.headers).items()
    await send(
        {
            "type": "http.response.start",
            "status": refused.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
        }
    )
    await send({"type": "http.response.body", "body": body})
