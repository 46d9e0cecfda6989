"""Calibration against scikit-learn and brute force; a temperature that is known is found."""

from __future__ import annotations

import csv
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve

from nlp_rnn import linear_chain
from nlp_rnn.cli import main
from nlp_rnn.evaluation.calibration import (
    calibrate,
    calibration_figures,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    probabilities_at,
    reliability,
    reliability_picture,
    review_table,
)
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.linear_chain import Transitions
from nlp_rnn.runtime.bundle import Bundle


def judged(seed: int, count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and predictions that are right less often than those say."""
    rng = np.random.default_rng(seed)
    confidence = rng.beta(5, 1, count)
    return confidence, rng.random(count) < confidence**2


@pytest.mark.parametrize(("equal_mass", "strategy"), [(False, "uniform"), (True, "quantile")])
def test_the_reliability_diagram_is_scikit_learns(equal_mass: bool, strategy: str) -> None:
    confidence, right = judged(1)
    accuracy, mean = calibration_curve(right, confidence, n_bins=15, strategy=strategy)
    table = reliability(confidence, right, equal_mass)
    assert [row["accuracy"] for row in table] == pytest.approx(accuracy)
    assert [row["confidence"] for row in table] == pytest.approx(mean)
    counts = np.array([row["predictions"] for row in table])
    assert counts.sum() == len(right)
    expected = np.abs(accuracy - mean) @ counts / len(right)
    assert expected_calibration_error(table) == pytest.approx(expected)
    if equal_mass:
        assert counts.max() - counts.min() <= 1


def test_calibrated_confidences_have_no_error_and_others_have() -> None:
    confidence, right = judged(2, 100_000)
    truth = np.random.default_rng(0).random(len(confidence)) < confidence
    assert calibration_figures(confidence, truth)["ece"] < 0.01
    figures = calibration_figures(confidence, right)
    gap = (confidence - confidence**2).mean()
    assert figures["ece"] == pytest.approx(gap, abs=0.01)
    assert figures["ece_equal_mass"] == pytest.approx(gap, abs=0.01)
    assert figures["mean_confidence"] == confidence.mean()


def test_equal_confidences_are_one_bin() -> None:
    (row,) = reliability(np.ones(7), np.arange(7) < 5, equal_mass=True)
    assert (row["predictions"], row["accuracy"]) == (7, pytest.approx(5 / 7))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature: float) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (20_000, 4))
    gold = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    found = fit_temperature([logits * temperature], [gold])
    assert found == pytest.approx(temperature, rel=0.03)


def test_the_temperature_has_the_highest_likelihood() -> None:
    rng = np.random.default_rng(4)
    logits, gold = rng.normal(0, 3, (500, 5)), rng.integers(0, 5, 500)
    gold = np.where(rng.random(500) < 0.5, logits.argmax(axis=1), gold)
    grid = np.geomspace(0.1, 10, 400)
    losses = [-log_softmax(logits / t, axis=1)[np.arange(500), gold].mean() for t in grid]
    assert fit_temperature([logits], [gold]) == pytest.approx(grid[np.argmin(losses)], rel=0.02)


def test_without_errors_the_temperature_stays_finite() -> None:
    logits = np.eye(3)[[0, 1, 2, 1]] * 4
    assert 0.1 <= fit_temperature([logits], [np.array([0, 1, 2, 1])]) < 0.12


# --- whether a temperature helps ---------------------------------------------------------


def sentences_of(
    seed: int, count: int, margin: float, temperature: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Logits and tags of sentences: probabilities are right at ``temperature``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (count, 10, 5))
    np.put_along_axis(logits, rng.integers(0, 5, (count, 10, 1)), margin, axis=-1)
    uniform = rng.random((count, 10, 1))
    gold = (softmax(logits, axis=-1).cumsum(axis=-1) < uniform).sum(axis=-1).clip(max=4)
    return list(logits * temperature), list(gold)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_temperature_with_evidence_is_used(temperature: float) -> None:
    found = calibrate(*sentences_of(0, 400, 4, temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert f"The temperature {found.temperature:.3f} lowers the loss by" in found.reason
    assert found.figures == {"temperature": found.temperature, "calibration": found.reason}


def test_without_an_error_nothing_is_fitted() -> None:
    logits, _ = sentences_of(1, 50, 8, 1)
    gold = [sentence.argmax(axis=-1) for sentence in logits]
    assert fit_temperature(logits, gold) < 0.12
    found = calibrate(logits, gold)
    assert found.temperature == 1 and "no errors" in found.reason


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 30, 300])
@pytest.mark.parametrize("margin", [6, 9])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.4])
def test_no_temperature_is_worse_than_none_on_texts_not_seen(
    count: int, margin: float, temperature: float
) -> None:
    """Few errors too are little evidence."""
    test = sentences_of(99, 2000, margin, temperature)

    def loss(at: float) -> float:
        return log_loss(probabilities_at(at, test[0]), test[1])

    for seed in range(5):
        found = calibrate(*sentences_of(seed, count, margin, temperature))
        assert loss(found.temperature) <= loss(1.0) + 1e-12


@pytest.mark.slow
def test_a_crfs_temperature_is_cross_validated_by_sentence() -> None:
    rng = np.random.default_rng(6)
    logits, gold = [], []
    _, scores = chain(0)
    for seed in range(600):
        emissions, _ = chain(seed)
        paths, probabilities = distribution(emissions, scores)
        gold.append(paths[rng.choice(len(paths), p=probabilities)])
        logits.append(emissions)
    assert calibrate(logits, gold, scores).temperature == 1
    sharp = [emissions * 2 for emissions in logits], Transitions(*(s * 2 for s in scores))
    assert calibrate(sharp[0], gold, sharp[1]).temperature == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 4)])
def test_probabilities_write_into_no_argument(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    _, scores = chain(1)
    sentences = list(rng.normal(0, 2, (*shape, TAGS)))
    for array in (*sentences, *scores):
        array.setflags(write=False)
    found = probabilities_at(1.0, sentences, scores)
    for emissions, marginals in zip(sentences, found, strict=True):
        paths, probabilities = distribution(emissions, scores)
        expected = [probabilities @ (paths == tag) for tag in range(TAGS)]
        np.testing.assert_allclose(marginals, np.transpose(expected), atol=1e-9)


TAGS, WORDS = 3, 4


def chain(seed: int) -> tuple[np.ndarray, Transitions]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1, (TAGS,)), rng.normal(0, 1, (TAGS, TAGS)), rng.normal(0, 1, (TAGS,))
    return rng.normal(0, 1.5, (WORDS, TAGS)), Transitions(*scores)


def distribution(emissions: np.ndarray, scores: Transitions) -> tuple[np.ndarray, np.ndarray]:
    """Every tag sequence and its probability, one by one."""
    paths = np.array(list(itertools.product(range(TAGS), repeat=len(emissions))))
    return paths, softmax([linear_chain.path_score(emissions, path, scores) for path in paths])


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_marginals_at_a_temperature_are_those_of_all_sequences(temperature: float) -> None:
    emissions, scores = chain(5)
    sentences = [emissions[:n] for n in (3, 1, 4, 2)]
    found = probabilities_at(temperature, sentences, scores)
    for sentence, marginals in zip(sentences, found, strict=True):
        tempered = Transitions(*(s / temperature for s in scores))
        paths, probabilities = distribution(sentence / temperature, tempered)
        expected = [probabilities @ (paths == tag) for tag in range(TAGS)]
        np.testing.assert_allclose(marginals, np.transpose(expected), atol=1e-9)


@pytest.mark.slow
def test_the_temperature_of_a_crf_is_found() -> None:
    rng = np.random.default_rng(6)
    logits, gold = [], []
    _, scores = chain(0)
    for seed in range(1500):
        emissions, _ = chain(seed)
        paths, probabilities = distribution(emissions, scores)
        gold.append(paths[rng.choice(len(paths), p=probabilities)])
        logits.append(emissions * 2)
    found = fit_temperature(logits, gold, Transitions(*(s * 2 for s in scores)))
    assert found == pytest.approx(2, rel=0.05)


def test_a_temperature_changes_no_path() -> None:
    for seed in range(20):
        emissions, scores = chain(seed)
        for temperature in (0.3, 5.0):
            paths = [
                linear_chain.viterbi(e[None], np.array([WORDS]), s, 5)[0]
                for e, s in (
                    (emissions, scores),
                    linear_chain.tempered(emissions, scores, temperature),
                )
            ]
            assert (paths[0] == paths[1]).all()


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_predictions_are_calibrated_and_stay_the_same(bundles: dict[str, Path], task: str) -> None:
    plain = Bundle.open(bundles[task])
    assert plain.temperature == 1
    texts = ["good , not bad at all", "Ann Lee lives in Rome"]
    before, after = (
        list(Predictor.of(replace(plain, figures={"temperature": t})).predict(texts))
        for t in (1.0, 4.0)
    )
    for one, other in zip(before, after, strict=True):
        if task == "tagging":
            assert one["tags"] == other["tags"]
            assert all(
                a > b for a, b in zip(one["probabilities"], other["probabilities"], strict=True)
            )
        else:
            assert one["label"] == other["label"]
            p = np.array(list(one["probabilities"].values()))
            expected = softmax(np.log(p) / 4)
            assert list(other["probabilities"].values()) == pytest.approx(expected)


# --- review ---------------------------------------------------------------------------


def test_the_review_table_counts_what_a_person_would_see() -> None:
    confidence = np.array([0.55, 0.65, 0.85, 0.97, 0.995])
    right = np.array([False, True, False, True, True])
    rows = {row["review_below"]: row for row in review_table(confidence, right)}
    assert rows[0.5] == {
        "review_below": 0.5, "marked": 0, "errors_found": 0, "accuracy_of_the_rest": 0.6
    }  # fmt: skip
    assert rows[0.7]["marked"] == 0.4
    assert rows[0.7]["errors_found"] == 0.5
    assert rows[0.7]["accuracy_of_the_rest"] == pytest.approx(2 / 3)
    assert rows[0.9]["accuracy_of_the_rest"] == 1
    everything = review_table(np.zeros(3), np.ones(3, bool))[0]
    assert (everything["errors_found"], everything["accuracy_of_the_rest"]) == (None, None)


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_unsure_predictions_are_marked_for_review(
    bundles: dict[str, Path], tmp_path: Path, task: str
) -> None:
    texts = ["good", "not bad at all", "Ann lives in Rome", "", "New York"]
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

    def predicted(*options: str, file: Path = output) -> list[dict[str, object]]:
        assert main(["predict", str(bundles[task]), str(source), str(file), *options]) == 0
        return [json.loads(line) for line in output.read_text().splitlines()]

    plain = predicted()
    assert "review" not in plain[0]
    key = "probability" if task == "classification" else "probabilities"
    sure = [float(np.min(row[key], initial=1)) for row in plain]
    limit = sorted(sure)[2]
    marked = [row["review"] for row in predicted("--review-below", str(limit))]
    assert marked == [s < limit for s in sure]
    assert 0 < sum(marked) < len(marked)
    predicted("--review-below", str(limit), file=tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as table:
        assert [row["review"] for row in csv.DictReader(table)] == [
            "true" if mark else "false" for mark in marked
        ]


def test_review_is_refused_where_it_means_nothing(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    for task, output, message in (
        ("language_modelling", "out.jsonl", "language model"),
        ("tagging", "out.conll", "no place for --review-below"),
        ("classification", "out.txt", "no place for --review-below"),
    ):
        files = [str(tmp_path / name) for name in ("in.txt", output)]
        assert main(["predict", str(bundles[task]), *files, "--review-below", "0.9"]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / output).exists()


def test_the_picture_shows_both_sides(tmp_path: Path) -> None:
    confidence, right = judged(1)
    table = reliability(confidence, right)
    figure = reliability_picture(table, reliability(confidence**2, right), 1.5, "mine")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == f"before: ECE {expected_calibration_error(table):.3f}"
    assert titles[1].startswith("after (temperature 1.50)")
    counts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {f"{row['predictions']:,}" for row in table} <= counts
