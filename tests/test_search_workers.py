"""Searches that several processes share: each trial once, and none lost with a killed process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from nlp_rnn.search.claims import Claims
from nlp_rnn.search.trials import Records, Trial

pytestmark = pytest.mark.slow

WORKER = """
import sys, time
from dataclasses import replace
from pathlib import Path
from nlp_rnn.search.claims import Claims
from nlp_rnn.search.trials import Records

folder, name, hangs = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "hangs"
records = Records(folder / "trials")
claims = Claims(folder, records)
draw = lambda number, earlier: {"drawn_by": name, "number": number}
for trial, _ in claims.trials(6, draw):
    with (folder / "began").open("a") as stream:
        stream.write(f"{name} {trial.number}\\n")
    (claims.place(trial.number) / "checkpoint").touch()
    time.sleep(600 if hangs else 0.05)
    with claims.alone():
        records.write(replace(trial, figure=float(trial.number)))
with claims.alone():
    claims.clear()
"""


def start(folder: Path, name: str, mode: str = "works") -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", WORKER, str(folder), name, mode]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})


def began(folder: Path) -> list[str]:
    file = folder / "began"
    return file.read_text().splitlines() if file.exists() else []


def test_two_processes_train_each_trial_once(tmp_path: Path) -> None:
    workers = [start(tmp_path, name) for name in ("one", "two")]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert sorted(line.split()[1] for line in began(tmp_path)) == list("123456")
    records = Records(tmp_path / "trials").read()
    assert list(records) == [1, 2, 3, 4, 5, 6]
    for line in began(tmp_path):
        name, number = line.split()
        assert records[int(number)].parameters == {"drawn_by": name, "number": int(number)}
    assert not (tmp_path / "running").exists()


def test_the_trial_of_a_killed_process_is_taken_over_with_its_parameters(tmp_path: Path) -> None:
    killed = start(tmp_path, "killed", "hangs")
    while not began(tmp_path):
        time.sleep(0.02)
    other = start(tmp_path, "other")
    while len(list((tmp_path / "trials").glob("*.json"))) < 5:  # all but the one that is held
        assert other.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    assert other.wait(60) == 0
    records = Records(tmp_path / "trials").read()
    assert [records[number].parameters["drawn_by"] for number in records] == [
        "killed",
        *["other"] * 5,
    ]
    assert began(tmp_path).count("other 1") == 1


def test_what_a_killed_process_left_is_there_for_the_next(tmp_path: Path) -> None:
    records = Records(tmp_path / "trials")
    claims = Claims(tmp_path, records)
    with closing(claims.trials(1, lambda number, earlier: {"rate": 0.5})) as trials:
        trial, _ = next(trials)
        (claims.place(1) / "checkpoint").write_text("epoch 1")
    with closing(claims.trials(1, lambda number, earlier: {"rate": 0.1})) as trials:
        again, _ = next(trials)
        assert again == trial == Trial(1, {"rate": 0.5})
        assert (claims.place(1) / "checkpoint").read_text() == "epoch 1"


def test_one_process_knows_all_earlier_trials(tmp_path: Path) -> None:
    """So its draws are those of a loop, as they were before several could share a search."""
    records = Records(tmp_path / "trials")
    known = []

    def draw(number: int, earlier: object) -> dict[str, int]:
        known.append([trial.number for trial in earlier])  # type: ignore[attr-defined]
        return {"number": number}

    for trial, _ in Claims(tmp_path, records).trials(4, draw):
        records.write(trial)
    assert known == [[], [1], [1, 2], [1, 2, 3]]
