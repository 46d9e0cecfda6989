"""``experiments:`` of ``params.yaml``: one model on one data set."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from nlp_rnn.config.embeddings import Embeddings, GivenEmbeddings
from nlp_rnn.config.evaluation import DecodingParameters, EvaluationParameters
from nlp_rnn.config.model import (
    Classifier,
    EncoderDecoderParameters,
    JointParameters,
    LanguageModel,
    RoleTaggerParameters,
    Tagger,
)
from nlp_rnn.config.section import Section, impossible
from nlp_rnn.config.start import TASKS, Start
from nlp_rnn.config.training import (
    BatchTrainingParameters,
    ClassificationTrainingParameters,
    EncoderDecoderTrainingParameters,
    JointTrainingParameters,
    LanguageModelTrainingParameters,
    TrainingParameters,
)


class ExperimentSection(Section, title="Every experiment"):
    """One model on one data set."""

    dataset: str
    """The name of the data set that the model is trained and tested on."""
    embeddings: Embeddings
    """Where the vectors of words come from."""
    training: TrainingParameters
    """How the model is fitted."""
    start_from: Start | None = None
    """For classification, tagging and language modelling: a trained model whose weights this one
    takes over before it is trained. Its labels and words stay known, and those of the data set are
    added. The name of another experiment or a folder, or a mapping with ``model`` and options.
    ``null`` starts anew."""

    @model_validator(mode="after")
    def _can_start(self) -> Self:
        task = getattr(self, "task", None)
        if self.start_from is not None and task not in TASKS:
            raise impossible(
                f"start_from is of {', '.join(TASKS[:-1])} and {TASKS[-1]}, not of {task}; leave "
                "it out"
            )
        return self

    @model_validator(mode="after")
    def _thaws_in_time(self) -> Self:
        frozen = self.embeddings.frozen_epochs
        if frozen >= self.training.epochs:
            raise impossible(
                f"embeddings.trainable.after is {frozen}, so that none of the "
                f"{self.training.epochs} epochs would train them; lower it, or set "
                "trainable: false"
            )
        return self

    @model_validator(mode="after")
    def _more_words_are_only_read(self) -> Self:
        task = getattr(self, "task", None)
        if self.embeddings.more_words and task in ("language_modelling", "sequence_to_sequence"):
            raise impossible(
                "embeddings.more_words is of classification and tagging, whose words are read but "
                "not written; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _context_is_read(self) -> Self:
        if self.embeddings.contextual is None:
            return self
        task = getattr(self, "task", None)
        if task in ("language_modelling", "sequence_to_sequence"):
            raise impossible(
                "embeddings.contextual is of tasks that read whole sentences and write none; leave "
                "it out"
            )
        if self.start_from is not None:
            raise impossible(
                "start_from takes over networks without contextual word vectors; leave "
                "embeddings.contextual out"
            )
        return self

    @model_validator(mode="after")
    def _gradients_flow_through_time(self) -> Self:
        recurrent = getattr(self._model, "kind", "recurrent") == "recurrent"
        if self.training.gradient_flow and not recurrent:
            raise impossible("training.gradient_flow is of recurrent layers; leave it out")
        return self

    @model_validator(mode="after")
    def _unfreezes_in_time(self) -> Self:
        groups = getattr(self._model, "layers", 0) + 1 + (not self._bottom_is_frozen)
        if self.training.unfreezing == "gradual" and groups > self.training.epochs:
            raise impossible(
                f"training.unfreezing: gradual takes {groups} epochs for the {groups} groups of "
                f"layers, and there are {self.training.epochs}; raise training.epochs"
            )
        return self

    @model_validator(mode="after")
    def _averages_what_it_can(self) -> Self:
        keep, task = self.training.keep, getattr(self, "task", None)
        if keep != "best" and task not in ("classification", "tagging"):
            raise impossible(f"training.keep: {keep} is for classification and tagging; use best")
        if keep == "ensemble" and getattr(self._model, "monte_carlo_samples", False):
            raise impossible(
                "training.keep: ensemble is a graph, and a network that is sampled "
                "(model.monte_carlo_samples) cannot be one; leave one of them out"
            )
        if keep == "soup" and self.training.seeds is None:
            raise impossible(
                "training.keep: soup averages the weights of several seeds; set training.seeds"
            )
        return self

    @property
    def _bottom_is_frozen(self) -> bool:
        """Whether nothing below the first recurrent, hidden or convolutional layer is trained."""
        frozen = isinstance(self.embeddings, GivenEmbeddings) and self.embeddings.frozen
        frozen = frozen and self.embeddings.contextual is None  # whose mixture is trained
        options = ("characters", "casing", "pairs", "window", "predicate_dimension")
        beside = any(getattr(self._model, name, None) for name in options)
        # The hidden layer of a feed-forward model has no layer below it that is trained later.
        return frozen and not beside and getattr(self._model, "kind", None) != "feed_forward"

    @property
    def _model(self) -> Section:
        model: Section = self.model  # type: ignore[attr-defined]
        return model

    def of_training(self) -> dict[str, Any]:
        """The parameters that a trained model depends on: all but those of its evaluation."""
        return self.model_dump(exclude={"evaluation", "decoding"})

    def of_bundle(self) -> dict[str, Any]:
        """The parameters that a bundle keeps: those of training, and how to decode."""
        return self.model_dump(exclude={"evaluation"})

    def of_one_training(self) -> dict[str, Any]:
        """The parameters that are the same for each of its seeds or folds."""
        several = {"seeds", "keep"}
        return self.model_dump(exclude={"evaluation": True, "decoding": True, "training": several})


class ClassificationExperiment(ExperimentSection, title="Classification"):
    """A label for each text, such as its sentiment."""

    task: Literal["classification"]
    """``classification`` gives a text a label, or any number of labels if its data set does."""
    model: Classifier
    """The network: recurrent unless ``kind: averaged``, ``window`` or ``convolutional`` says
    otherwise."""
    training: ClassificationTrainingParameters
    """How the classifier is fitted."""

    @model_validator(mode="after")
    def _figure_exists(self) -> ClassificationExperiment:
        if self.training.select == "bleu":
            raise impossible(
                "training.select of a classifier is 'loss', 'accuracy' or 'f1', or 'exact_match' "
                "for any number of labels"
            )
        return self


class TaggingExperiment(ExperimentSection, title="Tagging"):
    """A tag for every word: parts of speech or named entities."""

    task: Literal["tagging"]
    """``tagging`` gives every word a tag."""
    model: Tagger
    """The network: recurrent unless ``kind: window`` or ``kind: convolutional`` says otherwise."""
    training: BatchTrainingParameters
    """How the tagger is fitted."""


class IntentsAndSlotsExperiment(ExperimentSection, title="Intents and slots"):
    """A label for each text and a tag for every word of it, by one network: what a user wants, and
    the details that the request names."""

    task: Literal["intents_and_slots"]
    """``intents_and_slots`` gives a text a label and every word a tag."""
    model: JointParameters
    """The network."""
    training: JointTrainingParameters
    """How the network is fitted."""

    @model_validator(mode="after")
    def _figure_exists(self) -> IntentsAndSlotsExperiment:
        if self.training.select == "bleu":
            raise impossible(
                "training.select of intents and slots is 'loss', 'accuracy' (of intents), 'f1' (of "
                "slots) or 'exact_match' (of both)"
            )
        return self


class SemanticRolesExperiment(ExperimentSection, title="Semantic roles"):
    """The predicates of a sentence, and who did what to whom, when and where: their arguments."""

    task: Literal["semantic_roles"]
    """``semantic_roles`` finds predicates and labels their arguments."""
    model: RoleTaggerParameters
    """The network."""
    training: BatchTrainingParameters
    """How the network is fitted."""

    @model_validator(mode="after")
    def _training_fits(self) -> SemanticRolesExperiment:
        if self.training.select not in ("loss", "accuracy", "f1"):
            raise impossible(
                "training.select of a model of semantic roles is 'loss', 'accuracy' or 'f1'"
            )
        if self.training.max_length:
            raise impossible(
                "training.max_length could cut a sentence before its predicate; leave it out"
            )
        return self


class LanguageModellingExperiment(ExperimentSection, title="Language modelling"):
    """The probability of the next word, character or subword."""

    task: Literal["language_modelling"]
    """``language_modelling`` gives the next token a probability."""
    model: LanguageModel
    """The network: recurrent unless ``kind: feed_forward`` says otherwise."""
    training: LanguageModelTrainingParameters
    """How the language model is fitted."""
    evaluation: EvaluationParameters = EvaluationParameters()
    """What is added to the trained model when it is judged."""

    @model_validator(mode="after")
    def _evaluation_fits(self) -> LanguageModellingExperiment:
        evaluation, lines = self.evaluation, self.training.streams == "lines"
        if lines and (evaluation.cache or evaluation.dynamic):
            raise impossible(
                "evaluation.cache and evaluation.dynamic learn from the text before a token: "
                "they need training.streams: text"
            )
        if evaluation.dynamic and self.model.monte_carlo_samples:
            raise impossible(
                "evaluation.dynamic has one pass: model.monte_carlo_samples: 0, or leave one out"
            )
        return self

    @model_validator(mode="after")
    def _figure_exists(self) -> LanguageModellingExperiment:
        if self.training.select != "loss":
            raise impossible("training.select of a language model is 'loss'")
        return self

    @model_validator(mode="after")
    def _tied_weights_fit(self) -> LanguageModellingExperiment:
        if self.model.tied and self.embeddings.dimension != self.model.width:
            raise impossible(
                f"model.tied needs embeddings.dimension ({self.embeddings.dimension}) equal to "
                f"the width of the model's last layer ({self.model.width})"
            )
        if (
            self.model.tied
            and isinstance(self.embeddings, GivenEmbeddings)
            and (self.embeddings.frozen)
        ):
            raise impossible("model.tied needs embeddings.trainable: true")
        return self


class SequenceToSequenceExperiment(ExperimentSection, title="Sequence to sequence"):
    """A text for each source: translation, inflection, an answer to a question about a story."""

    task: Literal["sequence_to_sequence"]
    """``sequence_to_sequence`` gives a source a target."""
    model: EncoderDecoderParameters
    """The network: an encoder and a decoder."""
    training: EncoderDecoderTrainingParameters
    """How the network is fitted."""
    decoding: DecodingParameters = DecodingParameters()
    """How the trained model searches for the best target. A changed value trains nothing."""

    @model_validator(mode="after")
    def _training_fits(self) -> SequenceToSequenceExperiment:
        training = self.training
        if training.select not in ("loss", "bleu", "exact_match"):
            raise impossible(
                "training.select of an encoder-decoder is 'loss', 'bleu' or 'exact_match'"
            )
        for name, on in (
            ("gradient_flow", training.gradient_flow),
            ("unfreezing", training.unfreezing),
            ("discriminative", training.discriminative != 1),
            ("singleton_dropout", training.singleton_dropout),
            ("batch_tokens", training.batch_tokens),
        ):
            if on:
                raise impossible(f"training.{name} is not of an encoder-decoder; leave it out")
        if training.max_length:
            raise impossible(
                "training.max_length would cut targets short; leave long pairs out of training by "
                "keep.longest of the data set"
            )
        if self.model.attention is None:
            for name, on in (
                ("coverage_penalty", self.decoding.coverage_penalty),
                ("unknown: copy", self.decoding.unknown == "copy"),
            ):
                if on:
                    raise impossible(f"decoding.{name} needs attention; set model.attention")
        if self.embeddings.frozen_epochs:
            raise impossible("embeddings.trainable of an encoder-decoder is true or false")
        return self


AnyExperiment = (
    ClassificationExperiment
    | TaggingExperiment
    | IntentsAndSlotsExperiment
    | SemanticRolesExperiment
    | LanguageModellingExperiment
    | SequenceToSequenceExperiment
)
Experiment = Annotated[AnyExperiment, Field(discriminator="task")]
