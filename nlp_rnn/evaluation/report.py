"""The table of results: each experiment next to its baseline and its optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_rnn import paths
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.roles import COMPARED
from nlp_rnn.files import read_json
from nlp_rnn.hints import Remedy
from nlp_rnn.markdown import markdown_table

Row = dict[str, Any]

HIGHER_IS_BETTER = {
    "accuracy": True,
    "f1": True,
    "predicate_f1": True,
    "end_to_end_f1": True,
    "perplexity": False,
    "bleu": True,
    "exact_match": True,
    "bracket_f1": True,
    "macro_f1": True,
    "label_ranking": True,
}

OF_ROLES = tuple(COMPARED)
"""Metrics of semantic roles that are shown, the most important last."""

OF_OUTPUTS = ("bleu", "exact_match", "bracket_f1")
"""Metrics of outputs of pairs that are shown, the most important last."""

OF_JOINT = ("exact_match", "accuracy", "f1")
"""The same of intents and slots."""

OF_LABEL_SETS = ("exact_match", "macro_f1", "f1")
"""The same of classifiers that give any number of labels."""


def result_row(experiment: str, figures: dict[str, Any], metric: str) -> Row:
    """One row of the table: metric, best baseline, optimum and the share of the gap closed.

    The metric of an experiment with several seeds is their mean.
    """
    better = max if HIGHER_IS_BETTER[metric] else min
    baselines = {name: b[metric] for name, b in figures["baselines"].items() if metric in b}
    seeds = figures.get("seeds", {"mean": figures["test"], "deviation": {}, "each": {}})
    best = better(baselines, key=baselines.__getitem__)
    baseline, test = baselines[best], seeds["mean"][metric]
    optimum = figures.get("optimum", {}).get(metric)
    way = None
    # A baseline that reads spelling may be better than any model that reads only indices.
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
        "best": best,
        "test": test,
        "deviation": seeds["deviation"].get(metric),
        "range": _range(figures, metric),
        "seeds": len(seeds["each"]),
        "optimum": optimum,
        "way": way,
        "epochs": figures["training"]["epochs"],
        "minutes": figures["training"]["seconds"] / 60,
        "parameters": figures["model"]["parameters"],
        "tokens_per_second": figures["training"]["tokens_per_second"],
    }


def _range(figures: dict[str, Any], metric: str) -> tuple[float, float] | None:
    """Between which values a metric lies: a standard deviation about the mean over seeds, or of one
    training the bootstrap interval; None where there is none."""
    if "seeds" in figures:
        mean, deviation = (figures["seeds"][key][metric] for key in ("mean", "deviation"))
        return mean - deviation, mean + deviation
    limits = figures.get("intervals", {}).get(metric)
    return (limits["low"], limits["high"]) if limits else None


def rows_of(experiment: str, figures: dict[str, Any]) -> list[Row]:
    """The rows of one experiment, one for each of its main metrics."""
    model = figures["model"]
    with_f1 = model["entities"] or model.get("select") == "f1"
    metrics = main_metrics([figures["test"]], with_f1)
    return [result_row(experiment, figures, metric) for metric in metrics]


def main_metrics(tests: Sequence[dict[str, Any]], with_f1: bool) -> list[str]:
    """The metrics by which models of the same data are ranked, the most important last: perplexity,
    or accuracy; of pairs, of roles, of intents and slots and of any number of labels, their own.

    Args:
        tests: the test metrics of the models.
        with_f1: whether F1 follows accuracy: tags mark entities, or it selected the best epoch.
    """
    known = set[str]().union(*tests)
    if "end_to_end_f1" in known:
        return list(OF_ROLES)
    if "tag_accuracy" in known:
        return list(OF_JOINT)
    if "exact_match" in known:
        names = OF_LABEL_SETS if "label_ranking" in known else OF_OUTPUTS
        return [name for name in names if all(name in test for test in tests)]
    metrics = ["perplexity"] if "perplexity" in known else ["accuracy"]
    return [*metrics, "f1"] if with_f1 else metrics


@dataclass(frozen=True)
class Results:
    """The metrics of a project that belong to its current data.

    Attributes:
        experiments: the contents of each ``figures/<experiment>.json``, by experiment.
        baselines: the contents of each ``figures/baselines/<data set>.json``, by data set.
        stale: how to renew each file that was left out because it belongs to other data.
    """

    experiments: dict[str, dict[str, Any]]
    baselines: dict[str, dict[str, Any]]
    stale: list[Remedy]

    @classmethod
    def read(cls, folder: Path) -> Results:
        """Read the files in ``folder``.

        A file is stale if the checksum of its data differs from that of the prepared data set or,
        if that is missing, from that of the data of its baselines.
        """
        stale: list[Remedy] = []
        baselines = {}
        for file in sorted(folder.glob("baselines/*.json")):
            remedy = Remedy("fit the baselines again", file.stem, ("baselines",))
            figures = read_json(file, remedy)
            if _same(figures.get("data_sha256"), _prepared(file.stem)):
                baselines[file.stem] = figures
            else:
                stale.append(remedy)
        experiments = {}
        for file in sorted(folder.glob("*.json")):
            remedy = Remedy("evaluate again", file.stem, ("evaluate",))
            figures = read_json(file, remedy)
            try:
                dataset, measured = (
                    figures["model"].get(key) for key in ("dataset", "data_sha256")
                )
                now = _prepared(dataset) or baselines.get(dataset, {}).get("data_sha256")
            except (KeyError, TypeError, AttributeError):
                raise UserError(f"{file}: holds no metrics of an experiment; {remedy}") from None
            if _same(measured, now):
                experiments[file.stem] = figures
            else:
                stale.append(remedy)
        return cls(experiments, baselines, stale)


def _prepared(dataset: str | None) -> str | None:
    """The checksum of the prepared data set; None if it is missing."""
    card = paths.prepared(dataset or "") / "card.json"
    return read_json(card, "prepare it again").get("data_sha256") if card.is_file() else None


def _same(measured: str | None, now: str | None) -> bool:
    """Whether two checksums may belong to the same data; files of earlier versions have none."""
    return measured is None or now is None or measured == now


def result_rows(results: Results) -> list[Row]:
    """The rows of every experiment, by name.

    The baselines of the data set count as well as those of the experiment.
    """
    rows = []
    for name, figures in results.experiments.items():
        try:
            rows += rows_of(name, figures | {"baselines": all_baselines(results, figures)})
        except (KeyError, TypeError, ValueError) as error:
            again = Remedy("evaluate again", name, ("evaluate",), force=True)
            raise UserError(f"{name}: its metrics lack {error}; {again}") from None
    return rows


def all_baselines(results: Results, figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The test metrics of an experiment's baselines and of those of its data set."""
    of_dataset = results.baselines.get(figures["model"].get("dataset"), {"baselines": {}})
    tests = {name: found["test"] for name, found in of_dataset["baselines"].items()}
    return {**figures["baselines"], **tests}


def stale_markdown(results: Results) -> str:
    """A list of what was left out, and how to renew it; "" if nothing was."""
    lines = [f"- {remedy.name}: {remedy}" for remedy in results.stale]
    return "\n".join(lines)


def number(value: float | None) -> str:
    """A metric in the digits that tell models apart; "" for None."""
    return "" if value is None else f"{value:.4f}" if value <= 1 else f"{value:.2f}"


def test_value(row: Row) -> str:
    """The figure, with its standard deviation where it is the mean of several seeds."""
    return number(row["test"]) if row["deviation"] is None else with_spread(row)


def spread(row: Row) -> str:
    """How sure a metric is: the deviation over seeds, of one training the bootstrap interval; ""
    where neither is known."""
    if row["deviation"] is not None:
        return f"± {number(row['deviation'])} ({row['seeds']} seeds)"
    return "({} to {})".format(*map(number, row["range"])) if row["range"] else ""


def with_spread(row: Row) -> str:
    """The metric and how sure it is."""
    return f"{number(row['test'])} {spread(row)}".rstrip()


def way(row: Row) -> str:
    """How far a figure is from its baseline to its optimum, or above the bound.

    The optimum is the best that can be expected, which a model may exceed on one test split.
    """
    if row["way"] is None:
        return ""
    if HIGHER_IS_BETTER[row["metric"]]:
        if row["way"] > 1:
            return "above the optimum, by chance"
        return f"{row['way']:.0%} of the way"
    return f"{row['way'] - 1:+.1%} of the bound"


def headline(row: Row) -> str:
    """One figure in a sentence of Markdown."""
    known = "" if row["optimum"] is None else f", optimum {number(row['optimum'])}, {way(row)}"
    figure = f"**test {row['metric']} {test_value(row)}**"
    return f"{figure} (baseline {number(row['baseline'])}{known})"


