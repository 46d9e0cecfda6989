"""The process: sockets, signals, slow clients, and what keeps it from starting."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.cli import main
from nlp_rnn.errors import UserError
from nlp_rnn.serving.limits import Limits
from nlp_rnn.serving.server import HEADER, _configuration, _Server, api_key, listen

COMMAND = [sys.executable, "-c", "import sys; from nlp_rnn.cli import main; sys.exit(main())"]

REQUEST = b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n"


async def large(scope: Any, receive: Any, send: Any) -> None:
    """Answers with 64 MiB, or with nothing for a path."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(64 if scope["path"] == "/large" else 0):
        await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server that waits for clients a moment only."""
    server = _Server(_configuration(large, Limits(patience=0.3)))
    with listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(30)


def until_the_end(client: socket.socket) -> bytes:
    """What a server still sends, until it hangs up."""
    client.settimeout(30)
    found = b""
    try:
        while some := client.recv(1 << 16):
            found += some
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: here\r\nX: "],
    ids=["none", "line", "head"],
)
def test_a_client_that_sends_no_request_is_hung_up(port: int, begun: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", port))) as client:
        client.sendall(begun)
        assert until_the_end(client) == b""


def test_letters_one_by_one_are_no_request(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port))) as client:
        letters = threading.Thread(target=send_slowly, args=(client, REQUEST[:20] * 40))
        letters.start()
        assert until_the_end(client) == b""
        letters.join()


def send_slowly(client: socket.socket, message: bytes) -> None:
    """Send a message letter by letter, until it is sent or the server has hung up."""
    for letter in message:
        try:
            client.sendall(bytes([letter]))
        except OSError:
            return
        threading.Event().wait(0.02)


def test_a_client_that_does_not_read_is_hung_up(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port))) as client:
        client.sendall(REQUEST.replace(b"/health", b"/large"))
        threading.Event().wait(1.0)
        assert len(until_the_end(client)) < 64 << 20


def test_the_rest_of_a_refused_body_is_not_waited_for(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port))) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9999\r\n\r\nbegun")
        assert until_the_end(client).startswith(b"HTTP/1.1 200")


def test_headers_are_bounded(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port))) as client:
        client.sendall(REQUEST[:-2] + b"X: " + b"a" * 2 * HEADER)
        assert until_the_end(client).startswith(b"HTTP/1.1 4")


def test_a_connection_is_kept_for_the_next_request(port: int) -> None:
    with closing(HTTPConnection("127.0.0.1", port)) as client:
        client.connect()
        first = client.sock
        for _ in range(3):
            client.request("GET", "/health")
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (200, b"")
        assert client.sock is first


# --- what keeps it from starting ----------------------------------------------------


def test_a_key_is_one_line_of_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NLP_RNN_API_KEY", raising=False)
    assert api_key(None) is None
    monkeypatch.setenv("NLP_RNN_API_KEY", "of-the-environment")
    assert api_key(None) == b"of-the-environment"
    file = tmp_path / "key.txt"
    file.write_text("of-the-file\n")
    assert api_key(file) == b"of-the-file"
    for wrong in ("", "\n", "two words", "two\nlines", "clé"):
        file.write_text(wrong)
        with pytest.raises(UserError, match=r"key\.txt: expected an API key"):
            api_key(file)
    monkeypatch.setenv("NLP_RNN_API_KEY", "")
    with pytest.raises(UserError, match="NLP_RNN_API_KEY: expected"):
        api_key(None)
    with pytest.raises(UserError, match="cannot be read"):
        api_key(tmp_path / "nothing")


def test_a_mistake_is_one_line_with_status_2(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, broken = str(bundles["classification"]), tmp_path / "broken"
    broken.mkdir()
    (broken / "bundle.json").write_text("{")
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        for arguments, said in (
            ([good, "--port", port], f"--port {port}: 127.0.0.1 cannot be listened at"),
            ([good, "--port", "0", "--host", "no such host"], "--host no such host"),
            (["nothing/there", "--port", "0"], "nothing/there: no such model folder"),
            ([str(broken), "--port", "0"], "bundle.json"),
            ([good, good, "--port", "0"], "served already"),
            ([good, "--api-key-file", str(tmp_path / "none"), "--port", "0"], "none: the API key"),
        ):
            assert main(["serve", *arguments]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith("error: ") and said in line
    for arguments in (["--port", "70000"], ["--timeout", "0"], ["--queue", "0"], ["--poll", "x"]):
        with pytest.raises(SystemExit, match="2"):
            main(["serve", good, *arguments])
        assert "expected" in capsys.readouterr().err


# --- the real process ---------------------------------------------------------------


def ask(port: int, body: Any, to: str) -> HTTPConnection:
    """A connection with a request on its way."""
    client = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer secret"}
    client.request("POST", f"/models/{to}", json.dumps(body), headers)
    return client


@pytest.mark.slow
def test_a_server_answers_what_has_begun_when_it_is_stopped(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    key = tmp_path / "key.txt"
    key.write_text("secret\n")
    process = subprocess.Popen(
        [*COMMAND, "serve", str(bundles["classification"]),
         f"lm={bundles['language_modelling']}", "--port", "0", "--api-key-file", str(key)],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        said = [process.stderr.readline() for _ in range(3)]
        match = re.fullmatch(r"http://127.0.0.1:(\d+)/models/mine: classification, .*\n", said[0])
        assert match, said
        assert "/models/lm: language_modelling" in said[1]
        port = int(match[1])
        with closing(ask(port, {"texts": ["good"] * 3}, "mine/predict")) as client:
            answer = client.getresponse()
            assert answer.status == 200 and len(json.load(answer)["predictions"]) == 3
        long = ask(port, {"prompt": "the", "length": 1000, "stream": True}, "lm/generate")
        answer = long.getresponse()
        assert answer.status == 200 and answer.readline().startswith(b"data: ")
        process.send_signal(signal.SIGTERM)
        assert b"event: end" in answer.read()
        assert process.wait(60) == 0
        assert process.stderr.read() == "stopped\n"
        with pytest.raises(ConnectionRefusedError):
            ask(port, {}, "mine/predict")
    finally:
        process.kill()
