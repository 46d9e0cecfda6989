"""The whole page: what comes first, the experiments, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from nlp_rnn.evaluation.report import Row, number, spread
from nlp_rnn.files import whole_file
from nlp_rnn.reporting.charts import small_between, way_told
from nlp_rnn.reporting.found import Found
from nlp_rnn.reporting.markup import Markup, element, joined, table
from nlp_rnn.reporting.sections import section
from nlp_rnn.reporting.style import style
from nlp_rnn.web import policy


def document(
    title: str, experiments: Sequence[Found], urls: Mapping[str, str], notes: Sequence[str] = ()
) -> str:
    """The report as one HTML file, which loads nothing and runs nothing.

    Args:
        title: of the page.
        experiments: in the order of their sections.
        urls: of the MLflow runs, by experiment.
        notes: sentences about what is missing.
    """
    sheet = Markup(style())
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(sheet)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", sheet),
    )
    body = element(
        "body",
        element("h1", title),
        summary(experiments),
        element("p", LEGEND, class_="quiet"),
        *(element("p", note, class_="note") for note in notes),
        *(
            section(found, identifier(found.name), urls.get(found.name, ""))
            for found in experiments
        ),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


LEGEND = joined(
    [
        "■ best baseline, ● test metric with its 95% bootstrap interval over the test examples ",
        "(over several seeds: their mean ± standard deviation), ◆ optimum, which is known exactly "
        "for built-in data. The better is always at the right.",
    ]
)


def identifier(name: str) -> str:
    """The place of an experiment on the page: the same in every report."""
    return quote(name, safe="")


def summary(experiments: Sequence[Found]) -> Markup:
    """A table of all experiments, which leads to their sections."""
    header = ["experiment", "metric", "baseline", "test", "optimum", "from baseline to optimum", ""]
    rows = [_summary_row(row) for found in experiments for row in found.rows]
    return element("nav", table(header, rows, numbers=2), aria_label="Experiments")


def _summary_row(row: Row) -> list[str]:
    return [
        element("a", row["experiment"], href=f"#{identifier(row['experiment'])}"),
        row["metric"],
        number(row["baseline"]),
        joined([element("strong", number(row["test"])), element("small", spread(row))]),
        number(row["optimum"]),
        way_told(row),
        small_between(row),
    ]


def write(file: Path, page: str) -> None:
    """Write the page, whole or not at all."""
    with whole_file(file) as partial:
        partial.write_text(page, encoding="utf-8")
