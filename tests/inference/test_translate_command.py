"""``nlp-rnn translate``: a line in, its outputs back."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from nlp_rnn.cli import main


def typed(raw: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(raw), encoding="latin-1")  # whatever the locale is


def test_a_line_that_is_no_utf_8_is_named(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", typed(b"the cat\na\xffb\n"))
    assert main(["translate", str(bundles["sequence_to_sequence"])]) == 2
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 1
    assert "error: standard input, line 2: byte 0xff is not UTF-8 text" in output.err


def test_each_line_is_answered_by_as_many_outputs_as_asked(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", typed(b"the cat sleeps\nthe cat\n"))
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
