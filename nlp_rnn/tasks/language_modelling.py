"""Language modelling: the probability of each next word or character."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from nlp_rnn.baselines.counts import unigram_loss
from nlp_rnn.config import LanguageModelTrainingParameters
from nlp_rnn.evaluation.metrics import language_model_metrics
from nlp_rnn.inference.forward import LOGITS_AT_ONCE, losses_of_windows, zero_states
from nlp_rnn.models.language_model import scorer
from nlp_rnn.tasks.task import ERRORS_SHOWN, Evaluation, Task
from nlp_rnn.text.batches import Batch, count_windows, windows
from nlp_rnn.training.fit import Row
from nlp_rnn.training.objective import Objective, TruncatedBPTT

EVALUATION_WINDOW = 256
"""Most steps scored at once; the state is carried, so it changes speed, not figures."""


class LanguageModelling(Task):
    """Fit and judge a language model."""

    _scorer: tuple[keras.Model, keras.Model] | None = None

    def scorer(self, network: keras.Model) -> keras.Model:
        """The scorer of ``network``, built once so that it is compiled once."""
        if self._scorer is None or self._scorer[0] is not network:
            self._scorer = network, scorer(network)
        return self._scorer[1]

    @property
    def window(self) -> int:
        training = self.experiment.training
        assert isinstance(training, LanguageModelTrainingParameters)
        return training.window

    def objective(self, network: keras.Model) -> Objective:
        tokens = len(self.dataset.split("train").ids)
        return TruncatedBPTT(network, min(self.training.batch_size, tokens))

    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        ids = self.dataset.split("train").ids
        end, size = self.dataset.vocabulary.end_index, self.training.batch_size
        return windows(ids, end, size, self.window), count_windows(len(ids), size, self.window)

    def losses(self, network: keras.Model, split: str, streams: int) -> np.ndarray:
        """``-ln P`` of every token of a split, float64 ``(tokens,)``.

        Args:
            streams: parallel parts of the text; 1 carries the state through all of it.
        """
        ids = self.dataset.split(split).ids
        streams = min(streams, len(ids))
        fitting = LOGITS_AT_ONCE // (streams * len(self.dataset.vocabulary))
        window = max(1, min(EVALUATION_WINDOW, fitting))
        rows: list[list[np.ndarray]] = [[] for _ in range(streams)]

        def visit(batch: Batch, losses: np.ndarray) -> None:
            for row, values, weights in zip(rows, losses, batch.weights, strict=True):
                row.append(values[weights > 0])

        losses_of_windows(
            self.scorer(network),
            windows(ids, self.dataset.vocabulary.end_index, streams, window),
            zero_states(network, streams),
            visit,
        )
        return np.concatenate([values for row in rows for values in row])

    def validate(self, objective: Objective) -> Row:
        losses = self.losses(objective.network, "validation", self.training.batch_size)
        return {
            "validation/loss": float(losses.mean()),
            "validation/perplexity": float(np.exp(min(losses.mean(), 700))),
        }

    def evaluate(self, network: keras.Model) -> Evaluation:
        split = self.dataset.split("test")
        losses = self.losses(network, "test", streams=1)
        characters = self.dataset.card["splits"]["test"]["characters"]
        unigram = unigram_loss(split.ids, self.dataset.vocabulary)
        by_line = np.add.reduceat(losses, split.offsets[:-1]) / split.lengths
        worst = set(np.argsort(-by_line, kind="stable")[:ERRORS_SHOWN].tolist())
        samples = [
            {
                "line": number + 1,
                "text": record["text"],
                "tokens": int(split.lengths[number]),
                "perplexity": float(np.exp(by_line[number])),
            }
            for number, record in enumerate(split.records())
            if number in worst
        ]
        return Evaluation(
            language_model_metrics(float(losses.sum()), len(losses), characters),
            {"unigram": language_model_metrics(unigram, len(losses), characters)},
            sorted(samples, key=lambda sample: -sample["perplexity"]),
        )
