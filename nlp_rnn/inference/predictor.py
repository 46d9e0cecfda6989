"""Predictions from a bundle: one JSON-able record for each text, in order.

The model reads texts exactly as in training, with the bundle's own tokenizer and vocabulary. Texts
are taken in chunks, sorted by length within a chunk and predicted in batches, so memory does not
grow with the number of texts.
"""

from __future__ import annotations

import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.config import (
    ClassificationTrainingParameters,
    DecodingParameters,
    SequenceToSequenceExperiment,
    TaggerParameters,
)
from nlp_rnn.config.data import LANGUAGE
from nlp_rnn.corpora.propositions import PREDICATE
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.label_sets import confidences
from nlp_rnn.evaluation.roles import CONTINUED, predicates_of
from nlp_rnn.inference import schema
from nlp_rnn.inference.checks import check_penalty, check_share, check_whole
from nlp_rnn.inference.constraints import Constraint, OneOf
from nlp_rnn.inference.items import CHUNK, Item, as_text
from nlp_rnn.inference.translation import Output, Translator
from nlp_rnn.limits import TEXT_TOKENS
from nlp_rnn.process import log
from nlp_rnn.runtime.bundle import REMEDY, START_STATES, Bundle
from nlp_rnn.runtime.entities import PredictedEntity
from nlp_rnn.runtime.forward import (
    Tagged,
    constraints,
    label_and_tag,
    label_logits,
    losses_of_lines,
    probabilities,
    sigmoid,
    tag,
)
from nlp_rnn.runtime.network import Network
from nlp_rnn.runtime.pairs import Input, alignment, attention_of
from nlp_rnn.text.batches import Encoded, flagged, shortened, source_of
from nlp_rnn.text.documents import Place, sentence_splitter
from nlp_rnn.text.encoding import source_tokens
from nlp_rnn.text.entities import entity_spans
from nlp_rnn.text.rules import Span
from nlp_rnn.text.spelling import spell
from nlp_rnn.text.vocabulary import SEPARATOR, UNK, UNK_INDEX

Prediction = dict[str, Any]

ReviewBy = Literal["token", "entity"]

Unit = Literal["text", "document"]

BATCH = 32
"""The number of texts in one forward pass."""


NOTHING = Tagged(np.empty(0, np.int32), np.empty((0, 0)), np.empty((0, 0)), lambda tags: 0.0)
"""The output for a sentence without words."""


