"""Tagging: a tag for every word, such as its part of speech or the entity it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.baselines.counts import majority_class, most_frequent_tags
from nlp_rnn.config import AnyExperiment, TaggerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.metrics import tagging_metrics
from nlp_rnn.inference.forward import tag
from nlp_rnn.inference.network import Network
from nlp_rnn.tasks.examples import EVALUATION_BATCH, ExamplesTask
from nlp_rnn.tasks.task import ERRORS_SHOWN, Evaluation
from nlp_rnn.text.entities import allowed_transitions, is_entity_scheme
from nlp_rnn.text.prepared import Ints, PreparedDataset, Split
from nlp_rnn.text.spelling import spell
from nlp_rnn.text.tokenizers import tokenizer

if TYPE_CHECKING:
    import keras

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
        loss: ``-ln P`` of the gold tags in nats a word.
    """

    numbers: list[int]
    words: list[Ints]
    gold: list[Ints]
    best: list[Ints]
    right: list[NDArray[np.float64]]
    loss: float


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

    @cached_property
    def spelling(self) -> Ints | None:
        model = self.experiment.model
        assert isinstance(model, TaggerParameters)
        if model.characters is None:
            return None
        return spell(self.dataset.forms, self.dataset.characters, model.characters.longest)

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.models.tagger import crf_of
        from nlp_rnn.training.objective import CRFObjective, Objective

        crf = crf_of(network)
        if crf is None:
            return Objective(network)
        self._check_constraints()
        return CRFObjective(network, crf)

    def _check_constraints(self) -> None:
        """A gold sequence that a constrained CRF rules out would have an endless loss.

        Raises:
            UserError: the tags of a sentence break their scheme.
        """
        model, tags = self.experiment.model, self.dataset.labels
        assert isinstance(model, TaggerParameters)
        if not model.constrained:
            return
        start, between, end = allowed_transitions(tags)
        for name in ("train", "validation", "test"):
            split = self.dataset.split(name)
            assert split.labels is not None
            for i in np.flatnonzero(split.lengths).tolist():
                gold = split.sequence(split.labels, i)
                if not (start[gold[0]] and end[gold[-1]] and between[gold[:-1], gold[1:]].all()):
                    raise UserError(
                        f"data set {self.experiment.dataset}, {name}, example {i + 1}: its tags "
                        f"{' '.join(tags[tag] for tag in gold)} break their scheme; correct them, "
                        "or set model.constrained: false"
                    )

    def validate(self, objective: Objective) -> Row:
        row = super().validate(objective)
        entities = is_entity_scheme(self.dataset.labels)
        if not entities and "validation/accuracy" in row:
            return row
        result = self._judge(self.predicting(objective.network), "validation")
        metrics = tagging_metrics(result.gold, result.best, self.dataset.labels)
        row["validation/accuracy"] = metrics["accuracy"]
        if entities:
            row["validation/f1"] = metrics["f1"]
        return row

    def _judge(self, network: Network, name: str) -> _Judged:
        """Tag the sentences of a split that have words."""
        split = self.dataset.split(name)
        assert split.labels is not None
        numbers = np.flatnonzero(split.lengths).tolist()
        gold = [split.sequence(split.labels, i) for i in numbers]
        sentences = self.encoded(name, numbers, max_length=None)
        best, right, log_likelihood = [], [], 0.0
        for sentence, tags in zip(tag(network, sentences, EVALUATION_BATCH), gold, strict=True):
            best.append(sentence.best)
            of_gold = sentence.probabilities[np.arange(len(tags)), tags]
            right.append(np.maximum(of_gold, 1e-300))
            log_likelihood += sentence.log_likelihood(tags)
        words = [sentence.ids for sentence in sentences]
        return _Judged(numbers, words, gold, best, right, -log_likelihood / sum(map(len, words)))

    def evaluate(self, network: Network) -> Evaluation:
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
