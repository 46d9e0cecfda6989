"""The table of results: each experiment beside its baseline and its optimum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json

Row = dict[str, Any]

HIGHER_IS_BETTER = {"accuracy": True, "f1": True, "perplexity": False}


def result_row(experiment: str, figures: dict[str, Any], metric: str) -> Row:
    """One line of the table: the figure, the best baseline, the optimum, how far it got."""
    better = max if HIGHER_IS_BETTER[metric] else min
    baselines = [b[metric] for b in figures["baselines"].values() if metric in b]
    baseline, test = better(baselines), figures["test"][metric]
    optimum = figures.get("optimum", {}).get(metric)
    way = None
    if optimum is not None and optimum != baseline:
        way = (
            (test - baseline) / (optimum - baseline) if HIGHER_IS_BETTER[metric] else test / optimum
        )
    return {
        "experiment": experiment,
        "metric": metric,
        "baseline": baseline,
        "test": test,
        "optimum": optimum,
        "way": way,
        "epochs": figures["training"]["epochs"],
        "minutes": figures["training"]["seconds"] / 60,
        "parameters": figures["model"]["parameters"],
        "tokens_per_second": figures["training"]["tokens_per_second"],
    }


def rows_of(experiment: str, figures: dict[str, Any]) -> list[Row]:
    """The lines of one experiment: perplexity, or accuracy, and F1 where tags are entities."""
    metrics = ["perplexity"] if "perplexity" in figures["test"] else ["accuracy"]
    if figures["model"]["entities"]:
        metrics.append("f1")
    return [result_row(experiment, figures, metric) for metric in metrics]


def result_rows(folder: Path) -> list[Row]:
    """The rows of every ``metrics/<experiment>.json`` in ``folder``, by name."""
    rows = []
    for file in sorted(folder.glob("*.json")):
        mend = f"evaluate again: dvc repro -f evaluate@{file.stem}"
        figures = read_json(file, mend)
        try:
            rows += rows_of(file.stem, figures)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{file}: lacks the figure {error}; {mend}") from None
    return rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}" if value < 1 else f"{value:.2f}"


def _way(row: Row) -> str:
    """How far a figure is from its baseline to its optimum, or above the bound."""
    if row["way"] is None:
        return ""
    if HIGHER_IS_BETTER[row["metric"]]:
        return f"{row['way']:.0%} of the way"
    return f"{row['way'] - 1:+.1%} of the bound"


def headline(row: Row) -> str:
    """One figure in a sentence of Markdown."""
    known = "" if row["optimum"] is None else f", optimum {_number(row['optimum'])}, {_way(row)}"
    figure = f"**test {row['metric']} {_number(row['test'])}**"
    return f"{figure} (baseline {_number(row['baseline'])}{known})"


def markdown(rows: Sequence[Row]) -> str:
    """The table in Markdown, which reads well on a terminal too."""
    header = [
        "experiment", "metric", "baseline", "test", "optimum", "from baseline to optimum",
        "epochs", "minutes", "parameters", "tokens/s",
    ]  # fmt: skip
    cells = [
        [
            row["experiment"],
            row["metric"],
            _number(row["baseline"]),
            _number(row["test"]),
            _number(row["optimum"]),
            _way(row),
            str(row["epochs"]),
            f"{row['minutes']:.1f}",
            f"{row['parameters']:,}",
            f"{row['tokens_per_second']:,.0f}",
        ]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = [header, ["-" * width for width in widths], *cells]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )
