"""Files at addresses: of a server on this machine, of fsspec's memory, and of what imitates S3."""

from __future__ import annotations

import functools
import io
import json
import os
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.files import sha256

fsspec = pytest.importorskip("fsspec", reason="needs the extra remote: pip install -e '.[remote]'")
pytest.importorskip("aiohttp", reason="needs the extra remote: pip install -e '.[remote]'")

ROWS = [Example(text="good", label="pos"), Example(text="bad", label="neg")]


def rows(examples: list[Example]) -> bytes:
    lines = [json.dumps({"text": each.text, "label": each.label}) + "\n" for each in examples]
    return "".join(lines).encode()


class Server(SimpleHTTPRequestHandler):
    """A folder over HTTP; what is in ``private`` is refused."""

    def log_message(self, *_: object) -> None:
        pass

    def send_head(self) -> io.BytesIO | object | None:
        if "/private/" in self.path:
            self.send_error(403)
            return None
        return super().send_head()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "reviews.jsonl").write_bytes(rows(ROWS))
    return folder


@pytest.fixture
def server(served: Path) -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=str(served)))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    thread.join()
    http.server_close()


def opened(folder: Path, train: str, refresh: bool = False, **given: object) -> Corpus:
    section = {"source": "files", "format": "jsonl", "train": train, **given}
    return open_corpus("mine", FilesDataset.model_validate(section), folder / "raw", refresh)


def fault(folder: Path, train: str, **given: object) -> str:
    with pytest.raises(UserError) as caught:
        opened(folder, train, **given)
    message = str(caught.value)
    assert "\n" not in message and "parameter train of data set 'mine'" in message
    assert not [file for file in (folder / "raw").rglob("*") if file.is_file()]
    return message


def test_a_copy_is_kept_and_is_enough(server: str, served: Path, tmp_path: Path) -> None:
    address = f"{server}/reviews.jsonl"
    corpus = opened(tmp_path, address)
    assert list(corpus.read("train")) == ROWS
    checksum = sha256(served / "reviews.jsonl")
    files = corpus.provenance()["files"]
    assert files == {address: {"sha256": checksum, "bytes": len(rows(ROWS))}}
    (served / "reviews.jsonl").unlink()
    for refresh in (False, True):
        assert list(opened(tmp_path, address, refresh).read("train")) == ROWS


def test_a_changed_file_is_copied_anew_by_the_stage_download(
    server: str, served: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"{server}/reviews.jsonl"
    opened(tmp_path, address)
    copy = next((tmp_path / "raw").rglob("reviews.jsonl"))
    written = copy.stat().st_mtime_ns
    opened(tmp_path, address, refresh=True)
    assert copy.stat().st_mtime_ns == written
    (served / "reviews.jsonl").write_bytes(rows(ROWS[:1]))
    os.utime(served / "reviews.jsonl", (0, 0))
    assert list(opened(tmp_path, address).read("train")) == ROWS
    assert list(opened(tmp_path, address, refresh=True).read("train")) == ROWS[:1]
    assert f"{address}: has changed; it was copied anew" in capsys.readouterr().err


def test_several_formats(server: str, served: Path, tmp_path: Path) -> None:
    (served / "reviews.csv").write_text("text,label\ngood,pos\nbad,neg\n")
    (served / "folder").mkdir()
    with tarfile.open(served / "folder/reviews.tar.gz", "w:gz") as archive:
        for each in ROWS:
            member = tarfile.TarInfo(f"train/{each.label}/1.txt")
            member.size = len(each.text)
            archive.addfile(member, io.BytesIO(each.text.encode()))
    table = opened(tmp_path, f"{server}/reviews.csv?version=1", format="csv")
    assert list(table.read("train")) == ROWS
    texts = opened(tmp_path, f"{server}/folder/reviews.tar.gz!train", format="folders")
    assert sorted(each.label for each in texts.read("train")) == ["neg", "pos"]
    assert list(texts.provenance()["files"]) == [f"{server}/folder/reviews.tar.gz"]


def test_any_file_system_of_fsspec(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"text": ["good", "bad"], "label": ["pos", "neg"]})
    with fsspec.open("memory://bucket/reviews.parquet", "wb") as stream:
        parquet.write_table(table, stream)
    corpus = opened(tmp_path, "memory://bucket/reviews.parquet", format="parquet")
    assert list(corpus.read("train")) == ROWS
    assert (tmp_path / "raw/remote/memory/bucket/reviews.parquet").is_file()


