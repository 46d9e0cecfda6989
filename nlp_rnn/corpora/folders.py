"""Texts in one file each, in folders named after their labels, on disk or in an archive.

The layout of the Large Movie Review Dataset (Maas et al. 2011, "Learning Word Vectors for
Sentiment Analysis"): ``train/pos/0_9.txt``. The direct sub-folders are the labels, except hidden
ones and ``unsup``, where that data set keeps unlabelled texts. Files are read if their name ends in
``.txt`` (in any case) or has no suffix, as in 20 Newsgroups (``sci.space/60151``); another suffix
can be chosen. Hidden files (``.DS_Store``), files with other suffixes, files next to the label
folders and those in deeper folders are left out, counted and named. When read as running text, the
texts of ``unsup`` are included, and none has a label.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from io import SEEK_SET, BufferedIOBase, BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath
from typing import IO

from nlp_rnn.corpora.lines import BadBytes, decode, open_binary, whole_text, without_bom
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.limits import EXPANSION, TEXT_BYTES, largest_unpacked

UNLABELLED = "unsup"

OTHER_SUFFIX = "of a suffix other than .txt"
"""The reason for leaving out a file that the parameter ``suffix`` could include."""

DEEPER = "in deeper folders"
"""Why a file is left out that does not lie directly in the folder of a label."""

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")

LONGEST_READ = 1 << 20
"""The most bytes that a header of a tar archive may have, and that are read at once."""

_BROKEN = (
    NotImplementedError,  # a compression that zipfile does not know
    OverflowError,
    tarfile.TarError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
)


def is_archive(path: Path) -> bool:
    """Whether :func:`read_archive` reads archives with this name."""
    return path.name.lower().endswith(ARCHIVES)


def _example(raw: bytes, label: str, where: str, bad_bytes: BadBytes) -> Example:
    return Example(text=decode(without_bom(raw), bad_bytes, where), label=label)


@dataclass
class Selection:
    """Decides which files of a tree are texts, and records which were left out.

    Args:
        labelled: false drops the labels and includes the unlabelled texts.
        suffix: the ending of the names of texts, in any case; None for ``.txt`` or no suffix.

    Attributes:
        left_out: for each reason, the number of files and the first of them.
    """

    labelled: bool = True
    suffix: str | None = None
    left_out: dict[str, tuple[int, str]] = field(default_factory=dict)

    def label(self, name: str) -> str | None:
        """The label of the file ``name`` (relative, written with ``/``); None to leave it out."""
        *folders, file = name.split("/")
        reason = self._reason(folders, file)
        if reason is not None:
            self.leave_out(name, reason)
            return None
        return folders[0] if self.labelled else ""

    def leave_out(self, name: str, reason: str) -> None:
        """Record that a file is not read."""
        count, first = self.left_out.get(reason, (0, name))
        self.left_out[reason] = (count + 1, first)

    def _reason(self, folders: list[str], file: str) -> str | None:
        if file.startswith(".") or any(folder.startswith(".") for folder in folders):
            return "hidden"
        if not folders:
            return "not in a label folder"
        if len(folders) > 1:
            return DEEPER
        if self.labelled and folders[0] == UNLABELLED:
            return f"unlabelled, in {UNLABELLED}"
        if self.suffix is not None:
            is_text = file.lower().endswith(self.suffix.lower())
            return None if is_text else f"without the suffix '{self.suffix}'"
        is_text = PurePosixPath(file).suffix.lower() in ("", ".txt")
        return None if is_text else OTHER_SUFFIX

    def summary(self) -> str:
        """A description of what was left out; empty if nothing was."""
        return ", ".join(
            f"{count:,} {reason} (first {first})"
            for reason, (count, first) in self.left_out.items()
        )


def read_folder(folder: Path, bad_bytes: BadBytes, selection: Selection) -> Iterator[Example]:
    """Stream the texts of ``folder/<label>``, sorted by label, then by name.

    Args:
        bad_bytes: how to treat undecodable UTF-8.
        selection: decides what is read, and records what is left out.

    Raises:
        UserError: a folder or file is not readable, or is not UTF-8.
    """
    try:
        for name in _names(folder):
            label = selection.label(name)
            if label is None:
                continue
            file = folder / name
            if not file.is_file():
                selection.leave_out(name, "not a regular file")
                continue
            with open_binary(file) as stream:
                raw = whole_text(stream, file)
            yield _example(raw, label, str(file), bad_bytes)
    except PermissionError as error:
        raise UserError(
            f"{error.filename}: permission denied; make the folder readable (chmod u+rx)"
        ) from None


def _names(folder: Path, above: str = "") -> Iterator[str]:
    """All files below a folder, sorted; links to folders are followed only for label folders."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = above + entry.name
        if entry.is_dir() and not (above and entry.is_symlink()):
            yield from _names(entry, f"{name}/")
        else:
            yield name


def _label_of(
    member: str, inside: tuple[str, ...], archive: Path, selection: Selection
) -> str | None:
    """The label of a member of an archive; None if it is not to be read."""
    parts = tuple(part for part in member.split("/") if part not in ("", "."))
    if len(parts) <= len(inside) or parts[: len(inside)] != inside:
        return None
    if ".." in parts:
        if len(parts) == len(inside) + 2:
            raise UserError(f"{archive}!{member}: leads out of its folder; archive it without '..'")
        return None
    return selection.label("/".join(parts[len(inside) :]))