@dataclass(frozen=True)
class Options:
    """The user's options for predictions.

    Attributes:
        n_best: the number of tag sequences per sentence, for a tagger with a CRF, or of outputs
            per source, for an encoder-decoder.
        review_below: the confidence below which a prediction is marked for human review: the
            probability of the label, or the lowest probability of the tags, or of the decisions
            for or against each of any number of labels; for a label and tags the lower of both.
            None marks nothing.
        review_by: what a tagger's confidence in a sentence is: the lowest probability of its tags
            (``token``), or of the entities that it predicts (``entity``); a sentence without
            entities is then never marked.
        batch_size: the number of texts in one forward pass; it affects speed and memory, not
            predictions.
        beam: the width of the beam of an encoder-decoder; None is that of its experiment.
        length_penalty: the exponent of its length penalty; None is that of its experiment.
        attention: whether an encoder-decoder gives its weights of attention.
        allowed: the only outputs that an encoder-decoder may give; None allows all.
        unit: what a tagger takes a text for: one sentence (``text``), or a ``document``, which it
            cuts into sentences. None is as it was trained.
        language: the language of documents, such as ``en``; None is that of its training.
    """

    n_best: int = 1
    review_below: float | None = None
    batch_size: int = BATCH
    beam: int | None = None
    length_penalty: float | None = None
    attention: bool = False
    allowed: tuple[str, ...] | None = None
    review_by: ReviewBy = "token"
    unit: Unit | None = None
    language: str | None = None

    def check(self, bundle: Bundle, written: Callable[[str], str] = str) -> None:
        """Raise UserError unless the model supports the options.

        Args:
            written: returns the name of an option for messages.
        """
        for name in ("n_best", "batch_size"):
            check_whole(written(name), getattr(self, name))
        if bundle.task.data == "pairs":
            self._check_search(bundle, written)
        else:
            self._check_of_no_pairs(bundle, written)
        self._check_review_by(bundle, written)
        self._check_documents(bundle, written)
        if self.review_below is None:
            return
        check_share(written("review_below"), self.review_below)
        if not bundle.task.labels:
            raise UserError(
                f"{written('review_below')}: {bundle.folder} is a language model or an "
                "encoder-decoder, whose predictions have no confidence; omit it"
            )

    def _check_review_by(self, bundle: Bundle, written: Callable[[str], str]) -> None:
        if self.review_by not in get_args(ReviewBy):
            raise UserError(
                f"{written('review_by')}: expected {' or '.join(get_args(ReviewBy))}, found "
                f"{self.review_by!r}"
            )
        if self.review_by == "token":
            return
        if self.review_below is None:
            raise UserError(
                f"{written('review_by')}: needs {written('review_below')}, a probability; add it"
            )
        if not bundle.predicts_entities:
            raise UserError(
                f"{written('review_by')} entity: {bundle.folder} predicts no entities; omit it"
            )

    def _check_documents(self, bundle: Bundle, written: Callable[[str], str]) -> None:
        if self.unit not in (None, *get_args(Unit)):
            raise UserError(
                f"{written('unit')}: expected {' or '.join(get_args(Unit))}, found {self.unit!r}"
            )
        of_whole_texts = not bundle.task.tagged or bundle.task.data == "joint"
        if self.unit == "document" and of_whole_texts:
            raise UserError(
                f"{written('unit')} document is of models that tag words, and {bundle.folder} is "
                f"one for {bundle.experiment.task}, which reads a text as a whole; omit it"
            )
        language = self.language_of_documents(bundle)
        if self.language is not None and language is None:
            raise UserError(
                f"{written('language')}: is of documents; add {written('unit')} document, or omit "
                "it"
            )
        if language is not None and not re.fullmatch(LANGUAGE, str(language)):
            raise UserError(
                f"{written('language')}: expected the code of a language such as en, found "
                f"{language!r}"
            )
        if language is not None and self.n_best > 1:
            raise UserError(
                f"{written('n_best')}: is of single sentences, and documents have several; set "
                f"{written('unit')} to text"
            )

    def language_of_documents(self, bundle: Bundle) -> str | None:
        """The language of the documents that texts are; None where they are no documents."""
        unit = self.unit or ("document" if bundle.language else "text")
        if unit == "text":
            return None
        return self.language or bundle.language or "en"

    def decoding(self, bundle: Bundle) -> DecodingParameters:
        """How an encoder-decoder searches: as its experiment says, unless an option differs."""
        assert isinstance(bundle.experiment, SequenceToSequenceExperiment)
        given = {"beam": self.beam, "length_penalty": self.length_penalty}
        changed = {name: value for name, value in given.items() if value is not None}
        return bundle.experiment.decoding.model_copy(update=changed)

    def _check_search(self, bundle: Bundle, written: Callable[[str], str]) -> None:
        if self.beam is not None:
            check_whole(written("beam"), self.beam)
        if self.length_penalty is not None:
            check_penalty(written("length_penalty"), self.length_penalty)
        if self.allowed is not None:
            self._check_allowed(bundle, written)
        beam = self.decoding(bundle).beam
        if self.n_best > beam:
            raise UserError(
                f"{written('n_best')} {self.n_best} is more than a beam of {beam} can find; set "
                f"{written('beam')} to {self.n_best} or more"
            )
        if self.attention and bundle.experiment.model.attention is None:  # type: ignore[union-attr]
            raise UserError(f"{written('attention')}: {bundle.folder} has no attention; omit it")

    def _check_allowed(self, bundle: Bundle, written: Callable[[str], str]) -> None:
        if isinstance(self.allowed, str) or not any(self.allowed or ()):
            raise UserError(
                f"{written('allowed')}: expected a list of outputs, found {self.allowed!r:.60}; "
                "name one or more"
            )
        for text, tokens in zip(self.allowed or (), self.allowed_tokens(bundle), strict=True):
            if UNK_INDEX in tokens:
                raise UserError(
                    f"{written('allowed')}: {text!r} has words that no target of training has, so "
                    f"{bundle.folder} cannot write it; leave it out"
                )

    def allowed_tokens(self, bundle: Bundle) -> list[list[int]]:
        """The token indices of the outputs that are allowed."""
        encode, tokens = bundle.target_vocabulary.encode, bundle.target_tokenizer.tokens
        return [list(encode(tokens(text))) for text in self.allowed or ()]

    def _check_of_no_pairs(self, bundle: Bundle, written: Callable[[str], str]) -> None:
        for name in ("beam", "length_penalty", "attention", "allowed"):
            if getattr(self, name) not in (None, False):
                raise UserError(
                    f"{written(name)} is of models for sequence_to_sequence, and {bundle.folder} "
                    f"is one for {bundle.experiment.task}; omit it"
                )
        if self.n_best > 1 and bundle.task.data == "roles":
            raise UserError(
                f"{written('n_best')} is not of models for semantic_roles, and {bundle.folder} is "
                "one; omit it"
            )
        if self.n_best > 1 and getattr(bundle.experiment.model, "output", None) != "crf":
            raise UserError(
                f"{written('n_best')} {self.n_best}: {bundle.folder} has no CRF, which gives "
                "the most likely tag sequences; train a tagger with model.output: crf"
            )


