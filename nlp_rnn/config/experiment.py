"""``experiments:`` of ``params.yaml``: one model on one data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from nlp_rnn.config.evaluation import EvaluationParameters
from nlp_rnn.config.model import (
    Cell,
    Classifier,
    LanguageModel,
    TaggerParameters,
)
from nlp_rnn.config.section import Section, impossible
from nlp_rnn.config.training import (
    BatchTrainingParameters,
    ClassificationTrainingParameters,
    LanguageModelTrainingParameters,
    TrainingParameters,
)


class LearnedEmbeddings(Section):
    """Vectors drawn at random and learned with the model."""

    kind: Literal["learned"]
    dimension: int = Field(default=100, gt=0)
    scale: float = Field(default=0.05, gt=0)
    """Drawn uniformly from [-scale, scale]."""

    @property
    def frozen_epochs(self) -> int:
        """None: they have to be learned."""
        return 0

    @property
    def more_words(self) -> int:
        """None: nothing is known of words that do not occur."""
        return 0


LookupStep = Literal["lowercase", "digits_zeroed"]
"""What is tried when a word has no vector as it is."""


class Thawing(Section):
    """Vectors that are frozen at first and fine-tuned later."""

    after: int = Field(gt=0)
    """Epochs in which they are frozen."""


Trainable = Annotated[
    Annotated[bool, Tag("bool")] | Annotated[Thawing, Tag("thawing")],
    Discriminator(lambda value: "thawing" if isinstance(value, Mapping | Thawing) else "bool"),
]


class GivenEmbeddings(Section):
    """Vectors that exist before the model is trained."""

    trainable: Trainable = True
    """``false`` freezes the vectors, ``true`` fine-tunes them, ``{after: N}`` freezes them for the
    first N epochs."""
    lookup: Annotated[tuple[LookupStep, ...], Field(strict=False)] = ("lowercase",)
    """What is tried, in order, for a word that has no vector as it is."""
    more_words: int = Field(default=0, ge=0)
    """So many of the vectors' words, the first that the data set's vocabulary lacks, are known too,
    though training has never seen them. Of taggers."""

    @property
    def frozen(self) -> bool:
        """Whether they are never trained."""
        return self.trainable is False

    @property
    def frozen_epochs(self) -> int:
        """Epochs after which they are trained, where they are."""
        return self.trainable.after if isinstance(self.trainable, Thawing) else 0


class PretrainedEmbeddings(GivenEmbeddings):
    """Vectors read from a file: GloVe, word2vec (text or binary) or fastText ``.vec``."""

    kind: Literal["pretrained"]
    file: str
    """The file, plain or ``.gz``, or ``archive.zip!member``, relative to ``NLP_RNN_DATA``."""
    dimension: int = Field(gt=0)
    url: str | None = None
    """Where to download the archive from when it is not there."""
    sha256: str | None = None
    """What the download must hash to."""
    unknown: Literal["mean", "drawn"] = "mean"
    """Vectors of words that are not found: the mean of those found, or drawn to the mean and spread
    of the file."""


class TransferredEmbeddings(GivenEmbeddings):
    """Vectors of the section ``vectors:``, learned from another corpus or the same, or those of one
    of the ``encoders:``, whose recurrent layers the network then starts from too."""

    kind: str
    """Their name. It is here, where every experiment has a value, because a stage of DVC depends
    on what it names."""
    dimension: int = Field(default=100, gt=0)
    unknown: Literal["mean", "drawn", "subwords"] = "mean"
    """As of pretrained ones, or for fastText from the vectors of character n-grams. Words that an
    encoder does not know start from its ``<unk>``."""


AnyEmbeddings = LearnedEmbeddings | PretrainedEmbeddings | TransferredEmbeddings


def _kind_of_embeddings(section: Any) -> str | None:
    """The tag of the section that ``kind`` means; None where there is no kind."""
    if isinstance(section, Mapping):
        kind = section.get("kind")
    else:
        kind = getattr(section, "kind", "learned")
    return kind if kind in (None, "learned", "pretrained") else "vectors"


Embeddings = Annotated[
    Annotated[LearnedEmbeddings, Tag("learned")]
    | Annotated[PretrainedEmbeddings, Tag("pretrained")]
    | Annotated[TransferredEmbeddings, Tag("vectors")],
    Discriminator(
        _kind_of_embeddings,
        custom_error_type="union_tag_missing",
        custom_error_message="no kind",
        custom_error_context={"discriminator": "kind"},
    ),
]


class ExperimentSection(Section):
    """One model on one data set."""

    dataset: str
    embeddings: Embeddings
    training: TrainingParameters

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
    def _more_words_are_of_taggers(self) -> Self:
        if self.embeddings.more_words and not isinstance(self._model, TaggerParameters):
            raise impossible("embeddings.more_words is of tagging; leave it out")
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

    @property
    def _bottom_is_frozen(self) -> bool:
        """Whether nothing below the first recurrent layer is ever trained."""
        frozen = isinstance(self.embeddings, GivenEmbeddings) and self.embeddings.frozen
        beside = (getattr(self._model, name, None) for name in ("characters", "casing", "pairs"))
        return frozen and not any(beside)

    @property
    def _model(self) -> Section:
        model: Section = self.model  # type: ignore[attr-defined]
        return model

    def of_training(self) -> dict[str, Any]:
        """The parameters that a trained model depends on: all but those of its evaluation."""
        return self.model_dump(exclude={"evaluation"})

    def of_one_training(self) -> dict[str, Any]:
        """The parameters that are the same for each of its seeds."""
        return self.model_dump(exclude={"evaluation": True, "training": {"seeds"}})


class ClassificationExperiment(ExperimentSection):
    """A label for a text: sentiment."""

    task: Literal["classification"]
    model: Classifier
    training: ClassificationTrainingParameters

    @model_validator(mode="after")
    def _figure_exists(self) -> ClassificationExperiment:
        if self.training.select == "f1":
            raise impossible("training.select of a classifier is 'loss' or 'accuracy'")
        if self.training.gradient_flow and self.model.kind == "averaged":
            raise impossible("training.gradient_flow is of recurrent layers; leave it out")
        return self


class TaggingExperiment(ExperimentSection):
    """A tag for every word: parts of speech, named entities."""

    task: Literal["tagging"]
    model: TaggerParameters
    training: BatchTrainingParameters


class LanguageModellingExperiment(ExperimentSection):
    """The probability of the next word or character."""

    task: Literal["language_modelling"]
    model: LanguageModel
    training: LanguageModelTrainingParameters
    evaluation: EvaluationParameters = EvaluationParameters()

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
        if self.training.gradient_flow and self.model.kind == "feed_forward":
            raise impossible("training.gradient_flow is of recurrent layers; leave it out")
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
