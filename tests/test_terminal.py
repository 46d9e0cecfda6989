"""What a command writes to a terminal cannot command it, and a signal ends it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nlp_rnn.process import harmless

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "import sys; from nlp_rnn.cli import main; sys.exit(main())"]
EVIL = "good \x9b2J \u202e film \x85"


def on_terminal(arguments: list[str], given: str) -> bytes:
    """What a command writes to a terminal, standard error included."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=follower, stderr=follower
    )
    os.close(follower)
    process.communicate(given.encode())
    written = b""
    while True:
        try:
            block = os.read(leader, 1 << 16)
        except OSError:  # the end, on Linux
            break
        if not block:
            break
        written += block
    os.close(leader)
    return written


def test_texts_and_arguments_cannot_command_a_terminal(bundles: dict[str, Path]) -> None:
    bundle = str(bundles["classification"])
    predicted = on_terminal(["predict", bundle, "-", "-"], EVIL + "\n").decode()
    line = next(line for line in predicted.splitlines() if line.lstrip().startswith("{"))
    assert r"\u009b2J \u202e film \u0085" in line
    failed = on_terminal(["predict", bundle, "\x1b[2J.txt", "-", "\x1b]0;title"], "").decode()
    assert "\x1b" not in failed and r"\u001b]0;title" in failed


def test_pipes_get_texts_as_they_are(bundles: dict[str, Path]) -> None:
    arguments = ["predict", str(bundles["classification"]), "-", "-"]
    done = subprocess.run(
        [*COMMAND, *arguments], input=EVIL.encode(), capture_output=True, check=True
    )
    assert EVIL in done.stdout.decode()


def test_line_ends_tabs_and_letters_are_harmless() -> None:
    assert harmless("a\tb\né 👍🏽 \u200d") == "a\tb\né 👍🏽 \u200d"


STUCK = """
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in background
from nlp_rnn import cli
from nlp_rnn.commands import check

def stuck(options):
    # A library that computes in a thread of its own and does not return.
    threading.Thread(target=time.sleep, args=(120,)).start()
    print("started", flush=True)
    time.sleep(120)

check._run = stuck
sys.argv = ["nlp-rnn", "check"]
sys.exit(cli.main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_command_that_a_library_holds(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(60) == 128 + number  # long before the library returns
