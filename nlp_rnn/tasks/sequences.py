"""Sequences to sequences: the target of a source, such as its translation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.baselines.pairs import simple_outputs
from nlp_rnn.config import (
    DecodingParameters,
    EncoderDecoderTrainingParameters,
    SequenceToSequenceExperiment,
)
from nlp_rnn.evaluation.outputs import output_metrics
from nlp_rnn.evaluation.predictions import written_rows
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.inference.translation import written
from nlp_rnn.runtime.network import Network
from nlp_rnn.runtime.pairs import Input, target_losses
from nlp_rnn.tasks.task import ERRORS_SHOWN, Task
from nlp_rnn.text.batches import Batch, mini_batches, pair_batches, pair_keys, source_of
from nlp_rnn.text.gold import gold_rows
from nlp_rnn.text.word_dropout import drop_words, unknown_rates
from nlp_rnn.text.writing import target_text

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.fit import Row
    from nlp_rnn.training.objective import Objective

EVALUATION_BATCH = 64
"""The number of sources read at once."""

GREEDY = DecodingParameters(beam=1, length_penalty=0.0)


class SequenceToSequence(Task):
    """Trains and evaluates an encoder-decoder."""

    experiment: SequenceToSequenceExperiment

    @property
    def _examples(self) -> EncoderDecoderTrainingParameters:
        return self.experiment.training

    @property
    def _end(self) -> int:
        """The index of the end symbol, which also begins a target."""
        return self.dataset.target_vocabulary.end_index

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.training.objective import TargetObjective

        return TargetObjective(network, self._examples.label_smoothing)

    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        split, training, rng = self.dataset.split("train"), self._examples, self.rng(epoch)
        keys = pair_keys(split.lengths, split.target_lengths)
        rows = mini_batches(keys, training.batch_size, rng, training.batching)
        batches: Iterator[Batch] = pair_batches(
            split,
            rows,
            self._end,
            min(training.batch_size, len(split)),
            self.experiment.model.reversed_source,
        )
        if training.word_dropout:
            rates = unknown_rates(self.dataset.vocabulary.counts, training.word_dropout, 0.0)
            batches = drop_words(batches, rates, rng)
        return batches, len(rows)

    def example_inputs(self) -> list[Sequence[Ints]]:
        raise NotImplementedError("gradient_flow is not of an encoder-decoder")

    def inputs(self, name: str, most: int | None = None) -> list[Input]:
        """The sources of a split as the encoder reads them, the first ``most``."""
        split = self.dataset.split(name)
        numbers = range(min(len(split), most or len(split)))
        backwards = self.experiment.model.reversed_source
        vectors = split.features
        return [
            Input(
                source_of(split.sequence(split.ids, i), backwards),
                None if vectors is None else np.asarray(vectors[i]),
            )
            for i in numbers
        ]

    def losses(self, network: Network, name: str) -> list[Floats]:
        """``-ln P`` of each token of each target of a split, in nats."""
        split = self.dataset.split(name)
        targets = [split.target(i) for i in range(len(split))]
        return list(target_losses(network, self.inputs(name), targets, self._end, EVALUATION_BATCH))

    def outputs(
        self,
        network: Network,
        name: str,
        decoding: DecodingParameters,
        most: int | None = None,
    ) -> Iterator[tuple[str, float]]:
        """The best output for each source of a split, with its ``ln P``."""
        unit = self.dataset.target_tokenizer_parameters.unit
        vocabulary = self.dataset.target_vocabulary
        inputs = self.inputs(name, most)
        for best in written(network, inputs, self._end, decoding, EVALUATION_BATCH):
            yield target_text(best[0].tokens, vocabulary, unit), best[0].log_probability

    def validate(self, objective: Objective) -> Row:
        network = self.predicting(objective.network)
        losses = np.concatenate(self.losses(network, "validation"))
        row = {
            "validation/loss": float(losses.mean()),
            "validation/perplexity": float(np.exp(min(losses.mean(), 700))),
        }
        if (select := self._examples.select) != "loss":
            found = self.outputs(network, "validation", GREEDY, self._examples.judged)
            outputs = [output for output, _ in found]
            rows = written_rows(gold_rows(self.dataset, "validation")[: len(outputs)], outputs)
            row[f"validation/{select}"] = output_metrics(rows, [select])[select]
        return row

    def evaluate(self, network: Network, temperature: float = 1.0) -> Evaluation:
        losses = self.losses(network, "test")
        outputs, log_p = zip(*self.outputs(network, "test", self.experiment.decoding), strict=True)
        gold = gold_rows(self.dataset, "test")
        predictions = written_rows(gold, outputs, log_p, losses)
        test = output_metrics(predictions)
        test["loss"] = float(np.concatenate(losses).mean())
        return Evaluation(
            test=test,
            baselines={
                name: output_metrics(written_rows(gold, found))
                for name, found in simple_outputs(self.dataset).items()
            },
            samples=_worst(predictions),
            predictions=predictions,
        )


def _worst(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outputs that are not the target, those of which the model is most confident first."""
    wrong = [row for row in rows if row["output"] != row["gold"]]
    wrong.sort(key=lambda row: -row["log_probability"])
    keys = ("text", "gold", "output", "log_probability", "loss", "tokens")
    return [{key: row[key] for key in keys} for row in wrong[:ERRORS_SHOWN]]
