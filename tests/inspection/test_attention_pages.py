"""``nlp-rnn inspect`` with an encoder-decoder."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nlp_rnn.cli import main


def test_a_picture_and_a_table_show_where_attention_looked(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("the cat sleeps\n\nthe cat\n")
    model, target = str(bundles["sequence_to_sequence"]), tmp_path / "looking"
    assert main(["inspect", model, str(tmp_path / "in.txt"), str(target)]) == 0
    assert (target / "attention.png").read_bytes().startswith(b"\x89PNG")
    with (target / "attention.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    first = [row for row in rows if row["text"] == "1"]
    assert [row["source"] for row in first[:3]] == ["the", "cat", "sleeps"]
    assert sum(float(row["weight"]) for row in first[:3]) == pytest.approx(1, abs=1e-4)


def test_options_of_language_models_are_refused(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").write_text("the cat\n")
    model = str(bundles["sequence_to_sequence"])
    command = ["inspect", model, str(tmp_path / "in.txt"), str(tmp_path / "x"), "--layer", "0"]
    assert main(command) == 2
    assert "--layer is for language models" in capsys.readouterr().err