DEFAULT = Options()


CHARACTERS_OF_TOKEN = 16
"""A text with more characters for each token that it may have is not even split into tokens."""


def check_items(bundle: Bundle, options: Options, items: Iterable[Item]) -> None:
    """Raise UserError if a model cannot read one of the items; see :func:`check_lengths`."""
    if options.language_of_documents(bundle) is not None:  # the sentences of a document are short
        items = (item for item in items if not isinstance(item, str))
    check_lengths(bundle, items)


def check_lengths(bundle: Bundle, items: Iterable[Item]) -> None:
    """Raise UserError if a model that reads texts as a whole cannot read one of this length.

    See :data:`~nlp_rnn.limits.TEXT_TOKENS`.
    """
    most = TEXT_TOKENS.most
    for item in items:
        if len(item) > most and _reads_whole_texts(bundle):
            text = as_text(item)
            long = not isinstance(item, str) or len(text) > CHARACTERS_OF_TOKEN * most
            if long or len(bundle.tokenizer.tokens(text)) > most:
                raise TEXT_TOKENS.exceeded(f"the text that begins with {text[:40]!r}")


def _reads_whole_texts(bundle: Bundle) -> bool:
    """Whether the network has no limit of its own: others read windows or the kept tokens."""
    if bundle.task.data == "pairs":
        return True
    return bundle.task.labels and not getattr(bundle.experiment.training, "max_length", None)


class Predictor(ABC):
    """A loaded model with its prediction options.

    Args:
        bundle: the opened bundle.
        options: the prediction options.
        network: the network of the bundle, if it is loaded already.
    """

    def __init__(
        self, bundle: Bundle, options: Options = DEFAULT, network: Network | None = None
    ) -> None:
        self.bundle = bundle
        self.options = options
        self.network = network or bundle.network()

    @staticmethod
    def load(folder: Path) -> Predictor:
        """Load the bundle in ``folder``.

        Raises:
            UserError: the bundle is missing or broken, or the library that runs it is not
                installed.
        """
        return Predictor.of(Bundle.open(folder))

    @staticmethod
    def of(bundle: Bundle, options: Options = DEFAULT, network: Network | None = None) -> Predictor:
        """Load an opened bundle; see :meth:`load`.

        Args:
            network: the network of the bundle, if it is loaded already.

        Raises:
            UserError: also if the model does not support the options.
        """
        options.check(bundle)
        if options.language_of_documents(bundle) is not None:
            return DocumentPredictor(bundle, options, network)
        if bundle.multi_label:
            return LabelSetPredictor(bundle, options, network)
        return PREDICTORS[bundle.experiment.task](bundle, options, network)

    def asked(self, options: Options) -> Predictor:
        """The same model with other options."""
        return Predictor.of(self.bundle, options, self.network)

    def predict(self, items: Iterable[Item]) -> Iterator[Prediction]:
        """One record for each text or sentence, in order."""
        stream = iter(items)
        while chunk := list(itertools.islice(stream, CHUNK)):
            yield from self.predict_chunk(chunk)

    @property
    @abstractmethod
    def columns(self) -> schema.Columns:
        """The keys of a record, in order, each with its type."""

    def predict_chunk(self, items: list[Item]) -> Iterator[Prediction]:
        """Predict a list of items; the network may start before the first record is requested.

        Raises:
            UserError: a text is too long for the model; see :func:`check_lengths`.
        """
        check_lengths(self.bundle, items)
        return self._predictions(items)

    @abstractmethod
    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        """Predict a list of items, none of which is too long."""


