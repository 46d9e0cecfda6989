"""The report: what it tells of each task, that nothing in it runs or loads, that it stays light."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_rnn import paths, stages
from nlp_rnn.evaluation.report import Results
from nlp_rnn.explanation.errors import MOST_SHOWN, MOST_TEXTS
from nlp_rnn.files import write_json
from nlp_rnn.reporting.charts import MOST_POINTS, between, thinned, ticks, wilson
from nlp_rnn.reporting.found import find
from nlp_rnn.reporting.markup import Markup, element, link, visible
from nlp_rnn.reporting.page import document
from nlp_rnn.reporting.sections import CLASSES, ERRORS

VOID = {"meta"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\" onload='alert(2)'",
    "\u202etxet\u2066",
    "&amp;</style></svg>",
    "\x00\u200b",
]
PROJECT_SIZE = 5
RUN = "http://127.0.0.1:5000/#/experiments/1/runs/ab?workflowType=machine_learning"


class Page(HTMLParser):
    """A page as a browser reads it; every element must be closed where it should be."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.style = ""
        self.feed(source)
        self.close()
        assert not self.open
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def labelled(labels: list[str]) -> dict[str, Any]:
    """What the evaluation of a classifier found."""
    judged = {"precision": 0.5, "recall": 0.6, "f1": 0.55}
    side = {"loss": 0.4, "ece": 0.031, "ece_equal_mass": 0.03, "mean_confidence": 0.8}
    return {
        "test": {
            "accuracy": 0.8125,
            "f1": 0.8025,
            "loss": 0.4,
            "per_class": {x: {**judged, "support": i} for i, x in enumerate(labels)},
        },
        "intervals": {
            "accuracy": {"low": 0.7511, "high": 0.8622},
            "f1": {"low": 0.74, "high": 0.85},
        },
        "calibration": {"temperature": 1.2, "before": side, "after": side},
        "calibration_choice": "The temperature 1.200 lowers the loss.",
        "baselines": {
            "majority": {"accuracy": 0.5, "f1": 0.3},
            "nb_svm": {"accuracy": 0.75, "f1": 0.7},
        },
        "optimum": {"accuracy": 0.9375},
        "training": {"epochs": 3, "best_epoch": 2, "seconds": 66.0, "tokens_per_second": 100.0},
        "model": {
            "task": "classification",
            "dataset": "reviews",
            "parameters": 12345,
            "entities": False,
            "vectors": "drawn at random",
            "all_but_vectors": "a",
        },
    }


BEFORE_AND_AFTER = {"before": 0.0613, "after": 0.0417}
"""The expected calibration error of entities."""


def tagged() -> dict[str, Any]:
    """What the evaluation of a tagger of entities with two seeds found."""
    figures = labelled(["PER", "LOC"])
    figures["model"] |= {"task": "tagging", "dataset": "entities", "entities": True}
    figures["optimum"] = {"accuracy": 0.99, "f1": 0.97}
    sides = {side: {"ece": ece, "mean_confidence": 0.9} for side, ece in BEFORE_AND_AFTER.items()}
    figures["calibration"]["entities"] = {"predicted": 1234, "precision": 0.875, **sides}
    figures["seeds"] = {
        "mean": {"accuracy": 0.8111, "f1": 0.8222},
        "deviation": {"accuracy": 0.0033, "f1": 0.0044},
        "each": {"1": {}, "2": {}},
    }
    return figures


def scored() -> dict[str, Any]:
    """What the evaluation of a language model found."""
    return {
        "test": {"loss": 3.7, "perplexity": 42.06, "bits_per_character": 1.132, "tokens": 3404},
        "intervals": {"perplexity": {"low": 40.51, "high": 43.54}},
        "baselines": {
            "unigram": {"perplexity": 124.8, "bits_per_character": 1.46},
            "kneser_ney_5": {"perplexity": 47.34, "bits_per_character": 1.16},
        },
        "optimum": {"perplexity": 11.64},
        "training": {"epochs": 3, "best_epoch": 3, "seconds": 6.0, "tokens_per_second": 100.0},
        "model": {
            "task": "language_modelling",
            "dataset": "text",
            "parameters": 99,
            "entities": False,
        },
        "adapted": {"cache": {"perplexity": 39.5, "chosen": {"theta": 0.1}}},
    }


def write_experiment(
    name: str,
    figures: dict[str, Any],
    worst: list[dict[str, Any]],
    predictions: Sequence[dict[str, Any]] = (),
    epochs: int = 3,
) -> None:
    """The files of one experiment, as the stages leave them."""
    rates = np.linspace(1, 0.2, epochs).tolist()
    history = [{"train/loss": x, "validation/loss": x + 0.1, "validation/f1": 1 - x} for x in rates]
    dataset = figures["model"]["dataset"]
    write_json(paths.figures(name), figures)
    write_json(paths.evaluation_plots(name) / "worst_predictions.json", worst)
    write_json(
        paths.bundle(name) / "bundle.json",
        {
            "name": name,
            "experiment": {"dataset": dataset, "model": {"units": 64}},
            "provenance": {"seed": 1, "backend": "jax", "trained": "2026-11-29T10:24:16Z"},
            "figures": {"history": history},
        },
    )
    write_json(
        paths.prepared(dataset) / "card.json",
        {
            "name": dataset,
            "kind": "labelled",
            "licence": "CC BY 4.0",
            "citation": "Somebody 2026",
            "vocabulary": {"size": 4321},
            "splits": {"test": {"sentences": 400, "tokens": 5000, "unknown_rate": 0.021}},
        },
    )
    write_json(paths.run_record(name), {"run_id": "ab"})
    paths.predictions(name).parent.mkdir(exist_ok=True)
    if predictions:
        rows = "".join(json.dumps(row) + "\n" for row in predictions)
        paths.predictions(name).write_text(rows, encoding="utf-8")


def judgements(labels: list[str], examples: int = 200) -> list[dict[str, Any]]:
    """Predictions of a classifier, one in five of them wrong."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(examples):
        gold = labels[i % len(labels)]
        predicted = gold if i % 5 else labels[(i + 1) % len(labels)]
        sure = float(rng.uniform(0.5, 1))
        rows.append({"gold": gold, "predicted": predicted, "confidence": sure})
    return rows


def error(text: str, gold: str = "good", predicted: str = "bad") -> dict[str, Any]:
    return {"text": text, "gold": gold, "predicted": predicted, "confidence": 0.987}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(**urls: str) -> str:
    """The report of the project in the working folder."""
    return document("Results", find(Results.read(Path("figures"))), urls)


def sections(page: Page) -> list[str]:
    """The titles of what can be unfolded."""
    return [t for t in TITLES if t in page.texts]


TITLES = (
    "Metrics and baselines",
    "Metrics by label",
    "Learning curves",
    "Confusion",
    "Calibration",
    "The most confident errors",
    "Lines with the highest perplexity",
    "Data card",
    "Parameters",
    "Predict",
)


def test_a_classifier_is_told_whole() -> None:
    labels = ["bad", "good"]
    write_experiment("sentiment", labelled(labels), [error("not bad")], judgements(labels))
    source = report(sentiment=RUN)
    page = Page(source)
    assert sections(page) == [t for t in TITLES if "perplexity" not in t]
    for told in (
        "0.8125", "0.7511 to 0.8622", "nb_svm 0.7500", "optimum 0.9375", "33% of the way",
        "not bad", "confidence 0.987", "The temperature 1.200 lowers the loss.", "CC BY 4.0",
        "2.10%", "units: 64", "nlp-rnn predict models/sentiment texts.txt predictions.jsonl",
        "12,345 parameters", "2026-11-29",
    ):  # fmt: skip
        assert told in page.text, told
    assert [a["href"] for a in page.of("a")] == ["#sentiment", RUN]
    assert "sentiment" in {attributes.get("id") for _, attributes in page.elements}


def test_a_tagger_has_metrics_by_type_and_over_seeds() -> None:
    rows = [
        {"gold": ["B-PER", "O"], "predicted": ["B-PER", "B-PER"], "confidence": [0.9, 0.6]},
        {"gold": ["O", "O"], "predicted": ["O", "O"], "confidence": [0.9, 0.8]},
    ]
    write_experiment("names", tagged(), [error("[Ann O→B-PER] left", "O", "B-PER")], rows)
    page = Page(report())
    for told in ("type of entity", "PER", "0.8222 ± 0.0044", "(2 seeds)", "[Ann O→B-PER] left"):
        assert told in page.text, told
    assert "seed 1 was the best on the validation split" in page.text
    assert "87.5% of 1,234 predicted entities" in page.text
    assert all(f"{ece:.4f}" in page.text for ece in BEFORE_AND_AFTER.values())
    assert "f1 of names" in page.text  # the chart of F1 beside that of accuracy


def test_a_language_model_has_its_n_grams_and_its_worst_lines() -> None:
    line = {"line": 16, "text": "Bamar was crisp .", "tokens": 5, "perplexity": 209.03}
    write_experiment("words", scored(), [line])
    page = Page(report())
    assert sections(page) == [TITLES[i] for i in (0, 2, 6, 7, 8, 9)]
    for told in (
        "bits per character", "kneser ney 5", "124.80", "Bamar was crisp .", "perplexity 209.03",
        "line 16", "theta 0.1", "nlp-rnn generate models/words", "nlp-rnn score models/words",
    ):  # fmt: skip
        assert told in page.text, told


def test_hostile_texts_and_labels_are_shown_and_not_run() -> None:
    figures = labelled(HOSTILE)
    figures["baselines"] = {HOSTILE[0]: {"accuracy": 0.7, "f1": 0.7}}
    figures["model"]["dataset"] = "reviews"
    worst = [error(text, gold=text, predicted=text) for text in HOSTILE]
    write_experiment("a <b>\"'", figures, worst, judgements(HOSTILE))
    file = paths.prepared("reviews") / "card.json"
    write_json(file, json.loads(file.read_text()) | {"licence": HOSTILE[0], "citation": HOSTILE[1]})
    source = document(
        HOSTILE[0], find(Results.read(Path("figures"))), {"a <b>\"'": "javascript:1"}, HOSTILE
    )
    page = Page(source)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "img"})
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]
    assert HOSTILE[0] in page.text and HOSTILE[1] in page.text
    assert "‹U+202E›txet‹U+2066›" in page.text
    assert "‹U+0000›‹U+200B›" in page.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", source)
    assert [a["href"] for a in page.of("a")] == ["#a%20%3Cb%3E%22%27"]
    assert "nlp-rnn predict 'models/a <b>\"'\"'\"''" in page.text


def explained(number: int, pieces: list[Any], place: int | None = None) -> dict[str, Any]:
    return {"number": number, "pieces": pieces, "place": place}


def test_the_words_of_the_worst_errors_are_coloured() -> None:
    words = [["bad", 2.0], [" ", None], ["film<b>", -0.5], [" ", None], ["so", 0.01]]
    worst = [error("unexplained"), error("bad film<b> so"), error("Ann [left O→B-PER]")]
    write_experiment("sentiment", labelled(["bad", "good"]), worst)
    found = [explained(1, words), explained(2, [["Ann", 1.0], [" ", None], ["left", 0.0]], 1)]
    write_json(paths.evaluation_plots("sentiment") / "explanations.json", found)
    source = report()
    assert source.count('class="words"') == 2
    assert '<span class="wrong-8" title="+2">bad</span>' in source
    assert '<span class="right-2" title="-0.5">film&lt;b&gt;</span> so</p>' in source
    assert '<span class="own">left</span>' in source
    assert "Orange words support the wrong prediction" in source


def test_half_a_surrogate_does_not_stop_the_report() -> None:
    write_experiment("sentiment", labelled(["good"]), [])
    file = paths.evaluation_plots("sentiment") / "worst_predictions.json"
    file.write_text(json.dumps([error("half \ud800")]), encoding="utf-8")
    assert "half ‹U+D800›" in report().encode().decode()


def test_the_page_loads_nothing_and_says_so_to_the_browser() -> None:
    labels = ["bad", "good"]
    write_experiment("sentiment", labelled(labels), [error("not bad")], judgements(labels))
    page = Page(report(sentiment=RUN))
    (policy,) = (
        meta["content"]
        for meta in page.of("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    hashed = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy is not None
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{hashed}'"]
    for tag, found in page.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "image", "use")
        assert not {"src", "style", "srcset", "xlink:href"} & set(found)
    assert not re.search(r"url\(|@import", page.style)
    assert {a["rel"] for a in page.of("a") if a["href"] == RUN} == {"noopener noreferrer"}


def test_charts_are_told_to_those_who_cannot_see_them() -> None:
    labels = ["bad", "good"]
    write_experiment("sentiment", labelled(labels), [], judgements(labels))
    page = Page(report())
    charts = page.of("svg")
    assert len(charts) == 5
    assert all(chart["role"] == "img" for chart in charts)
    starts = [i for i, (tag, _) in enumerate(page.elements) if tag == "svg"]
    for start in starts:
        assert [tag for tag, _ in page.elements[start + 1 : start + 3]] == ["title", "desc"]
    assert "Best baseline nb_svm 0.7500, accuracy 0.8125" in page.text


def test_the_style_is_for_narrow_and_for_dark_screens() -> None:
    write_experiment("words", scored(), [])
    page = Page(report())
    assert "prefers-color-scheme: dark" in page.style
    assert "max-width" in page.style
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")


def test_what_is_missing_is_left_out() -> None:
    write_json(paths.figures("sentiment"), labelled(["bad", "good"]))
    page = Page(report())
    assert sections(page) == ["Metrics and baselines", "Metrics by label", "Calibration", "Predict"]
    assert len(page.of("svg")) == 2


@pytest.mark.slow
def test_a_large_project_stays_light() -> None:
    labels = [f"label-{i}" for i in range(300)]
    worst = [error("word " * 5000)] * 200
    for i in range(PROJECT_SIZE):
        name = f"experiment-{i}"
        write_experiment(name, labelled(labels), worst, judgements(labels, 3000), epochs=2000)
        words = [["word", 1.0], [" ", None]] * MOST_SHOWN
        found = [explained(i, words) for i in range(MOST_TEXTS)]
        write_json(paths.evaluation_plots(name) / "explanations.json", found)
    source = report()
    assert len(source.encode()) < PROJECT_SIZE * 50_000
    page = Page(source)
    assert len(page.of("li")) == PROJECT_SIZE * ERRORS
    matrices = [found for found in page.of("table") if found.get("class") == "matrix"]
    assert len(matrices) == PROJECT_SIZE
    assert f"The {CLASSES} most frequent of 300 are shown." in page.text


@pytest.mark.parametrize("metric", ["accuracy", "perplexity"])
def test_the_better_is_at_the_right(metric: str) -> None:
    baseline, test, optimum = (0.5, 0.6, 0.9) if metric == "accuracy" else (90.0, 60.0, 50.0)
    row = {
        "experiment": "e", "metric": metric, "baseline": baseline, "best": "simple", "test": test,
        "optimum": optimum, "way": 0.5, "deviation": None, "seeds": 0,
        "range": (test * 0.99, test * 1.01),
    }  # fmt: skip
    page = Page(between(row))
    left = float(page.of("rect")[0]["x"] or "nan") + 5
    place = float(page.of("circle")[0]["cx"] or "nan")
    assert left < place
    if metric == "accuracy":
        assert (place - left) / (351 - left) == pytest.approx(0.25, abs=0.01)


def test_an_experiment_behind_its_baseline_or_without_optimum_is_drawn() -> None:
    figures = labelled(["bad", "good"])
    figures["baselines"]["nb_svm"]["accuracy"] = 0.9
    write_experiment("behind", figures, [])
    write_experiment("unknown", {**labelled(["bad", "good"]), "optimum": {}}, [])
    page = Page(report())
    assert "behind the baseline" in page.text
    assert "no optimum is known" in page.text


def test_thinned_curves_keep_their_ends() -> None:
    curve = [(float(i), float(i * i)) for i in range(1000)]
    found = thinned(curve)
    assert len(found) == MOST_POINTS
    assert (found[0], found[-1]) == (curve[0], curve[-1])
    assert thinned(curve[:5]) == curve[:5]


def test_ticks_are_round_and_few() -> None:
    assert ticks(0, 1, 6) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(11.4, 23.2, 6) == pytest.approx([12, 14, 16, 18, 20, 22])
    assert ticks(3, 3, 6) == [3]
    for low, high in ((0.9935, 0.9941), (1e-9, 1e5), (-3, -2.9)):
        assert 2 <= len(ticks(low, high, 6)) <= 6


def test_the_interval_of_a_share_is_wilsons() -> None:
    from scipy.stats import binomtest

    for right, trials in ((0, 3), (7, 9), (400, 401)):
        found = binomtest(right, trials).proportion_ci(0.95, method="wilson")
        assert wilson(right / trials, trials) == pytest.approx((found.low, found.high), abs=1e-4)


def test_only_elements_enter_unescaped() -> None:
    inner = element("b", "<i>")
    assert element("p", "a & ", inner, class_="x\"'") == (
        '<p class="x&quot;&#x27;">a &amp; <b>&lt;i&gt;</b></p>'
    )
    assert element("p", inner + "<i>") == "<p>&lt;b&gt;&amp;lt;i&amp;gt;&lt;/b&gt;&lt;i&gt;</p>"
    assert link("javascript:alert(1)", "x") == "x"
    assert isinstance(link("https://host", "x"), Markup)
    assert visible("می\u200cخواهم 👩\u200d💻") == "می\u200cخواهم 👩\u200d💻"


@pytest.mark.slow
def test_the_stage_writes_the_page_and_keeps_it_in_one_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    # The report needs none of the experiments' parameters, so that a mistake there is no matter.
    Path("params.yaml").write_text(
        "tracking: {experiment: mine}\nexperiments: {sentiment: {task: nonsense}}\n"
    )
    for text in ("first text", "second text"):
        write_experiment("sentiment", labelled(["bad", "good"]), [error(text)])
        stages.report()
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("report", "FINISHED")
    assert "0.8125" in run.data.tags["mlflow.note.content"]
    kept = Path(client.download_artifacts(run.info.run_id, "index.html"))
    written = Path("reports/index.html").read_text(encoding="utf-8")
    assert kept.read_text(encoding="utf-8") == written
    assert "second text" in written and "first text" not in written
    assert "Run in MLflow" not in written  # the store does not hold the run that trained it
