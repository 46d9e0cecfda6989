"""Archives of strangers: every fault is one line, and no header or member takes much memory."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nlp_rnn.corpora.folders import Selection, read_archive
from nlp_rnn.errors import UserError

MIB = 1 << 20


def tar_of(file: Path, add: Callable[[tarfile.TarFile], None]) -> Path:
    """An archive of one text, then of what ``add`` writes."""
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as archive:
        member = tarfile.TarInfo("good/1.txt")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"fine"))
        add(archive)
    return file


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> Callable[..., None]:
    """Writes a header alone, which promises ``size`` bytes."""

    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.type = size, kind
        assert archive.fileobj is not None
        archive.fileobj.write(member.tobuf(tarfile.GNU_FORMAT))
        archive.offset += tarfile.BLOCKSIZE  # type: ignore[attr-defined]

    return add


def texts(archive: Path) -> list[str]:
    return [example.text for example in read_archive(archive, "", "error", Selection())]


def refused(archive: Path) -> str:
    """The line that refuses an archive."""
    with pytest.raises(UserError) as error:
        texts(archive)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


@pytest.mark.parametrize(
    "size", [1 << 40, 1 << 70, -512], ids=["terabyte", "zettabyte", "negative"]
)
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_sizes_that_no_archive_has(tmp_path: Path, size: int, suffix: str) -> None:
    message = refused(tar_of(tmp_path / f"a{suffix}", header("good/2.txt", size)))
    assert "16,777,216 bytes" in message if size > 0 else "broken" in message


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_that_hold_as_much_as_a_disk(tmp_path: Path, kind: bytes) -> None:
    message = refused(tar_of(tmp_path / "a.tar", header("x", 300 * MIB, kind)))
    assert "a header of more than 1,048,576 bytes" in message


def test_a_member_is_read_up_to_a_limit_that_a_variable_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "100")

    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo("good/long.txt")
        member.size = 200
        archive.addfile(member, io.BytesIO(b"a" * 200))

    archive = tar_of(tmp_path / "a.tar.gz", add)
    assert "good/long.txt: has more than 100 bytes" in refused(archive)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("good/long.txt", "a" * 200)
    assert "NLP_RNN_TEXT_BYTES" in refused(tmp_path / "a.zip")
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "200")
    assert texts(archive) == ["fine", "a" * 200]
    assert texts(tmp_path / "a.zip") == ["a" * 200]


def test_what_is_skipped_may_not_expand_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", "1000")

    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo("good/too/deep/zeros.txt")
        member.size = 8 * MIB
        archive.addfile(member, io.BytesIO(bytes(8 * MIB)))

    archive = tar_of(tmp_path / "a.tar.gz", add)
    assert "has more than 200 times the bytes of its file" in refused(archive)
    monkeypatch.setenv("NLP_RNN_EXPANSION", "2000")
    assert texts(archive) == ["fine"]


def test_a_compression_that_nobody_knows(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("good/1.txt", "fine")
    raw = bytearray(file.read_bytes())
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = raw.index(signature) + place
        raw[at : at + 2] = struct.pack("<H", 99)
    file.write_bytes(raw)
    assert "broken or truncated" in refused(file)


@pytest.mark.parametrize("given", ["many", "0", "-1", "9" * 30])
def test_a_limit_is_a_whole_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("NLP_RNN_TEXT_BYTES", given)
    assert "NLP_RNN_TEXT_BYTES: expected a whole number" in refused(
        tar_of(tmp_path / "a.tar", lambda archive: None)
    )
