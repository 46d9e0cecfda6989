"""What the report tells of one experiment, part by part. What is not known is left out."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nlp_rnn import paths
from nlp_rnn.config import to_yaml
from nlp_rnn.evaluation.analysis import harm, told_of_several
from nlp_rnn.evaluation.bootstrap import LEVEL
from nlp_rnn.evaluation.calibration import reliability
from nlp_rnn.evaluation.report import HIGHER_IS_BETTER, number
from nlp_rnn.reporting.charts import between, curves, reliability_diagram
from nlp_rnn.reporting.found import Found
from nlp_rnn.reporting.markup import Markup, element, folded, joined, lines, link, table
from nlp_rnn.reporting.style import SHADES

ERRORS = 10
"""Worst errors that are shown of an experiment."""

HEAT_MAPS = 3
"""Outputs whose attention is shown of an experiment."""

CLASSES = 12
"""Labels that the confusion matrix shows, the most frequent ones."""

ROWS = 15
"""Labels that a table of metrics by label shows, the most frequent ones."""

SPLIT_COLUMNS = {
    "sentences": "examples",
    "tokens": "tokens",
    "longest": "longest",
    "unknown_rate": "unknown tokens",
    "also_in_training_rate": "also in training",
}
"""What the data card shows of each split, and what it calls it."""

OF_TARGETS = {
    "target_tokens": "target tokens",
    "target_longest": "longest target",
    "target_unknown_rate": "unknown in targets",
    "left_out": "left out",
}
"""The same for the targets of pairs."""

LONGEST_TEXT = 300
"""Characters of a text that are shown."""

COLOURS = (
    "Orange words support the wrong prediction, blue ones oppose it: they show how much ln P of it "
    "falls or rises when the word is deleted. An outline marks the word that is tagged. nlp-rnn "
    "explain says more."
)

LONGEST_LABEL = 16
"""Characters of a label that the confusion matrix shows."""


def section(found: Found, identifier: str, url: str) -> Markup:
    """All that is told of an experiment.

    Args:
        found: the experiment.
        identifier: of the section, for links to it.
        url: of its MLflow run; "" without any.
    """
    return element(
        "section",
        element("h2", found.name),
        element("p", *_introduction(found, url)),
        element("div", *map(between, found.rows), class_="charts"),
        folded(
            "Metrics and baselines",
            *(part(found) for part in (metrics, baselines, adapted, old_data)),
        ),
        folded("Metrics by label", by_label(found)),
        folded("Learning curves", learning(found)),
        folded("Confusion", confusion(found)),
        folded("Calibration", calibration(found)),
        folded(*worst(found), shown=True),
        folded("Attention", attention(found)),
        folded("Data card", card(found.card)),
        folded("Parameters", parameters(found.bundle)),
        folded("Predict", command(found), shown=True),
        id=identifier,
    )


def _introduction(found: Found, url: str) -> Iterator[str]:
    model, training = found.figures["model"], found.figures["training"]
    yield f"{str(model.get('task', 'model')).replace('_', ' ').capitalize()}"
    yield f" on {model['dataset']}. " if model.get("dataset") else ". "
    yield (
        f"{model['parameters']:,} parameters, trained for {training['epochs']} epochs in "
        f"{training['seconds'] / 60:.1f} minutes"
    )
    provenance = found.bundle.get("provenance", {})
    if trained := provenance.get("trained"):
        yield f" on {trained[:10]}"
    if "seeds" in found.figures:
        yield f", with each of {len(found.figures['seeds']['each'])} seeds"
        if "seed" in provenance:
            yield f" (seed {provenance['seed']} was the best on the validation split)"
    yield ". "
    for sentence in told_of_several(found.figures):
        yield f"{sentence} "
    if url:
        yield link(url, "Run in MLflow")


# --- metrics -----------------------------------------------------------------------------------


def metrics(found: Found) -> Markup:
    """Every metric of the test split, with its interval, over seeds, and the optimum."""
    columns: dict[str, Callable[[str], str]] = {
        f"{LEVEL:.0%} interval": lambda name: _interval(found.figures, name),
        "mean ± deviation of seeds": lambda name: _over(found.figures, "seeds", name),
        "mean ± deviation of folds": lambda name: _over(found.figures, "folds", name),
        "optimum": lambda name: _value(found.figures.get("optimum", {}).get(name)),
    }
    test = dict(_flat(found.figures["test"]))
    told = {column: list(map(tell, test)) for column, tell in columns.items()}
    told = {column: cells for column, cells in told.items() if any(cells)}
    rows = zip(map(_named, test), map(_value, test.values()), *told.values(), strict=True)
    return table(["metric", "test", *told], rows, caption="Test split")


def _interval(figures: Mapping[str, Any], metric: str) -> str:
    limits = figures.get("intervals", {}).get(metric)
    return f"{number(limits['low'])} to {number(limits['high'])}" if limits else ""


def _over(figures: Mapping[str, Any], several: str, metric: str) -> str:
    """The mean of a metric over seeds or folds, and its deviation; "" without any."""
    over = figures.get(several, {"mean": {}})
    if metric not in over["mean"]:
        return ""
    return f"{number(over['mean'][metric])} ± {number(over['deviation'][metric])}"


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Names and values of the numbers in figures, but for those of single labels."""
    for name, value in figures.items():
        if isinstance(value, Mapping) and name != "per_class":
            yield from _flat(value, f"{prefix}{name} ")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value


