"""Tables that are opened in a spreadsheet run no formula."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nlp_rnn.cli import main

CELLS = ["=1+1", "+1", "-1.5", "-good", "@sum(a1)", "good", " =1", "\t=1", "＝1"]
SAFE = ["'=1+1", "+1", "-1.5", "'-good", "'@sum(a1)", "good", "' =1", "'\t=1", "'＝1"]


@pytest.mark.parametrize("safe", [False, True])
def test_formulas_get_an_apostrophe_where_it_is_asked_for(
    bundles: dict[str, Path], tmp_path: Path, safe: bool
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    with source.open("w", newline="") as stream:
        csv.writer(stream).writerows([["text"], *([cell] for cell in CELLS)])
    options = ["--spreadsheet-safe"] if safe else []
    bundle = str(bundles["classification"])
    assert main(["predict", bundle, str(source), str(target), *options]) == 0
    with target.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == (SAFE if safe else CELLS)


def test_it_is_for_tables_only(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").write_text("good\n")
    arguments = [str(bundles["classification"]), str(tmp_path / "in.txt")]
    target = str(tmp_path / "out.jsonl")
    assert main(["predict", *arguments, target, "--spreadsheet-safe"]) == 2
    assert "--spreadsheet-safe" in capsys.readouterr().err
