"""Stage report: all results in one page, one table and one plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nlp_rnn import paths
from nlp_rnn.config import load_shared
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_file
from nlp_rnn.process import log

if TYPE_CHECKING:
    from nlp_rnn.evaluation.report import Results, Row
    from nlp_rnn.hints import Remedy


def report() -> None:
    """Write all results into reports/: a page, a table and a plot."""
    from nlp_rnn import tracking
    from nlp_rnn.drawing import save
    from nlp_rnn.evaluation.plots import results_picture
    from nlp_rnn.evaluation.report import Results, result_rows
    from nlp_rnn.reporting.found import find, run_ids
    from nlp_rnn.reporting.page import document, write

    results = Results.read(Path("figures"))
    rows = result_rows(results)
    if not rows and results.stale:
        raise UserError(
            "figures: all of them are of other data than the prepared ones; "
            f"{next(reversed(results.stale))}"
        )
    if not rows:
        raise UserError("figures: none there yet; run the pipeline: dvc repro")
    table, page, plot = (paths.report(name) for name in ("results.md", "index.html", "results.png"))
    tables = _tables(results, rows)
    with whole_file(table) as partial:
        partial.write_text(tables + "\n", encoding="utf-8")
    save(results_picture(rows), plot)
    project = load_shared().tracking.experiment
    urls, notes = tracking.pages(run_ids()), map(_left_out, results.stale)
    write(page, document(f"Results of {project}", find(results), urls, [*notes]))
    with tracking.only_run(project, "report") as run:
        run.describe(tables)
        for file in (page, table, plot):
            run.log_file(file)
    log(f"{page} is the report, {table} has its tables")


def _left_out(stale: Remedy) -> str:
    return f"{stale.name} is left out, because it is of other data than the prepared ones; {stale}."


def _tables(results: Results, rows: list[Row]) -> str:
    """Every table of results, in Markdown."""
    from nlp_rnn.evaluation.report import (
        adapted_markdown,
        gains,
        markdown,
        stale_markdown,
        standings,
    )

    parts = [markdown(rows)]
    titled = {
        "Each data set's baselines and networks, from the worst": standings(rows, results),
        "What word vectors are worth, all else being equal": gains(rows),
        "Language models with more at test time, apart from the above": adapted_markdown(results),
        "Left out, because they are of other data than the prepared ones": stale_markdown(results),
    }
    parts += [f"{title}:\n\n{table}" for title, table in titled.items() if table]
    return "\n\n".join(parts)