class ClassificationPredictor(Predictor):
    """``label``, its ``probability``, and the ``probabilities`` of all labels."""

    @property
    def columns(self) -> schema.Columns:
        return schema.of_classifier(self.options.review_below is not None)

    def read(self, item: Item) -> tuple[Sequence[Span], Encoded]:
        """The tokens of a text that the network reads, with their offsets, and their ids."""
        training = self.bundle.experiment.training
        assert isinstance(training, ClassificationTrainingParameters)
        spans = self.bundle.tokenizer.spans(as_text(item))
        kept = shortened(np.arange(len(spans)), training.max_length, training.long_texts)
        return [spans[i] for i in kept], self._encoded([item])[0]

    def _encoded(self, items: list[Item]) -> list[Encoded]:
        """The texts as the network reads them."""
        training = self.bundle.experiment.training
        assert isinstance(training, ClassificationTrainingParameters)
        encode, tokens = self.bundle.vocabulary.encode, self.bundle.tokenizer.tokens
        ids = (np.array(encode(tokens(as_text(item)) or [UNK])) for item in items)
        return [Encoded(shortened(x, training.max_length, training.long_texts)) for x in ids]

    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        texts = self._encoded(items)
        predicted = probabilities(
            self.network, texts, self.options.batch_size, self.bundle.temperature
        )
        return map(self._prediction, predicted)

    def _prediction(self, probabilities: Floats) -> Prediction:
        return labelled(self.bundle.labels, probabilities, self.options.review_below)


def labelled(
    labels: Sequence[str], probabilities: Floats, review_below: float | None
) -> Prediction:
    """What is said of a text, given the probability of each of its labels ``(labels,)``."""
    values, best = probabilities.tolist(), int(probabilities.argmax())
    prediction = {"label": labels[best], "probability": values[best]}
    if review_below is not None:
        prediction["review"] = values[best] < review_below
    return prediction | {"probabilities": dict(zip(labels, values, strict=True))}


class LabelSetPredictor(ClassificationPredictor):
    """``labels``, which may be none, and the ``probabilities`` of all labels.

    A label is given if its probability reaches its threshold. The confidence for ``review`` is the
    probability of the least certain decision for or against a label.
    """

    @property
    def columns(self) -> schema.Columns:
        return schema.of_label_sets(self.options.review_below is not None)

    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        logits = label_logits(self.network, self._encoded(items), self.options.batch_size)
        return (self._prediction(sigmoid(each / self.bundle.temperature)) for each in logits)

    def _prediction(self, probabilities: Floats) -> Prediction:
        labels, given = self.bundle.labels, probabilities >= self._thresholds
        prediction: Prediction = {"labels": list(compress(labels, given))}
        if self.options.review_below is not None:
            (sure,) = confidences(probabilities[None], given[None])
            prediction["review"] = bool(sure < self.options.review_below)
        values = dict(zip(labels, probabilities.tolist(), strict=True))
        return prediction | {"probabilities": values}

    @cached_property
    def _thresholds(self) -> Floats:
        return np.array([self.bundle.thresholds[label] for label in self.bundle.labels])


