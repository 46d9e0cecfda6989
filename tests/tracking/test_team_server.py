"""Runs on a team's server: MLflow on PostgreSQL and S3, which restarts while runs are logged.

``NLP_RNN_TEAM_RUNS`` says how many runs there are at once, four unless it does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.team_server import TeamServer, lacking, team_server

LACKING = lacking()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(LACKING is not None, reason=LACKING or ""),
]

RUNS = int(os.environ.get("NLP_RNN_TEAM_RUNS", "4"))
EPOCHS = 8

WORKER = f"""
import sys, time
from pathlib import Path
from nlp_rnn import tracking

name, gate = sys.argv[1], Path(sys.argv[2])
with tracking.run("team", name) as run:
    run.log_parameters({{"name": name}})
    for epoch in range(1, {EPOCHS} + 1):
        run.log_metrics({{"validation": {{"loss": 1 / epoch}}}}, epoch)
        if epoch == {EPOCHS} // 2:
            (gate / name).touch()
            while not (gate / "down").exists():
                time.sleep(0.01)
    Path(name).write_text(name)
    run.log_file(Path(name))
    run.log_table([{{"epoch": 1, "loss": 1.0}}], "table.json")
"""


@pytest.fixture(scope="module")
def server() -> Iterator[TeamServer]:
    with team_server() as running:
        yield running


def start(server: TeamServer, folder: Path, code: str, *arguments: str) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=kept
        | {
            "MLFLOW_TRACKING_URI": server.uri,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_no_run_is_lost_when_the_server_restarts_and_its_connections_expire(
    server: TeamServer, tmp_path: Path
) -> None:
    names = [f"run-{number}" for number in range(RUNS)]
    gate = tmp_path / "gate"
    gate.mkdir()
    workers = [start(server, tmp_path, WORKER, name, str(gate)) for name in names]
    while len(list(gate.iterdir())) < RUNS:
        assert all(worker.poll() in (None, 0) for worker in workers)
        time.sleep(0.05)
    assert server.expire_connections() > 0
    server.kill_tracking()
    (gate / "down").touch()
    time.sleep(1)  # the workers meet a server that is not there
    server.start_tracking()
    server.expire_connections()
    for worker in workers:
        _, errors = worker.communicate(timeout=240)
        assert worker.returncode == 0, errors

    rows = server.query("SELECT name, status, run_uuid FROM runs ORDER BY name")
    found = [row.split("|") for row in rows]
    assert [(name, status) for name, status, _ in found] == [(name, "FINISHED") for name in names]
    objects = server.stored()
    for name, _, run_id in found:
        points = server.query(
            f"SELECT step, value FROM metrics WHERE run_uuid = '{run_id}' ORDER BY step"
        )
        logged = [tuple(map(float, point.split("|"))) for point in points]
        assert logged == [(epoch, 1 / epoch) for epoch in range(1, EPOCHS + 1)]
        for file in (name, "table.json"):
            assert any(key.endswith(f"/{run_id}/artifacts/{file}") for key in objects)


def test_a_server_that_does_not_come_back_is_one_line_and_its_run_can_be_resumed(
    server: TeamServer, tmp_path: Path
) -> None:
    code = """
import os, sys
from nlp_rnn import tracking
from nlp_rnn.errors import UserError
try:
    with tracking.run("team", "parent") as parent, \\
            tracking.run("team", "left", parent=parent.id) as run:
        print(run.id, file=sys.stderr, flush=True)
        sys.stdin.readline()
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"  # about four seconds
        run.log_metrics({"loss": 1.0}, 1)
except UserError as error:
    sys.exit(f"error: {error}")
"""
    worker = start(server, tmp_path, code)
    assert worker.stderr is not None
    run_id = worker.stderr.readline().strip()
    server.kill_tracking()
    _, errors = worker.communicate("\n", timeout=120)
    said = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert worker.returncode == 1
    assert len(said) == 1 and f"MLflow server {server.uri} does not answer any more" in said[0]
    assert "Traceback" not in errors

    server.start_tracking()
    again = f"""
from nlp_rnn import tracking
with tracking.run("team", "left", "{run_id}") as run:
    run.log_metrics({{"loss": 1.0}}, 1)
"""
    resumed = start(server, tmp_path, again)
    _, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert server.query(f"SELECT status FROM runs WHERE run_uuid = '{run_id}'") == ["FINISHED"]
