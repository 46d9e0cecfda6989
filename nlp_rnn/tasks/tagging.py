"""Tagging: a tag for every word, such as its part of speech or the entity to which it belongs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.baselines.counts import majority_class, most_frequent_tags
from nlp_rnn.config import AnyExperiment, TaggerHeadParameters
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.calibration import (
    Calibration,
    calibrate,
    entity_probabilities_at,
    log_loss,
    probabilities_at,
)
from nlp_rnn.evaluation.errors import (
    FREQUENCIES,
    LENGTHS,
    Table,
    Targets,
    accuracy_by_bucket,
    confident_errors,
    confusion_pairs,
    slices,
)
from nlp_rnn.evaluation.familiar import words_and_entities
from nlp_rnn.evaluation.metrics import Metrics, entity_surface_metrics, tagging_metrics
from nlp_rnn.evaluation.predictions import Row, tagged_rows
from nlp_rnn.evaluation.result import Evaluation, JudgedEntities
from nlp_rnn.runtime.forward import Tagged, constraints, tag
from nlp_rnn.runtime.network import Network
from nlp_rnn.tasks.examples import EVALUATION_BATCH, ExamplesTask
from nlp_rnn.tasks.task import ERRORS_SHOWN
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.entities import LearnedTags, allowed_transitions, entity_spans
from nlp_rnn.text.prepared import PreparedDataset, Split
from nlp_rnn.text.spelling import spell

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.objective import Objective


@dataclass(frozen=True)
class Judged:
    """Tagged sentences of a split, each array ``(words of the sentence,)``.

    Attributes:
        numbers: the numbers of the examples in the split.
        words: the vocabulary indices.
        gold: the gold tag indices.
        best: the predicted tag indices.
        confidence: the probability of each predicted tag.
        logits: the scores behind the probabilities of all tags.
        loss: ``-ln P`` of the gold tags in nats per word; for a CRF, of whole sequences.
        log_loss: the same for individual tags.
    """

    numbers: list[int]
    words: list[Ints]
    gold: list[Ints]
    best: list[Ints]
    confidence: list[Floats]
    logits: list[Floats]
    loss: float
    log_loss: float


@dataclass(frozen=True)
class Compared:
    """What a network and its baselines reach on the test split.

    Attributes:
        test: the metrics of the network.
        baselines: those of each baseline.
        rows: the predictions of the network, in the order of the split.
    """

    test: Metrics
    baselines: dict[str, Metrics]
    rows: list[Row]


class Tagging(ExamplesTask):
    """Trains and evaluates a tagger. Test sentences are never cut.

    Raises:
        UserError: F1 should select the best epoch, or a tag scheme is set, but the tags do not mark
            entities.
    """

    def __init__(self, experiment: AnyExperiment, dataset: PreparedDataset, seed: int) -> None:
        super().__init__(experiment, dataset, seed)
        if self.training.select == "f1" and not dataset.entities:
            raise UserError(
                f"training.select: f1 is for entities, but the tags of {experiment.dataset} mark "
                "none; use accuracy or loss"
            )
        if self.model.tag_scheme and not dataset.entities:
            raise UserError(
                f"model.tag_scheme is for entities, but the tags of {experiment.dataset} mark "
                "none; omit it"
            )

    @property
    def model(self) -> TaggerHeadParameters:
        """The parameters of the network."""
        assert isinstance(self.experiment.model, TaggerHeadParameters)
        return self.experiment.model

    @property
    def optimum(self) -> dict[str, float]:
        reads_words = self.model.longest or self.experiment.embeddings.more_words
        found = self.dataset.optimum("words" if reads_words else "indices")
        losses = {"softmax": found.pop("word_loss", None), "crf": found.pop("sequence_loss", None)}
        loss = losses[self.model.output]
        return found if loss is None else found | {"loss": loss}

    @cached_property
    def learned(self) -> LearnedTags:
        """The tags that the network learns."""
        return LearnedTags(self.dataset.labels, self.model.tag_scheme)

    def split(self, name: str) -> Split:
        split = super().split(name)
        assert split.labels is not None
        if self.model.tag_scheme is None:
            return split
        return replace(split, labels=self.learned.encode(split.labels, split.offsets[1:]))

    @cached_property
    def spelling(self) -> Ints | None:
        if self.model.longest is None:
            return None
        return spell(self.dataset.spellings, self.dataset.characters, self.model.longest)

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.models.tagger import crf_of
        from nlp_rnn.training.objective import CRFObjective, Objective

        crf = crf_of(network)
        if crf is None:
            return Objective(network)
        self._check_constraints()
        return CRFObjective(network, crf)

    def _check_constraints(self) -> None:
        """Raise UserError if a constrained CRF forbids a gold sequence (of infinite loss).

        Raises:
            UserError: the tags of a sentence break their scheme.
        """
        tags = self.dataset.labels
        if not self.model.constrained:
            return
        start, between, end = allowed_transitions(tags, self.dataset.entities)
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

    def measure(self, network: Network, split: str) -> dict[str, float]:
        result = self._judge(network, split)
        tags, entities = self.dataset.labels, self.dataset.entities
        metrics = tagging_metrics(result.gold, result.best, tags, entities=entities)
        named = ("accuracy", "f1") if entities else ("accuracy",)
        return {"loss": result.loss, **{name: metrics[name] for name in named}}

    def _judge(self, network: Network, name: str) -> Judged:
        """Tag the sentences of a split that have words."""
        split = self.dataset.split(name)
        assert split.labels is not None
        numbers = np.flatnonzero(split.lengths).tolist()
        gold = [split.sequence(split.labels, i) for i in numbers]
        sentences = self.encoded(name, numbers, max_length=None)
        best, confidence, logits, log_likelihood = [], [], [], 0.0
        probabilities = []
        tagged = self.tagged(network, sentences)
        for sentence, tags in zip(tagged, gold, strict=True):
            best.append(sentence.best)
            confidence.append(_of(sentence.probabilities, sentence.best))
            logits.append(sentence.logits)
            probabilities.append(sentence.probabilities)
            log_likelihood += sentence.log_likelihood(tags)
        words = [sentence.ids for sentence in sentences]
        loss = -log_likelihood / sum(map(len, words))
        each = log_loss(probabilities, gold)
        return Judged(numbers, words, gold, best, confidence, logits, loss, each)

    def tagged(self, network: Network, sentences: Sequence[Encoded]) -> Iterator[Tagged]:
        """The tags of sentences, in order."""
        allowed = constraints(self.model, self.dataset.labels)
        return tag(network, sentences, EVALUATION_BATCH, self.learned, allowed=allowed)

    def calibrate(self, network: Network) -> Calibration:
        result = self._judge(network, "validation")
        return calibrate(result.logits, result.gold, network.transitions, self.learned)

    def evaluate(
        self,
        network: Network,
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
    ) -> Evaluation:
        tags, result = self.dataset.labels, self._judge(network, "test")
        forms = [record["tokens"] for record in self.dataset.split("test").records()]
        forms = [sentence for sentence in forms if sentence]
        counts, entities = words_and_entities(self.dataset)
        normalised = self.dataset.tokenizer.words
        seen = [np.array([counts[word] for word in normalised(words)]) for words in forms]
        calibrated = probabilities_at(temperature, result.logits, network.transitions, self.learned)
        confidence = list(map(_of, calibrated, result.best))
        gold, best = np.concatenate(result.gold), np.concatenate(result.best)
        sure = np.concatenate(confidence)
        targets = Targets(
            tags, gold, best, sure, lambda wanted: _marked(forms, result, tags, wanted)
        )
        before, after = (self._entity_confidence(result, network, t) for t in (1.0, temperature))
        compared = self._compared(network, result, confidence, after, forms, seen, entities)
        return Evaluation(
            test=compared.test | {"loss": result.loss},
            baselines=compared.baselines,
            samples=confident_errors(targets, ERRORS_SHOWN),
            predictions=compared.rows,
            labels=tags,
            gold=gold,
            predicted=best,
            confidence=sure,
            uncalibrated=np.concatenate(result.confidence),
            tables=_tables(targets, forms, seen),
            log_loss={"before": result.log_loss, "after": log_loss(calibrated, result.gold)},
            entities=self._judged_entities(result, before, after),
            shown=targets.shown,
        )

    def _entity_confidence(
        self, result: Judged, network: Network, temperature: float
    ) -> list[Floats] | None:
        """The probability of each predicted entity; None if the tags mark none."""
        if not self.dataset.entities:
            return None
        best = [list(entity_spans(self._names(tags))) for tags in result.best]
        scores = result.logits, best, network.transitions, self.learned
        return entity_probabilities_at(temperature, *scores)

    def _names(self, tags: Ints) -> list[str]:
        return [self.dataset.labels[i] for i in tags.tolist()]

    def _judged_entities(
        self, result: Judged, before: Sequence[Floats] | None, after: Sequence[Floats] | None
    ) -> JudgedEntities | None:
        """The predicted entities with their probabilities ``before`` and ``after`` calibration."""
        if before is None or after is None:
            return None
        right = [
            span in set(entity_spans(self._names(gold)))
            for gold, best in zip(result.gold, result.best, strict=True)
            for span in entity_spans(self._names(best))
        ]
        return JudgedEntities(
            right=np.array(right, bool),
            confidence=np.concatenate(after),
            uncalibrated=np.concatenate(before),
        )

    def _compared(
        self,
        network: Network,
        result: Judged,
        confidence: Sequence[Floats],
        entity_confidence: Sequence[Floats] | None,
        forms: Sequence[Sequence[str]],
        seen: Sequence[Ints],
        known: Collection[str],
    ) -> Compared:
        """The metrics of the network and of baselines on the test split, and its rows.

        Args:
            confidence: the calibrated probability of each predicted tag.
            entity_confidence: the same of each predicted entity; None if tags mark none.
            forms: the words of each sentence, as written.
            seen: how often each word occurs in training.
            known: the entities of training.
        """
        tags, train = self.dataset.labels, self.dataset.split("train")
        tag_of_word = most_frequent_tags(train, len(self.dataset.vocabulary), len(tags))
        majority = majority_class(train)
        baselines: dict[str, list[NDArray[Any]]] = {
            "majority": [np.full_like(tag, majority) for tag in result.gold],
            "most_frequent_tag": [tag_of_word[sentence] for sentence in result.words],
        }
        test, *others = (
            self._metrics(result.gold, guess, [count > 0 for count in seen], forms, known)
            for guess in (result.best, *baselines.values())
        )
        of_all = (self._of_all(v, result.numbers) for v in (result.gold, result.best, confidence))
        return Compared(
            test,
            dict(zip(baselines, others, strict=True)),
            tagged_rows(
                tags,
                *of_all,
                entities=self.dataset.entities,
                entity_confidence=None
                if entity_confidence is None
                else self._of_all(entity_confidence, result.numbers),
            ),
        )

    def _metrics(
        self,
        gold: Sequence[Ints],
        predicted: Sequence[Ints],
        seen: Sequence[NDArray[np.bool_]],
        forms: Sequence[Sequence[str]],
        known: Collection[str],
    ) -> Metrics:
        """The metrics of predicted tags on the test split; ``known`` are the entities of
        training."""
        tags, entities = self.dataset.labels, self.dataset.entities
        metrics = tagging_metrics(gold, predicted, tags, seen, entities=entities)
        if entities:
            metrics |= entity_surface_metrics(gold, predicted, tags, forms, known)
        return metrics

    def _of_all(self, values: Sequence[NDArray[Any]], numbers: Sequence[int]) -> list[NDArray[Any]]:
        """``values`` for all sentences of the test split, empty for those without words."""
        everything = [values[0][:0]] * len(self.dataset.split("test"))
        for number, of_sentence in zip(numbers, values, strict=True):
            everything[number] = of_sentence
        return everything


def _of(probabilities: Floats, tags: Ints) -> Floats:
    """The probability of each tag of a sentence ``(words,)``."""
    return probabilities[np.arange(len(tags)), tags]


def _marked(
    forms: Sequence[Sequence[str]], result: Judged, tags: Sequence[str], wanted: Sequence[int]
) -> dict[int, str]:
    """The sentence of each wanted word, in which the word is marked with its gold and predicted
    tag."""
    starts = np.cumsum([0, *map(len, forms)])
    texts = {}
    for target in wanted:
        sentence = int(np.searchsorted(starts, target, side="right")) - 1
        place = target - int(starts[sentence])
        gold, best = (tags[side[sentence][place]] for side in (result.gold, result.best))
        words = list(forms[sentence])
        words[place] = f"[{words[place]} {gold}→{best}]"
        texts[target] = " ".join(words)
    return texts


def _tables(
    targets: Targets, forms: Sequence[Sequence[str]], seen: Sequence[Ints]
) -> dict[str, Table]:
    """The error tables of a tagger; ``seen`` is how often each word occurs in training."""
    sizes, right = np.array([len(words) for words in forms]), targets.right
    unknown = np.array([(counts == 0).mean() for counts in seen])
    return {
        "confusion_pairs": confusion_pairs(targets),
        "accuracy_by_length": accuracy_by_bucket(
            np.repeat(sizes, sizes), LENGTHS, right, "words in the sentence"
        ),
        "accuracy_by_frequency": accuracy_by_bucket(
            np.concatenate(seen), FREQUENCIES, right, "times in training"
        ),
        "slices": slices(map(" ".join, forms), unknown, sizes, right),
    }