def _named(metric: str) -> str:
    return metric.replace("_", " ")


def _value(value: float | None) -> str:
    whole = isinstance(value, float) and value >= 1000
    return f"{value:,.0f}" if whole or isinstance(value, int) else number(value)


def baselines(found: Found) -> Markup:
    """The simple models, from the worst to the best, and the network among them."""
    first, *rest = (row["metric"] for row in found.rows)
    shown = [first, *(rest or ["bits_per_character" if first == "perplexity" else "f1"])]
    test = found.figures.get("seeds", {}).get("mean", found.figures["test"])
    models = {**found.baselines, found.name: test}
    order = sorted(
        (name for name, judged in models.items() if first in judged),
        key=lambda name: models[name][first],
        reverse=not HIGHER_IS_BETTER[first],
    )
    rows = [
        [
            element("strong", name) if name == found.name else _named(name),
            *(_value(models[name].get(metric)) for metric in shown),
        ]
        for name in order
    ]
    return table(["model", *map(_named, shown)], rows, caption="Baselines and the model")


def adapted(found: Found) -> Markup:
    """What a language model reaches with something added at test time."""
    rows = [
        [
            _named(name),
            number(judged["perplexity"]),
            ", ".join(f"{key} {value:.3g}" for key, value in judged["chosen"].items()),
        ]
        for name, judged in found.figures.get("adapted", {}).items()
    ]
    if not rows:
        return Markup()
    header = ["added at test time", "perplexity", "chosen on validation"]
    return table(header, rows, caption="With more at test time")


def old_data(found: Found) -> Markup:
    """What a model that started from another one reaches on the old data, and that one did."""
    judged = found.figures.get("old_data")
    if not judged:
        return Markup()
    names = list(judged["before"]["test"])
    rows = [
        [f"{when} training", *(_value(judged[when]["test"][name]) for name in names)]
        for when in ("before", "after")
    ]
    caption = f"Test split of the old data, {judged['dataset']}"
    return table(["", *map(_named, names)], rows, caption=caption)


def by_label(found: Found) -> Markup:
    """Precision, recall and F1 of each label, or of each type of entity."""
    by_support = sorted(
        found.figures["test"].get("per_class", {}).items(), key=lambda item: -item[1]["support"]
    )
    if not by_support:
        return Markup()
    columns = ("precision", "recall", "f1", "support")
    rows = [
        [label, *(_value(judged[column]) for column in columns)]
        for label, judged in by_support[:ROWS]
    ]
    kind = "type of entity" if found.figures["model"].get("entities") else "label"
    return joined([table([kind, *columns], rows), _left_out(len(by_support), ROWS)])


def _left_out(there: int, shown: int) -> Markup:
    """A sentence that says so where not all labels are shown."""
    if there <= shown:
        return Markup()
    return element("p", f"The {shown} most frequent of {there} are shown.", class_="quiet")


