"""Pages in a real browser: a server for a folder, and scripts that use its pages and report."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")

HARNESS = """<!doctype html>
<script type="module">
async function until(condition) {
  while (!condition()) await new Promise(later => setTimeout(later, 20));
}
// The document of a page, as soon as it is loaded.
async function framed(path) {
  const frame = document.createElement("iframe");
  document.body.replaceChildren(frame);
  frame.src = path;
  await new Promise(loaded => { frame.onload = loaded; });
  return frame.contentDocument;
}
// The document of a page, once its scripts are ready or have given up.
async function opened(path) {
  const page = await framed(path);
  const {documentElement: root} = page;
  await until(() => !root.querySelector("#form").hidden || "failed" in root.dataset);
  return page;
}
// The result of a page after it predicted for a text.
async function predicted(page, text) {
  page.getElementById("text").value = text;
  page.getElementById("go").click();
  await until(() => !page.getElementById("go").disabled);
  return page.getElementById("result");
}
async function answer() {
  SCRIPT
}
const found = await answer().catch(error => ({error: String(error.stack)}));
await fetch("/found", {method: "POST", body: JSON.stringify(found)});
</script>
<body></body>"""


class _Handler(SimpleHTTPRequestHandler):
    """Serves the folder and the harness, and takes what the harness reports."""

    def __init__(self, *arguments: Any, asked: _Asked, **options: Any) -> None:
        self._asked = asked
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        if self.path != "/harness":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self._asked.page.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._asked.found = json.loads(body)
        self.send_response(204)
        self.end_headers()
        self._asked.done.set()

    def log_message(self, *arguments: Any) -> None:
        pass


class _Asked:
    def __init__(self, script: str) -> None:
        self.page = HARNESS.replace("SCRIPT", script)
        self.done = threading.Event()
        self.found: Any = None


def answer(folder: Path, script: str, profile: Path) -> Any:
    """What the body of an asynchronous function returns, in a page beside those of ``folder``.

    Args:
        script: may call ``framed(path)``, ``opened(path)``, ``predicted(page, text)`` and
            ``until(condition)``.
        profile: an empty folder for the browser.
    """
    assert BROWSER is not None
    asked = _Asked(script)
    handler = partial(_Handler, asked=asked, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/harness"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        browser = subprocess.Popen(
            [BROWSER, *flags, "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert asked.done.wait(120), "the browser did not answer"
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            server.shutdown()
    assert not (isinstance(asked.found, dict) and "error" in asked.found), asked.found
    return asked.found
