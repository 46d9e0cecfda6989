"""``nlp-rnn translate``: a line in, its outputs back."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from nlp_rnn.cli import main


def test_each_line_is_answered_by_as_many_outputs_as_asked(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the cat sleeps\nthe cat\n"))
    model = str(bundles["sequence_to_sequence"])
    assert main(["translate", model, "--n-best", "2", "--beam", "4", "--score"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(float(line.split("\t")[0]) < 0 for line in lines)


def test_other_models_answer_no_lines(
    bundles: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", str(bundles["tagging"])]) == 2
    assert "only models for sequence_to_sequence answer lines" in capsys.readouterr().err