# --- training ----------------------------------------------------------------------------------


def learning(found: Found) -> Markup:
    """The losses of each epoch, and what the validation split was judged by."""
    history = found.history
    if not history:
        return Markup()
    kept = found.figures["training"].get("best_epoch", len(history))
    sides = ("training", "train/loss"), ("validation", "validation/loss")
    losses = {name: _curve(history, key) for name, key in sides}
    drawn = [curves(f"Loss of {found.name}", "nats a target", losses, kept)]
    judged = [metric for metric in ("f1", "accuracy") if f"validation/{metric}" in history[0]]
    for metric in judged[:1]:
        series = {"validation": _curve(history, f"validation/{metric}")}
        drawn.append(curves(f"Validation {metric} of {found.name}", metric, series, kept))
    note = f"The dotted line marks epoch {kept}, whose weights are kept."
    return joined([element("div", *drawn, class_="charts"), element("p", note, class_="quiet")])


def _curve(history: Sequence[Mapping[str, float]], key: str) -> list[tuple[float, float]]:
    return [(epoch, row[key]) for epoch, row in enumerate(history, 1) if key in row]


# --- where it errs -----------------------------------------------------------------------------


def confusion(found: Found) -> Markup:
    """How often each gold label was predicted as which; each row is shaded by its shares."""
    gold, predicted, _ = found.judged
    if not gold:
        return Markup()
    frequent = [label for label, _ in Counter(gold).most_common()]
    frequent += [label for label in found.labels if label not in set(frequent)]
    labels, counts = frequent[:CLASSES], Counter(zip(gold, predicted, strict=True))
    totals = Counter(gold)
    rows = (
        (label, (_cell(counts[label, o], totals[label], right=label == o) for o in labels))
        for label in labels
    )
    matrix = _matrix("gold ↓ predicted →", labels, rows)
    return joined([element("div", matrix, class_="scroll"), _left_out(len(frequent), CLASSES)])


def _cell(count: int, of: int, *, right: bool) -> Markup:
    """A count, shaded by its share of the gold label."""
    shade = round(SHADES * count / of) if of else 0
    kinds = [f"{'right' if right else 'wrong'}-{shade}"] if shade else []
    return element("td", f"{count:,}" if count else "·", class_=" ".join(["number", *kinds]))


def calibration(found: Found) -> Markup:
    """Whether the model is right as often as it is sure."""
    return joined([_reliability(found), _temperature(found.figures)])


def _reliability(found: Found) -> Markup:
    gold, predicted, confidence = found.judged
    if not confidence or len(confidence) != len(gold):
        return Markup()
    right = np.array([label == best for label, best in zip(gold, predicted, strict=True)])
    bins = reliability(np.array(confidence), right)
    note = (
        "Each mark is a group of predictions of like confidence, the larger the more there are; "
        f"its line is the {LEVEL:.0%} interval of their accuracy. On the dotted line the model is "
        "right as often as it is sure."
    )
    diagram = element("div", reliability_diagram(found.name, bins), class_="charts")
    return joined([diagram, element("p", note, class_="quiet")])


def _temperature(figures: Mapping[str, Any]) -> Markup:
    """What calibration changed, and why it was done or not."""
    judged = figures.get("calibration")
    if not judged:
        return Markup()
    sentences = (figures.get("calibration_choice"), harm(judged))
    return joined(
        [
            _before_and_after("temperature scaling", judged),
            *(element("p", sentence) for sentence in sentences if sentence),
            *_of_entities(judged.get("entities")),
            *_of_intents(judged.get("intents")),
        ]
    )


def _before_and_after(title: str, judged: Mapping[str, Any]) -> Markup:
    """A table of the metrics of calibration without and with the temperature."""
    sides = ("before", "after")
    columns = [name for name in judged["after"] if name in judged["before"]]
    rows = [[side, *(number(judged[side][name]) for name in columns)] for side in sides]
    return table([title, *map(_named, columns)], rows)


