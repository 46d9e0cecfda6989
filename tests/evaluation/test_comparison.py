"""``nlp-rnn compare``: what it prints of files of predictions, and which it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_rnn.cli import main
from nlp_rnn.evaluation.predictions import figures, write_predictions

Rows = list[dict[str, Any]]


def labelled(right: np.ndarray) -> Rows:
    return [
        {"gold": "ab"[i % 2], "predicted": "ab"[i % 2 if r else 1 - i % 2]}
        for i, r in enumerate(right)
    ]


def scored(losses: np.ndarray, unknown: int = 0) -> Rows:
    return [
        {"loss": float(loss), "tokens": 10, "unknown": unknown, "characters": 50} for loss in losses
    ]


@pytest.fixture
def compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    monkeypatch.chdir(tmp_path)

    def compare(a: Rows, b: Rows, *options: str) -> tuple[int, str, str]:
        write_predictions(Path("predictions/one.jsonl"), a)
        write_predictions(Path("other.jsonl"), b)
        status = main(["compare", "one", "other.jsonl", *options])
        found = capsys.readouterr()
        return status, found.out, found.err

    return compare


def test_a_better_classifier_is_named_with_its_interval_and_p(compared: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = (labelled(rng.random(800) < share) for share in (0.9, 0.8))
    status, out, _ = compared(a, b)
    assert status == 0
    assert "accuracy: A is better" in out
    row = next(line for line in out.splitlines() if line.startswith("| accuracy"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    value = figures(a, ["a", "b"])["accuracy"].value
    assert cells[1].startswith(f"{value:.4f} [")
    assert cells[3].startswith("+0.") and ", +0." in cells[3]
    assert float(cells[4].removeprefix("< ")) < 0.01
    only = [sum(x["gold"] == x["predicted"] != y["predicted"] for x, y in zip(*p, strict=True))
            for p in ((a, b), (b, a))]  # fmt: skip
    assert f"Only A is right on {only[0]} examples, only B on {only[1]}" in out
    assert (status, out) == compared(a, b)[:2]  # seeded


def test_no_difference_is_not_called_equality(compared: Any) -> None:
    rng = np.random.default_rng(1)
    a, b = (labelled(rng.random(200) < 0.8) for _ in range(2))
    _, out, _ = compared(a, b, "--resamples", "500", "--seed", "3")
    assert "accuracy: no evidence of a difference" in out
    assert "may well lie anywhere from -" in out


def test_p_and_interval_never_contradict_each_other(compared: Any) -> None:
    for only_a, only_b in ((5, 0), (6, 0), (4, 1), (9, 2)):
        right = [np.repeat([True, True, False], [120, only_a, only_b])]
        right.append(np.repeat([True, False, True], [120, only_a, only_b]))
        _, out, _ = compared(*map(labelled, right), "--resamples", "999")
        for line in out.splitlines():
            if line.startswith(("| accuracy", "| f1")):
                *_, between, p, _ = (cell.strip() for cell in line.split("|"))
                low, high = (float(x) for x in between.split("[")[1].strip("]").split(", "))
                assert (float(p.removeprefix("< ")) <= 0.05) == (not low <= 0 <= high), line


@pytest.mark.slow
def test_a_lower_perplexity_is_better(compared: Any) -> None:
    losses = np.random.default_rng(2).gamma(20, 2, 300)
    _, out, _ = compared(scored(losses * 0.97), scored(losses))
    assert "perplexity: A is better" in out
    assert "McNemar" not in out


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (labelled(np.ones(9)), "10 and 9 examples"),
        (labelled(np.ones(11))[1:], "line 1 differs in 'gold'"),
        (scored(np.ones(10)), "classification and language_modelling"),
    ],
)
def test_other_test_splits_are_refused(compared: Any, other: Rows, message: str) -> None:
    status, _, error = compared(labelled(np.ones(10)), other)
    assert status == 2
    assert message in error


def test_other_vocabularies_are_refused(compared: Any) -> None:
    status, _, error = compared(scored(np.ones(5)), scored(np.ones(5), unknown=1))
    assert status == 2
    assert "different vocabularies cannot be compared" in error


def test_a_missing_experiment_says_what_to_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "one", "two"]) == 2
    assert "dvc repro evaluate@one" in capsys.readouterr().err
