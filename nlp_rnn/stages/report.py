"""Stage report: all results in one table."""

from __future__ import annotations

from pathlib import Path

from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_file


def report() -> None:
    """Print the table of all results, keep it in reports/results.md and draw it beside."""
    from nlp_rnn.drawing import save
    from nlp_rnn.evaluation.plots import results_picture
    from nlp_rnn.evaluation.report import (
        Results,
        adapted_markdown,
        gains,
        markdown,
        result_rows,
        stale_markdown,
        standings,
    )

    results = Results.read(Path("figures"))
    rows = result_rows(results)
    if not rows and results.stale:
        raise UserError(
            "figures: all of them are of other data than the prepared ones; "
            f"{next(reversed(results.stale))}"
        )
    if not rows:
        raise UserError("figures: none there yet; run the pipeline: dvc repro")
    table = markdown(rows)
    if standing := standings(rows, results):
        table += f"\n\nEach data set's baselines and networks, from the worst:\n\n{standing}"
    if gained := gains(rows):
        table += f"\n\nWhat word vectors are worth, all else being equal:\n\n{gained}"
    if adapted := adapted_markdown(results):
        table += f"\n\nLanguage models with more at test time, apart from the above:\n\n{adapted}"
    if stale := stale_markdown(results):
        table += f"\n\nLeft out, because they are of other data than the prepared ones:\n\n{stale}"
    with whole_file(Path("reports/results.md")) as partial:
        partial.write_text(table + "\n", encoding="utf-8")
    save(results_picture(rows), Path("reports/results.png"))
    print(table)