def _of_entities(judged: Mapping[str, Any] | None) -> Iterator[Markup]:
    """The calibration of the entities that a tagger predicts."""
    if not judged:
        return
    yield _before_and_after("entities", judged)
    yield element(
        "p",
        f"An entity is right if its type and all its words are: {judged['precision']:.1%} of "
        f"{judged['predicted']:,} predicted entities.",
    )


def _of_intents(judged: Mapping[str, Any] | None) -> Iterator[Markup]:
    """The calibration of the labels of texts whose words have tags."""
    if judged:
        yield _before_and_after("labels of texts", judged)


def worst(found: Found) -> tuple[str, Markup]:
    """The title and the list of the worst errors, or of the least expected lines."""
    if not found.worst:
        return "Worst errors", Markup()
    scored, written = ("perplexity" in found.worst[0], "output" in found.worst[0])
    title = "Lines with the highest perplexity" if scored else "The most confident errors"
    if scored or written:
        told = _line if scored else _wrong_output
        return title, element("ol", *map(told, found.worst[:ERRORS]), class_="errors")
    explained = {each["number"]: each for each in found.explained}
    errors = (_error(each, explained.get(i)) for i, each in enumerate(found.worst[:ERRORS]))
    listed = element("ol", *errors, class_="errors")
    return title, joined([listed, element("p", COLOURS, class_="quiet")] if explained else [listed])


def _line(sample: Mapping[str, Any]) -> Markup:
    about = f"perplexity {number(sample['perplexity'])}, line {sample['line']}"
    return element("li", _quoted(sample["text"]), element("small", about))


def _error(sample: Mapping[str, Any], explained: Mapping[str, Any] | None = None) -> Markup:
    about = [
        "predicted ",
        element("b", sample["predicted"]),
        ", gold ",
        element("b", sample["gold"]),
        f", confidence {sample['confidence']:.3f}",
    ]
    words = [] if explained is None else [_coloured(explained["pieces"], explained["place"])]
    return element("li", _quoted(sample["text"]), element("small", *about), *words)


def _coloured(pieces: Sequence[tuple[str, float | None]], place: int | None) -> Markup:
    """A text whose words have the colour of their share in a wrong prediction.

    Args:
        pieces: of the text, each with its value in nats; None for what is between words.
        place: which of the words is predicted; None if it is the text.
    """
    scale = max((abs(value) for _, value in pieces if value is not None), default=0) or 1
    shown, word = [], 0
    for text, value in pieces:
        shade = round(SHADES * abs(value or 0) / scale)
        kinds = [f"{'wrong' if (value or 0) > 0 else 'right'}-{shade}"] if shade else []
        if value is not None:
            kinds += ["own"] if word == place else []
            word += 1
        title = f"{value:+.2g}" if shade else None
        shown.append(element("span", text, class_=" ".join(kinds), title=title) if kinds else text)
    return element("p", *shown, class_="words", dir="auto")


def _wrong_output(sample: Mapping[str, Any]) -> Markup:
    about = [
        "output ",
        element("b", _cut(sample["output"], LONGEST_TEXT), dir="auto"),
        ", gold ",
        element("b", _cut(sample["gold"], LONGEST_TEXT), dir="auto"),
        f", ln P of the output {sample['log_probability']:.2f}",
    ]
    return element("li", _quoted(sample["text"]), element("small", *about))


def attention(found: Found) -> Markup:
    """Where the decoder looked while it wrote the first outputs of the test split."""
    return joined(
        element("div", _heat_map(alignment), class_="scroll")
        for alignment in found.attention[:HEAT_MAPS]
    )


def _heat_map(alignment: Mapping[str, Any]) -> Markup:
    """Weights of attention: a row for each token of the output, over those of the source."""
    written = zip(alignment["output"], alignment["weights"], strict=True)
    rows = ((token, map(_shaded, weights)) for token, weights in written)
    return _matrix("output ↓ source →", alignment["source"], rows)


def _shaded(weight: float) -> Markup:
    shade = round(SHADES * weight)
    kinds = [f"right-{shade}"] if shade else []
    return element("td", f"{weight:.2f}" if shade else "·", class_=" ".join(["number", *kinds]))


