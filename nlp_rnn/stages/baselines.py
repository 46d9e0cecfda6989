"""Stage baselines: the simple models that a network must beat."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from nlp_rnn import paths
from nlp_rnn.config import load_part
from nlp_rnn.files import whole_folder, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlp_rnn.baselines.suite import Fitted
    from nlp_rnn.evaluation.metrics import Metrics
    from nlp_rnn.evaluation.predictions import Row
    from nlp_rnn.text.prepared import PreparedDataset


def baselines(name: str) -> None:
    """Fit the simple models that a network must beat; judge them on the test split, or on those of
    all folds together."""
    parameters = load_part("datasets", name)

    from nlp_rnn import tracking
    from nlp_rnn.baselines.suite import fit_all, judged
    from nlp_rnn.evaluation.predictions import write_predictions
    from nlp_rnn.text.prepared import PreparedDataset

    folds = range(1, (parameters.folds(name) or 1) + 1)
    datasets = [PreparedDataset(paths.fold(paths.prepared(name), fold)) for fold in folds]
    dataset = datasets[0]
    figures: dict[str, Any] = {}
    with whole_folder(paths.baseline_predictions(name)) as folder:
        # The same baseline in every fold, then the next one.
        for fits in zip(*map(fit_all, datasets), strict=True):
            each = [judged(of, fitted) for of, fitted in zip(datasets, fits, strict=True)]
            found, predictions = _as_one(fits, each, dataset)
            fitted = fits[0]
            file = folder / f"{fitted.name}.jsonl"
            write_predictions(file, predictions)
            title = f"{name}-{fitted.name}"
            with tracking.run(parameters.tracking.experiment, title) as run:
                run.log_parameters(
                    {"dataset": name, "baseline": fitted.name, "chosen": found["chosen"]}
                )
                run.log_data(dataset.card)
                run.log_metrics({"test": found["test"], "training": {"seconds": found["seconds"]}})
                run.log_file(file)
            figures[fitted.name] = found
    write_json(
        paths.baseline_figures(name),
        {
            "baselines": figures,
            "optimum": dataset.optimum("words"),
            "data_sha256": dataset.card["data_sha256"],
            "entities": dataset.entities,
        },
    )


def _as_one(
    fits: Sequence[Fitted], each: Sequence[tuple[Metrics, list[Row]]], dataset: PreparedDataset
) -> tuple[dict[str, Any], list[Row]]:
    """What is recorded of a baseline, and its predictions, from those of all folds.

    The settings that folds have chosen are told by their median.
    """
    tests, rows = zip(*each, strict=True)
    found = {"tried": fits[0].tried, "seconds": sum(fitted.seconds for fitted in fits)}
    if len(fits) == 1:
        return {"test": tests[0], "chosen": fits[0].chosen, **found}, rows[0]

    from nlp_rnn.evaluation.analysis import over_seeds
    from nlp_rnn.evaluation.pooled import pooled_metrics, with_fold

    names = fits[0].chosen
    return {
        "test": pooled_metrics(tests, rows, dataset.labels),
        "chosen": {name: median(fitted.chosen[name] for fitted in fits) for name in names},
        "folds": over_seeds({str(fold): test for fold, test in enumerate(tests, start=1)}),
        **found,
    }, with_fold(rows)
