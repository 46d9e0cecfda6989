"""Texts as one file each, in a folder named for their label; on disk or in an archive.

The layout of the Large Movie Review Dataset (Maas et al. 2011, "Learning Word Vectors for
Sentiment Analysis"): ``train/pos/0_9.txt``. Sub-folders directly below are the labels, except
``unsup``, where that data set keeps what is unlabelled, and hidden ones; files are read
whose name ends in ``.txt``; deeper folders are not entered. Read as running text, the texts of
``unsup`` are among them, and none has a label.
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
from io import BufferedIOBase, BufferedReader
from pathlib import Path

from nlp_rnn.corpora.example import Example
from nlp_rnn.corpora.lines import BadBytes, decode, open_binary, without_bom
from nlp_rnn.errors import UserError

UNLABELLED = "unsup"

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")

_BROKEN = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
)


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive that :func:`read_archive` reads."""
    return path.name.lower().endswith(ARCHIVES)


def _example(raw: bytes, label: str, where: str, bad_bytes: BadBytes) -> Example:
    return Example(text=decode(without_bom(raw), bad_bytes, where), label=label)


def _is_read(folder: str, labelled: bool) -> bool:
    return not folder.startswith(".") and not (labelled and folder == UNLABELLED)


def _is_text(name: str) -> bool:
    return name.endswith(".txt") and not name.startswith(".")


def read_folder(folder: Path, bad_bytes: BadBytes, labelled: bool = True) -> Iterator[Example]:
    """Stream ``folder/<label>/*.txt``, sorted by label, then by name.

    Args:
        bad_bytes: what undecodable UTF-8 is.
        labelled: false leaves the labels out and reads the unlabelled texts too.

    Raises:
        UserError: a folder or file may not be read, or is no UTF-8.
    """
    try:
        labels = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        for label in (name for name in labels if _is_read(name, labelled)):
            for name in sorted(entry.name for entry in (folder / label).iterdir()):
                file = folder / label / name
                if _is_text(name) and file.is_file():
                    with open_binary(file) as stream:
                        raw = stream.read()
                    yield _example(raw, label if labelled else "", str(file), bad_bytes)
    except PermissionError as error:
        raise UserError(
            f"{error.filename}: permission denied; make the folder readable (chmod u+rx)"
        ) from None


def _label_of(member: str, inside: tuple[str, ...], archive: Path, labelled: bool) -> str | None:
    """The label of a member of an archive, or ``None`` where it is not to be read."""
    parts = tuple(part for part in member.split("/") if part not in ("", "."))
    if len(parts) != len(inside) + 2 or parts[: len(inside)] != inside:
        return None
    label, name = parts[-2:]
    if ".." in parts:
        raise UserError(f"{archive}!{member}: leads out of its folder; archive it without '..'")
    if not (_is_read(label, labelled) and _is_text(name)):
        return None
    return label if labelled else ""


def _not_regular(archive: Path, member: str) -> UserError:
    return UserError(
        f"{archive}!{member}: is a link or a device, not a regular file; archive the file itself"
    )


def read_archive(
    archive: Path, inside: str, bad_bytes: BadBytes, labelled: bool = True
) -> Iterator[Example]:
    """Stream ``<inside>/<label>/*.txt`` from a tar (plain, gz, bz2, xz) or zip archive.

    Nothing is ever written to disk. Examples come in the order of the archive.

    Args:
        archive: the archive.
        inside: folder in it, written with ``/``; empty for its top.
        bad_bytes: what undecodable UTF-8 is.
        labelled: as of :func:`read_folder`.

    Raises:
        UserError: the archive is broken or truncated, a wanted member is no regular file, or
            its text is no UTF-8.
    """
    parts = tuple(part for part in inside.split("/") if part not in ("", "."))
    read = _zip_members if archive.name.lower().endswith(".zip") else _tar_members
    with open_binary(archive) as stream:
        try:
            for member, label, raw in read(stream, parts, archive, labelled):
                yield _example(raw, label, f"{archive}!{member}", bad_bytes)
        except _BROKEN as error:
            reason = str(error) or type(error).__name__
            raise UserError(
                f"{archive}: broken or truncated archive ({reason}); fetch it again"
            ) from None


def _decompressed(stream: BufferedReader) -> BufferedIOBase:
    """The stream, decompressed as its first bytes ask, whatever the name ends in."""
    magic = stream.peek(6)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream)
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if magic.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(stream)
    return stream


def _tar_members(
    stream: BufferedReader, inside: tuple[str, ...], archive: Path, labelled: bool
) -> Iterator[tuple[str, str, bytes]]:
    with _decompressed(stream) as plain, tarfile.open(fileobj=plain, mode="r:") as members:
        while (member := members.next()) is not None:
            # tarfile remembers every member it has seen: 50,000 reviews would fill memory.
            members.members = []  # type: ignore[attr-defined]
            label = _label_of(member.name, inside, archive, labelled)
            if member.isdir() or label is None:
                continue
            content = members.extractfile(member) if member.isreg() else None
            if content is None:
                raise _not_regular(archive, member.name)
            yield member.name, label, content.read()
        # tarfile takes a file cut between two members for its end: a whole archive ends with a
        # block of zeros, which it has then read, and a compressed one with a checksum.
        if plain.tell() < members.offset + tarfile.BLOCKSIZE:
            raise tarfile.ReadError("unexpected end of data")
        while plain.read(1 << 16):
            pass


def _zip_members(
    stream: BufferedReader, inside: tuple[str, ...], archive: Path, labelled: bool
) -> Iterator[tuple[str, str, bytes]]:
    with zipfile.ZipFile(stream) as members:
        for member in members.infolist():
            label = _label_of(member.filename, inside, archive, labelled)
            if member.is_dir() or label is None:
                continue
            mode = stat.S_IFMT(member.external_attr >> 16)
            if mode not in (0, stat.S_IFREG):
                raise _not_regular(archive, member.filename)
            if member.flag_bits & 1:
                raise UserError(f"{archive}!{member.filename}: is encrypted; unpack it first")
            yield member.filename, label, members.read(member)
