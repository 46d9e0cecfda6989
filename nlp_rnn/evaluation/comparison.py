"""Compare two models on the same test split: their difference and its significance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.bootstrap import LEVEL, interval
from nlp_rnn.evaluation.predictions import (
    Row,
    figures,
    kind_of,
    labels_of,
    marks_entities,
    read_predictions,
)
from nlp_rnn.evaluation.significance import Comparison, compared, mcnemar_test
from nlp_rnn.markdown import markdown_table
from nlp_rnn.task_kinds import TASK_KINDS

SIGNIFICANT = 1 - LEVEL
"""p-values up to this count as evidence of a difference."""

LOWER_IS_BETTER = (
    "perplexity",
    "bits_per_character",
    "edit_distance",
    "token_error_rate",
    "malformed",
)


def compare(file_a: Path, file_b: Path, resamples: int, seed: int) -> str:
    """Compare the models of two files of predictions; returns Markdown.

    Raises:
        UserError: a file is faulty, or the two are not from the same test split.
    """
    a, b = read_predictions(file_a), read_predictions(file_b)
    _check_same(file_a, a, file_b, b)
    labels, entities = labels_of(a, b), marks_entities(a, b)
    of_a, of_b = (figures(rows, labels, entities) for rows in (a, b))
    mcnemar = _mcnemar(a, b) if kind_of(a[0]) == "classification" else None
    heading = (
        f"A: {file_a}\nB: {file_b}\n"
        f"{len(a):,} examples of the test split; in brackets {LEVEL:.0%} intervals\n"
    )
    rows, verdicts = [], []
    for name in of_a:
        # McNemar's test is the randomisation test of accuracies over all swaps.
        null_p = mcnemar[-1] if mcnemar and name in ("accuracy", "exact_match") else None
        gap = compared(of_a[name], of_b[name], resamples, seed, null_p=null_p)
        cells = [
            f"{value:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"
            for value, (low, high), sign in (
                (of_a[name].value, interval(of_a[name], seed=seed), ""),
                (of_b[name].value, interval(of_b[name], seed=seed), ""),
                (gap.difference, (gap.low, gap.high), "+"),
            )
        ]
        rows.append([name, *cells, _p(gap.p)])
        verdicts.append(verdict(name, gap))
    if mcnemar:
        only_a, only_b, p = mcnemar
        verdicts.append(
            f"Only A is right on {only_a:,} examples, only B on {only_b:,}; McNemar's exact test "
            f"gives p {_is(p)}."
        )
    table = markdown_table(("metric", "A", "B", "A - B", "p"), rows)
    return "\n".join([heading, table, "", *verdicts])


def _mcnemar(a: Sequence[Row], b: Sequence[Row]) -> tuple[int, int, float]:
    right = ([row["gold"] == row["predicted"] for row in rows] for rows in (a, b))
    return mcnemar_test(*right)


def verdict(name: str, gap: Comparison) -> str:
    """A sentence that explains a difference and its p-value."""
    if gap.p > SIGNIFICANT:
        return (
            f"{name}: no evidence of a difference. Two equally good models would differ at least "
            f"as much with probability {_p(gap.p)}; the true difference may well lie anywhere from "
            f"{gap.low:+.4f} to {gap.high:+.4f}."
        )
    a_is_better = (gap.difference > 0) != (name in LOWER_IS_BETTER)
    return (
        f"{name}: {'A' if a_is_better else 'B'} is better. Two equally good models would differ at "
        f"least as much only with probability {_p(gap.p)}."
    )


def _p(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def _is(p: float) -> str:
    return _p(p) if p < 0.0001 else f"= {_p(p)}"


def _check_same(file_a: Path, a: Sequence[Row], file_b: Path, b: Sequence[Row]) -> None:
    """Raise UserError unless both files are about the same examples."""
    both = f"{file_a} and {file_b}"
    remedy = "compare models that were evaluated on the same data set"
    if kind_of(a[0]) != kind_of(b[0]):
        raise UserError(f"{both}: {kind_of(a[0])} and {kind_of(b[0])}; {remedy}")
    if len(a) != len(b):
        raise UserError(f"{both}: {len(a):,} and {len(b):,} examples; {remedy}")
    for number, (one, other) in enumerate(zip(a, b, strict=True), 1):
        for key in TASK_KINDS[kind_of(one)].same:
            if one[key] != other[key]:
                why = (
                    "; metrics of different vocabularies cannot be compared"
                    if key in ("tokens", "unknown")
                    else ""
                )
                raise UserError(f"{both}: line {number} differs in '{key}'{why}; {remedy}")
