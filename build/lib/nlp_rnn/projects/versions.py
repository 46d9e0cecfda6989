"""Git and DVC for a new project: what is not there yet is set up, or said how."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nlp_rnn.extras import install_command
from nlp_rnn.projects.pipeline import RAW

DVC = (sys.executable, "-m", "dvc")


def set_up(folder: Path) -> Iterator[str]:
    """Make a project a repository of Git and DVC; yields what was done, and what was not and why.

    Nothing is committed. A folder inside a repository of Git stays part of it.
    """
    scm = shutil.which("git") is not None
    inside = scm and _succeeds(folder, "git", "rev-parse", "--is-inside-work-tree")
    if scm and not inside:
        if _succeeds(folder, "git", "init", "--quiet"):
            yield "git: a new repository"
        else:
            scm = False
    if not scm:
        yield "git: not found, so DVC works without it; experiments of `dvc exp` need it"
    raw = (folder / RAW).is_dir()
    steps = [
        f"init{_how(folder, scm)}",
        "config core.analytics false",
        *([f"add {RAW}"] if raw else []),
    ]
    by_hand = " && ".join(f"dvc {step}" for step in steps)
    if importlib.util.find_spec("dvc") is None:
        yield f"dvc: not installed; {install_command('train')}, then in the new folder: {by_hand}"
        return
    for step in steps:
        if fault := _fault(folder, (*DVC, *step.split())):
            yield f"dvc: `dvc {step}` failed: {fault} Then run in the new folder: {by_hand}"
            return
    yield "dvc: initialised" + (f", {RAW} is tracked in {RAW}.dvc" if raw else "")


def _how(folder: Path, scm: bool) -> str:
    """The option of ``dvc init``: DVC's root is a folder below that of Git, or there is no Git."""
    if not scm:
        return " --no-scm"
    return "" if (folder / ".git").exists() else " --subdir"


def _succeeds(folder: Path, *command: str) -> bool:
    return _fault(folder, command) is None


def _fault(folder: Path, command: Sequence[str]) -> str | None:
    """Run a command; what it says, in one line, where it fails."""
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
    )
    if done.returncode == 0:
        return None
    said = " ".join((done.stderr.strip() or done.stdout).split())
    return said.removeprefix("ERROR: ") or f"status {done.returncode}"
