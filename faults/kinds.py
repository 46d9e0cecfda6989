"""The faults: each breaks a project, or disturbs a run of it."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faults.project import Project, ended

DAY = 86_400

Disturb = Callable[[Project, random.Random, float], str]
"""Disturbs a project; takes the seconds that an undisturbed run needs, and says what was done."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: for the table.
        start: the state of the project: no stage has run, all but training have, or all have.
        disturb: does it.
        times: how often the whole campaign tries it.
        quick: whether the short campaign tries it, once: those that cost less than a whole run, and
            one that does not.
    """

    name: str
    start: Literal["new", "prepared", "finished"]
    disturb: Disturb
    times: int = 1
    quick: bool = False


def _children(process: int) -> list[int]:
    """The processes below one, the youngest last."""
    with suppress(OSError):
        listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
        return [each for child in map(int, listed.split()) for each in (child, *_children(child))]
    return []


def _killed(project: Project, rng: random.Random, seconds: float, children_only: bool) -> str:
    process = project.start(["dvc", "repro"])
    moment = rng.uniform(0.02, 0.98) * seconds
    with suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    if children_only:
        for child in _children(process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    ended(process)
    return f"after {moment:.0f} of {seconds:.0f} s"


def kill(project: Project, rng: random.Random, seconds: float) -> str:
    """SIGKILL ``dvc repro`` and all its children."""
    return _killed(project, rng, seconds, children_only=False)


def kill_children(project: Project, rng: random.Random, seconds: float) -> str:
    """SIGKILL what ``dvc repro`` has started, and not itself."""
    return _killed(project, rng, seconds, children_only=True)


def full_disk(project: Project, rng: random.Random, seconds: float) -> str:
    """Let no file grow beyond a few kilobytes."""
    most = rng.choice([1, 8, 20, 60, 200]) << 10
    found = project.repro(FSIZE=most)
    return f"files of {most >> 10} KiB at most: status {found.status}, {found.said}"


def out_of_memory(project: Project, rng: random.Random, seconds: float) -> str:
    """Give each process little memory."""
    most = rng.choice([1, 2, 4]) << 30
    found = project.repro(AS=most)
    return f"{most >> 30} GiB of addresses: status {found.status}, {found.said}"


def read_only(project: Project, rng: random.Random, seconds: float) -> str:
    """Put a file where a folder must be written, which stops root too."""
    place = project.folder / rng.choice(["models", "embeddings", "runs", "plots"])
    kept = place.with_name(f"{place.name}-kept")
    if place.exists():
        place.rename(kept)
    place.write_text("in the way", encoding="utf-8")
    found = project.repro()
    place.unlink(missing_ok=True)
    if kept.exists():
        kept.rename(place)
    return f"{place.name} cannot be written: status {found.status}, {found.said}"


def clock(project: Project, rng: random.Random, seconds: float) -> str:
    """Leave files of tomorrow, as a clock does that jumps back by a day."""
    tomorrow = time.time() + DAY
    for file in project.folder.rglob("*"):
        if file.is_file():
            os.utime(file, (tomorrow, tomorrow))
    return "every file is of tomorrow"


def two_at_once(project: Project, rng: random.Random, seconds: float) -> str:
    """Run ``dvc repro`` twice at the same time."""
    both = [project.start(["dvc", "repro"]) for _ in range(2)]
    found = [ended(process) for process in both]
    return "; ".join(f"status {each.status}, {each.said}" for each in found)


def dead_server(project: Project, rng: random.Random, seconds: float) -> str:
    """Name a server of MLflow where nobody answers."""
    found = project.repro({"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    return f"status {found.status}, {found.said}"


def locked_store(project: Project, rng: random.Random, seconds: float) -> str:
    """Hold MLflow's database for ten seconds while the stages want it."""
    store = project.folder / "mlflow.db"
    if not store.exists():
        return "there was no store yet"
    process = project.start(["dvc", "repro"])
    with closing(sqlite3.connect(store, timeout=60, isolation_level=None)) as database:
        for _ in range(3):
            database.execute("BEGIN EXCLUSIVE")
            time.sleep(10)
            database.execute("ROLLBACK")
            time.sleep(1)
    found = ended(process)
    return f"status {found.status}, {found.said}"


