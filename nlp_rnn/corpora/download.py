"""Verified downloads that fail immediately if there is no network."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.parse
import urllib.request
from functools import partial
from http.client import HTTPResponse
from pathlib import Path

from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256, whole_file
from nlp_rnn.progress import progress

SECONDS = 2.0
"""The longest wait in seconds for a host to be found and to answer."""

TIMEOUT = 30
"""The number of seconds without data after which a download is aborted."""


def unreachable(urls: set[str]) -> set[str]:
    """The hosts of ``urls`` (or the proxies before them) that do not answer.

    All are tried in parallel, so that the answer takes at most :data:`SECONDS` seconds.
    """
    proxies = urllib.request.getproxies()
    addresses: set[tuple[str, int]] = set()
    for url in urls:
        parsed = urllib.parse.urlparse(url)
        proxy = proxies.get(parsed.scheme)
        if proxy and not urllib.request.proxy_bypass(parsed.hostname or ""):
            parsed = urllib.parse.urlparse(proxy if "//" in proxy else f"//{proxy}")
        addresses.add((parsed.hostname or url, parsed.port or _port(parsed.scheme)))
    answered: set[tuple[str, int]] = set()
    threads = [
        threading.Thread(target=partial(_connect, address, answered), daemon=True)
        for address in addresses
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + SECONDS
    for thread in threads:
        # A name lookup has no time limit of its own; the thread is abandoned.
        thread.join(max(0.0, deadline - time.monotonic()))
    return {host for host, port in addresses - answered}


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _connect(address: tuple[str, int], answered: set[tuple[str, int]]) -> None:
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=SECONDS):
        answered.add(address)


def ensure(file: Path, url: str | None, checksum: str | None, key: str) -> None:
    """Make sure that ``file`` exists, downloading it from ``url`` if it does not.

    Args:
        checksum: the SHA-256 that the file must have; None accepts any.
        key: the parameter that names the file, for messages.

    Raises:
        UserError: the file is missing and cannot be downloaded, or its checksum differs.
    """
    if file.exists():
        found = sha256(file) if checksum is not None else None
        if found != checksum:
            raise UserError(
                f"{file}: its SHA-256 is {found}, but {key} expects {checksum}; put the right file "
                "there, or correct the checksum"
            )
        return
    by_hand = f"put the file there, or set NLP_RNN_DATA to the folder that {key} is relative to"
    if url is None:
        raise UserError(f"{file}: no such file, named by {key}; {by_hand}")
    if not url.startswith(("https://", "http://")):
        raise UserError(f"{url}: is no address of the web ({key}); {by_hand}")
    if unreachable({url}):
        raise UserError(f"{file}: missing, and there is no network to get {url}; {by_hand}")
    with whole_file(file) as partial:
        try:
            with (
                urllib.request.urlopen(url, timeout=TIMEOUT) as answer,  # nosec B310
                partial.open("wb") as out,
                progress(None, file.name, "B", _size(answer), unit_scale=True, leave=True) as bar,
            ):
                while block := answer.read(1 << 20):
                    out.write(block)
                    bar.update(len(block))
        except OSError as error:
            raise UserError(f"{url}: download failed ({error}); try again, or {by_hand}") from None
        found = sha256(partial)
        if checksum is not None and found != checksum:
            raise UserError(
                f"{url}: the download's SHA-256 is {found}, expected {checksum}; nothing was kept: "
                f"try again, or correct the checksum beside {key}"
            )


def _size(answer: HTTPResponse) -> int | None:
    """The size of a download in bytes, if the server tells."""
    return int(answer.headers.get("Content-Length") or 0) or None
