"""Language modelling: the probability of each next word or character."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.baselines.n_grams import n_gram_losses
from nlp_rnn.config import (
    EvaluationParameters,
    LanguageModellingExperiment,
    LanguageModelTrainingParameters,
)
from nlp_rnn.evaluation.metrics import language_model_metrics
from nlp_rnn.evaluation.predictions import scored_rows
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.runtime.forward import LOGITS_AT_ONCE, losses_of_lines, losses_of_windows
from nlp_rnn.runtime.network import Network
from nlp_rnn.tasks.task import (
    ERRORS_SHOWN,
    EXAMPLES_SHOWN,
    LONGEST_SHOWN,
    Task,
)
from nlp_rnn.text.batches import Batch, mini_batches
from nlp_rnn.text.streams import (
    fixed_widths,
    line_schedule,
    line_windows,
    random_widths,
    stream_steps,
    whole_lines,
    windows,
)

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.objective import Objective

EVALUATION_WINDOW = 256
"""The maximum number of steps scored at once. States are carried over, so it affects speed, not
results."""

EVALUATION_LINES = 64
"""The number of lines scored at once if each is a text of its own."""


class LanguageModelling(Task):
    """Trains and evaluates a language model."""

    @property
    def _streams(self) -> LanguageModelTrainingParameters:
        assert isinstance(self.training, LanguageModelTrainingParameters)
        return self.training

    @property
    def evaluation(self) -> EvaluationParameters:
        """The adaptations of the model at test time."""
        assert isinstance(self.experiment, LanguageModellingExperiment)
        return self.experiment.evaluation

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.training.objective import TruncatedBPTT

        return TruncatedBPTT(network, self._rows("train"), self._streams)

    def _rows(self, split: str) -> int:
        """The number of parallel streams of a split."""
        examples = self.dataset.split(split)
        most = len(examples.ids) if self._streams.streams == "text" else len(examples)
        return min(self.training.batch_size, most)

    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        split, rows, rng = self.dataset.split("train"), self._rows("train"), self.rng(epoch)
        end, window = self.dataset.vocabulary.end_index, self._streams.window
        if self._streams.streams == "text":
            assert window is not None
            steps = stream_steps(len(split.ids), rows)
            if self._streams.random_window:
                widths = random_widths(steps, window, rng)
                return windows(split.ids, end, rows, widths, window), len(widths)
            widths = fixed_widths(steps, window)
            return windows(split.ids, end, rows, widths), len(widths)
        if window is None:
            lines = mini_batches(split.lengths, rows, rng)
            return whole_lines(split, lines, rows, end), len(lines)
        starting = line_schedule(split.lengths, rng.permutation(len(split)), rows, window)
        return line_windows(split, starting, rows, window, end), len(starting)

    def example_inputs(self) -> list[Sequence[Ints]]:
        ids = self.dataset.split("validation").ids
        starts = range(0, EXAMPLES_SHOWN * LONGEST_SHOWN, LONGEST_SHOWN)
        return [[ids[start : start + LONGEST_SHOWN]] for start in starts if start < len(ids)]

    def losses(self, network: Network, split: str, streams: int) -> np.ndarray:
        """``-ln P`` of every token of a split read as one text, float64 ``(tokens,)``.

        Args:
            streams: the number of parallel parts of the text; 1 carries the state through all of
                it.
        """
        ids = self.dataset.split(split).ids
        fitting = LOGITS_AT_ONCE // (streams * len(self.dataset.vocabulary))
        window = max(1, min(EVALUATION_WINDOW, fitting))
        widths = fixed_widths(stream_steps(len(ids), streams), window)
        rows: list[list[np.ndarray]] = [[] for _ in range(streams)]

        def visit(batch: Batch, losses: np.ndarray) -> None:
            for row, values, weights in zip(rows, losses, batch.weights, strict=True):
                row.append(values[weights > 0])

        losses_of_windows(
            network,
            windows(ids, self.dataset.vocabulary.end_index, streams, widths),
            visit,
        )
        return np.concatenate([values for row in rows for values in row])

    def losses_of_lines(self, network: Network, name: str, streams: int) -> np.ndarray:
        """``-ln P`` of every line of a split, float64 ``(lines,)``, given the lines before it, or
        from a zero state if the model was trained so."""
        losses = self.losses_of_tokens(network, name, streams)
        return np.add.reduceat(losses, self.dataset.split(name).offsets[:-1])

    def losses_of_tokens(self, network: Network, name: str, streams: int = 1) -> np.ndarray:
        """``-ln P`` of every token of a split, float64 ``(tokens,)``, as in evaluation: the split
        is one text, or each line starts from a zero state if the model was trained so."""
        split = self.dataset.split(name)
        if self._streams.streams == "text":
            return self.losses(network, name, min(streams, len(split.ids)))
        losses = losses_of_lines(
            network,
            [split.sequence(split.ids, i) for i in range(len(split))],
            self.dataset.vocabulary.end_index,
            len(self.dataset.vocabulary),
            EVALUATION_LINES,
        )
        return np.concatenate(list(losses))

    def measure(self, network: Network, split: str) -> dict[str, float]:
        losses = self.losses_of_lines(network, split, self.training.batch_size)
        loss = losses.sum() / len(self.dataset.split(split).ids)
        return {"loss": float(loss), "perplexity": float(np.exp(min(loss, 700)))}

    def evaluate(
        self,
        network: Network,
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
    ) -> Evaluation:
        split = self.dataset.split("test")
        losses = self.losses_of_lines(network, "test", streams=1)
        characters = self.dataset.card["splits"]["test"]["characters"]
        tokens = len(split.ids)
        by_line = losses / split.lengths
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
            test=language_model_metrics(float(losses.sum()), tokens, characters),
            baselines={
                name: language_model_metrics(float(of_tokens.sum()), tokens, characters)
                for name, of_tokens in n_gram_losses(self.dataset)
            },
            samples=sorted(samples, key=lambda sample: -sample["perplexity"]),
            predictions=scored_rows(split, losses),
        )
