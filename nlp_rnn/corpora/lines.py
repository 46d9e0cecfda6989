"""Files as bytes, hashes and numbered lines; every fault in them is a UserError."""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal

from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.errors import UserError
from nlp_rnn.files import sha256
from nlp_rnn.limits import TEXT_BYTES

BadBytes = Literal["error", "replace"]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

HEAD = 1 << 16
"""The number of bytes at the start of a file from which its line endings are recognised."""


@contextmanager
def open_binary(path: Path) -> Iterator[BufferedReader]:
    """Open a file for reading.

    Raises:
        UserError: it is missing, a folder or not readable, now or within the ``with`` block.
    """
    try:
        with path.open("rb") as stream:
            yield stream
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, expected a file") from None
    except PermissionError:
        raise UserError(f"{path}: permission denied; make it readable (chmod u+r)") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None


def whole_text(stream: BinaryIO, name: Path | str) -> bytes:
    """All bytes of a file that holds a single text.

    Raises:
        UserError: it is too long; see :data:`~nlp_rnn.limits.TEXT_BYTES`.
    """
    raw = stream.read(TEXT_BYTES.most + 1)
    TEXT_BYTES.check(len(raw), str(name))
    return raw


def fingerprint(path: Path) -> dict[str, str | int]:
    """The hash and size of a file, or of a folder with all its contents.

    The hash of a folder is taken over the sorted relative names and hashes of its files, so it does
    not depend on the folder's location.

    Returns:
        ``sha256`` in hexadecimal and ``bytes``.
    """
    if not path.is_dir():
        return {"sha256": sha256(path), "bytes": path.stat().st_size}
    digest = hashlib.sha256()
    size = 0
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        name = file.relative_to(path).as_posix()
        digest.update(os.fsencode(f"{name}\0{sha256(file)}\n"))
        size += file.stat().st_size
    return {"sha256": digest.hexdigest(), "bytes": size}


def decode(raw: bytes, bad_bytes: BadBytes, path: Path | str, line: int = 1) -> str:
    """UTF-8 bytes as text.

    A NUL counts as undecodable, because text contains none, but UTF-16 and binary files do.

    Args:
        raw: the bytes of one or several lines.
        bad_bytes: ``error``, or ``replace`` to read undecodable bytes as U+FFFD.
        path: the file, for the message.
        line: the line at which ``raw`` begins, counted from 1.

    Raises:
        UserError: ``bad_bytes`` is ``error`` and there is such a byte; the message names file, line
            and byte.
    """
    try:
        text = raw.decode("utf-8")
        if "\0" not in text:
            return text
        start = raw.index(b"\0")
    except UnicodeDecodeError as error:
        start = error.start
    if bad_bytes == "replace":
        return raw.decode("utf-8", errors="replace").replace("\0", REPLACEMENT)
    if line == 1 and _is_utf_16(raw):
        raise UserError(f"{path}: is UTF-16 text; save the file as UTF-8")
    line += raw.count(b"\n", 0, start)
    raise SettingError(
        f"{path}, line {line}: byte 0x{raw[start]:02x} is not UTF-8 text; save the file as UTF-8, "
        "or set ",
        Setting("bad_bytes", "replace"),
    )


def _is_utf_16(raw: bytes) -> bool:
    """Whether a file that begins so is UTF-16: by its mark, or as every other byte is a NUL."""
    head = raw[:HEAD]
    halves = head[::2], head[1::2]
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or any(
        2 * half.count(0) > len(half) and not other.count(0)
        for half, other in (halves, halves[::-1])
    )


def without_bom(raw: bytes) -> bytes:
    """The beginning of a file without the byte-order mark that some editors write."""
    return raw.removeprefix(codecs.BOM_UTF8)


def raw_lines(stream: BinaryIO) -> Iterator[bytes]:
    r"""Stream the lines of a text file, each with its line ending; a CR becomes ``\n``.

    Lines end at ``\n``, and any other ``\r`` is data: it may be inside a quoted field or a line of
    running text. Only a file whose first 64 KiB (:data:`HEAD`) contain a ``\r`` but no ``\n`` has
    the line endings of classic Mac OS, which Excel still writes as "CSV (Macintosh)": its lines end
    at ``\r``, ``\n`` or ``\r\n``.

    If a line is longer than :data:`~nlp_rnn.limits.TEXT_BYTES`, its beginning is returned, one byte
    longer than the limit, and :func:`numbered` rejects it.
    """
    longest = TEXT_BYTES.most + 1
    head = stream.readline(HEAD)
    if b"\n" not in head and b"\r" in head[:-1]:
        yield from _lines_at_returns(stream, head, longest)
        return
    if head:
        yield head if head.endswith(b"\n") else head + stream.readline(longest)
    yield from iter(partial(stream.readline, longest), b"")


def _lines_at_returns(stream: BinaryIO, head: bytes, longest: int) -> Iterator[bytes]:
    rest = head
    while len(rest) < longest and (block := stream.read(HEAD)):
        *lines, rest = rest.splitlines(keepends=True)
        yield from (line.rstrip(b"\r\n") + b"\n" for line in lines)
        rest += block
    yield from (line + b"\n" for line in rest.splitlines())


def numbered(
    lines: Iterable[bytes], bad_bytes: BadBytes, name: Path | str
) -> Iterator[tuple[int, str]]:
    r"""Stream raw lines as ``(number, line)``, counted from 1, without the ``\n``.

    Args:
        lines: the lines of :func:`raw_lines`.
        bad_bytes: how to treat undecodable UTF-8.
        name: the name of the file or stream, for the message.

    Raises:
        UserError: a line contains bytes that are not UTF-8, or is too long.
    """
    longest = TEXT_BYTES.most
    for number, raw in enumerate(lines, 1):
        if len(raw) > longest:
            raise TEXT_BYTES.exceeded(f"{name}, line {number}")
        if number == 1:
            raw = without_bom(raw)
        yield number, decode(raw, bad_bytes, name, number).removesuffix("\n")


def numbered_lines(path: Path, bad_bytes: BadBytes) -> Iterator[tuple[int, str]]:
    r"""Stream a text file as ``(number, line)``, counted from 1, without the ``\n``.

    Lines end as in :func:`raw_lines`, because text from the web contains other characters that
    Unicode counts as line ends (U+2028, U+0085) within a line. A ``\r`` before the ``\n`` is kept.

    Raises:
        UserError: the file cannot be read, contains bytes that are not UTF-8, or has a line that is
            too long.
    """
    with open_binary(path) as stream:
        yield from numbered(raw_lines(stream), bad_bytes, path)


def read_lines(path: Path, bad_bytes: BadBytes) -> Iterator[str]:
    r"""Stream the lines of running text, including blank ones, without their ``\n`` or ``\r\n``."""
    for _, line in numbered_lines(path, bad_bytes):
        yield line.removesuffix("\r")
