"""``vectors:`` of ``params.yaml``: word vectors that are learned from a corpus."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlp_rnn.config.section import Section, impossible


class VectorsSection(Section):
    """What every algorithm has."""

    dataset: str
    """The data set whose training split is read."""
    dimension: int = Field(default=100, gt=0)
    window: int = Field(default=5, gt=0)
    """Tokens on each side of a word that are its context."""
    min_count: int = Field(default=1, gt=0)
    """Words of the data set's vocabulary that are rarer count as ``<unk>``."""


class CountedVectors(VectorsSection):
    """Algorithms that count how often words occur together first."""

    distance_weighting: Literal["none", "harmonic"] = "none"
    """What a pair of words ``d`` tokens apart counts: 1, or 1 / d."""
    symmetric: bool = True
    """Contexts are on both sides of a word; else only on its left."""


class CooccurrenceSvdVectors(CountedVectors):
    """Truncated SVD of the counts themselves."""

    algorithm: Literal["cooccurrence_svd"]
    singular_value_power: float = Field(default=1.0, ge=0, le=1)
    """Vectors are ``U S^p``."""


class PmiSvdVectors(CountedVectors):
    """Truncated SVD of (positive) pointwise mutual information (Levy et al. 2015)."""

    algorithm: Literal["pmi_svd"]
    positive: bool = True
    """PPMI: what is below 0 becomes 0."""
    shift: float = Field(default=1.0, ge=1)
    """``ln shift`` is taken off, as negative sampling with so many samples does."""
    smoothing: float = Field(default=0.75, gt=0, le=1)
    """Contexts' counts are raised to it."""
    singular_value_power: float = Field(default=0.5, ge=0, le=1)
    """Vectors are ``U S^p``."""


class GloveVectors(CountedVectors):
    """Weighted least squares of the counts' logarithms (Pennington et al. 2014)."""

    algorithm: Literal["glove"]
    window: int = Field(default=10, gt=0)
    distance_weighting: Literal["none", "harmonic"] = "harmonic"
    x_max: float = Field(default=100.0, gt=0)
    """The count from which a pair has full weight."""
    alpha: float = Field(default=0.75, gt=0, le=1)
    """The power by which the weight of rarer pairs falls."""
    learning_rate: float = Field(default=0.05, gt=0)
    epochs: int = Field(default=15, gt=0)


class PredictedVectors(VectorsSection):
    """Algorithms that predict words from words near them, by gensim."""

    architecture: Literal["skip_gram", "cbow"] = "skip_gram"
    output: Literal["negative_sampling", "hierarchical_softmax"] = "negative_sampling"
    negative: int = Field(default=5, gt=0)
    """Words drawn beside each true one, for ``negative_sampling``."""
    subsample: float = Field(default=1e-3, ge=0)
    """The relative frequency above which words are left out at random; 0 keeps all."""
    learning_rate: float = Field(default=0.025, gt=0)
    """At the start; it falls to 1/250 of that."""
    epochs: int = Field(default=5, gt=0)
    threads: int = Field(default=1, gt=0)
    """More than one is faster, but no two runs then give the same vectors."""


class Word2VecVectors(PredictedVectors):
    """word2vec (Mikolov et al. 2013)."""

    algorithm: Literal["word2vec"]


class FastTextVectors(PredictedVectors):
    """fastText: word2vec on words and their character n-grams (Bojanowski et al. 2017)."""

    algorithm: Literal["fasttext"]
    shortest: int = Field(default=3, gt=0)
    """Characters of the shortest n-gram."""
    longest: int = Field(default=6, gt=0)
    """Characters of the longest n-gram."""
    buckets: int = Field(default=200_000, gt=0)
    """N-grams are hashed to so many vectors."""

    @model_validator(mode="after")
    def _some_lengths(self) -> FastTextVectors:
        if self.shortest > self.longest:
            raise impossible(f"shortest is {self.shortest}, more than longest, {self.longest}")
        return self


AnyVectors = (
    CooccurrenceSvdVectors | PmiSvdVectors | GloveVectors | Word2VecVectors | FastTextVectors
)
Vectors = Annotated[AnyVectors, Field(discriminator="algorithm")]
