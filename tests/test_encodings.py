"""Commands where the locale, or the terminal, knows no more than ASCII or one code page."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.bundles import write_untrained
from nlp_rnn.example import Example

WORDS = "naïve café 😀 Ωmega"

ENVIRONMENTS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252:strict"},
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}

COMMANDS = """
import sys
from nlp_rnn.cli import main
model, folder = sys.argv[1:3]
def run(*arguments):
    status = main(list(arguments))
    print("status", status, flush=True)
run("predict", model, "-", "-")
run("score", model, f"{folder}/texts.txt", "-")
run("rank", model, f"{folder}/texts.txt", "-")
run("generate", model, "--prompt", sys.argv[3], "--length", "2", "--seed", "1")
run("generate", model, "--prompt", sys.argv[3], "--length", "2", "--beam", "2", "--n-best", "2")
run("embeddings", "neighbours", model, sys.argv[3].split()[0])
run("embeddings", "similarity", model, *sys.argv[3].split()[:2])
run("predict", model, sys.argv[4], "-")
run("compare", sys.argv[4], sys.argv[4])
run("inspect", model, sys.argv[4], f"{folder}/cells")
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [Example(text=WORDS), Example(text="the Ωmega")]
    return write_untrained(tmp_path_factory.mktemp("m"), "language_modelling", "text", lines)


def environment(name: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "PYTHONIO", "LANG"))}
    root = Path(__file__).parents[1]
    return kept | ENVIRONMENTS[name] | {"PYTHONPATH": str(root)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_pipes_carry_utf_8_whatever_the_locale(model: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "texts.txt").write_text(f"{WORDS} ß\nthe Ωmega\n", encoding="utf-8")
    command = [sys.executable, "-c", COMMANDS, str(model), str(tmp_path), WORDS, "nowhere-é.csv"]
    done = subprocess.run(
        command,
        input=f"{WORDS}\n".encode(),
        capture_output=True,
        env=environment(name),
        timeout=300,
    )
    errors = done.stderr.decode("utf-8")
    assert "Traceback" not in errors and done.returncode == 0, errors
    lines = done.stdout.decode("utf-8").splitlines()
    statuses = [line for line in lines if line.startswith("status")]
    assert statuses == ["status 0"] * 7 + ["status 2"] * 3, errors
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert records[0]["text"] == WORDS
    tokens = [record["token"] for record in records if record.get("text") == 1]
    assert tokens == [*WORDS.split(), "ß", "<eos>"]
    ranked = {
        r["text"]: r["unknown"]
        for r in records
        if "unknown" in r and "rank" in r and "token" not in r
    }
    assert ranked == {f"{WORDS} ß": ["ß"], "the Ωmega": []}
    assert sum(line.startswith(WORDS) for line in lines) == 1
    assert sum(record["text"].startswith(WORDS) for record in records if "score" in record) == 2
    assert any(line.startswith("naïve\t") for line in lines)
    assert errors.count("error: ") == 3


@pytest.mark.slow
def test_a_terminal_shows_what_it_lacks_as_escapes(model: Path) -> None:
    """Its encoding stays, and JSON stays JSON."""
    ours, theirs = pty.openpty()
    code = "import sys; from nlp_rnn.cli import main; sys.exit(main(sys.argv[1:]))"
    more = ["--prompt", WORDS, "--length", "1", "--beam", "1", "--n-best", "1"]
    done = subprocess.run(
        [sys.executable, "-c", code, "generate", str(model), *more],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment("ascii"),
        timeout=300,
    )
    os.close(theirs)
    shown = os.read(ours, 10_000)
    os.close(ours)
    assert done.returncode == 0, done.stderr
    assert b"na\\u00efve caf\\u00e9 \\ud83d\\ude00 \\u03a9mega" in shown
    assert json.loads(shown.decode("ascii"))["text"].startswith(WORDS)
