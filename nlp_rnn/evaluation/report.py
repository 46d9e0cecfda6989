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
    """One line of the table: the figure, the best baseline, the optimum, how far it got.

    The figure of an experiment with several seeds is their mean.
    """
    better = max if HIGHER_IS_BETTER[metric] else min
    baselines = [b[metric] for b in figures["baselines"].values() if metric in b]
    seeds = figures.get("seeds", {"mean": figures["test"], "deviation": {}, "each": {}})
    baseline, test = better(baselines), seeds["mean"][metric]
    optimum = figures.get("optimum", {}).get(metric)
    way = None
    # A baseline that reads spelling may be better than what a model of indices can reach.
    if optimum is not None and better(optimum, baseline) != baseline:
        way = (
            (test - baseline) / (optimum - baseline) if HIGHER_IS_BETTER[metric] else test / optimum
        )
    return {
        "experiment": experiment,
        "dataset": figures["model"].get("dataset"),
        "vectors": figures["model"].get("vectors"),
        "all_but_vectors": figures["model"].get("all_but_vectors"),
        "metric": metric,
        "baseline": baseline,
        "test": test,
        "deviation": seeds["deviation"].get(metric),
        "seeds": len(seeds["each"]),
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
    """The rows of every ``metrics/<experiment>.json`` in ``folder``, by name.

    Baselines of the data set count beside those of the experiment.
    """
    rows, baselines = [], baseline_figures(folder)
    for file in sorted(folder.glob("*.json")):
        mend = f"evaluate again: dvc repro -f evaluate@{file.stem}"
        figures = read_json(file, mend)
        try:
            of_dataset = baselines.get(figures["model"].get("dataset"), {"baselines": {}})
            for name, found in of_dataset["baselines"].items():
                figures["baselines"][name] = found["test"]
            rows += rows_of(file.stem, figures)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{file}: lacks the figure {error}; {mend}") from None
    return rows


def baseline_figures(folder: Path) -> dict[str, Any]:
    """What each ``baselines/<data set>.json`` in ``folder`` holds, by data set."""
    return {
        file.stem: read_json(file, f"fit them again: dvc repro -f baselines@{file.stem}")
        for file in sorted(folder.glob("baselines/*.json"))
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}" if value < 1 else f"{value:.2f}"


def _test(row: Row) -> str:
    """The figure, with its standard deviation where it is the mean of several seeds."""
    if row["deviation"] is None:
        return _number(row["test"])
    return f"{_number(row['test'])} ± {_number(row['deviation'])} ({row['seeds']} seeds)"


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
    figure = f"**test {row['metric']} {_test(row)}**"
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
            _test(row),
            _number(row["optimum"]),
            _way(row),
            str(row["epochs"]),
            f"{row['minutes']:.1f}",
            f"{row['parameters']:,}",
            f"{row['tokens_per_second']:,.0f}",
        ]
        for row in rows
    ]
    return table(header, cells)


def adapted_markdown(folder: Path) -> str:
    """A table of its own for language models with what was added at test time; "" without any.

    Args:
        folder: holds ``metrics/<experiment>.json``; those without ``adapted`` are left out.
    """
    header = ["experiment", "added at test time", "plain test perplexity", "adapted perplexity",
              "chosen on validation"]  # fmt: skip
    cells = []
    for file in sorted(folder.glob("*.json")):
        figures = read_json(file, f"evaluate again: dvc repro -f evaluate@{file.stem}")
        for name, found in figures.get("adapted", {}).items():
            cells.append(
                [
                    file.stem,
                    name,
                    _number(figures["test"]["perplexity"]),
                    _number(found["perplexity"]),
                    _chosen(found["chosen"]),
                ]
            )
    return table(header, cells) if cells else ""


def standings(rows: Sequence[Row], folder: Path) -> str:
    """A table of all models of each data set, from the worst to the best; "" without baselines.

    Args:
        rows: of the networks, as :func:`result_rows` finds them.
        folder: holds ``baselines/<data set>.json``.
    """
    header = ["data set", "metric", "model", "test", "chosen on validation"]
    cells = []
    for dataset, figures in baseline_figures(folder).items():
        for metric in _metrics_of_baselines(figures):
            found = [
                (each["test"][metric], name, _chosen(each["chosen"]))
                for name, each in figures["baselines"].items()
            ]
            found += [
                (row["test"], f"**{row['experiment']}**", "")
                for row in rows
                if (row["dataset"], row["metric"]) == (dataset, metric)
            ]
            if metric in figures["optimum"] and found:
                found.append((figures["optimum"][metric], "the optimum", ""))
            cells += [
                [dataset, metric, name, _number(value), chosen]
                for value, name, chosen in sorted(found, reverse=not HIGHER_IS_BETTER[metric])
            ]
    return table(header, cells) if cells else ""


def _metrics_of_baselines(figures: dict[str, Any]) -> list[str]:
    """What the models of a data set are ranked by."""
    tests = [each["test"] for each in figures["baselines"].values()]
    metrics = ["perplexity"] if any("perplexity" in test for test in tests) else ["accuracy"]
    return [*metrics, "f1"] if figures["entities"] else metrics


RANDOM = "drawn at random"
"""What vectors are called that an experiment learns from nothing."""


def gains(rows: Sequence[Row]) -> str:
    """A table of what word vectors are worth to each task; "" where nothing can be compared.

    Compared are experiments that differ in their ``embeddings`` alone, with one whose vectors are
    drawn at random.

    Args:
        rows: of the networks, as :func:`result_rows` finds them.
    """
    header = ["data set", "metric", "vectors", "test", "gain over random ones"]
    cells = []
    for without in rows:
        if without["vectors"] != RANDOM:
            continue
        same = ("all_but_vectors", "metric")
        others = [
            row
            for row in rows
            if row["vectors"] != RANDOM and all(row[key] == without[key] for key in same)
        ]
        if not others:
            continue
        sign = 1 if HIGHER_IS_BETTER[without["metric"]] else -1
        for row in [without, *sorted(others, key=lambda row: sign * row["test"])]:
            gain = "" if row is without else f"{sign * (row['test'] - without['test']):+.4f}"
            cells.append([row["dataset"], row["metric"], row["vectors"], _test(row), gain])
    return table(header, cells) if cells else ""


def _chosen(setting: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.3g}" for key, value in setting.items())


def table(header: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, its columns aligned."""
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines: list[Sequence[str]] = [header, ["-" * width for width in widths], *cells]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )
