"""What a project holds of each experiment: the only place of the report that reads files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_rnn import paths
from nlp_rnn.evaluation.predictions import has_label_set, labels_of, read_predictions
from nlp_rnn.evaluation.report import Results, Row, all_baselines, result_rows
from nlp_rnn.files import read_json
from nlp_rnn.hints import Remedy


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is known of one experiment; a file that is missing leaves its attribute empty.

    Attributes:
        name: of the experiment.
        figures: what ``figures/<experiment>.json`` holds.
        baselines: the test metrics of each baseline.
        rows: its lines in the table of results.
        bundle: the description of the model.
        card: the data card.
        predictions: a row for every test example; of classifiers and taggers only.
        worst: the worst errors, or the lines with the highest perplexity.
        explained: which words some of the worst errors rest on; of classifiers and taggers only.
        attention: the weights of attention of a few outputs; of encoder-decoders only.
    """

    name: str
    figures: dict[str, Any]
    baselines: dict[str, dict[str, Any]]
    rows: list[Row]
    bundle: dict[str, Any]
    card: dict[str, Any]
    predictions: list[dict[str, Any]]
    worst: list[dict[str, Any]]
    explained: list[dict[str, Any]]
    attention: list[dict[str, Any]]

    @property
    def history(self) -> list[dict[str, float]]:
        """The metrics of every epoch."""
        return list(self.bundle.get("figures", {}).get("history", []))

    @property
    def judged(self) -> tuple[list[str], list[str], list[float]]:
        """Gold, prediction and confidence of every text of a classifier, every word of a tagger;
        empty for any number of labels, which are no confusions of one with another."""
        if self.predictions and has_label_set(self.predictions[0]):
            return [], [], []
        gold, predicted, confidence = (
            [item for row in self.predictions for item in _items(row.get(key))]
            for key in ("gold", "predicted", "confidence")
        )
        return gold, predicted, confidence

    @property
    def labels(self) -> list[str]:
        """The labels that occur among the predictions."""
        return labels_of(self.predictions) if self.predictions else []


def _items(value: Any) -> list[Any]:
    """The values of one example: of each word of a sentence, or of a text one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def find(results: Results) -> list[Found]:
    """What there is of every experiment that has been evaluated, by name."""
    rows = result_rows(results)
    return [
        Found(
            name=name,
            figures=figures,
            baselines=all_baselines(results, figures),
            rows=[row for row in rows if row["experiment"] == name],
            bundle=_json(paths.bundle(name) / "bundle.json", name, "train") or {},
            card=_card(figures["model"].get("dataset")),
            predictions=_predictions(name, figures),
            worst=_json(paths.evaluation_plots(name) / "worst_predictions.json", name, "evaluate")
            or [],
            explained=_json(paths.evaluation_plots(name) / "explanations.json", name, "evaluate")
            or [],
            attention=_json(paths.evaluation_plots(name) / "attention.json", name, "evaluate")
            or [],
        )
        for name, figures in results.experiments.items()
    ]


def run_ids() -> dict[str, str]:
    """The MLflow run that trained each experiment."""
    files = sorted(paths.run_record("*").parent.glob(paths.run_record("*").name))
    return {file.stem: (_json(file, file.stem, "train") or {}).get("run_id", "") for file in files}


def _card(dataset: str | None) -> dict[str, Any]:
    """The data card, with the summary of ``nlp-rnn check --data`` where it is of these data."""
    if not dataset:
        return {}
    card = _json(paths.prepared(dataset) / "card.json", dataset, "prepare")
    summary = paths.checks(dataset) / "summary.json"
    again = f"check the data again: nlp-rnn check --data {dataset}"
    checked = read_json(summary, again) if card and summary.is_file() else {}
    same = bool(checked) and checked["data_sha256"] == card.get("data_sha256")
    return {**card, "checked": checked} if same else card


def _predictions(name: str, figures: dict[str, Any]) -> list[dict[str, Any]]:
    file = paths.predictions(name)
    if not ("accuracy" in figures["test"] and file.is_file()):
        return []
    return read_predictions(file)


def _json(file: Path, name: str, stage: str) -> Any:
    """What a file holds; None where it is missing."""
    return read_json(file, Remedy(f"{stage} again", name, (stage,))) if file.is_file() else None