class TaggingPredictor(Predictor):
    """``tokens``, their ``tags`` and the ``probabilities`` of these.

    With ``n_best`` above 1 (CRF only), also the most likely tag sequences of the sentence, each
    with its ``tags`` and ``probability``. If tags mark entities, also ``entities``, each with
    ``type``, ``text``, the character offsets ``start`` and ``end`` in the raw text (for sentences
    given as words, in the words joined by spaces) and its ``probability``.
    """

    def __init__(
        self, bundle: Bundle, options: Options = DEFAULT, network: Network | None = None
    ) -> None:
        super().__init__(bundle, options, network)
        self._marks_entities = bundle.entities
        self._learned = bundle.learned_tags

    @property
    def columns(self) -> schema.Columns:
        return schema.of_tagger(
            review=self.options.review_below is not None,
            n_best=self.options.n_best > 1,
            entities=self._marks_entities,
        )

    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        spans, forms = self._words(items)
        tagged = self._found(spans, forms, self.options.n_best, self._marks_entities)
        return (
            self._prediction(as_text(item), span, form, next(tagged) if span else NOTHING)
            for item, span, form in zip(items, spans, forms, strict=True)
        )

    def tagged(self, items: list[Item], n_best: int = 1) -> Iterator[Tagged]:
        """All that the network says of the tags of each item."""
        spans, forms = self._words(items)
        found = self._found(spans, forms, n_best)
        return (next(found) if span else NOTHING for span in spans)

    def _found(
        self,
        spans: Sequence[Sequence[Span]],
        forms: Sequence[Sequence[str]],
        n_best: int,
        entities: bool = False,
    ) -> Iterator[Tagged]:
        """The tags of the items that have words."""
        return tag(
            self.network,
            self._sentences(spans, forms),
            self.options.batch_size,
            self._learned,
            n_best,
            self.bundle.temperature,
            entities,
        )

    def read(self, item: Item) -> tuple[Sequence[Span], Encoded]:
        """The words of a sentence, with their offsets, as the network reads them."""
        [spans], [forms] = self._words([item])
        return spans, self._encoded([word for word, _, _ in spans], forms)

    def _words(self, items: list[Item]) -> tuple[list[list[Span]], list[list[str]]]:
        """The words of each item with their places, and as written."""
        spans = [self.word_spans(item) for item in items]
        texts = map(as_text, items)
        return spans, [
            [text[start:end] for _, start, end in span]
            for text, span in zip(texts, spans, strict=True)
        ]

    def _sentences(
        self, spans: Sequence[Sequence[Span]], forms: Sequence[Sequence[str]]
    ) -> list[Encoded]:
        """The items that have words, as the network reads them."""
        return [
            self._encoded([word for word, _, _ in span], form)
            for span, form in zip(spans, forms, strict=True)
            if span
        ]

    def word_spans(self, item: Item) -> list[Span]:
        """The words of an item, normalised, each with its place in the text."""
        if isinstance(item, str):
            return self.bundle.tokenizer.spans(item)
        ends = list(itertools.accumulate(len(word) + 1 for word in item))
        words = self.bundle.tokenizer.words(item)
        return [
            (word, end - 1 - len(raw), end - 1)
            for word, raw, end in zip(words, item, ends, strict=True)
        ]

    def _encoded(self, words: Sequence[str], forms: Sequence[str]) -> Encoded:
        """A sentence as the network reads it: words normalised, forms as written."""
        longest = self.bundle.experiment.model.longest  # type: ignore[union-attr]
        ids = np.array(self.bundle.vocabulary.encode(words))
        if longest is None:
            return Encoded(ids)
        assert self.bundle.characters is not None
        spellings = [*map(self.bundle.tokenizer.spelling, forms)]
        return Encoded(ids, spell(spellings, self.bundle.characters, longest))

    def _prediction(
        self, text: str, spans: Sequence[Span], forms: Sequence[str], tagged: Tagged
    ) -> Prediction:
        tags = self._tags(tagged.best)
        right = tagged.probabilities[np.arange(len(tags)), tagged.best]
        prediction: Prediction = {"tokens": forms, "tags": tags, "probabilities": right.tolist()}
        if self.options.review_below is not None:
            lowest = (
                _lowest(tagged)
                if self.options.review_by == "token"
                else min((entity.probability for entity in tagged.entities), default=1.0)
            )
            prediction["review"] = lowest < self.options.review_below
        if self.options.n_best > 1:
            prediction["n_best"] = [
                {"tags": self._tags(path), "probability": math.exp(log_p)}
                for path, log_p in tagged.paths
            ]
        if self._marks_entities:
            prediction["entities"] = [_entity(text, spans, each) for each in tagged.entities]
        return prediction

    def _tags(self, indices: Ints) -> list[str]:
        labels = self.bundle.labels
        return [labels[i] for i in indices.tolist()]


def _entity(text: str, spans: Sequence[Span], found: PredictedEntity) -> Prediction:
    """An entity with its place in the text, whose words have ``spans``."""
    start, end = spans[found.first][1], spans[found.last - 1][2]
    return {
        "type": found.type,
        "start": start,
        "end": end,
        "text": text[start:end],
        "probability": found.probability,
    }


class IntentsAndSlotsPredictor(TaggingPredictor):
    """What a classifier says of the text, then what a tagger says of its words.

    Both have ``probabilities``: here they are those of all labels, as a classifier has them, and
    ``tag_probabilities`` are those of the tags. ``review`` heeds the label too.
    """

    @property
    def columns(self) -> schema.Columns:
        return schema.of_intents_and_slots(
            review=self.options.review_below is not None,
            n_best=self.options.n_best > 1,
            entities=self._marks_entities,
        )

    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        spans, forms = self._words(items)
        found = label_and_tag(
            self.network,
            [
                self._encoded([word for word, _, _ in span] or [UNK], form or [UNK])
                for span, form in zip(spans, forms, strict=True)
            ],
            self.options.batch_size,
            self._learned,
            self.options.n_best,
            self.bundle.temperature,
            self.bundle.intent_temperature,
            self._marks_entities,
        )
        for item, span, form, (labels, tagged) in zip(items, spans, forms, found, strict=True):
            tags = self._prediction(as_text(item), span, form, tagged if span else NOTHING)
            yield self._with_label(labels, tags)

    def _with_label(self, probabilities: Floats, tags: Prediction) -> Prediction:
        """The prediction of the words with that of the label before it."""
        of_text = labelled(self.bundle.intents, probabilities, self.options.review_below)
        if "review" in of_text:
            of_text["review"] |= tags.pop("review")
        return of_text | {"tag_probabilities" if k == "probabilities" else k: tags[k] for k in tags}


