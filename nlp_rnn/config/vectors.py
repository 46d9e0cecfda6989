"""``vectors:`` of ``params.yaml``: word vectors that are learned from a corpus."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlp_rnn.config.section import Section, impossible


class VectorsSection(Section, title="Every algorithm"):
    """What every algorithm has."""

    dataset: str
    """The data set whose training split is read."""
    dimension: int = Field(default=100, gt=0)
    """How many numbers a vector has."""


class WordVectorsSection(VectorsSection, title="Every algorithm of word vectors"):
    """Algorithms that give a word one vector, whatever its sentence."""

    window: int = Field(default=5, gt=0)
    """How many tokens on each side of a word are its context."""
    min_count: int = Field(default=1, gt=0)
    """Words of the data set's vocabulary that are rarer than this count as ``<unk>``."""


class CountedVectors(WordVectorsSection, title="Every algorithm that counts"):
    """Algorithms that first count how often words occur together."""

    distance_weighting: Literal["none", "harmonic"] = "none"
    """What a pair of words ``d`` tokens apart counts: 1 (``none``) or 1/d (``harmonic``)."""
    symmetric: bool = True
    """Whether contexts are on both sides of a word; if not, they are only on its left."""


class CooccurrenceSvdVectors(CountedVectors, title="Co-occurrence SVD"):
    """Truncated SVD of the counts themselves (Deerwester et al. 1990)."""

    algorithm: Literal["cooccurrence_svd"]
    """``cooccurrence_svd`` chooses this algorithm."""
    singular_value_power: float = Field(default=1.0, ge=0, le=1)
    """The power ``p`` of the singular values ``S`` in the vectors ``U S^p``."""


class PmiSvdVectors(CountedVectors, title="PMI SVD"):
    """Truncated SVD of (positive) pointwise mutual information (Levy et al. 2015)."""

    algorithm: Literal["pmi_svd"]
    """``pmi_svd`` chooses this algorithm."""
    positive: bool = True
    """Whether what is below 0 becomes 0 (PPMI)."""
    shift: float = Field(default=1.0, ge=1)
    """The logarithm of this is taken off, as negative sampling with so many samples does (Levy et
    al. 2015). 1 takes nothing off."""
    smoothing: float = Field(default=0.75, gt=0, le=1)
    """The power that the counts of contexts are raised to. 1 changes nothing."""
    singular_value_power: float = Field(default=0.5, ge=0, le=1)
    """The power ``p`` of the singular values ``S`` in the vectors ``U S^p``."""


class GloveVectors(CountedVectors, title="GloVe"):
    """Weighted least squares of the counts' logarithms (Pennington et al. 2014)."""

    algorithm: Literal["glove"]
    """``glove`` chooses this algorithm."""
    window: int = Field(default=10, gt=0)
    """How many tokens on each side of a word are its context."""
    distance_weighting: Literal["none", "harmonic"] = "harmonic"
    """What a pair of words ``d`` tokens apart counts: 1 (``none``) or 1/d (``harmonic``, as in the
    paper)."""
    x_max: float = Field(default=100.0, gt=0)
    """The count from which a pair has full weight."""
    alpha: float = Field(default=0.75, gt=0, le=1)
    """The power by which the weight of rarer pairs falls."""
    learning_rate: float = Field(default=0.05, gt=0)
    """The learning rate of AdaGrad, by which the vectors are learned."""
    epochs: int = Field(default=15, gt=0)
    """How many times all pairs are learned from."""


class PredictedVectors(WordVectorsSection, title="Every algorithm that predicts"):
    """Algorithms of gensim that predict words from the words near them."""

    architecture: Literal["skip_gram", "cbow"] = "skip_gram"
    """``skip_gram`` predicts the context from a word, ``cbow`` a word from the mean of its context
    (Mikolov et al. 2013)."""
    output: Literal["negative_sampling", "hierarchical_softmax"] = "negative_sampling"
    """How a prediction is trained: against words drawn at random (``negative_sampling``) or along a
    binary tree (``hierarchical_softmax``)."""
    negative: int = Field(default=5, gt=0)
    """How many words are drawn beside each true one, for ``negative_sampling``."""
    subsample: float = Field(default=1e-3, ge=0)
    """The relative frequency above which words are left out at random. 0 keeps all."""
    learning_rate: float = Field(default=0.025, gt=0)
    """The learning rate at the start. It falls to 1/250 of that."""
    epochs: int = Field(default=5, gt=0)
    """How many times the training split is read."""
    threads: int = Field(default=1, gt=0)
    """How many threads learn. More than one is faster, but no two runs then give the same
    vectors."""


class Word2VecVectors(PredictedVectors, title="word2vec"):
    """word2vec (Mikolov et al. 2013)."""

    algorithm: Literal["word2vec"]
    """``word2vec`` chooses this algorithm."""


class FastTextVectors(PredictedVectors, title="fastText"):
    """fastText: word2vec on words and their character n-grams (Bojanowski et al. 2017)."""

    algorithm: Literal["fasttext"]
    """``fasttext`` chooses this algorithm."""
    shortest: int = Field(default=3, gt=0)
    """How many characters the shortest n-gram has."""
    longest: int = Field(default=6, gt=0)
    """How many characters the longest n-gram has."""
    buckets: int = Field(default=200_000, gt=0)
    """How many vectors all n-grams share by a hash."""

    @model_validator(mode="after")
    def _some_lengths(self) -> FastTextVectors:
        if self.shortest > self.longest:
            raise impossible(f"shortest is {self.shortest}, more than longest, {self.longest}")
        return self


class ElmoVectors(VectorsSection, title="ELMo"):
    """Contextual word vectors: the layers of a forward and a backward language model over words
    (Peters et al. 2018). Experiments read them beside word vectors, by ``embeddings.contextual``.
    """

    algorithm: Literal["elmo"]
    """``elmo`` chooses this algorithm."""
    dimension: int = Field(default=128, gt=0)
    """How many numbers each direction has in every layer. A contextual vector has twice as many."""
    layers: int = Field(default=2, gt=0)
    """How many LSTM layers each direction has. A residual connection bypasses all but the first."""
    longest: int = Field(default=50, gt=1)
    """Longer lines are read in parts of this many words, each from zero states."""
    samples: int | None = Field(default=1000, gt=0)
    """How many words a softmax is trained against (sampled softmax). ``null`` is all words."""
    learning_rate: float = Field(default=0.002, gt=0)
    """The learning rate of Adam at the start. It falls to 0 along a cosine."""
    clip_norm: float = Field(default=1.0, gt=0)
    """The largest Euclidean norm of the whole gradient."""
    batch_size: int = Field(default=64, gt=0)
    """How many lines a batch has."""
    epochs: int = Field(default=2, gt=0)
    """How many times the training split is read."""


WordVectorsParameters = (
    CooccurrenceSvdVectors | PmiSvdVectors | GloveVectors | Word2VecVectors | FastTextVectors
)
AnyVectors = WordVectorsParameters | ElmoVectors
Vectors = Annotated[AnyVectors, Field(discriminator="algorithm")]
