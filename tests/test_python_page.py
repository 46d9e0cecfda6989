"""The examples of docs/python.md run as they stand, on small stand-ins for the trained models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn import stages

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
STAND_INS = {
    "models/sentiment-bilstm": "classification",
    "models/ner-bilstm-crf": "tagging with a CRF",
    "models/lm-lstm": "language_modelling",
}


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(
    bundles: dict[str, Path],
    crf_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = {**bundles, "tagging with a CRF": crf_bundle}
    (tmp_path / "models").mkdir()
    for name, stand_in in STAND_INS.items():
        (tmp_path / name).symlink_to(there[stand_in])
    monkeypatch.chdir(tmp_path)
    called: list[tuple[str, str]] = []
    for stage in ("prepare", "embed", "train", "evaluate"):
        monkeypatch.setattr(stages, stage, lambda name, stage=stage: called.append((stage, name)))
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["tagger"].predict(names["words"], verbose=0).shape == (2, 3)
    assert "no such model folder" in capsys.readouterr().out
    assert [stage for stage, _ in called] == ["prepare", "embed", "train", "evaluate"]