class Reading(NamedTuple):
    """A sentence as a network of semantic roles reads it once.

    Attributes:
        predicate: the place of the word whose arguments are tagged; None where predicates are.
        encoded: the sentence.
        tags: what is predicted.
    """

    predicate: int | None
    encoded: Encoded
    tags: list[str]


class SemanticRolesPredictor(TaggingPredictor):
    """``tokens`` and ``predicates``, each with its ``text``, the character offsets ``start`` and
    ``end``, its most frequent ``frame``, its ``probability`` and its ``arguments``: ``role``,
    ``start``, ``end`` and ``text``.

    The network reads each sentence first without a predicate, which finds them, and then once for
    each.
    """

    @property
    def columns(self) -> schema.Columns:
        return schema.of_roles(self.options.review_below is not None)

    def readings(self, item: Item) -> tuple[Sequence[Span], list[Reading]]:
        """The words of a sentence, and all readings of it: without a predicate, then with each."""
        spans, sentence = self.read(item)
        if not spans:
            return [], []
        unflagged = self._about(sentence, None)
        [first] = self._tagged([unflagged])
        tags = self._tags(first.best)
        places = predicates_of(tags)
        about = [self._about(sentence, place) for place in places]
        roles = (self._tags(tagged.best) for tagged in self._tagged(about))
        return spans, [
            Reading(None, unflagged, tags),
            *map(Reading, places, about, roles),
        ]

    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        spans, forms = self._words(items)
        sentences = self._sentences(spans, forms)
        first = list(self._tagged([self._about(sentence, None) for sentence in sentences]))
        found = [predicates_of(self._tags(tagged.best)) for tagged in first]
        roles = self._tagged(
            [
                self._about(sentence, place)
                for sentence, places in zip(sentences, found, strict=True)
                for place in places
            ]
        )
        of_sentences = zip(first, found, strict=True)
        for item, span, form in zip(items, spans, forms, strict=True):
            tagged, places = next(of_sentences) if span else (NOTHING, [])
            yield self._record(
                as_text(item), span, form, tagged, [(p, next(roles)) for p in places]
            )

    def _about(self, sentence: Encoded, predicate: int | None) -> Encoded:
        return replace(sentence, predicates=flagged(len(sentence), predicate))

    def _tagged(self, sentences: Sequence[Encoded]) -> Iterator[Tagged]:
        model = self.bundle.experiment.model
        assert isinstance(model, TaggerParameters)
        return tag(
            self.network,
            sentences,
            self.options.batch_size,
            self._learned,
            temperature=self.bundle.temperature,
            allowed=constraints(model, self.bundle.labels),
        )

    def _record(
        self,
        text: str,
        spans: Sequence[Span],
        forms: Sequence[str],
        first: Tagged,
        found: Sequence[tuple[int, Tagged]],
    ) -> Prediction:
        """What is said of a sentence, given its tags without a predicate and with each."""
        prediction: Prediction = {"tokens": forms}
        if (bound := self.options.review_below) is not None:
            passes = (first, *(roles for _, roles in found))
            prediction["review"] = any(_lowest(tagged) < bound for tagged in passes)
        prediction["predicates"] = [
            {
                "text": forms[place],
                "start": spans[place][1],
                "end": spans[place][2],
                "frame": self.bundle.frames.get(forms[place].lower()),
                "probability": float(first.probabilities[place, first.best[place]]),
                "arguments": list(self._arguments(text, spans, roles)),
            }
            for place, roles in found
        ]
        return prediction

    def _arguments(
        self, text: str, spans: Sequence[Span], roles: Tagged
    ) -> Iterator[dict[str, Any]]:
        for role, first, last in entity_spans(self._tags(roles.best)):
            if role.removeprefix(CONTINUED) != PREDICATE:
                start, end = spans[first][1], spans[last - 1][2]
                yield {"role": role, "start": start, "end": end, "text": text[start:end]}