def plain_headline(row: Row) -> str:
    """One metric in a line of the log."""
    known = "" if row["optimum"] is None else f", optimum {number(row['optimum'])}"
    return (
        f"test {row['metric']} {test_value(row)} (best baseline {row['best']} "
        f"{number(row['baseline'])}{known})"
    )


HEADLINES = (
    "accuracy",
    "f1",
    *OF_ROLES[:-1],
    "bracket_f1",
    "malformed",
    "perplexity",
    "bits_per_character",
    "bleu",
    "exact_match",
    "loss",
)
"""Metrics that are shown first, in this order."""


def headline_metrics(figures: dict[str, Any], validation: dict[str, float]) -> dict[str, Any]:
    """The few numbers that ``dvc metrics show`` lists for an experiment.

    Args:
        figures: what ``figures/<experiment>.json`` holds.
        validation: metrics of the validation split.

    Returns:
        ``test`` (the mean over seeds, where there are several) and ``validation`` by metric, and of
        the metric that selected the epoch, or else the last of :func:`main_metrics`, the
        ``best_baseline`` and, where it is known, the ``optimum``.
    """
    test = figures["seeds"]["mean"] if "seeds" in figures else figures["test"]
    rows, selected = rows_of("", figures), figures["model"].get("select")
    row = next((row for row in rows if row["metric"] == selected), rows[-1])
    best = {"best_baseline": row["baseline"], "optimum": row["optimum"]}
    return {
        "test": {name: test[name] for name in HEADLINES if name in test},
        "validation": {name: validation[name] for name in HEADLINES if name in validation},
        **{name: value for name, value in best.items() if value is not None},
    }


def markdown(rows: Sequence[Row]) -> str:
    """The table in Markdown, which is readable on a terminal too."""
    header = [
        "experiment", "metric", "baseline", "test", "optimum", "from baseline to optimum",
        "epochs", "minutes", "parameters", "tokens/s",
    ]  # fmt: skip
    cells = [
        [
            row["experiment"],
            row["metric"],
            number(row["baseline"]),
            test_value(row),
            number(row["optimum"]),
            way(row),
            str(row["epochs"]),
            f"{row['minutes']:.1f}",
            f"{row['parameters']:,}",
            f"{row['tokens_per_second']:,.0f}",
        ]
        for row in rows
    ]
    return markdown_table(header, cells)


def adapted_markdown(results: Results) -> str:
    """A separate table for language models adapted at test time; "" if there are none."""
    header = ["experiment", "added at test time", "plain test perplexity", "adapted perplexity",
              "chosen on validation"]  # fmt: skip
    cells = []
    for experiment, figures in results.experiments.items():
        for name, found in figures.get("adapted", {}).items():
            cells.append(
                [
                    experiment,
                    name,
                    number(figures["test"]["perplexity"]),
                    number(found["perplexity"]),
                    _chosen(found["chosen"]),
                ]
            )
    return markdown_table(header, cells) if cells else ""


def standings(rows: Sequence[Row], results: Results) -> str:
    """A table of all models of each data set, from worst to best; "" without baselines.

    Args:
        rows: the rows of the networks, from :func:`result_rows`.
        results: the results, which include the baselines.
    """
    header = ["data set", "metric", "model", "test", "chosen on validation"]
    cells = []
    for dataset, figures in results.baselines.items():
        tests = [each["test"] for each in figures["baselines"].values()]
        for metric in main_metrics(tests, figures["entities"]):
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
                [dataset, metric, name, number(value), chosen]
                for value, name, chosen in sorted(found, reverse=not HIGHER_IS_BETTER[metric])
            ]
    return markdown_table(header, cells) if cells else ""


RANDOM = "drawn at random"
"""The name of the vectors of an experiment that learns them from scratch."""


def gains(rows: Sequence[Row]) -> str:
    """A table of the gain from word vectors in each task; "" if nothing can be compared.

    It compares experiments that differ only in their ``embeddings`` with one that starts from
    random vectors.

    Args:
        rows: the rows of the networks, from :func:`result_rows`.
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
            cells.append([row["dataset"], row["metric"], row["vectors"], test_value(row), gain])
    return markdown_table(header, cells) if cells else ""


def _chosen(setting: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.3g}" for key, value in setting.items())
