"""``evaluation:`` of a language-modelling experiment: what is added to the model at test time.

Nothing here is part of training: a changed value evaluates again and trains nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nlp_rnn.config.section import Section


class InterpolationParameters(Section):
    """A mixture with an n-gram model, weights by EM on the validation split."""

    order: int = Field(default=5, ge=2)
    """Of the modified Kneser-Ney model that the training split counts."""


class CacheParameters(Section):
    """The continuous cache (Grave et al. 2017); its weight comes by EM on the validation split."""

    size: int = Field(default=500, gt=0)
    """Positions that it remembers."""
    thetas: list[Annotated[float, Field(ge=0)]] = Field(default=[0.1, 0.3, 1.0], min_length=1)
    """How sharply it prefers similar hidden states; 0 is a plain unigram cache. The best on the
    validation split is taken."""


class DynamicEvaluationParameters(Section):
    """Training goes on while the text is read (Krause et al. 2018), by plain SGD."""

    learning_rates: list[Annotated[float, Field(ge=0)]] = Field(min_length=1)
    """The best on the validation split is taken, with the best of ``decays``."""
    decays: list[Annotated[float, Field(ge=0, le=1)]] = Field(default=[0.0], min_length=1)
    """The share of the way back to the trained weights that each update goes."""
    window: int = Field(default=20, gt=0)
    """Tokens that are scored, then learned from in one update."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Largest Euclidean norm of the whole gradient of a window's mean loss."""


class EvaluationParameters(Section):
    """What is reported beside the plain test figures; nothing where a key is missing."""

    interpolation: InterpolationParameters | None = None
    cache: CacheParameters | None = None
    dynamic: DynamicEvaluationParameters | None = None

    def __bool__(self) -> bool:
        return any(value is not None for _, value in self)