class DocumentPredictor(TaggingPredictor):
    """For each document, the predictions for all its sentences as one: the lists joined, offsets
    counted in the document, and ``sentences`` with the ``start``, ``end`` and number of ``tokens``
    of each.

    Sentences share batches, whatever documents they are of. A sentence that is given as words is
    not cut.
    """

    def __init__(
        self, bundle: Bundle, options: Options = DEFAULT, network: Network | None = None
    ) -> None:
        language = options.language_of_documents(bundle)
        assert language is not None
        self._split = sentence_splitter(language)
        super().__init__(bundle, options, network)
        alone = replace(options, unit="text", language=None)
        of_sentences = PREDICTORS[bundle.experiment.task](bundle, alone, self.network)
        assert isinstance(of_sentences, TaggingPredictor)
        self._of_sentences = of_sentences

    @property
    def columns(self) -> schema.Columns:
        return schema.of_documents(self._of_sentences.columns)

    def predict_chunk(self, items: list[Item]) -> Iterator[Prediction]:
        check_items(self.bundle, self.options, items)
        return self._predictions(items)

    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        places = [self._places(item) for item in items]
        predicted = self._of_sentences.predict(
            item[start:end] if isinstance(item, str) else item
            for item, of_item in zip(items, places, strict=True)
            for start, end in of_item
        )
        return (self._joined(of_item, predicted) for of_item in places)

    def _places(self, item: Item) -> list[Place]:
        return self._split(item) if isinstance(item, str) else [(0, len(as_text(item)))]

    def word_spans(self, item: Item) -> list[Span]:
        if not isinstance(item, str):
            return self._of_sentences.word_spans(item)
        return [
            (word, start + first, start + last)
            for start, end in self._split(item)
            for word, first, last in self._of_sentences.word_spans(item[start:end])
        ]

    def _joined(self, places: Sequence[Place], predicted: Iterator[Prediction]) -> Prediction:
        """The record of a document, whose sentences are the next of those ``predicted``."""
        record: Prediction = {name: False if name == "review" else [] for name in self.columns}
        for (start, end), sentence in zip(places, predicted, strict=False):
            tokens = len(sentence["tokens"])
            record["sentences"].append({"start": start, "end": end, "tokens": tokens})
            for name, value in sentence.items():
                if name == "review":
                    record[name] = record[name] or value
                elif name in ("entities", "predicates"):
                    record[name] += [_moved(each, start) for each in value]
                else:
                    record[name] += value
        return record


def _moved(found: Prediction, by: int) -> Prediction:
    """An entity or a predicate of a sentence with its place in the document."""
    moved = found | {"start": found["start"] + by, "end": found["end"] + by}
    if "arguments" in found:
        moved["arguments"] = [_moved(argument, by) for argument in found["arguments"]]
    return moved


def _lowest(tagged: Tagged) -> float:
    """The lowest probability of a tag of a sentence."""
    right = tagged.probabilities[np.arange(len(tagged.best)), tagged.best]
    return float(right.min(initial=1.0))


class LanguageModelPredictor(Predictor):
    """``log_probability`` of each line including its end (nats), ``tokens``, ``perplexity``.

    Each line is scored separately, from the states of :meth:`Bundle.start_states`.

    Attributes:
        start: these states, each ``(width,)``; None for zeros.
    """

    def __init__(
        self, bundle: Bundle, options: Options = DEFAULT, network: Network | None = None
    ) -> None:
        super().__init__(bundle, options, network)
        self.start = start_states(bundle, self.network)

    @property
    def columns(self) -> schema.Columns:
        return schema.LANGUAGE_MODEL

    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        vocabulary = self.bundle.vocabulary
        texts = [self.tokens(item) for item in items]
        lines = [np.array(vocabulary.encode(tokens)) for tokens in texts]
        return map(self._prediction, texts, lines, self._scores(lines))

    def _scores(self, lines: Sequence[Ints]) -> Iterable[Floats]:
        """What is found of each token of each line, from which its prediction is made."""
        return losses_of_lines(
            self.network,
            lines,
            self.bundle.vocabulary.end_index,
            len(self.bundle.vocabulary),
            self.options.batch_size,
            self.start,
        )

    def tokens(self, item: Item) -> list[str]:
        """The tokens of a text and the end symbol."""
        assert self.bundle.vocabulary.end is not None
        return [*self.bundle.tokenizer.tokens(as_text(item)), self.bundle.vocabulary.end]

    def _prediction(self, tokens: Sequence[str], ids: Ints, scores: Floats) -> Prediction:
        loss = float(scores.sum())
        return {
            "log_probability": -loss,
            "tokens": len(tokens),
            "perplexity": math.exp(min(loss / len(tokens), 700)),
        }


