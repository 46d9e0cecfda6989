"""What tasks on separate examples share: classification and tagging."""

from __future__ import annotations

from collections.abc import Iterable

from nlp_rnn.config import BatchTrainingParameters
from nlp_rnn.tasks.task import Task
from nlp_rnn.text.batches import Batch, example_batches
from nlp_rnn.training.fit import Row
from nlp_rnn.training.objective import Objective, Totals

EVALUATION_BATCH = 64
"""Examples predicted at once: large enough for speed, small enough for little padding."""


class ExamplesTask(Task):
    """Labelled or tagged examples, bucketed by length."""

    @property
    def max_length(self) -> int | None:
        training = self.experiment.training
        return training.max_length if isinstance(training, BatchTrainingParameters) else None

    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        split = self.dataset.split("train")
        size = self.training.batch_size
        examples = int((split.lengths > 0).sum())
        return example_batches(split, size, self.max_length, self.rng(epoch)), -(-examples // size)

    def validate(self, objective: Objective) -> Row:
        totals = Totals()
        for batch in example_batches(
            self.dataset.split("validation"), EVALUATION_BATCH, self.max_length
        ):
            figures = objective.test_on_batch(
                batch.ids, batch.targets, sample_weight=batch.weights, return_dict=True
            )
            totals.add(figures, batch.weights)
        return totals.means("validation")
