"""``pseudo_labelled:`` of ``params.yaml``: data sets that grow by what classifiers say."""

from __future__ import annotations

from pydantic import Field, model_validator

from nlp_rnn.config.data import VocabularyParameters
from nlp_rnn.config.section import Section, impossible


class PseudoLabelledDataset(Section, title="Pseudo-labelled data set"):
    """A labelled data set whose training split goes on with texts that two classifiers label."""

    labelled: str
    """The data set that grows. Its validation and test split stay as they are, and its tokenizer
    reads the texts."""
    unlabelled: str
    """A data set of running text. The examples of its training split are the texts, without those
    that the labelled data set has in any split."""
    teachers: list[str] = Field(min_length=2, max_length=2)
    """Two experiments on the labelled data set, the more unlike each other the better. The mean of
    their probabilities decides."""
    min_confidence: float = Field(default=0.7, ge=0, lt=1)
    """A text whose likeliest label is less probable than this is left out."""
    vocabulary: VocabularyParameters = VocabularyParameters()
    """Which types of the training split, with all its texts, get an index of their own."""

    @model_validator(mode="after")
    def _teachers_differ(self) -> PseudoLabelledDataset:
        if self.teachers[0] == self.teachers[1]:
            raise impossible("teachers: name two different experiments")
        return self