def _not_regular(archive: Path, member: str) -> UserError:
    return UserError(
        f"{archive}!{member}: is a link or a device, not a regular file; archive the file itself"
    )


def read_archive(
    archive: Path, inside: str, bad_bytes: BadBytes, selection: Selection
) -> Iterator[Example]:
    """Stream the texts of ``<inside>/<label>`` from a tar (plain, gz, bz2, xz) or zip archive.

    Nothing is ever written to disk. Examples come in the order of the archive.

    Args:
        archive: the archive.
        inside: the folder in it, written with ``/``; empty for the top level.
        bad_bytes: how to treat undecodable UTF-8.
        selection: see :func:`read_folder`.

    Raises:
        UserError: the archive is broken or truncated, or too large when unpacked; a wanted member
            is not a regular file or too large, or its text is not UTF-8.
    """
    parts = tuple(part for part in inside.split("/") if part not in ("", "."))
    read = _zip_members if archive.name.lower().endswith(".zip") else _tar_members
    with open_binary(archive) as stream:
        try:
            for member, label, raw in read(stream, parts, archive, selection):
                yield _example(raw, label, f"{archive}!{member}", bad_bytes)
        except _BROKEN as error:
            reason = str(error) or type(error).__name__
            raise UserError(
                f"{archive}: broken or truncated archive ({reason}); download it again"
            ) from None
        except _TooLarge:
            raise EXPANSION.exceeded(str(archive)) from None


class _Bounded(RawIOBase):
    """A compressed tar archive as it is unpacked, which never gives much at once, nor in all.

    Headers may ask for any number of bytes and skip any number, so both are bounded.

    Args:
        unpacked: the unpacked bytes.
        most: how many may be read.
    """

    def __init__(self, unpacked: BufferedIOBase, most: int) -> None:
        self._unpacked = unpacked
        self._most = most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LONGEST_READ:
            raise tarfile.ReadError(f"a header of more than {LONGEST_READ:,} bytes")
        self._check(self.tell() + size)
        return self._unpacked.read(size)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        while (rest := offset - self.tell()) > 0:
            if not self.read(min(rest, LONGEST_READ)):
                return self.tell()
        return self._unpacked.seek(offset, whence) if rest else offset

    def tell(self) -> int:
        return self._unpacked.tell()

    def _check(self, end: int) -> None:
        if end > self._most + LONGEST_READ:
            raise _TooLarge


class _TooLarge(Exception):
    """An archive is larger unpacked than :data:`~nlp_rnn.limits.EXPANSION` allows."""


def _decompressed(stream: BufferedReader) -> BufferedIOBase:
    """The stream, decompressed according to its first bytes, regardless of its name."""
    magic = stream.peek(6)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream)
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if magic.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(stream)
    return stream


def _tar_members(
    stream: BufferedReader, inside: tuple[str, ...], archive: Path, selection: Selection
) -> Iterator[tuple[str, str, bytes]]:
    with _decompressed(stream) as unpacked:
        plain = _Bounded(unpacked, largest_unpacked(archive))
        members = tarfile.open(fileobj=plain, mode="r:")  # noqa: SIM115 (closed with unpacked)
        while (member := members.next()) is not None:
            # tarfile keeps every member it has seen: 50,000 reviews would fill memory.
            members.members = []  # type: ignore[attr-defined]
            if member.size < 0:
                raise tarfile.ReadError(f"a member of {member.size} bytes")
            if member.isdir():
                continue
            label = _label_of(member.name, inside, archive, selection)
            if label is None:
                continue
            content = members.extractfile(member) if member.isreg() else None
            if content is None:
                raise _not_regular(archive, member.name)
            TEXT_BYTES.check(member.size, f"{archive}!{member.name}")
            yield member.name, label, _in_pieces(content)
        # tarfile takes a cut between two members for the end of the archive. A complete archive
        # ends with a block of zeros, which has been read by then, and a compressed one with a
        # checksum.
        if plain.tell() < members.offset + tarfile.BLOCKSIZE:
            raise tarfile.ReadError("unexpected end of data")
        while plain.read(1 << 16):
            pass


def _in_pieces(content: IO[bytes]) -> bytes:
    """The bytes of a member whose size is known to be bounded."""
    return b"".join(iter(partial(content.read, 1 << 16), b""))


def _zip_members(
    stream: BufferedReader, inside: tuple[str, ...], archive: Path, selection: Selection
) -> Iterator[tuple[str, str, bytes]]:
    with zipfile.ZipFile(stream) as members:
        room = largest_unpacked(archive)
        for member in members.infolist():
            if member.is_dir():
                continue
            label = _label_of(member.filename, inside, archive, selection)
            if label is None:
                continue
            name = f"{archive}!{member.filename}"
            mode = stat.S_IFMT(member.external_attr >> 16)
            if mode not in (0, stat.S_IFREG):
                raise _not_regular(archive, member.filename)
            if member.flag_bits & 1:
                raise UserError(f"{name}: is encrypted; unpack it first")
            TEXT_BYTES.check(member.file_size, name)
            room -= member.file_size
            if room < 0:  # members may share their bytes in the file
                raise _TooLarge
            with members.open(member) as content:
                yield member.filename, label, _in_pieces(content)
