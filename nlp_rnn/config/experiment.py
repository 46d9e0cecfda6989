"""``experiments:`` of ``params.yaml``: one model on one data set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlp_rnn.config.model import (
    Cell,
    ClassifierParameters,
    LanguageModelParameters,
    TaggerParameters,
)
from nlp_rnn.config.section import Section, impossible
from nlp_rnn.config.training import BatchTrainingParameters, LanguageModelTrainingParameters


class LearnedEmbeddings(Section):
    """Vectors drawn at random and learned with the model."""

    kind: Literal["learned"]
    dimension: int = Field(default=100, gt=0)
    scale: float = Field(default=0.05, gt=0)
    """Drawn uniformly from [-scale, scale]."""


LookupStep = Literal["lowercase", "digits_zeroed"]
"""What is tried when a word has no vector as it is."""


class PretrainedEmbeddings(Section):
    """Vectors read from a file: GloVe, word2vec (text or binary) or fastText ``.vec``."""

    kind: Literal["pretrained"]
    file: str
    """The file, plain or ``.gz``, or ``archive.zip!member``, relative to ``NLP_RNN_DATA``."""
    dimension: int = Field(gt=0)
    trainable: bool = True
    """``false`` freezes the vectors, ``true`` fine-tunes them."""
    url: str | None = None
    """Where to download the archive from when it is not there."""
    sha256: str | None = None
    """What the download must hash to."""
    lookup: tuple[LookupStep, ...] = ("lowercase",)
    """What is tried, in order, for a word that the file does not have as it is."""
    unknown: Literal["drawn", "mean"] = "drawn"
    """Vectors of words that are not found: drawn to the file's mean and spread, or the mean of
    those found."""


AnyEmbeddings = LearnedEmbeddings | PretrainedEmbeddings
Embeddings = Annotated[AnyEmbeddings, Field(discriminator="kind")]


class ExperimentSection(Section):
    """One model on one data set."""

    dataset: str
    embeddings: Embeddings


class ClassificationExperiment(ExperimentSection):
    """A label for a text: sentiment."""

    task: Literal["classification"]
    model: ClassifierParameters
    training: BatchTrainingParameters

    @model_validator(mode="after")
    def _figure_exists(self) -> ClassificationExperiment:
        if self.training.select == "f1":
            raise impossible("training.select of a classifier is 'loss' or 'accuracy'")
        return self


class TaggingExperiment(ExperimentSection):
    """A tag for every word: parts of speech, named entities."""

    task: Literal["tagging"]
    model: TaggerParameters
    training: BatchTrainingParameters


class LanguageModellingExperiment(ExperimentSection):
    """The probability of the next word or character."""

    task: Literal["language_modelling"]
    model: LanguageModelParameters
    training: LanguageModelTrainingParameters

    @model_validator(mode="after")
    def _figure_exists(self) -> LanguageModellingExperiment:
        if self.training.select != "loss":
            raise impossible("training.select of a language model is 'loss'")
        return self

    @model_validator(mode="after")
    def _tied_weights_fit(self) -> LanguageModellingExperiment:
        width = "projection" if self.model.width != self.model.units else "units"
        if self.model.tied and self.embeddings.dimension != self.model.width:
            raise impossible(
                f"model.tied needs embeddings.dimension ({self.embeddings.dimension}) equal to "
                f"the model's {width} ({self.model.width})"
            )
        frozen = isinstance(self.embeddings, PretrainedEmbeddings) and not self.embeddings.trainable
        if self.model.tied and frozen:
            raise impossible("model.tied needs embeddings.trainable: true")
        return self


AnyExperiment = ClassificationExperiment | TaggingExperiment | LanguageModellingExperiment
Experiment = Annotated[AnyExperiment, Field(discriminator="task")]


# --- how long networks remember --------------------------------------------------------


class MemoryNetwork(Section):
    """One curve of the memory experiment."""

    cell: Cell
    clip_norm: float | None = Field(default=None, gt=0)
    """As in training."""


ProblemName = Literal["store_bit", "adding", "copy", "columns"]


class MemoryOverrides(Section):
    """What one problem has instead of what stands for all."""

    learning_rate: float | None = Field(default=None, gt=0)
    batches: int | None = Field(default=None, gt=0)


class MemoryParameters(Section):
    """Networks trained to remember over ever more steps (Bengio et al. 1994)."""

    problems: list[ProblemName] = Field(min_length=1)
    steps: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    """Distances tried, rising; a network that failed twice running is not tried further."""
    networks: dict[str, MemoryNetwork] = Field(min_length=1)
    units: int = Field(default=32, gt=0)
    learning_rate: float = Field(default=0.003, gt=0)
    batch_size: int = Field(default=32, gt=0)
    batches: int = Field(default=400, gt=0)
    """Fresh batches after which a network that has not learnt has failed."""
    overrides: dict[ProblemName, MemoryOverrides] = Field(default_factory=dict)
    """Learning rate and batches of problems that need others."""
    success: float = Field(default=0.95, gt=0, le=1)
    """Accuracy on unseen sequences from which the problem counts as solved."""
    repetitions: int = Field(default=3, gt=0)
    """Seeds; success is the share of them that solve the problem."""

    @model_validator(mode="after")
    def _steps_rise(self) -> MemoryParameters:
        if self.steps != sorted(set(self.steps)):
            raise impossible("steps must rise")
        return self

    def of(self, problem: str) -> MemoryParameters:
        """The parameters of one problem, nothing left to override."""
        overrides: dict[str, MemoryOverrides] = dict(self.overrides.items())
        own = overrides.get(problem, MemoryOverrides()).model_dump(exclude_none=True)
        return self.model_copy(update=own | {"overrides": {}})
