"""A readable report of an evaluation: the uncertainty of its metrics, and the model's errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats
from nlp_rnn.evaluation.bootstrap import LEVEL, interval
from nlp_rnn.evaluation.calibration import (
    calibration_figures,
    reliability,
    reliability_picture,
    review_table,
)
from nlp_rnn.evaluation.joint import is_right
from nlp_rnn.evaluation.predictions import figures, labels_of
from nlp_rnn.files import whole_file, write_json
from nlp_rnn.markdown import markdown_table

if TYPE_CHECKING:
    from nlp_rnn.evaluation.result import Evaluation, JudgedEntities

Table = list[dict[str, Any]]

ERRORS_IN_REPORT = 20

LONGEST_TEXT = 300
"""The maximum number of characters of a text that the report shows."""


def certainty(
    result: Evaluation, temperature: float, intent_temperature: float = 1.0
) -> dict[str, Any]:
    """The confidence ``intervals`` of metrics, and the model's ``calibration`` before and after.

    Args:
        temperature: that of all targets.
        intent_temperature: that of the labels of texts whose words have tags.
    """
    rows = result.predictions
    limits = {name: interval(figure) for name, figure in figures(rows, labels_of(rows)).items()}
    intervals = {name: {"low": low, "high": high} for name, (low, high) in limits.items()}
    if not result.labels:
        return {"intervals": intervals}
    return {
        "intervals": intervals,
        "calibration": {
            **_before_and_after(result, temperature),
            **_of_entities(result),
            **_of_intents(result, intent_temperature),
        },
    }


def _of_entities(result: Evaluation) -> dict[str, Any]:
    """The calibration of the predicted entities, if there are any."""
    found = result.entities
    if found is None or not found.right.size:
        return {}
    sides = {"before": found.uncalibrated, "after": found.confidence}
    return {
        "entities": {
            "predicted": int(found.right.size),
            "precision": float(found.right.mean()),
            **{side: calibration_figures(p, found.right) for side, p in sides.items()},
        }
    }


def _of_intents(result: Evaluation, temperature: float) -> dict[str, Any]:
    """The calibration of the labels of texts whose words have tags."""
    if result.intents is None:
        return {}
    return {"intents": _before_and_after(result.intents, temperature)}


def _before_and_after(result: Evaluation, temperature: float) -> dict[str, Any]:
    return {
        "temperature": temperature,
        "before": _side(result, "before", result.uncalibrated),
        "after": _side(result, "after", result.confidence),
    }


def _side(result: Evaluation, side: str, confidence: Floats) -> dict[str, float]:
    """Metrics of the confidences before or after calibration."""
    loss = {} if result.log_loss is None else {"loss": result.log_loss[side]}
    return loss | calibration_figures(confidence, result.gold == result.predicted)


def harm(calibration: Mapping[str, Any]) -> str | None:
    """A warning if calibration makes probabilities worse on the test split; None otherwise.

    Args:
        calibration: the result of :func:`certainty`.
    """
    before, after = (calibration[side].get("loss", 0.0) for side in ("before", "after"))
    if after <= before + 1e-9:
        return None
    return (
        f"On the test split this calibration is worse than none: the loss is {after:.4g} nats, but "
        f"{before:.4g} without it. Do not rely on the probabilities that nlp-rnn predict gives. A "
        "larger validation split that resembles the test split would help; then train again."
    )


def over_seeds(each: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The mean and standard deviation of test metrics over training runs with different seeds.

    The deviation is that of a single run, with ``n - 1``, not that of the mean.

    Args:
        each: the metrics by seed, for two seeds or more.
    """
    numbers = {
        seed: {k: v for k, v in test.items() if isinstance(v, int | float)}
        for seed, test in each.items()
    }
    columns = {
        name: [figures[name] for figures in numbers.values()]
        for name in next(iter(numbers.values()))
        if all(name in figures for figures in numbers.values())
    }
    return {
        "mean": {name: float(np.mean(values)) for name, values in columns.items()},
        "deviation": {name: float(np.std(values, ddof=1)) for name, values in columns.items()},
        "each": numbers,
    }


