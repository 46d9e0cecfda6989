"""Pages of HTML in a real browser: what texts hold is shown, never run."""

from __future__ import annotations

import re
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from helpers.browser import BROWSER, answer
from nlp_rnn.embeddings.maps import write_page as write_map
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.inspection.page import page, table
from nlp_rnn.inspection.panel import Panel, Piece
from nlp_rnn.web import policy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]

EVIL = (
    "</script></style></textarea><script>document.title='PWNED'</script>"
    "<img src=x onerror=\"document.title='PWNED'\"> \"quoted\" 'words' \u202eright to left"
)


def shown(file: Path) -> str:
    """A page after a browser has run it."""
    assert BROWSER is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"]
    profile = f"--user-data-dir={file.parent / 'profile'}"
    command = [BROWSER, *flags, profile, "--dump-dom", file.as_uri()]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()


def title(dom: str) -> str:
    found = re.search("<title>(.*?)</title>", dom, re.S)
    assert found is not None
    return unescape(found[1])


def inspection(file: Path) -> None:
    panel = Panel(EVIL, EVIL, [Piece(EVIL, 0.5, EVIL)], "one")
    document = page(EVIL, [EVIL], table([EVIL], [[EVIL]]), [panel])
    file.write_text(document, encoding="utf-8")


def word_map(file: Path) -> None:
    vectors = WordVectors([EVIL, "word", "other"], np.eye(3, dtype=np.float32))
    write_map(vectors, np.eye(3)[:, :2], EVIL, EVIL, file)


@pytest.mark.parametrize("write", [inspection, word_map])
def test_a_hostile_text_is_a_text(tmp_path: Path, write: object) -> None:
    assert callable(write)
    write(tmp_path / "page.html")
    dom = shown(tmp_path / "page.html")
    assert title(dom).startswith("</script></style>")
    assert "‹U+202E›right to left" in title(dom)
    assert "Content-Security-Policy" in dom


def test_the_policy_stops_what_would_get_into_a_page(tmp_path: Path) -> None:
    """The second wall: markup that was not escaped does not run either."""
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy("p {}")}">'
    body = "<title>safe</title><style>p {}</style><script>document.title='PWNED'</script>"
    image = "<img src=x onerror=\"document.title='PWNED'\">"
    (tmp_path / "page.html").write_text(f"<!doctype html>{head}{body}{image}")
    assert title(shown(tmp_path / "page.html")) == "safe"


def test_the_script_of_the_map_runs_under_its_policy(tmp_path: Path) -> None:
    word_map(tmp_path / "page.html")
    script = """
        const canvas = (await framed("page.html")).querySelector("canvas");
        await until(() => canvas.hasAttribute("width"));  // the script sets it
        return canvas.width;"""
    assert answer(tmp_path, script, tmp_path / "profile") > 1