def corrupt_store(project: Project, rng: random.Random, seconds: float) -> str:
    """Overwrite the head of MLflow's database."""
    store = project.folder / "mlflow.db"
    with store.open("r+b") as stream:
        stream.write(rng.randbytes(4096))
    found = project.repro()
    store.unlink()
    return f"status {found.status}, {found.said}"


def _damaged(project: Project, rng: random.Random, pattern: str) -> str:
    """Flip a bit of a file that matches a pattern, or cut it."""
    files = sorted(f for f in project.folder.glob(pattern) if f.is_file() and f.stat().st_size)
    file = rng.choice(files)
    content = bytearray(file.read_bytes())
    if rng.random() < 0.5:
        how, content = "cut", content[: rng.randrange(len(content))]
    else:
        place = rng.randrange(len(content))
        how = "bit flipped"
        content[place] ^= 1 << rng.randrange(8)
    file.chmod(0o644)
    file.write_bytes(content)
    return f"{file.relative_to(project.folder)}: {how}"


def damaged(*patterns: str) -> Disturb:
    """A fault that damages one file that matches a pattern, by :mod:`glob`."""

    def disturb(project: Project, rng: random.Random, seconds: float) -> str:
        return _damaged(project, rng, rng.choice(patterns))

    return disturb


def damaged_lock(project: Project, rng: random.Random, seconds: float) -> str:
    """Damage ``dvc.lock``, and delete it where DVC says that it is invalid."""
    done = _damaged(project, rng, "dvc.lock")
    found = project.repro()
    if "dvc.lock" in found.said:
        (project.folder / "dvc.lock").unlink()
    return f"{done}, status {found.status}, {found.said}"


def damaged_checkpoint(project: Project, rng: random.Random, seconds: float) -> str:
    """Kill a training once it has a checkpoint, and damage that."""
    process = project.start(["dvc", "repro"])
    until = time.monotonic() + 2 * seconds
    while time.monotonic() < until and process.poll() is None:
        if list(project.folder.glob("checkpoints/*/*.npz")):
            break
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    ended(process)
    if not list(project.folder.glob("checkpoints/*/*.npz")):
        return "the training was over before it could be killed"
    return _damaged(project, rng, "checkpoints/*/*.npz")


FAULTS = (
    Fault("killed with its children", "new", kill, 60, quick=True),
    Fault("its children killed", "new", kill_children, 40),
    Fault("full disk", "prepared", full_disk, 5),
    Fault("folder that cannot be written", "prepared", read_only, 4),
    Fault("out of memory", "prepared", out_of_memory, 3),
    Fault("clock jumps back", "finished", clock, quick=True),
    Fault("two at once", "prepared", two_at_once, 2),
    Fault("dead MLflow server", "prepared", dead_server),
    Fault("locked mlflow.db", "prepared", locked_store),
    Fault("corrupt mlflow.db", "prepared", corrupt_store),
    Fault("damaged prepared data", "finished", damaged("data/prepared/*/*"), 6, quick=True),
    Fault("damaged bundle", "finished", damaged("models/*/*"), 6, quick=True),
    Fault("damaged checkpoint", "prepared", damaged_checkpoint, 3),
    Fault("damaged cache of DVC", "finished", damaged(".dvc/cache/files/md5/*/*"), 6),
    Fault("damaged dvc.lock", "finished", damaged_lock, 4, quick=True),
    Fault(
        "damaged metrics", "finished", damaged("metrics/*", "figures/*", "runs/*"), 3, quick=True
    ),
)
