"""``embeddings:`` of an experiment: where the vectors of words come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from nlp_rnn.config.section import Section

LookupStep = Literal["lowercase", "digits_zeroed"]
"""What is tried when a word has no vector as it is."""


class ContextualParameters(Section, title="Contextual word vectors"):
    """The layers of a pair of language models, which a task mixes (ELMo; Peters et al. 2018)."""

    vectors: str
    """The name of vectors of ``algorithm: elmo``, or their folder in another project, whose path
    has a ``/``."""
    dimension: int = Field(default=128, gt=0)
    """How many numbers each direction has in every layer; the same as there."""
    layers: int = Field(default=2, gt=0)
    """How many LSTM layers each direction has; the same as there."""
    trainable: bool = False
    """``false`` freezes the language models: only the weights of the mixture are learned, and each
    training computes the layers once. ``true`` fine-tunes the language models with the task."""
    lookup: Annotated[tuple[LookupStep, ...], Field(strict=False)] = ("lowercase",)
    """What is tried, in order, for a word that the language models do not know as it is."""

    @property
    def folder(self) -> str:
        """Where the language models lie."""
        return self.vectors if "/" in self.vectors else f"vectors/{self.vectors}"

    @property
    def states_width(self) -> int:
        """How many numbers both directions have in all layers, from the word vectors up."""
        return 2 * self.dimension * (self.layers + 1)


class EmbeddingsSection(Section, title="All embeddings"):
    """What all embeddings have."""

    contextual: ContextualParameters | None = None
    """For classification, tagging, intents and slots and semantic roles: contextual word vectors,
    which the network reads beside the others. ``null`` reads none."""


class LearnedEmbeddings(EmbeddingsSection, title="Learned embeddings"):
    """Vectors that are drawn at random and learned with the model."""

    kind: Literal["learned"]
    """``learned`` draws vectors at random."""
    dimension: int = Field(default=100, gt=0)
    """How many numbers a vector has."""
    scale: float = Field(default=0.05, gt=0)
    """Vectors are drawn uniformly from -scale to scale."""

    @property
    def frozen_epochs(self) -> int:
        """None: they have to be learned."""
        return 0

    @property
    def more_words(self) -> int:
        """None: nothing is known of words that do not occur."""
        return 0


class Thawing(Section, title="Thawing"):
    """Vectors that are frozen at first and fine-tuned later."""

    after: int = Field(gt=0)
    """For how many epochs they are frozen; fewer than the training has."""


Trainable = Annotated[
    Annotated[bool, Tag("bool")] | Annotated[Thawing, Tag("thawing")],
    Discriminator(lambda value: "thawing" if isinstance(value, Mapping | Thawing) else "bool"),
]


class GivenEmbeddings(EmbeddingsSection, title="All given embeddings"):
    """Vectors that exist before the model is trained."""

    trainable: Trainable = True
    """``false`` freezes the vectors, ``true`` fine-tunes them, and ``{after: N}`` freezes them for
    the first N epochs."""
    lookup: Annotated[tuple[LookupStep, ...], Field(strict=False)] = ("lowercase",)
    """What is tried, in order, for a word that has no vector as it is. ``lowercase`` looks for the
    word in lower case, ``digits_zeroed`` with every digit as 0."""
    more_words: int = Field(default=0, ge=0)
    """For classifiers, taggers and sentence encoders: how many of the vectors' words, the first
    that the vocabulary of the data set lacks, are known too, though training has never seen
    them."""

    @property
    def frozen(self) -> bool:
        """Whether they are never trained."""
        return self.trainable is False

    @property
    def frozen_epochs(self) -> int:
        """Epochs after which they are trained, where they are."""
        return self.trainable.after if isinstance(self.trainable, Thawing) else 0


class PretrainedEmbeddings(GivenEmbeddings, title="Embeddings from a file"):
    """Vectors read from a file: GloVe, word2vec (text or binary) or fastText ``.vec``."""

    kind: Literal["pretrained"]
    """``pretrained`` reads a file."""
    file: str
    """The file, plain or ``.gz``, or ``archive.zip!member``, relative to ``NLP_RNN_DATA`` (default
    ``data/raw``), or to the project if it begins with ``./`` or ``../``."""
    dimension: int = Field(gt=0)
    """How many numbers a vector of the file has."""
    url: str | None = None
    """Where the file or archive is downloaded from when it is missing; ``null`` downloads
    nothing."""
    sha256: str | None = None
    """The SHA-256 checksum that the download must have, in hexadecimal; ``null`` checks nothing."""
    unknown: Literal["mean", "drawn"] = "mean"
    """What words that are not found start from. ``mean`` is the mean of the vectors that were
    found, ``drawn`` draws vectors to the mean and spread of the file."""


class TransferredEmbeddings(GivenEmbeddings, title="Embeddings of the project"):
    """Vectors of the section ``vectors:``, or those of one of the ``encoders:``, whose recurrent
    layers the network then starts from too."""

    kind: str = Field(json_schema_extra={"not": {"enum": ["learned", "pretrained"]}})
    """The name of the vectors or of the encoder. DVC's stage ``embed`` depends on what it names."""
    dimension: int = Field(default=100, gt=0)
    """How many numbers a vector has; the same as there."""
    unknown: Literal["mean", "drawn", "subwords"] = "mean"
    """What words that are not found start from. ``mean`` is the mean of the vectors that were
    found, ``drawn`` draws vectors to the mean and spread of all, and ``subwords``, for fastText,
    takes the mean of the vectors of their character n-grams. It is left out for an encoder, where
    such words start from its ``<unk>``."""


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
