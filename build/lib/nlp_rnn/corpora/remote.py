"""Files at addresses (``https://``, ``s3://``, others of fsspec), each as a copy on this machine.

A copy is whole or absent. Beside it lies what the server said of the file when it was copied, such
as its ETag; where that has changed, :func:`local_copy` copies it anew if it is told to look.
"""

from __future__ import annotations

import contextlib
import re
import sys
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_rnn.corpora.download import SECONDS, TIMEOUT, unreachable
from nlp_rnn.errors import UserError
from nlp_rnn.extras import install_command, require
from nlp_rnn.files import read_json, whole_file, write_json
from nlp_rnn.process import log

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)

_HTTP = {"client_kwargs": {"trust_env": True}}
"""Take proxies from the environment, and passwords from ~/.netrc."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "http": _HTTP,
    "https": _HTTP,
    "s3": {"config_kwargs": {"connect_timeout": SECONDS, "read_timeout": TIMEOUT}},
}
"""The protocols that the extra ``remote`` serves, and how; others need a library of their own."""

_STATE = (
    *("ETag", "etag", "md5Hash", "Content-MD5", "Digest", "Last-Modified", "LastModified"),
    *("last_modified", "created", "mtime", "size"),
)
"""What servers say of a file that changes when it does, by the names that fsspec passes on."""


def is_address(given: str) -> bool:
    """Whether a path of ``params.yaml`` is an address."""
    return _ADDRESS.match(given) is not None


def local_copy(address: str, folder: Path, parameter: str, refresh: bool = False) -> Path:
    """The copy of the file at an address, made where there is none.

    Args:
        address: such as ``s3://bucket/reviews.parquet``.
        folder: the data folder; copies are kept in its ``remote``.
        parameter: what names the address, for messages.
        refresh: whether to look for a change of the file at its address, and copy it anew. Where
            that fails, the copy is used as it is.

    Raises:
        UserError: there is no copy and none can be made.
    """
    remote = _Remote(address, parameter, _place(address, folder, parameter))
    if not remote.copy.is_file():
        remote.fetch()
    elif refresh:
        try:
            remote.refresh()
        except UserError as error:
            log(f"{remote.copy}: is used as it is, as its source cannot be looked at: {error}")
    return remote.copy


def _place(address: str, folder: Path, parameter: str) -> Path:
    """Where the copy of an address lies."""
    if urllib.parse.urlsplit(address).password is not None:
        raise UserError(
            f"{parameter}: the address of {urllib.parse.urlsplit(address).hostname} holds a "
            "password, which data cards would show; write it into ~/.netrc instead"
        )
    protocol, _, rest = address.partition("://")
    names = rest.split("/")
    if {"", ".", ".."} & set(names):
        raise UserError(f"{address}: is no address of a single file ({parameter}); correct it")
    return folder.joinpath(
        "remote", protocol.lower(), *(urllib.parse.quote(name, "") for name in names)
    )


@dataclass(frozen=True)
class _Remote:
    """A file at an address.

    Attributes:
        address: where it is.
        parameter: what names the address, for messages.
        copy: where its copy lies.
    """

    address: str
    parameter: str
    copy: Path

    @property
    def _record(self) -> Path:
        """What the server said of the file when it was copied."""
        return self.copy.with_name(f"{self.copy.name}.origin.json")

    def fetch(self) -> None:
        """Copy the file."""
        system, path = self._open()
        with self._explained():
            self._fetch(system, path, _state(system, path))

    def refresh(self) -> None:
        """Copy the file anew if it has changed."""
        system, path = self._open()
        with self._explained():
            state = _state(system, path)
            record = self._record
            if record.is_file() and read_json(record, f"remove {record}")["state"] == state:
                return
            self._fetch(system, path, state)
        log(f"{self.address}: has changed; it was copied anew to {self.copy}")

    def _fetch(self, system: Any, path: str, state: dict[str, str]) -> None:
        from fsspec.callbacks import TqdmCallback

        with whole_file(self.copy) as partial, self._explained():
            bar = {"desc": self.copy.name, "unit": "B", "unit_scale": True}
            watched = {**bar, "disable": not sys.stderr.isatty()}
            system.get_file(path, str(partial), callback=TqdmCallback(tqdm_kwargs=watched))
        write_json(self._record, {"address": self.address, "state": state})

    def _open(self) -> tuple[Any, str]:
        """The file system of the address, which answers, and the path there.

        Raises:
            UserError: what reads it is not installed, or the host cannot be reached.
        """
        require("fsspec", "remote", str(self))
        import fsspec

        protocol = self.address.partition("://")[0].lower()
        try:
            system, path = fsspec.core.url_to_fs(self.address, **_OPTIONS.get(protocol, {}))
        except ImportError as error:
            remedy = " ".join(str(error).split())
            if protocol in _OPTIONS:
                remedy = f"install what reads it with: {install_command('remote')}"
            raise UserError(f"{self}: cannot be read: {remedy}") from None
        except ValueError as error:
            raise UserError(f"{self}: {error}; use https:// or s3://") from None
        with self._explained():
            host = system.s3.meta.endpoint_url if protocol == "s3" else self.address
        silent = unreachable({host}) if protocol in _OPTIONS else set()
        if silent:
            raise UserError(
                f"{self}: {', '.join(silent)} cannot be reached; connect to the network, or put "
                f"the file there by hand: {self.copy}"
            )
        return system, str(path)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what file systems raise within the block into a UserError."""
        try:
            yield
        except UserError:
            raise
        # Each file system has errors of its own, which say more than their classes do.
        except Exception as error:
            if str(getattr(error, "filename", "")).startswith(str(self.copy.parent)):
                raise  # the copy cannot be written, which whole_file explains
            status = getattr(error.__cause__ or error, "status", None)
            refused = isinstance(error, PermissionError) or "Credentials" in type(error).__name__
            if refused or status in (401, 403):
                reason = f"access is refused; {self._credentials()}"
            elif isinstance(error, FileNotFoundError) and status in (None, 404):
                reason = "there is no such file; correct the address"
            else:
                found = " ".join(str(error).split()) or type(error).__name__
                reason = f"cannot be read: {found if status is None else f'status {status}'}"
            raise UserError(f"{self}: {reason}") from error

    def _credentials(self) -> str:
        if self.address.lower().startswith("s3:"):
            return (
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or FSSPEC_S3_ANON=true for a "
                "public bucket"
            )
        return "write your name and password for it into ~/.netrc"

    def __str__(self) -> str:
        return f"{self.address} ({self.parameter})"


def _state(system: Any, path: str) -> dict[str, str]:
    info = system.info(path)
    return {name: str(info[name]) for name in _STATE if info.get(name) is not None}