def gain_over(mean: Mapping[str, float], test: Mapping[str, Any]) -> dict[str, float]:
    """What is gained over the mean of single models, as differences of their metrics."""
    return {name: test[name] - value for name, value in mean.items() if name in test}


def told_of_several(figures: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about the members of a cross-validation, an ensemble or a soup.

    Args:
        figures: what ``figures/<experiment>.json`` holds.
    """
    if (folds := figures.get("folds")) is not None:
        shown = [name for name in ("accuracy", "f1", "exact_match") if name in folds["mean"]]
        values = (f"{n} {folds['mean'][n]:.4f} ± {folds['deviation'][n]:.4f}" for n in shown)
        yield (
            f"Each example was tested in one of {len(folds['each'])} folds; their mean and "
            f"standard deviation: {', '.join(values)}."
        )
    if (kept := figures.get("kept")) is not None:
        cost, what = kept["cost"], f"The {kept['what']} of {kept['members']} models"
        slower = f"takes {cost['times_slower']:.1f} times as long as one"
        size = f"{cost['bytes'] / 1e6:.1f} MB instead of {cost['bytes_of_one'] / 1e6:.1f} MB"
        yield f"{what} {slower} and {size}."
        if "gain" in kept:
            shown = [n for n in ("accuracy", "f1", "exact_match", "loss") if n in kept["gain"]]
            gains = ", ".join(f"{name} {kept['gain'][name]:+.4f}" for name in shown)
            yield f"Its gain over the mean of single models: {gains}."
        else:
            yield "No text is left that would tell its gain: some member was trained on each."


def write_analysis(
    folder: Path, name: str, found: dict[str, Any], result: Evaluation
) -> dict[str, Table]:
    """Write tables, the reliability diagram and ``report.md`` of a classifier or tagger.

    Args:
        found: the contents of ``figures/<experiment>.json``.

    Returns:
        The tables by name.
    """
    from nlp_rnn.drawing import save

    tables = {**result.tables, "review": _review(result)}
    for diagram in _diagrams(result, found["calibration"]):
        sides = (diagram.judged.uncalibrated, diagram.judged.confidence)
        before, after = (reliability(confidence, diagram.right) for confidence in sides)
        tables[f"{diagram.prefix}reliability"] = after
        picture = reliability_picture(before, after, diagram.temperature, name + diagram.of)
        save(picture, folder / f"{diagram.prefix}reliability.png")
    if "entity_reliability" in tables:
        tables["review_by_entity"] = _review_by_entity(result)
    for table, rows in tables.items():
        write_json(folder / f"{table}.json", rows)
    with whole_file(folder / "report.md") as partial:
        partial.write_text("\n".join(_report(name, found, result, tables)), encoding="utf-8")
    return tables


class _Diagram(NamedTuple):
    """What a reliability diagram shows.

    Attributes:
        prefix: how the names of its files begin.
        of: what its title says after the name of the model.
        judged: the confidences of predictions.
        right: which of these are right.
        temperature: that of the confidences.
    """

    prefix: str
    of: str
    judged: Evaluation | JudgedEntities
    right: NDArray[np.bool_]
    temperature: float


def _diagrams(result: Evaluation, calibration: Mapping[str, Any]) -> Iterator[_Diagram]:
    """Those of all predictions, of entities, and of the labels of texts whose words have tags."""
    temperature = calibration["temperature"]
    yield _Diagram("", "", result, result.gold == result.predicted, temperature)
    if (entities := result.entities) is not None and entities.right.size:
        yield _Diagram("entity_", ": entities", entities, entities.right, temperature)
    if (texts := result.intents) is not None:
        temperature, right = calibration["intents"]["temperature"], texts.gold == texts.predicted
        yield _Diagram("intent_", ": labels of texts", texts, right, temperature)


def _review(result: Evaluation) -> Table:
    """:func:`review_table` per example, because people review whole examples."""
    rows = [row for row in result.predictions if result.multi_label or row["gold"]]  # words
    sure = [min(np.min(row["confidence"]), row.get("label_confidence", 1.0)) for row in rows]
    return review_table(np.array(sure), np.array(list(map(is_right, rows))))


def _review_by_entity(result: Evaluation) -> Table:
    """:func:`review_table` per sentence, whose confidence is that of its entities."""
    rows = [row for row in result.predictions if row["gold"]]
    sure = [min(*row["entity_confidence"], row.get("label_confidence", 1.0), 1.0) for row in rows]
    return review_table(np.array(sure), np.array(list(map(is_right, rows))))


def _report(
    name: str, found: dict[str, Any], result: Evaluation, tables: dict[str, Table]
) -> Iterator[str]:
    yield f"# {name}\n\n## Metrics on the test split\n"
    yield f"With {LEVEL:.0%} bootstrap intervals over its examples, for this single training run.\n"
    intervals = found["intervals"].items()
    yield _markdown([{"figure": f, "value": found["test"][f], **limits} for f, limits in intervals])
    yield "\n## Calibration\n"
    calibration = found["calibration"]
    yield (
        f"{found.get('calibration_choice') or ''} Logits are divided by the temperature "
        f"{calibration['temperature']:.3f}; predictions stay the same. ".lstrip()
    ) + f"{_meaning(result)}\n"
    if worse := harm(calibration):
        yield f"**{worse}**\n"
    sides = ("before", "after")
    yield _markdown([{"temperature scaling": side, **calibration[side]} for side in sides])
    yield "\n![Reliability diagram](reliability.png)\n"
    if entities := calibration.get("entities"):
        yield (
            f"\nThe same for the {entities['predicted']:,} predicted entities, "
            f"{entities['precision']:.1%} of which are right.\n"
        )
        yield _markdown([{"temperature scaling": side, **entities[side]} for side in sides])
        yield "\n![Reliability diagram of entities](entity_reliability.png)\n"
    if intents := calibration.get("intents"):
        yield "\nThe same for the labels of texts, which have a temperature of their own.\n"
        yield _markdown([{"temperature scaling": side, **intents[side]} for side in sides])
        yield "\n![Reliability diagram of labels](intent_reliability.png)\n"
    yield "\n## Review\n"
    yield "What `nlp-rnn predict --review-below` would mark here, and the accuracy of the rest.\n"
    yield _markdown(tables["review"])
    if "review_by_entity" in tables:
        yield "\nThe same with `--review-by entity`.\n"
        yield _markdown(tables["review_by_entity"])
    for table in ("accuracy_by_length", "accuracy_by_frequency", "slices"):
        if table in tables:
            yield f"\n## {table.replace('_', ' ').capitalize()}\n"
            yield _markdown(tables[table])
    if "confusion_pairs" in tables:
        yield from _confusions(tables["confusion_pairs"])
    yield "\n## The most confident errors\n"
    for error in result.samples[:ERRORS_IN_REPORT]:
        yield (
            f"- {error['confidence']:.3f} **{_plain(error['predicted'])}**, gold "
            f"**{_plain(error['gold'])}**: {_plain(error['text'])}"
        )
    yield ""


def _meaning(result: Evaluation) -> str:
    """What the metrics of the calibration are."""
    if result.multi_label:
        return (
            "ECE is the mean gap between the probability of a label and how often it applies; the "
            "loss is -ln P of each decision for or against a label, in nats."
        )
    return (
        "ECE is the mean gap between confidence and accuracy; the loss is -ln P of each gold "
        "label, in nats."
    )


def _confusions(pairs: Table) -> Iterator[str]:
    yield "\n## Confusion pairs\n\nThe most common errors, each with its most confident examples.\n"
    for pair in pairs:
        yield (
            f"- **{_plain(pair['gold'])}** mistaken for **{_plain(pair['predicted'])}**: "
            f"{pair['errors']:,}, {pair['share_of_gold']:.1%} of this gold label"
        )
        yield from (f"  - {_plain(text)}" for text in pair["examples"])


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table."""
    header = list(rows[0])
    return markdown_table(header, [[_cell(row[column]) for column in header] for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return _plain(value)
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _plain(text: str) -> str:
    """A text on one line that Markdown shows unchanged."""
    line = " ".join(text.split())
    line = line if len(line) <= LONGEST_TEXT else line[:LONGEST_TEXT] + " …"
    return "".join("\\" + c if c in r"\`*_[]<>|#$" else c for c in line)
