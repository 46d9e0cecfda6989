"""Sequences to sequences: the target of a source, such as its translation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.baselines.pairs import simple_outputs, word_alignments
from nlp_rnn.config import (
    DecodingParameters,
    EncoderDecoderTrainingParameters,
    SequenceToSequenceExperiment,
)
from nlp_rnn.evaluation.alignment import alignment_error
from nlp_rnn.evaluation.outputs import output_metrics
from nlp_rnn.evaluation.predictions import written_rows
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.inference.translation import Output, Translator
from nlp_rnn.runtime.network import Network
from nlp_rnn.runtime.pairs import Input, alignment, attention_of, target_losses
from nlp_rnn.tasks.task import ERRORS_SHOWN, Task
from nlp_rnn.text.batches import Batch, mini_batches, pair_batches, source_of
from nlp_rnn.text.bounds import PairBounds
from nlp_rnn.text.encoding import source_tokens
from nlp_rnn.text.gold import gold_rows
from nlp_rnn.text.vocabulary import Vocabulary
from nlp_rnn.text.word_dropout import drop_words, unknown_rates

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.objective import Objective

EVALUATION_BATCH = 64
"""The number of sources read at once."""

HEAT_MAPS = 6
"""The number of outputs of the test split whose attention is drawn."""

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

        training = self._examples
        return TargetObjective(network, training.label_smoothing, training.scheduled_sampling)

    def network(self, vectors: NDArray[Any]) -> keras.Model:
        network = super().network(vectors)
        if self.experiment.model.copying:
            from nlp_rnn.models.encoder_decoder import COPIED, ENCODER

            copied = network.get_layer(ENCODER).get_layer(COPIED)
            copied.types.assign(
                copied_types(self.dataset.vocabulary, self.dataset.target_vocabulary)
            )
        return network

    def batches(self, epoch: int) -> tuple[Iterable[Batch], int]:
        split, training, rng = self.dataset.split("train"), self._examples, self.rng(epoch)
        sides = split.lengths, split.target_lengths
        bounds = PairBounds.of(*sides)
        rows = mini_batches(bounds.keys(*sides), training.batch_size, rng, training.batching)
        batches: Iterator[Batch] = pair_batches(
            split,
            rows,
            self._end,
            min(training.batch_size, len(split)),
            bounds,
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
        vectors, words = split.features, self._source_words(name)
        return [
            Input(
                source_of(split.sequence(split.ids, i), backwards),
                None if vectors is None else np.asarray(vectors[i]),
                words[i],
            )
            for i in numbers
        ]

    def _source_words(self, name: str) -> list[Sequence[str]]:
        """The tokens of the sources of a split as they are read, if outputs may copy them."""
        split = self.dataset.split(name)
        if self.experiment.decoding.unknown != "copy":
            return [()] * len(split)
        found = (
            source_tokens(self.dataset.tokenizer, record["text"], record.get("context", ()))
            for record in split.records()
        )
        step = -1 if self.experiment.model.reversed_source else 1
        return [words[::step] for words in found]

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
    ) -> list[Output]:
        """The best output for each source of a split, of the first ``most``."""
        translator = Translator(
            network,
            self.dataset.target_vocabulary,
            self.dataset.target_tokenizer_parameters.unit,
            decoding,
            EVALUATION_BATCH,
        )
        return [best[0] for best in translator.outputs(self.inputs(name, most))]

    def weights(self, network: Network, name: str, targets: Sequence[Ints]) -> list[Floats]:
        """The weights of attention of the targets of the first sources of a split; none without
        attention."""
        if self.experiment.model.attention is None:
            return []
        inputs = self.inputs(name, len(targets))
        found = attention_of(network, inputs, targets, self._end, EVALUATION_BATCH)
        return [weights for weights in found if weights is not None]

    @cached_property
    def _gold_of_validation(self) -> list[dict[str, Any]]:
        """What would be right for the validation split, which every epoch asks for."""
        return gold_rows(self.dataset, "validation")

    def _gold(self, split: str) -> list[dict[str, Any]]:
        """What would be right for a split."""
        is_validation = split == "validation"
        return self._gold_of_validation if is_validation else gold_rows(self.dataset, split)

    def measure(self, network: Network, split: str) -> dict[str, float]:
        losses = np.concatenate(self.losses(network, split))
        found = {
            "loss": float(losses.mean()),
            "perplexity": float(np.exp(min(losses.mean(), 700))),
        }
        if (select := self._examples.select) != "loss":
            judged = self._examples.judged
            outputs = [each.text for each in self.outputs(network, split, GREEDY, judged)]
            rows = written_rows(self._gold(split)[: len(outputs)], outputs)
            found[select] = output_metrics(rows, [select])[select]
        return found

    def evaluate(
        self,
        network: Network,
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
    ) -> Evaluation:
        losses = self.losses(network, "test")
        best = self.outputs(network, "test", self.experiment.decoding)
        gold = gold_rows(self.dataset, "test")
        log_p = [output.log_probability for output in best]
        predictions = written_rows(gold, [output.text for output in best], log_p, losses)
        test = output_metrics(predictions)
        test["loss"] = float(np.concatenate(losses).mean())
        test |= self._alignment_error(network)
        return Evaluation(
            test=test,
            baselines={
                name: output_metrics(written_rows(gold, found))
                for name, found in simple_outputs(self.dataset).items()
            },
            samples=_worst(predictions),
            predictions=predictions,
            attention=self._alignments(network, best[:HEAT_MAPS]),
        )

    def _alignment_error(self, network: Network) -> dict[str, float]:
        """How far the largest weights of attention, given the right targets, differ from the links
        of IBM Model 1; nothing without attention, or where tokens do not translate one another."""
        reference = word_alignments(self.dataset) if self.experiment.model.attention else None
        if reference is None:
            return {}
        split = self.dataset.split("test")
        found = self.weights(network, "test", [split.target(i) for i in range(len(split))])
        step = -1 if self.experiment.model.reversed_source else 1
        without_end = (weights[:-1, ::step] for weights in found)
        largest = [weights.argmax(axis=1) for weights in without_end]
        return {"alignment_error": alignment_error(largest, reference).value}

    def _alignments(self, network: Network, best: Sequence[Output]) -> list[dict[str, Any]]:
        """The weights of attention of the first outputs of the test split."""
        targets = [np.array(output.tokens) for output in best]
        vocabularies = self.dataset.vocabulary, self.dataset.target_vocabulary
        backwards = self.experiment.model.reversed_source
        found = self.weights(network, "test", targets)
        return [
            alignment(source, target.tolist(), weights, vocabularies, backwards)
            for source, target, weights in zip(
                self.inputs("test", len(found)), targets, found, strict=False
            )
        ]


def copied_types(source: Vocabulary, target: Vocabulary) -> Ints:
    """The type of targets that each type of sources becomes when it is copied, int32 ``(types,)``:
    ``<unk>`` for those that targets lack."""
    return np.array(target.encode(source.types), np.int32)


def _worst(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outputs that are not the target, those of which the model is most confident first."""
    wrong = [row for row in rows if row["output"] != row["gold"]]
    wrong.sort(key=lambda row: -row["log_probability"])
    keys = ("text", "gold", "output", "log_probability", "loss", "tokens")
    return [{key: row[key] for key in keys} for row in wrong[:ERRORS_SHOWN]]
