"""``sentences:`` of ``params.yaml``: encoders learned from consecutive sentences."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlp_rnn.config.embeddings import Embeddings, GivenEmbeddings, Thawing
from nlp_rnn.config.section import Section, impossible
from nlp_rnn.config.training import ScheduleParameters


class SentencesSection(Section, title="Every sentence encoder"):
    """What every algorithm has. The encoder is a GRU over the vectors of a sentence's words."""

    dataset: str
    """The data set, of labelled texts or running text, whose training split is read. Its validation
    split decides which epoch is kept."""
    examples: Literal["documents", "sentences"] = "documents"
    """What the examples of the data set are. ``documents`` are cut into sentences, and no sentence
    has a neighbour in another document. ``sentences`` are read as they are, each the neighbour of
    the next."""
    language: str = "en"
    """The language of the documents, whose rules cut them into sentences, such as ``en``."""
    embeddings: Embeddings
    """The vectors of words. Words without a vector are left out, here as later. ``unknown`` is
    therefore of no use."""
    units: int = Field(default=300, gt=0)
    """The width of the GRU in each direction."""
    bidirectional: bool = True
    """Whether a second GRU reads each sentence from its end."""
    pooling: Literal["last", "mean", "max"] = "last"
    """How the states of a sentence become one vector: the ``last`` of each direction, their
    ``mean``, or the largest value of each unit (``max``)."""
    max_length: int = Field(default=30, gt=0)
    """How many words of a sentence are read in training. The encoder itself has no such bound."""
    batch_size: int = Field(default=200, gt=1)
    """How many consecutive sentences a batch has. For quick-thought they are the candidates."""
    learning_rate: float = Field(default=0.0005, gt=0)
    """The learning rate of Adam that the schedule starts from."""
    schedule: ScheduleParameters = ScheduleParameters()
    """How the learning rate changes over the epochs."""
    clip_norm: float | None = Field(default=5.0, gt=0)
    """The largest Euclidean norm of the whole gradient; ``null`` does not clip."""
    epochs: int = Field(default=1, gt=0)
    """How many times the training split is read."""

    @model_validator(mode="after")
    def _vectors_fit(self) -> SentencesSection:
        given = self.embeddings
        if isinstance(given, GivenEmbeddings) and "unknown" in given.model_fields_set:
            raise impossible("embeddings.unknown: words without a vector are left out; remove it")
        thawing = getattr(given, "trainable", None)
        if isinstance(thawing, Thawing) and thawing.after >= self.epochs:
            raise impossible(
                f"embeddings.trainable.after: {thawing.after}, but epochs is {self.epochs}; "
                "set trainable: false to freeze the vectors throughout"
            )
        return self


class QuickThoughtSentences(SentencesSection, title="Quick-thought"):
    """Two encoders tell the neighbours of a sentence from the other sentences of a batch
    (Logeswaran & Lee 2018)."""

    algorithm: Literal["quick_thought"]
    """``quick_thought`` chooses this algorithm."""
    context: int = Field(default=1, gt=0)
    """How many sentences on each side are the neighbours of a sentence."""

    @model_validator(mode="after")
    def _others_are_left(self) -> QuickThoughtSentences:
        if self.batch_size < 2 * self.context + 2:
            raise impossible(
                f"batch_size: {self.batch_size} sentences can be no others than neighbours; set "
                f"{2 * self.context + 2} or more"
            )
        return self


class SkipThoughtSentences(SentencesSection, title="Skip-thought"):
    """Two decoders write the sentence before and the one after (Kiros et al. 2015)."""

    algorithm: Literal["skip_thought"]
    """``skip_thought`` chooses this algorithm."""
    decoder_units: int = Field(default=300, gt=0)
    """The width of each decoder's GRU."""
    predicted_words: int = Field(default=5000, gt=0)
    """How many words the decoders tell apart, the most frequent ones. All others count as one."""


AnySentences = QuickThoughtSentences | SkipThoughtSentences
Sentences = Annotated[AnySentences, Field(discriminator="algorithm")]
