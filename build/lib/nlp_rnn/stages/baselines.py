"""Stage baselines: the simple models that a network must beat."""

from __future__ import annotations

from typing import Any

from nlp_rnn import paths
from nlp_rnn.config import load_part
from nlp_rnn.files import whole_folder, write_json


def baselines(name: str) -> None:
    """Fit the simple models that a network must beat; judge them on the test split."""
    parameters = load_part("datasets", name)

    from nlp_rnn import tracking
    from nlp_rnn.baselines.suite import fit_all, judged
    from nlp_rnn.evaluation.predictions import write_predictions
    from nlp_rnn.text.prepared import PreparedDataset

    dataset = PreparedDataset(paths.prepared(name))
    figures: dict[str, Any] = {}
    with whole_folder(paths.baseline_predictions(name)) as folder:
        for fitted in fit_all(dataset):
            test, predictions = judged(dataset, fitted)
            file = folder / f"{fitted.name}.jsonl"
            write_predictions(file, predictions)
            title = f"{name}-{fitted.name}"
            with tracking.run(parameters.tracking.experiment, title) as run:
                run.log_parameters(
                    {"dataset": name, "baseline": fitted.name, "chosen": fitted.chosen}
                )
                run.log_data(dataset.card)
                run.log_metrics({"test": test, "training": {"seconds": fitted.seconds}})
                run.log_file(file)
            figures[fitted.name] = {
                "test": test,
                "chosen": fitted.chosen,
                "tried": fitted.tried,
                "seconds": fitted.seconds,
            }
    write_json(
        paths.baseline_figures(name),
        {
            "baselines": figures,
            "optimum": dataset.optimum("words"),
            "data_sha256": dataset.card["data_sha256"],
            "entities": dataset.entities,
        },
    )
