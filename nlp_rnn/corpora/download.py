"""Downloads that are checked, resumable by hand, and fail at once without a network."""

from __future__ import annotations

import socket
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256, whole_file

TIMEOUT = 30
"""Seconds without an answer before a download is given up."""


def reachable(url: str) -> bool:
    """Whether the host of ``url`` has an address: false at once where there is no network."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def ensure(file: Path, url: str | None, checksum: str | None, key: str) -> None:
    """Make sure that ``file`` exists, downloading it from ``url`` when it does not.

    Args:
        checksum: SHA-256 that a download must have; None accepts any.
        key: the parameter that names the file, for messages.

    Raises:
        UserError: missing and not downloadable, or the checksum differs.
    """
    if file.exists():
        return
    by_hand = f"put the file there, or set NLP_RNN_DATA to the folder that {key} is relative to"
    if url is None:
        raise UserError(f"{file}: no such file, named by {key}; {by_hand}")
    if not reachable(url):
        raise UserError(f"{file}: not there, and no network to get {url}; {by_hand}")
    from tqdm import tqdm

    with whole_file(file) as partial:
        try:
            with (
                urllib.request.urlopen(url, timeout=TIMEOUT) as answer,
                partial.open("wb") as out,
                tqdm(
                    total=int(answer.headers.get("Content-Length") or 0) or None,
                    unit="B",
                    unit_scale=True,
                    desc=file.name,
                    disable=not sys.stderr.isatty(),
                ) as bar,
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