class EncoderDecoderPredictor(Predictor):
    """``output``, its ``log_probability`` (nats) and its ``score``, which beam search compares.

    With ``n_best`` above 1, also the best outputs, each with the same keys. With ``attention``,
    also its weights. Several input texts, such as a story and a question, are given as one, with
    ``<sep>`` between them.
    """

    def __init__(
        self, bundle: Bundle, options: Options = DEFAULT, network: Network | None = None
    ) -> None:
        super().__init__(bundle, options, network)
        assert bundle.pair_sizes is not None
        if bundle.pair_sizes.features:
            raise UserError(
                f"{bundle.folder}: reads a vector beside each text, which predictions lack; train "
                "on texts alone"
            )
        self._unit = bundle.target_tokenizer.parameters.unit
        self._joins = SEPARATOR in bundle.vocabulary.types

    @property
    def columns(self) -> schema.Columns:
        return schema.of_encoder_decoder(self.options.n_best > 1, self.options.attention)

    def _predictions(self, items: list[Item]) -> Iterator[Prediction]:
        sources = [self._source(as_text(item)) for item in items]
        vocabulary, size = self.bundle.target_vocabulary, self.options.batch_size
        translator = Translator(
            self.network,
            vocabulary,
            self._unit,
            self.options.decoding(self.bundle),
            size,
            self._constraint,
        )
        found = translator.outputs(sources, self.options.n_best)
        if not self.options.attention:
            return map(self._prediction, found)
        best = list(found)
        targets = [np.array(outputs[0].tokens) for outputs in best]
        weights = attention_of(self.network, sources, targets, vocabulary.end_index, size)
        return (
            self._prediction(outputs) | self._attention(source, outputs[0], of_pair)
            for source, outputs, of_pair in zip(sources, best, weights, strict=True)
        )

    @cached_property
    def _constraint(self) -> Constraint | None:
        """What may be written, where the options list it."""
        if self.options.allowed is None:
            return None
        allowed = self.options.allowed_tokens(self.bundle)
        return OneOf(allowed, self.bundle.target_vocabulary.end_index)

    @property
    def _backwards(self) -> bool:
        return bool(self.bundle.experiment.model.reversed_source)  # type: ignore[union-attr]

    def _source(self, text: str) -> Input:
        *context, last = text.split(SEPARATOR) if self._joins else [text]
        tokens = source_tokens(self.bundle.tokenizer, last, context)
        ids = np.array(self.bundle.vocabulary.encode(tokens), np.int32)
        words = tokens[::-1] if self._backwards else tokens
        return Input(source_of(ids, self._backwards), words=words)

    def _output(self, output: Output) -> Prediction:
        return {
            "output": output.text,
            "log_probability": output.log_probability,
            "score": output.score,
        }

    def _prediction(self, outputs: Sequence[Output]) -> Prediction:
        prediction = self._output(outputs[0])
        if self.options.n_best > 1:
            prediction["n_best"] = [self._output(output) for output in outputs]
        return prediction

    def _attention(self, source: Input, output: Output, weights: Floats | None) -> Prediction:
        """The weights of attention, the source in the order of its text."""
        assert weights is not None
        vocabularies = self.bundle.vocabulary, self.bundle.target_vocabulary
        found = alignment(source, output.tokens, weights, vocabularies, self._backwards)
        return {"attention": found}


def start_states(bundle: Bundle, network: Network) -> list[Floats] | None:
    """The states of :meth:`Bundle.start_states`, checked against the network.

    Raises:
        UserError: they do not fit the network.
    """
    start = bundle.start_states()
    if start is None and bundle.experiment.training.streams == "text":  # type: ignore[union-attr]
        log(
            f"{bundle.folder}: has no {START_STATES}, because an earlier version wrote it, so "
            "each text starts from a zero state and looks less likely than it is; train it again"
        )
    if start is not None and [len(state) for state in start] != list(network.widths):
        raise UserError(
            f"{bundle.folder / START_STATES}: does not fit the network, whose states have the "
            f"widths {list(network.widths)}; {REMEDY}"
        )
    return start


PREDICTORS: dict[str, type[Predictor]] = {
    "classification": ClassificationPredictor,
    "tagging": TaggingPredictor,
    "intents_and_slots": IntentsAndSlotsPredictor,
    "language_modelling": LanguageModelPredictor,
    "semantic_roles": SemanticRolesPredictor,
    "sequence_to_sequence": EncoderDecoderPredictor,
}


def language_model(folder: Path) -> LanguageModelPredictor:
    """Load a language model's bundle; raises UserError if it is another model."""
    bundle = Bundle.open(folder)
    bundle.require_language_model("generate text")
    predictor = Predictor.of(bundle)
    assert isinstance(predictor, LanguageModelPredictor)
    return predictor
