"""The report's tables, from figures as the stage evaluate writes them."""

from __future__ import annotations

from typing import Any

import pytest

from nlp_rnn.evaluation.report import RANDOM, Row, gains, headline_metrics, result_row, way


def row(vectors: str, figure: float, metric: str = "accuracy", setting: str = "a") -> Row:
    figures: dict[str, Any] = {
        "test": {metric: figure},
        "baselines": {"simple": {metric: 0.5}},
        "training": {"epochs": 1, "seconds": 60.0, "tokens_per_second": 1.0},
        "model": {
            "dataset": "d",
            "parameters": 1,
            "vectors": vectors,
            "all_but_vectors": setting,
        },
    }
    return result_row(vectors, figures, metric)


def lines(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[3:6]] for line in table.splitlines()[2:]]


def test_gains_are_over_random_vectors_and_in_order() -> None:
    table = gains([row("glove", 0.91), row(RANDOM, 0.90), row("own", 0.95), row("bad", 0.85)])
    assert lines(table) == [
        [RANDOM, "0.9000", ""],
        ["bad", "0.8500", "-0.0500"],
        ["glove", "0.9100", "+0.0100"],
        ["own", "0.9500", "+0.0500"],
    ]


def test_a_lower_perplexity_is_a_gain() -> None:
    rows = [row(RANDOM, 120.0, "perplexity"), row("own", 100.0, "perplexity")]
    assert lines(gains(rows))[1] == ["own", "100.00", "+20.0000"]


def test_nothing_is_compared_that_differs_in_more_than_its_vectors() -> None:
    assert gains([row(RANDOM, 0.9), row("own", 0.95, setting="b")]) == ""
    assert gains([row("own", 0.95), row("glove", 0.91)]) == ""


def figures_of(test: dict[str, float], baselines: dict[str, Any], select: str) -> dict[str, Any]:
    return {
        "test": test,
        "baselines": baselines,
        "training": {"epochs": 1, "seconds": 60.0, "tokens_per_second": 1.0},
        "model": {
            "dataset": "d",
            "parameters": 1,
            "vectors": RANDOM,
            "all_but_vectors": "a",
            "entities": False,
            "select": select,
        },
    }


@pytest.mark.parametrize(("select", "best"), [("bleu", 10.6), ("exact_match", 0.1), ("loss", 0.1)])
def test_the_best_baseline_is_that_of_the_metric_that_selected_the_epoch(
    select: str, best: float
) -> None:
    baselines = {"one": {"bleu": 10.6, "exact_match": 0.0}, "other": {"exact_match": 0.1}}
    figures = figures_of({"bleu": 36.7, "exact_match": 0.4, "loss": 2.0}, baselines, select)
    found = headline_metrics(figures, {"bleu": 37.1})
    assert found["best_baseline"] == best
    assert found["test"]["bleu"] == 36.7 and found["validation"] == {"bleu": 37.1}


def test_the_headline_of_a_parser_has_the_metric_of_its_baseline() -> None:
    test = {"exact_match": 0.4, "bracket_f1": 0.67, "malformed": 0.0, "perplexity": 1.3}
    pcfg = {"exact_match": 0.1, "bracket_f1": 0.74, "malformed": 0.0}
    found = headline_metrics(figures_of(test, {"pcfg": pcfg}, "loss"), {})
    assert found["test"] == test
    assert found["best_baseline"] == 0.74


def test_how_far_a_figure_is_from_its_optimum() -> None:
    assert way({"metric": "accuracy", "way": 0.894}) == "89% of the way"
    assert way({"metric": "accuracy", "way": 1.36}) == "above the optimum, by chance"
    assert way({"metric": "perplexity", "way": 1.047}) == "+4.7% of the bound"
    assert way({"metric": "f1", "way": None}) == ""