def _matrix(
    corner: str, columns: Iterable[str], rows: Iterable[tuple[str, Iterable[Markup]]]
) -> Markup:
    """A table whose columns and rows have names; ``corner`` says of what."""

    def named(name: str, scope: str) -> Markup:
        return element("th", _cut(name, LONGEST_LABEL), scope=scope)

    head = element("tr", element("td", corner), *(named(name, "col") for name in columns))
    body = (element("tr", named(name, "row"), *cells) for name, cells in rows)
    return element("table", element("thead", head), element("tbody", *body), class_="matrix")


def _quoted(text: str) -> Markup:
    return element("q", _cut(text, LONGEST_TEXT), dir="auto")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


# --- data, parameters, use ---------------------------------------------------------------------


def card(found: Mapping[str, Any]) -> Markup:
    """What the data are and where they come from, and the size of each split."""
    if not found:
        return Markup()
    vocabulary = found.get("vocabulary", {})
    told = {
        "data set": found.get("name"),
        "kind": found.get("kind"),
        "source": found.get("source"),
        "licence": found.get("licence"),
        "citation": found.get("citation"),
        "scheme of the tags": found.get("scheme"),
        "vocabulary": f"{vocabulary['size']:,} words" if "size" in vocabulary else None,
        "tokenizer": ", ".join(f"{k}: {v}" for k, v in found.get("tokenizer", {}).items()),
        "SHA-256": found.get("data_sha256"),
        "removed from training": _counts(found.get("removed_from_training", {})),
        **_checked(found.get("checked", {})),
    }
    listed = (
        part
        for name, value in told.items()
        if value
        for part in (element("dt", name), element("dd", str(value)))
    )
    columns = [*SPLIT_COLUMNS]
    if "target" in found:
        columns += OF_TARGETS
    rows = [
        [split, *(_share(column, counts.get(column)) for column in columns)]
        for split, counts in found.get("splits", {}).items()
    ]
    header = ["split", *((SPLIT_COLUMNS | OF_TARGETS)[column] for column in columns)]
    return joined([element("dl", *listed), *([table(header, rows)] if rows else [])])


def _checked(found: Mapping[str, Any]) -> dict[str, str]:
    """What ``nlp-rnn check --data`` found, in the words of the data card."""
    told = {}
    if "duplicates" in found:
        told["duplicates"] = _counts(found["duplicates"])
        told["near duplicates"] = _counts({"groups": found["near_duplicates"]["groups"]})
        told["contradictions"] = _counts({"texts": found["contradictions"]["texts"]})
    if "found" in found.get("label_errors", {}):
        told["probable label errors"] = _counts(found["label_errors"]["found"])
    return {name: value or "none" for name, value in told.items()}


def _counts(found: Mapping[str, int]) -> str:
    """Counts in words; empty for none."""
    return ", ".join(f"{name}: {count:,}" for name, count in found.items())


def _share(column: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2%}" if column.endswith("_rate") else f"{value:,}"


def parameters(bundle: Mapping[str, Any]) -> Markup:
    """The experiment as ``params.yaml`` would have it, and what it was trained with."""
    if "experiment" not in bundle:
        return Markup()
    provenance = bundle.get("provenance", {})
    known = ("seed", "backend", "devices", "versions")
    trained = {key: provenance[key] for key in known if key in provenance}
    written = to_yaml({bundle.get("name", "experiment"): bundle["experiment"], **trained})
    return element("pre", lines(written.rstrip("\n")))


def command(found: Found) -> Markup:
    """What to type to use the model."""
    model = shlex.quote(paths.bundle(found.name).as_posix())
    commands = [f"nlp-rnn predict {model} texts.txt predictions.jsonl"]
    task = found.figures["model"].get("task")
    if task == "sequence_to_sequence":
        commands.append(f"nlp-rnn translate {model}")
    elif "perplexity" in found.figures["test"]:
        commands = [
            f"nlp-rnn generate {model} --length 60",
            f"nlp-rnn score {model} texts.txt scores.jsonl",
        ]
    return element("pre", lines("\n".join(commands)))
