"""``nlp-rnn inspect``: what it writes, and what it refuses in one line."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.bundles import write_untrained
from nlp_rnn.cli import main
from nlp_rnn.example import Example
from nlp_rnn.inspection import inspect as inspection
from nlp_rnn.inspection.features import FEATURES

pytestmark = pytest.mark.slow

TEXT = 'the "cat" sleeps\nthe (dog) barks\n'
LINES = [Example(text='the " cat " sleeps'), Example(text="the ( dog ) barks")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return write_untrained(
        folder, "language_modelling", "text", LINES, {"layers": 2, "units": 4, "cell": "lstm"}
    )


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path / "text.txt"


def run(model: Path, text: Path, *options: Any) -> int:
    return main(["inspect", str(model), str(text), str(text.parent / "out"), *map(str, options)])


def rows(text: Path) -> list[dict[str, str]]:
    with (text.parent / "out" / "cells.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def sections(text: Path) -> list[str]:
    page = (text.parent / "out" / "cells.html").read_text(encoding="utf-8")
    return [part.split('"')[0] for part in page.split('<section id="')[1:]]


def test_the_best_cell_of_each_feature_is_shown(model: Path, text: Path) -> None:
    assert run(model, text, "--saliency", 3, 1) == 0
    assert (text.parent / "out" / "cells.png").stat().st_size > 0
    table = rows(text)
    features = list(dict.fromkeys(row["feature"] for row in table))
    assert {"quotes", "brackets", "line_position"} <= set(features) <= set(FEATURES)
    for feature in features:
        of_feature = [row for row in table if row["feature"] == feature]
        assert len(of_feature) == 2 * 2 * 4
        strengths = [abs(float(row["correlation"])) for row in of_feature]
        assert strengths == sorted(strengths, reverse=True)
    best = [row for row in table if row["rank"] == "1"]
    cells = [f"{row['feature']}-{row['layer']}-{row['state']}-{row['cell']}" for row in best]
    shown = sections(text)
    assert shown[: len(cells)] == cells
    assert [name.split("-")[1] for name in shown[len(cells) :]] == ["3"] * 3 + ["1"] * 3


def test_a_correlation_that_does_not_exist_is_a_dash(model: Path, text: Path) -> None:
    text.write_text('"the" cat sleeps\nthe dog barks\n')
    assert run(model, text) == 0
    page = (text.parent / "out" / "cells.html").read_text(encoding="utf-8")
    assert "— in the second)" in page
    assert "nan" not in page


def test_cells_are_chosen_by_layer_number_and_feature(model: Path, text: Path) -> None:
    assert run(model, text, "--layer", 1, "--cells", "3,0") == 0
    assert [name.split("-", 1)[1] for name in sections(text)] == [
        "1-h-3",
        "1-c-3",
        "1-h-0",
        "1-c-0",
    ]
    assert {row["layer"] for row in rows(text)} == {"1"}
    assert run(model, text, "--track", "quotes") == 0
    assert [name.split("-")[0] for name in sections(text)] == ["quotes"] * 5


def test_a_long_text_is_cut_and_that_is_said(
    model: Path, text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inspection, "MOST_TOKENS", 5)
    assert run(model, text, "--saliency", 5) == 0
    assert "only the first 5 tokens" in capsys.readouterr().err
    assert "its beginning" in (text.parent / "out" / "cells.html").read_text(encoding="utf-8")
    assert run(model, text, "--saliency", 6) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", 2], "has layers 0 to 1"),
        (["--cells", "1,4"], "there are cells 0 to 3"),
        (["--track", "quote"], "expected quotes, "),
        (["--track", "number"], "constant over"),
        (["--saliency", 99], "the text has tokens 1 to"),
    ],
)
def test_a_mistake_is_told_in_a_line(
    options: list[Any],
    message: str,
    model: Path,
    text: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(model, text, *options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert not (text.parent / "out").exists()


@pytest.mark.parametrize("options", [["--cells", "a"], ["--cells", "-1"], ["--saliency", "0"]])
def test_arguments_of_another_form_are_refused(options: list[str], text: Path) -> None:
    with pytest.raises(SystemExit) as exit:
        run(Path("m"), text, *options)
    assert exit.value.code == 2


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "holds no text"), (b"\xff\n", "is not UTF-8"), (None, "no such")]
)
def test_a_text_that_cannot_be_read_is_named(
    content: bytes | None,
    message: str,
    model: Path,
    text: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text.unlink()
    if content is not None:
        text.write_bytes(content)
    assert run(model, text) == 2
    error = capsys.readouterr().err
    assert "text.txt" in error
    assert message in error


def test_other_models_and_targets_are_refused(
    bundles: dict[str, Path], model: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bundles["classification"], text) == 2
    assert "only language models" in capsys.readouterr().err
    (text.parent / "out").write_text("mine")
    assert run(model, text) == 2
    assert "expected a folder" in capsys.readouterr().err
    assert (text.parent / "out").read_text() == "mine"


def test_no_backend_is_imported_before_the_model_says_which() -> None:
    code = "import sys, nlp_rnn.inspection.inspect; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
