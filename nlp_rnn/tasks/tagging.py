"""Tagging: a tag for every word, such as its part of speech or the entity it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from nlp_rnn.baselines.counts import majority_class, most_frequent_tags
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.metrics import is_entity_scheme, tagging_metrics
from nlp_rnn.inference.forward import probabilities
from nlp_rnn.models.network import AnyExperiment
from nlp_rnn.tasks.examples import EVALUATION_BATCH, ExamplesTask
from nlp_rnn.tasks.task import ERRORS_SHOWN, Evaluation
from nlp_rnn.text.prepared import Ints, PreparedDataset, Split
from nlp_rnn.text.tokenizers import tokenizer
from nlp_rnn.training.fit import Row
from nlp_rnn.training.objective import Objective


@dataclass(frozen=True)
class _Judged:
    """Tagged sentences of a split, each array ``(words of the sentence,)``.

    Attributes:
        numbers: which examples of the split they are.
        words: vocabulary indices.
        gold: tag indices.
        best: predicted tag indices.
        right: probability of each gold tag.
    """

    numbers: list[int]
    words: list[Ints]
    gold: list[Ints]
    best: list[Ints]
    right: list[NDArray[np.float64]]

    @property
    def loss(self) -> float:
        """The mean of ``-ln P`` of the gold tag over all words, nats."""
        return float(-np.log(np.concatenate(self.right)).mean())


class Tagging(ExamplesTask):
    """Fit and judge a tagger. Test sentences are never cut.

    Raises:
        UserError: F1 is to select the best epoch, but the tags mark no entities.
    """

    def __init__(self, experiment: AnyExperiment, dataset: PreparedDataset, seed: int) -> None:
        super().__init__(experiment, dataset, seed)
        if self.training.select == "f1" and not is_entity_scheme(dataset.labels):
            raise UserError(
                f"training.select: f1 is for entities, but the tags of {experiment.dataset} mark "
                "none; use accuracy or loss"
            )

    def objective(self, network: keras.Model) -> Objective:
        return Objective(network)

    def validate(self, objective: Objective) -> Row:
        if not is_entity_scheme(self.dataset.labels):
            return super().validate(objective)
        result = self._judge(objective.network, "validation")
        metrics = tagging_metrics(result.gold, result.best, self.dataset.labels)
        return {
            "validation/loss": result.loss,
            "validation/accuracy": metrics["accuracy"],
            "validation/f1": metrics["f1"],
        }

    def _judge(self, network: keras.Model, name: str) -> _Judged:
        """Tag the sentences of a split that have words."""
        split = self.dataset.split(name)
        if split.labels is None:
            raise ValueError("a tagged data set has tags")
        numbers = np.flatnonzero(split.lengths).tolist()
        words = [split.sequence(split.ids, i) for i in numbers]
        gold = [split.sequence(split.labels, i) for i in numbers]
        predicted = probabilities(network, words, EVALUATION_BATCH)
        right = [
            np.maximum(sentence[np.arange(len(tags)), tags], 1e-300)
            for sentence, tags in zip(predicted, gold, strict=True)
        ]
        return _Judged(
            numbers,
            words,
            gold,
            [sentence.argmax(axis=1) for sentence in predicted],
            right,
        )

    def evaluate(self, network: keras.Model) -> Evaluation:
        split, tags = self.dataset.split("test"), self.dataset.labels
        train = self.dataset.split("train")
        result = self._judge(network, "test")
        tag_of_word = most_frequent_tags(train, len(self.dataset.vocabulary), len(tags))
        majority = majority_class(train)
        baselines: dict[str, list[NDArray[Any]]] = {
            "majority": [np.full_like(tag, majority) for tag in result.gold],
            "most_frequent_tag": [tag_of_word[sentence] for sentence in result.words],
        }
        seen = self._seen_in_training(split)
        test, *others = (
            tagging_metrics(result.gold, guess, tags, seen)
            for guess in (result.best, *baselines.values())
        )
        return Evaluation(
            test | {"loss": result.loss},
            dict(zip(baselines, others, strict=True)),
            self._samples(split, result),
            tags,
            np.concatenate(result.gold),
            np.concatenate(result.best),
        )

    def _seen_in_training(self, split: Split) -> list[NDArray[np.bool_]]:
        """Whether each word occurs in the training split, be it too rare for the vocabulary."""
        normalised = tokenizer(self.dataset.tokenizer_parameters).words
        types: set[str] = set()
        for record in self.dataset.split("train").records():
            types.update(normalised(record["tokens"]))
        return [
            np.array([word in types for word in normalised(record["tokens"])])
            for record in split.records()
            if record["tokens"]
        ]

    def _samples(self, split: Split, result: _Judged) -> list[dict[str, Any]]:
        """The sentences whose least probable gold tag is least probable, errors marked."""
        tags = self.dataset.labels
        least = np.array([sentence.min() for sentence in result.right])
        worst = np.argsort(least, kind="stable")[:ERRORS_SHOWN].tolist()
        place = {result.numbers[i]: i for i in worst}
        samples = []
        for number, record in enumerate(split.records()):
            if number not in place:
                continue
            i = place[number]
            triples = zip(record["tokens"], result.gold[i], result.best[i], strict=True)
            samples.append(
                {
                    "text": " ".join(
                        word if gold == best else f"[{word} {tags[gold]}→{tags[best]}]"
                        for word, gold, best in triples
                    ),
                    "errors": int((result.gold[i] != result.best[i]).sum()),
                    "lowest_probability_of_tag": float(least[i]),
                }
            )
        return sorted(samples, key=lambda sample: sample["lowest_probability_of_tag"])
