"""``decoding:`` of an encoder-decoder: how it searches for the best target.

Nothing here is part of training: a changed value evaluates again and trains nothing.
"""

from __future__ import annotations

from pydantic import Field

from nlp_rnn.config.section import Section


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
