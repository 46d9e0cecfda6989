"""``evaluation:`` of a language-modelling experiment, what is added to the model at test time, and
``decoding:`` of an encoder-decoder, how it searches for the best target.

Nothing here is part of training: a changed value evaluates again and trains nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nlp_rnn.config.section import Section


class InterpolationParameters(Section, title="Interpolation"):
    """A mixture with an n-gram model, whose weights EM finds on the validation split (Jelinek &
    Mercer 1980)."""

    order: int = Field(default=5, ge=2)
    """The order of the modified Kneser-Ney model that is counted in the training split: 5 reads
    four tokens to predict the fifth."""


class CacheParameters(Section, title="Cache"):
    """The continuous cache (Grave et al. 2017), whose weight EM finds on the validation split."""

    size: int = Field(default=500, gt=0)
    """How many of the last positions it remembers."""
    thetas: list[Annotated[float, Field(ge=0)]] = Field(default=[0.1, 0.3, 1.0], min_length=1)
    """How sharply it prefers similar hidden states; 0 is a plain unigram cache. The best on the
    validation split is taken."""


class DynamicEvaluationParameters(Section, title="Dynamic evaluation"):
    """Training that goes on while the text is read (Krause et al. 2018), by plain SGD."""

    learning_rates: list[Annotated[float, Field(ge=0)]] = Field(min_length=1)
    """The learning rates that are tried. The best on the validation split is taken, with the best
    of ``decays``."""
    decays: list[Annotated[float, Field(ge=0, le=1)]] = Field(default=[0.0], min_length=1)
    """The shares of the way back to the trained weights that each update goes, which are tried; 0
    never goes back."""
    window: int = Field(default=20, gt=0)
    """How many tokens are scored, then learned from in one update."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """The largest Euclidean norm of the whole gradient of a window's mean loss; ``null`` does not
    clip."""


class EvaluationParameters(Section, title="Evaluation"):
    """What is reported beside the plain test metrics of a language model."""

    interpolation: InterpolationParameters | None = None
    """A mixture with an n-gram model; ``null`` reports none."""
    cache: CacheParameters | None = None
    """A cache of the text so far, which needs ``training.streams: text``; ``null`` reports none."""
    dynamic: DynamicEvaluationParameters | None = None
    """A model that goes on learning from the text so far, which needs ``training.streams: text``;
    ``null`` reports none."""

    def __bool__(self) -> bool:
        return any(value is not None for _, value in self)


class DecodingParameters(Section, title="Decoding"):
    """Beam search for the target of a source."""

    beam: int = Field(default=5, gt=0)
    """How many hypotheses are kept at each step; 1 is greedy."""
    length_penalty: float = Field(default=0.6, ge=0)
    """The exponent of Wu et al. (2016): 0 prefers short targets, 1 is close to the mean over the
    tokens."""
    longest_ratio: float = Field(default=1.5, ge=0)
    """How many tokens a target may have for each token of its source, beside ``longest_extra``."""
    longest_extra: int = Field(default=20, gt=0)
    """How many tokens a target may have in any case."""

    def limit(self, source: int) -> int:
        """The most tokens, end symbol included, of the target of a source of so many tokens."""
        return int(self.longest_ratio * source) + self.longest_extra
