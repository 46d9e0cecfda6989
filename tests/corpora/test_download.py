"""Downloads: checked, whole or not at all, and a clear answer where there is no network."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nlp_rnn.corpora.download import ensure
from nlp_rnn.errors import UserError

CONTENT = b"the 1 2\n" * 1000
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "vectors.txt").write_bytes(CONTENT)
    http = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    thread.join()
    http.server_close()


def test_a_missing_file_is_downloaded_and_checked(server: str, tmp_path: Path) -> None:
    file = tmp_path / "raw" / "vectors.txt"
    ensure(file, f"{server}/vectors.txt", CHECKSUM, "embeddings.file")
    assert file.read_bytes() == CONTENT


def test_a_download_with_another_checksum_is_not_kept(server: str, tmp_path: Path) -> None:
    file = tmp_path / "raw" / "vectors.txt"
    with pytest.raises(UserError, match=f"expected {'0' * 64}"):
        ensure(file, f"{server}/vectors.txt", "0" * 64, "embeddings.file")
    assert list(file.parent.iterdir()) == []


def test_a_refused_download_names_the_address(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="404"):
        ensure(tmp_path / "x.txt", f"{server}/missing.txt", None, "embeddings.file")
    assert not (tmp_path / "x.txt").exists()


def test_without_a_network_the_answer_says_where_to_put_the_file(
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match=r"no network to get http.*put the file there"):
        ensure(tmp_path / "x.txt", "http://host.invalid/x.txt", None, "embeddings.file")


def test_a_file_without_an_address_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.txt: no such file, named by embeddings\.file"):
        ensure(tmp_path / "x.txt", None, None, "embeddings.file")


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("mine")
    ensure(tmp_path / "x.txt", "http://host.invalid/x.txt", None, "embeddings.file")
    with pytest.raises(UserError, match="expects 000"):
        ensure(tmp_path / "x.txt", "http://host.invalid/x.txt", "0" * 64, "embeddings.file")
    assert (tmp_path / "x.txt").read_text() == "mine"