def test_what_is_not_there(server: str, tmp_path: Path) -> None:
    assert "there is no such file; correct the address" in fault(tmp_path, f"{server}/gone.jsonl")
    message = fault(tmp_path, f"{server}/private/reviews.jsonl")
    assert "access is refused" in message and "~/.netrc" in message
    assert "memory://gone (parameter" in fault(tmp_path, "memory://gone")


def test_a_copy_that_cannot_be_written_is_named(server: str, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/remote").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"raw/remote.*cannot be written"):
        opened(tmp_path, f"{server}/reviews.jsonl")


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("https://example.org/", "is no address of a single file"),
        ("https://example.org/../x.jsonl", "is no address of a single file"),
        ("https://me:secret@example.org/x.jsonl", "holds a password"),
        ("hello://example.org/x.jsonl", "use https:// or s3://"),
    ],
)
def test_wrong_addresses(tmp_path: Path, address: str, part: str) -> None:
    message = fault(tmp_path, address)
    assert part in message and "secret" not in message


def test_without_a_network_the_answer_is_quick(tmp_path: Path) -> None:
    start = time.monotonic()
    message = fault(tmp_path, "https://host.invalid/x.jsonl")
    assert time.monotonic() - start < 5
    copy = tmp_path / "raw/remote/https/host.invalid/x.jsonl"
    assert "host.invalid cannot be reached" in message and str(copy) in message


@pytest.mark.parametrize("module", ["fsspec", "s3fs"])
def test_what_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    if module == "fsspec":
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    message = fault(tmp_path, "s3://bucket/x.jsonl")
    assert "pip install" in message and "[remote]" in message


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the server as S3, whose buckets are folders at the address of an endpoint."""
    s3fs = pytest.importorskip("s3fs", reason="needs the extra remote: pip install -e '.[remote]'")
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "absent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "absent")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def credentials(s3: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def bucket(served: Path) -> Path:
    (served / "bucket/private").mkdir(parents=True)
    (served / "bucket/reviews.jsonl").write_bytes(rows(ROWS))
    return served / "bucket"


@pytest.mark.usefixtures("credentials")
def test_a_file_of_s3(bucket: Path, tmp_path: Path) -> None:
    corpus = opened(tmp_path, "s3://bucket/reviews.jsonl")
    assert list(corpus.read("train")) == ROWS
    checksum = sha256(bucket / "reviews.jsonl")
    assert corpus.provenance()["files"]["s3://bucket/reviews.jsonl"]["sha256"] == checksum
    (bucket / "reviews.jsonl").write_bytes(rows(ROWS[:1]))
    changed = opened(tmp_path, "s3://bucket/reviews.jsonl", refresh=True)
    assert list(changed.read("train")) == ROWS[:1]


@pytest.mark.usefixtures("bucket", "s3")
def test_s3_without_credentials(tmp_path: Path) -> None:
    message = fault(tmp_path, "s3://bucket/reviews.jsonl")
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in message


@pytest.mark.usefixtures("bucket", "credentials")
def test_s3_that_refuses(tmp_path: Path) -> None:
    message = fault(tmp_path, "s3://bucket/private/reviews.jsonl")
    assert "access is refused; set AWS_ACCESS_KEY_ID" in message


@pytest.mark.usefixtures("credentials")
def test_s3_without_a_network_answers_quickly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    start = time.monotonic()
    assert "127.0.0.1 cannot be reached" in fault(tmp_path, "s3://bucket/reviews.jsonl")
    assert time.monotonic() - start < 5
