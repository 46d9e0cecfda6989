"""A machine without memory is named as such, however a library puts it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from nlp_rnn.cli import run
from nlp_rnn.tracking import store

ERRORS = [
    MemoryError(),
    sqlite3.OperationalError("out of memory"),
    OSError(12, "Cannot allocate memory"),
    ImportError("libx.so: failed to map segment from shared object"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_command_says_so_in_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def action() -> None:
        raise RuntimeError("a library's own words") from error

    assert run(action) == 1
    found = capsys.readouterr().err
    assert found.startswith("error: out of memory;")
    assert found.count("\n") == 1


def test_other_errors_keep_their_traceback() -> None:
    def action() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        run(action)


def test_the_store_of_runs_is_not_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_memory(file: Path) -> None:
        raise sqlite3.OperationalError("out of memory")

    monkeypatch.setattr(store, "_make_schema", without_memory)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(sqlite3.OperationalError, match="out of memory"), store.connected():
        pass
