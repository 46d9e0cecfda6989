"""Texts of more tokens than a network can read as a whole."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

import nlp_rnn
from nlp_rnn.cli import main

LONG = "good bad " * 20


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLP_RNN_TEXT_TOKENS", "30")


@pytest.mark.parametrize("task", ["classification", "tagging", "sequence_to_sequence"])
@pytest.mark.parametrize("source", ["file", "stream", "words"])
def test_a_text_that_is_too_long_is_named_before_anything_is_written(
    bundles: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    task: str,
    source: str,
) -> None:
    name = {"file": "in.txt", "stream": "-", "words": "in.conll"}[source]
    given = str(tmp_path / name) if source != "stream" else "-"
    content = LONG.replace(" ", "\n") if source == "words" else f"short\n{LONG}\n"
    if source == "stream":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    else:
        (tmp_path / name).write_text(content)
    target = tmp_path / "out.jsonl"
    assert main(["predict", str(bundles[task]), given, str(target)]) == 2
    assert "the text that begins with 'good bad" in (said := capsys.readouterr().err)
    assert "has more than 30 tokens" in said and "NLP_RNN_TEXT_TOKENS" in said
    assert not target.exists()


def test_the_limit_can_be_raised_and_language_models_have_none(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nlp_rnn.load(bundles["language_modelling"]).predict([LONG])
    for task in ("classification", "tagging", "sequence_to_sequence"):
        with pytest.raises(nlp_rnn.UserError):
            nlp_rnn.load(bundles[task]).predict([LONG])
    monkeypatch.setenv("NLP_RNN_TEXT_TOKENS", "40")
    assert nlp_rnn.load(bundles["classification"]).predict([LONG])
